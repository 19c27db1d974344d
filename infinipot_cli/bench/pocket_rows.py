"""Files of the embedded model's evaluation sets, looked over while they are read: what one lacks is said in a line."""

import json
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infinipot_cli.errors import DocumentError

_KINDS: dict[str, type] = {
    "title": str, "id": str, "document": str, "qas": list, "summaries": list, "question": str, "answers": list,
    "para_start": int, "para_end": int,
}  # fmt: skip
_OF_TEXTS = ("summaries", "answers")


@dataclass(frozen=True)
class Shape:
    """What a set cannot do without.

    Attributes:
        row: fields of each row.
        asked: fields of each of its questions.
    """

    row: tuple[str, ...]
    asked: tuple[str, ...] = ()


_ARTICLE = Shape(("title", "document", "qas"), ("question", "answers", "para_start", "para_end"))
_NUMBERED = Shape(("title", "document", "summaries", "id"))
SHAPES = {
    "squad": _ARTICLE,
    "squad-articles": _ARTICLE,
    "absent": _ARTICLE,
    "fairytale": Shape(_ARTICLE.row, ("question", "answers")),
    "scitldr": Shape(("title", "document", "summaries")),
    "peps": _NUMBERED,
    "rfcs": _NUMBERED,
}


def read_rows(path: Path, shape: Shape) -> list[dict[str, Any]]:
    """The rows of a set, one JSON object a line; blank lines do not count.

    Args:
        path: `.jsonl`, or `.jsonl.xz`.
        shape: what they must have.

    Raises:
        DocumentError: the file cannot be read, or a row is not of that shape.
    """
    try:
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file if line.strip()]
    except (lzma.LZMAError, EOFError, ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}") from error
    for number, row in enumerate(rows, start=1):
        if flaw := _flaw(row, shape.row) or _flaw_of_questions(row, shape.asked):
            raise DocumentError(f"{path} is damaged: row {number}{flaw}")
    return rows


def read_novel(path: Path) -> str:
    """A text of `documents/`.

    Raises:
        DocumentError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}") from error


def _flaw(fields: object, names: Sequence[str]) -> str | None:
    if not isinstance(fields, dict):
        return " is no object"
    for name in names:
        value = fields.get(name)
        is_right = isinstance(value, _KINDS[name]) and not isinstance(value, bool)
        if name in _OF_TEXTS and isinstance(value, list):
            is_right = all(isinstance(one, str) for one in value)
        if not is_right:
            return f" has {value!r:.40} for {name}" if name in fields else f" has no {name}"
    return None


def _flaw_of_questions(row: dict[str, Any], names: Sequence[str]) -> str | None:
    asked = row["qas"] if names else []
    flaws = ((number, _flaw(one, names)) for number, one in enumerate(asked, start=1))
    return next((f", question {number}{flaw}" for number, flaw in flaws if flaw), None)
