"""JSON that says one thing only: no key twice, no number that is none. What is stored with a pot is read so."""

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """The value behind a JSON text.

    Raises:
        ValueError: it is no JSON, names a key twice, or holds NaN or an infinity.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_named_once, parse_constant=_refused)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers may each believe another one of two values; nobody writes such a file by accident."""
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ValueError("a key stands twice")
    return named


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no number")
