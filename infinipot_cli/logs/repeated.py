"""The most repeated messages of a stream, in memory of fixed size."""

import re
from dataclasses import dataclass

# What differs between two messages that say the same: numbers, addresses, identifiers, what stands in quotes.
_VARIABLE = re.compile(
    r"(?=[\"'\da-fA-F+-])"  # most characters begin none of these, and that is soon seen
    r"(?:\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)"  # an apostrophe quotes nothing
    r"|\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
    r"|\b0x[0-9a-fA-F]+\b|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{6,}\b"
    r"|(?<![A-Za-z])[-+]?\d+(?:[.,:]\d+)*|\d+)"
)
_SEVERAL = re.compile(r"…(?:[\s,;:/.]*…)+")
_SHAPE_CHARS = 160
_MOST_SHAPES = 2000


def shape(message: str) -> str:
    """A message with what is variable in it left open, so that its repetitions are alike."""
    what = _SEVERAL.sub("…", _VARIABLE.sub("…", message[: 2 * _SHAPE_CHARS])).strip()
    return what if len(what) <= _SHAPE_CHARS else f"{what[: _SHAPE_CHARS - 1].rstrip('… ')}…"


@dataclass
class Count:
    """How often a message came.

    Attributes:
        n: times it was counted.
        first: line where it came first.
        last: line where it came last.
        is_exact: whether none can have been missed.
    """

    n: int
    first: int
    last: int
    is_exact: bool


class Repetitions:
    """Counts shapes; when there are too many, the rarer half is forgotten, so later counts are lower bounds."""

    def __init__(self, most: int = _MOST_SHAPES) -> None:
        self._most = most
        self._counts: dict[str, Count] = {}
        self._has_forgotten = False

    def add(self, message: str, line: int) -> None:
        """Count a message."""
        what = shape(message)
        count = self._counts.get(what)
        if count is not None:
            count.n += 1
            count.last = line
            return
        if len(self._counts) >= self._most:
            kept = sorted(self._counts.items(), key=lambda item: (-item[1].n, -item[1].last))[: self._most // 2]
            self._counts = dict(kept)
            self._has_forgotten = True
        self._counts[what] = Count(1, line, line, not self._has_forgotten)

    def most_frequent(self, n: int, *, at_least: int = 1) -> list[tuple[str, Count]]:
        """The shapes that came most often, those that came first before others of the same number."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1].n, item[1].first))
        return [(what, count) for what, count in ordered[:n] if count.n >= at_least]

    def __len__(self) -> int:
        return len(self._counts)
