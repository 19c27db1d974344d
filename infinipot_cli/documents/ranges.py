"""Which pages or lines to read: `1-5,8,xii-xv` as people write it, counted from 1, both ends included."""

import re
from collections.abc import Sequence

from infinipot_cli.errors import PartError, UsageError

_NUMBER = re.compile(r"[0-9]{1,9}")
_NUMBERS = re.compile(r"([0-9]{1,9})\s*(-\s*([0-9]{1,9})?)?")


def check_pages(text: str) -> None:
    """Refuse what cannot name pages of any document; labels are looked up once it is open.

    Raises:
        UsageError: an empty part, a page 0, or a range that runs backwards.
    """
    for part in _parts(text, "page"):
        if match := _NUMBERS.fullmatch(part):
            _check_range(part, *_ends(match))


def parse_lines(text: str) -> list[tuple[int, int | None]]:
    """Read ranges of lines; returns them in order, joined where they touch. An end of None is the last line.

    Raises:
        UsageError: the text is something else.
    """
    ranges = []
    for part in _parts(text, "line"):
        match = _NUMBERS.fullmatch(part)
        if match is None:
            raise UsageError(f"{part!r} is no range of lines", hint="such as --lines 1000-2000, or --lines 1000-")
        first, last = _ends(match)
        _check_range(part, first, last)
        ranges.append((first, last))
    joined: list[tuple[int, int | None]] = []
    for first, last in sorted(ranges, key=lambda ends: ends[0]):
        if joined and (joined[-1][1] is None or first <= joined[-1][1] + 1):
            before, end = joined[-1]
            joined[-1] = (before, None if end is None or last is None else max(end, last))
        else:
            joined.append((first, last))
    return joined


def resolve_pages(
    text: str, n_pages: int, labels: Sequence[str] | None = None, *, name: str
) -> tuple[list[int], str | None]:
    """Find the pages a text names.

    Digits are places counted from 1, as long as there are so many pages; everything else is a label printed on a page.
    The first page that bears it counts, and case only where the labels differ by nothing else.

    Args:
        text: such as `1-5,8,xii-xv` or `10-`.
        n_pages: pages of the document.
        labels: what is printed on them, where the document says so.
        name: of the document, for messages.

    Returns:
        The numbers in the order of the document, each once; and a warning where a range ends beyond the last page.

    Raises:
        PartError: no such page or label, or a range that runs backwards.
        UsageError: the text is no list.
    """
    by_label: dict[str, int] = {}
    for fold in (str, str.casefold):
        for number, label in enumerate(labels or (), start=1):
            by_label.setdefault(fold(label), number)
    pages: set[int] = set()
    warning = None
    for part in _parts(text, "page"):
        first, last = _find(part, n_pages, by_label, name)
        _check_range(part, first, last, PartError)
        if first > n_pages:
            plural = "s" if "-" in part else ""
            raise PartError(f"page{plural} {part} requested, {name} has {n_pages}", code="no_such_page")
        if last > n_pages:
            warning = f"pages {part} requested, {name} has {n_pages}"
        pages.update(range(first, min(last, n_pages) + 1))
    return sorted(pages), warning


class LineFilter:
    """Passes the wanted lines of a text that comes in pieces.

    Args:
        ranges: as `parse_lines` gives them.
    """

    def __init__(self, ranges: Sequence[tuple[int, int | None]]) -> None:
        self._ranges = list(ranges)
        self._line = 1
        self._has_begun = False  # the current line has characters

    @property
    def is_done(self) -> bool:
        """Whether no later line is wanted."""
        return not self._ranges

    @property
    def n_lines(self) -> int:
        """Lines seen so far, an unfinished one included."""
        return self._line if self._has_begun else self._line - 1

    def push(self, text: str) -> str:
        """The wanted part of some more text."""
        if text:
            self._has_begun = not text.endswith("\n")
        kept, at = [], 0
        while at < len(text) and self._ranges:
            first, last = self._ranges[0]
            is_wanted = self._line >= first
            n_ahead = first - self._line if not is_wanted else None if last is None else last - self._line + 1
            start, (at, n_passed) = at, _skip_lines(text, at, n_ahead)
            self._line += n_passed
            if is_wanted:
                kept.append(text[start:at])
                if last is not None and self._line > last:
                    self._ranges.pop(0)
        return "".join(kept)


def _skip_lines(text: str, at: int, n_lines: int | None) -> tuple[int, int]:
    """Where so many lines end, or the text; and how many ended."""
    n_here = text.count("\n", at)
    if n_lines is None or n_here < n_lines:
        return len(text), n_here
    for _ in range(n_lines):
        at = text.index("\n", at) + 1
    return at, n_lines


def _parts(text: str, what: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        example = "1-5,8,xii-xv" if what == "page" else "1000-2000"
        raise UsageError(f"{text!r} is no list of {what}s", hint=f"such as --{what}s {example}")
    return parts


def _ends(match: re.Match[str]) -> tuple[int, int | None]:
    first = int(match[1])
    if match[2] is None:
        return first, first
    return first, None if match[3] is None else int(match[3])


def _check_range(part: str, first: int, last: int | None, error: type[UsageError] = UsageError) -> None:
    if first < 1:
        raise error(f"{part}: counting starts at 1")
    if last is not None and last < first:
        raise error(f"{part} runs backwards", hint="the smaller end comes first")


def _find(part: str, n_pages: int, by_label: dict[str, int], name: str) -> tuple[int, int]:
    """First and last page of one part; a label may hold a dash itself, so a whole one is tried first."""

    def place(word: str) -> int | None:
        if _NUMBER.fullmatch(word) and not (int(word) > n_pages and word in by_label):
            return int(word)
        return by_label.get(word, by_label.get(word.casefold()))

    if (page := place(part)) is not None:
        return page, page
    for dash in (match.start() for match in re.finditer("-", part)):
        left, right = part[:dash].strip(), part[dash + 1 :].strip()
        first, last = place(left), place(right) if right else n_pages
        if first is not None and last is not None:
            return first, last if right else max(first, n_pages)
    raise PartError(
        f"{name} has no page labelled {part!r}",
        hint=f"its pages are numbered 1 to {n_pages}" + ("" if by_label else "; it has no labels"),
        code="no_such_page",
    )
