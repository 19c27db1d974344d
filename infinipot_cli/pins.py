"""Parts of documents that a pot keeps for ever: a text that must not be lost, or whole pages.

Pinned texts are looked for as the documents stream by. The last few characters of what has come are held back, so that
the whole of a pinned text is known before its first token is read.
"""

import contextlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from infinipot_cli.documents.piece import TextPiece
from infinipot_cli.documents.ranges import resolve_pages
from infinipot_cli.errors import UsageError

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
# Line ends and indents may stand where a pinned text has one blank; so much of them is allowed for in all.
_MORE_BLANKS = 64


class Pins:
    """What to keep, and where it was found in the document that is being read.

    Args:
        texts: wording as it stands in a document; blanks and line ends are the same.
        pages: such as `1-3,7`, or labels printed on pages, such as `xii` or `ii-xii`; None for none.

    Raises:
        UsageError: a blank text, or pages that are no range.
    """

    def __init__(self, texts: Sequence[str] = (), pages: str | None = None) -> None:
        if not all(text.strip() for text in texts):
            raise UsageError("the text to pin is empty", hint='--pin "clause 7"')
        # The group looks ahead without moving on, so that places that overlap ("aba" in "ababa") are all found.
        self._wanted = {text: re.compile(r"(?=(" + r"\s+".join(map(re.escape, text.split())) + "))") for text in texts}
        self._held = max((len(text) for text in texts), default=0) + _MORE_BLANKS if texts else 0
        self._numbers, self._labels = _pages(pages)
        self._wished = [part.strip() for part in pages.split(",")] if pages is not None else []
        self._found: set[str] = set()
        self._page_was_found = not pages
        self._ranges: list[tuple[int, int]] = []
        self._here: set[int] = set()  # wanted pages of the document that is being read
        self._page: int | None = None
        self._page_is_wanted = self._before_is_wanted = self._begins = False

    def __bool__(self) -> bool:
        return bool(self._wanted or self._numbers or self._labels)

    @property
    def missing(self) -> list[str]:
        """What was asked for and not found in anything that was read, one line each."""
        lines = [f"nothing was pinned for {text!r}: no document says it" for text in self._wanted.keys() - self._found]
        return lines + ([] if self._page_was_found else ["nothing was pinned: no document has such a page"])

    def watch(
        self, pieces: Iterable[TextPiece], n_pages: int | None = None, labels: Sequence[str] | None = None
    ) -> Iterator[TextPiece]:
        """Pass the pieces of one document on, and remember which of their characters are pinned.

        Args:
            pieces: of the document.
            n_pages: its pages, where they are counted; then pages are found as `--pages` finds them.
            labels: what is printed on each of them, where the document says so.
        """
        self._ranges, self._page, self._page_is_wanted = [], None, False
        self._here = self._numbers if n_pages is None else self._pages_of(n_pages, labels)
        waiting: list[TextPiece] = []
        for piece in pieces:
            waiting.append(piece)
            yield from self._ready(waiting, self._held)
        yield from self._ready(waiting, 0)

    def covers(self, start: int, end: int) -> bool:
        """Whether any character from `start` up to `end` is pinned."""
        place = bisect_left(self._ranges, (end, 0))
        return place > 0 and start < self._ranges[place - 1][1]

    def _ready(self, waiting: list[TextPiece], n_held: int) -> Iterator[TextPiece]:
        if not waiting:
            return
        text, start = "".join(piece.text for piece in waiting), waiting[0].char_start
        for wording, pattern in self._wanted.items():
            for match in pattern.finditer(text):
                self._found.add(wording)
                self._pin(start + match.start(1), start + match.end(1))
        end = start + len(text) - n_held
        while waiting and waiting[0].char_start < end:
            piece = waiting.pop(0)
            n_ready = end - piece.char_start
            if n_ready < len(piece.text):
                waiting.insert(0, replace(piece, text=piece.text[n_ready:], char_start=piece.char_start + n_ready))
                piece = replace(piece, text=piece.text[:n_ready])
            self._pin_page(piece)
            yield piece

    def _pages_of(self, n_pages: int, labels: Sequence[str] | None) -> set[int]:
        found: set[int] = set()
        for part in self._wished:
            with contextlib.suppress(UsageError):  # another document may have it
                found.update(resolve_pages(part, n_pages, labels, name="")[0])
        return found

    def _pin_page(self, piece: TextPiece) -> None:
        """Pin what a piece has of a wanted page; the blank line between two pages is the first one's."""
        if piece.page != self._page:
            label = (piece.label or "").casefold()
            self._page, self._before_is_wanted, self._begins = piece.page, self._page_is_wanted, True
            self._page_is_wanted = piece.page is not None and (piece.page in self._here or label in self._labels)
            self._page_was_found |= self._page_is_wanted
        blank = len(piece.text) - len(piece.text.lstrip("\n")) if self._begins else 0
        self._begins = self._begins and blank == len(piece.text)
        start = piece.char_start
        if self._before_is_wanted:
            self._pin(start, start + blank)
        if self._page_is_wanted:
            self._pin(start + blank, start + len(piece.text))

    def _pin(self, start: int, end: int) -> None:
        """Add a range to the others, which are in order and apart from each other."""
        first = bisect_left(self._ranges, (start, 0))
        if first and self._ranges[first - 1][1] >= start:
            first -= 1
        last = first
        while last < len(self._ranges) and self._ranges[last][0] <= end:
            start, end = min(start, self._ranges[last][0]), max(end, self._ranges[last][1])
            last += 1
        if start < end:
            self._ranges[first:last] = [(start, end)]


def _pages(text: str | None) -> tuple[set[int], set[str]]:
    numbers: set[int] = set()
    labels: set[str] = set()
    for part in (text or "").split(",") if text is not None else ():
        word = part.strip()
        match = _RANGE.fullmatch(word)
        if not word:
            raise UsageError(f"{text!r} names no pages", hint="--pin-pages 1-3,7")
        if match is None:
            labels.add(word.casefold())
            continue
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 < first <= last or last - first > 100_000:
            raise UsageError(f"{word!r} is no range of pages", hint="--pin-pages 1-3,7")
        numbers.update(range(first, last + 1))
    return numbers, labels
