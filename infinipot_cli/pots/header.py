"""What a stored pot says about itself: format, model, settings and sources. No torch."""

import json
import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from infinipot_cli.errors import PotError
from infinipot_cli.pots import strict
from infinipot_cli.pots.numbers import are_sound, follow_each_other

FORMAT = 1
# How keys and values can be stored, and in which number formats a model can have made them.
ENTRIES = ("exact", "int8")
DTYPES = ("fp32", "bf16", "fp16", "fp64")


@dataclass(frozen=True)
class Fingerprint:
    """What must be the same for keys and values to mean anything.

    Attributes:
        model: the name under which the model was used.
        weights: SHA-256 over sizes and samples of the weight files, over all of small ones.
        config: SHA-256 of the configuration, which fixes positions and shapes.
        tokenizer: SHA-256 of the tokenizer.
        template: SHA-256 of the chat template.
        dtype: number format of weights and entries.
        quantization: what the weights were rounded to.
    """

    model: str
    weights: str
    config: str
    tokenizer: str
    template: str
    dtype: str
    quantization: str


@dataclass(frozen=True)
class StoredSource:
    """A document that was read.

    Attributes:
        name: as it was given.
        kind: its type, such as `pdf`.
        n_tokens: its tokens, announcements of its name included.
        sha256: of its text as it was read.
        first_token: number of its first token among all that was read and said.
        pages: number or label of each page and its first token, counted as above; empty where there are no pages.
        path: where the file lay, in full; empty of what was no file.
        size: of the file when it was read, bytes.
        modified: when it had been changed last, nanoseconds since 1970.
        n_pages: pages of the document, with those that have no text or were not read; 0 where there are none.
    """

    name: str
    kind: str
    n_tokens: int
    sha256: str
    first_token: int
    pages: tuple[tuple[str, int], ...] = ()
    path: str = ""
    size: int = 0
    modified: int = 0
    n_pages: int = 0

    @property
    def all_pages(self) -> int | None:
        """Pages of the document, as far as that is known: a pot of an earlier version knows those that were read."""
        return self.n_pages or len(self.pages) or None


@dataclass(frozen=True)
class Header:
    """Everything about a stored pot but its tensors.

    Attributes:
        model: what `-m` took; a folder in full.
        fingerprint: the model's identity.
        numbers: sizes, counters, catalyst and settings, as `engine.capture` gives them.
        prefix_ids: tokens in front of the documents.
        catalyst: name of the prompt that judged the entries.
        questions: what was asked while reading, by whoever has read into it; empty for a pot that knows no question.
        sources: the documents, in order.
        created: seconds since 1970.
        entries: how keys and values are stored, `exact` or `int8`.
        ahead: the words that the documents were read behind.
        told: local date and time that the chat template was told, in ISO format; empty in pots of earlier versions.
    """

    model: str
    fingerprint: Fingerprint
    numbers: dict[str, Any]
    prefix_ids: tuple[int, ...]
    catalyst: str
    questions: tuple[str, ...]
    sources: tuple[StoredSource, ...]
    created: float
    entries: str = "exact"
    ahead: str = ""
    told: str = ""

    @property
    def now(self) -> datetime:
        """What the chat template was told of date and time; of an earlier version's pot, when it was stored."""
        return datetime.fromisoformat(self.told) if self.told else datetime.fromtimestamp(self.created)

    @property
    def n_tokens(self) -> int:
        """Document tokens read."""
        return sum(source.n_tokens for source in self.sources)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=True, separators=(",", ":"))


def from_json(text: str, name: str) -> Header:
    """The header behind a line of JSON.

    Raises:
        PotError: it is no header, or one of another format.
    """
    try:
        content = strict.loads(text)
        number = content.pop("format")
        if type(number) is not int:
            raise TypeError
        if number != FORMAT:
            raise PotError(
                f"pot {name} has format {number}, and this infinipot reads format {FORMAT}",
                hint="read its documents again",
                code="pot_version",
            )
        sources = tuple(StoredSource(**{**one, "pages": _pages(one["pages"])}) for one in content.pop("sources"))
        fingerprint = Fingerprint(**content.pop("fingerprint"))
        prefix_ids, questions = content.pop("prefix_ids"), content.pop("questions")
        if not (isinstance(prefix_ids, list) and isinstance(questions, list)):
            raise TypeError
        header = Header(
            fingerprint=fingerprint,
            sources=sources,
            prefix_ids=tuple(prefix_ids),
            questions=tuple(questions),
            **content,
        )
        if not _is_sound(header):
            raise TypeError
        return header
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, OSError) as error:
        raise PotError(f"pot {name} is damaged: its header makes no sense", code="damaged_pot") from error


def _pages(stored: list[list[Any]]) -> tuple[tuple[str, int], ...]:
    return tuple((label, first) for label, first in stored)


def _is_sound(header: Header) -> bool:
    """Whether every field is of its type and agrees with the others; JSON could hold anything in its place."""
    texts: list[object] = [header.model, header.catalyst, header.ahead, header.told, *header.questions]
    texts += vars(header.fingerprint).values()
    counts: list[object] = [*header.prefix_ids]
    for source in header.sources:
        texts += [source.name, source.kind, source.sha256, source.path, *(label for label, _ in source.pages)]
        counts += [
            source.n_tokens,
            source.first_token,
            source.size,
            source.modified,
            source.n_pages,
            *(first for _, first in source.pages),
        ]
    # a bool is an int to Python, and a count to nobody
    return (
        type(header.created) in (int, float)
        and math.isfinite(header.created)
        and all(isinstance(text, str) for text in texts)
        and isinstance(header.now, datetime)
        and all(type(count) is int and count >= 0 for count in counts)
        and header.entries in ENTRIES
        and header.fingerprint.dtype in DTYPES
        and are_sound(header.numbers, len(header.prefix_ids))
        and follow_each_other(header.sources, header.numbers["n_seen"] - len(header.prefix_ids))
    )
