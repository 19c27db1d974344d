"""Parts of documents that a pot keeps for ever: a text that must not be lost, or whole pages.

Pinned texts are looked for as the documents stream by. The last few characters of what has come are held back, so that
the whole of a pinned text is known before its first token is read.
"""

import contextlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.documents.ranges import resolve_pages
from infinipot_cli.errors import UsageError

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
# Line ends and indents may stand where a pinned text has one blank; so much of them is allowed for in all.
_MORE_BLANKS = 64
# What came of a page that was to be pinned, from bad to good, and what is said of it.
_ABSENT, _UNREAD, _EMPTY, _PINNED = range(4)
_REASONS = ("no document has such a page", "it is not among what was read", "no text could be read there")


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
        self._wished = _pages(pages)
        self._found: set[str] = set()
        self._came_to = dict.fromkeys(self._wished, _ABSENT)  # the best that any document had for a part of the list
        self._ranges: list[tuple[int, int]] = []
        self._here: dict[str, set[int]] = {}  # wanted pages of the document that is being read, where they are counted
        self._is_checked = False
        self._page: int | None = None
        self._page_is_wanted = self._before_is_wanted = self._begins = False

    def __bool__(self) -> bool:
        return bool(self._wanted or self._wished)

    @property
    def missing(self) -> list[str]:
        """What was asked for and not found in anything that was read, one line each."""
        lines = [f"nothing was pinned for {text!r}: no document says it" for text in self._wanted.keys() - self._found]
        return lines + [
            f"nothing was pinned for --pin-pages {part}: {_REASONS[came_to]}"
            for part, came_to in self._came_to.items()
            if came_to < _PINNED
        ]

    def to_record(self) -> dict[str, Any]:
        """For JSON: what was asked for, and what came of it so far."""
        return {
            "texts": list(self._wanted),
            "pages": ",".join(self._wished) or None,
            "found": sorted(self._found),
            "came_to": self._came_to,
        }

    @classmethod
    def of_record(cls, held: Mapping[str, Any]) -> Self:
        """The same where a reading goes on, whose documents were checked when it began.

        Raises:
            UsageError, TypeError, AttributeError: it is no such record.
        """
        pins = cls(held.get("texts", ()), held.get("pages"))
        pins._found.update(held.get("found", ()))
        pins._came_to.update(held.get("came_to", {}))
        pins._is_checked = True
        return pins

    def check(self, document: Document) -> None:
        """Refuse pages that a document, the only one that will be read, cannot give; nothing of it was read yet.

        Raises:
            UsageError: it has no such page, or that page will not be read.
        """
        if document.n_pages is None or self._is_checked:
            return
        for part in self._wished:
            if document.labels is None and not _RANGE.fullmatch(part):
                continue  # titles of chapters are known when they come
            numbers, _ = resolve_pages(part, document.n_pages, document.labels, name=document.name)
            if document.wanted is not None and not set(numbers) & set(document.wanted):
                raise UsageError(
                    f"--pin-pages {part} keeps what is read, and --pages leaves it out", hint=f"add {part} to --pages"
                )

    def watch(self, pieces: Iterable[TextPiece], document: Document | None = None) -> Iterator[TextPiece]:
        """Pass the pieces of one document on, and remember which of their characters are pinned.

        Args:
            pieces: of the document.
            document: where its pages are counted, they are found as `--pages` finds them.
        """
        self._ranges, self._page, self._page_is_wanted = [], None, False
        self._here = {} if document is None or document.n_pages is None else self._pages_of(document)
        for part in self._here:
            self._come_to(part, _UNREAD)
        waiting: list[TextPiece] = []
        for piece in pieces:
            waiting.append(piece)
            yield from self._ready(waiting, self._held)
        yield from self._ready(waiting, 0)
        read = None if document is None or document.wanted is None else set(document.wanted)
        for part, numbers in self._here.items():
            if read is None or read & numbers:
                self._come_to(part, _EMPTY)

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

    def _pages_of(self, document: Document) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for part in self._wished:
            with contextlib.suppress(UsageError):  # another document may have it
                found[part] = set(resolve_pages(part, document.n_pages or 0, document.labels, name="")[0])
        return found

    def _come_to(self, part: str, state: int) -> None:
        self._came_to[part] = max(self._came_to[part], state)

    def _names(self, part: str, page: int, label: str) -> bool:
        """Whether a part of the list means a page of the document that is being read."""
        ends = self._wished[part]
        if ends is None:
            return label == part.casefold() or page in self._here.get(part, ())
        return page in self._here[part] if part in self._here else ends[0] <= page <= ends[1]

    def _pin_page(self, piece: TextPiece) -> None:
        """Pin what a piece has of a wanted page; the blank line between two pages is the first one's."""
        if piece.page != self._page:
            label, page = (piece.label or "").casefold(), piece.page
            self._page, self._before_is_wanted, self._begins = page, self._page_is_wanted, True
            meant = [part for part in self._wished if page is not None and self._names(part, page, label)]
            self._page_is_wanted = bool(meant)
            for part in meant:
                self._come_to(part, _PINNED)
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


def _pages(text: str | None) -> dict[str, tuple[int, int] | None]:
    """Each part of a list with the numbers from which to which it goes; None for what can only be a label."""
    parts: dict[str, tuple[int, int] | None] = {}
    for part in (text or "").split(",") if text is not None else ():
        word = part.strip()
        match = _RANGE.fullmatch(word)
        if not word:
            raise UsageError(f"{text!r} names no pages", hint="--pin-pages 1-3,7")
        if match is None:
            parts[word] = None
            continue
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 < first <= last or last - first > 100_000:
            raise UsageError(f"{word!r} is no range of pages", hint="--pin-pages 1-3,7")
        parts[word] = first, last
    return parts
