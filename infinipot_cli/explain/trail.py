"""From tokens back to characters, pages and lines: a trail of what was read that stays small however long it gets.

The tokens are laid down in blocks with their text. When the pot is distilled, blocks that it holds least of are
forgotten, so that an endless pipe takes no more memory than a book; where their tokens stood is remembered.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from infinipot_cli.documents.piece import ALL_LINES, LineNumbers, TextPiece
from infinipot_cli.explain.rows import Row, forgotten, joined, rows_of
from infinipot_cli.tokens.stream import TokenRun

BLOCK_TOKENS = 64
# Blocks remembered at least; with their neighbours about two megabytes of text.
MOST_BLOCKS = 8192


@dataclass(frozen=True, slots=True)
class PageStart:
    """Where a page or chapter begins: its first character, its number from 1, and what is printed on it."""

    char: int
    page: int
    label: str | None


@dataclass
class ReadDocument:
    """One document that was read.

    Attributes:
        name: as the user typed it.
        kind: of `Document`; where there are no pages, lines are counted.
        lines: which lines of its file were read.
        pages: where each page begins, ascending.
        n_chars: characters that have become tokens.
    """

    name: str
    kind: str
    lines: LineNumbers = ALL_LINES
    pages: list[PageStart] = field(default_factory=list)
    n_chars: int = 0

    @property
    def is_by_lines(self) -> bool:
        """Whether each of its lines is a paragraph, as Word's are."""
        return self.kind == "docx"

    def place_at(self, char: int, line: int) -> tuple[int | None, str | None, int | None]:
        """Page, label and line of a character that stands on a line, as blocks count it; with pages no line."""
        page = self.page_at(char)
        return (page.page, page.label, None) if page is not None else (None, None, self.lines.of(line))

    def page_at(self, char: int) -> PageStart | None:
        """The page that holds a character; None where there are no pages."""
        place = bisect_right(self.pages, char, key=lambda start: start.char) - 1
        return self.pages[max(place, 0)] if self.pages else None

    def page_end(self, char: int) -> int | None:
        """Where the page of a character ends; None for the last."""
        place = bisect_right(self.pages, char, key=lambda start: start.char)
        return self.pages[place].char if place < len(self.pages) else None


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive tokens of one document.

    Attributes:
        origin: of the first token, counted as the pot counts: prefix, then everything read.
        document: its place among the documents.
        ids: the tokens.
        starts: first character of each token, counted over the document.
        text: from the first character of the first token to the last one of the last.
        line: the line that the text starts on, as `LineNumbers` counts it.
        by_lines: whether each line of the document is a paragraph of its own.
    """

    origin: int
    document: int
    ids: "array[int]"
    starts: "array[int]"
    text: str
    line: int
    by_lines: bool = False

    @property
    def char(self) -> int:
        """First character of the text."""
        return self.starts[0]

    @property
    def char_end(self) -> int:
        """Behind the last one."""
        return self.starts[0] + len(self.text)


@dataclass(frozen=True, slots=True)
class Again:
    """Tokens that a pot has read once more: origin of the first when it was read, and now; and how many."""

    first: int
    origin: int
    n_tokens: int


class Trail:
    """What was read, token by token.

    Args:
        n_prefix: tokens that the pot has read before the first document.
        most_blocks: blocks to remember.

    Attributes:
        documents: that were read.
        blocks: their text and tokens, as far as they are remembered.
        forgotten: where the other tokens stood, ascending.
        again: what of it the pot that was asked last has read once more.
    """

    def __init__(self, n_prefix: int, *, most_blocks: int = MOST_BLOCKS) -> None:
        self.documents: list[ReadDocument] = []
        self.blocks: list[Block] = []
        self.forgotten: list[Row] = []
        self.again: list[Again] = []
        self._next = n_prefix
        self._most = most_blocks
        self._text = ""
        self._text_start = 0
        self._line = 1
        self._origins: list[int] = []

    @property
    def n_seen(self) -> int:
        """Origin of the next token."""
        return self._next

    def begin(self, name: str, kind: str, lines: LineNumbers = ALL_LINES) -> None:
        """A new document is being read."""
        self.documents.append(ReadDocument(name, kind, lines))
        self._text, self._text_start, self._line = "", 0, lines.first

    def skip(self, n_tokens: int) -> None:
        """Tokens that belong to no document."""
        self._next += n_tokens

    def watch(self, pieces: Iterable[TextPiece]) -> Iterator[TextPiece]:
        """Pass pieces of the current document on and keep their text until their tokens come."""
        document = self.documents[-1]
        for piece in pieces:
            if not self._text:
                self._text_start = piece.char_start
            if piece.page is not None and (not document.pages or document.pages[-1].page != piece.page):
                # the blank line between two pages belongs to neither
                blank = len(piece.text) - len(piece.text.lstrip("\n"))
                document.pages.append(PageStart(piece.char_start + blank, piece.page, piece.label))
            self._text += piece.text
            yield piece

    def add(self, run: TokenRun) -> list[Block]:
        """The next tokens of the current document; returns the blocks they were laid down in."""
        document = self.documents[-1]
        added = []
        for first in range(0, len(run.ids), BLOCK_TOKENS):
            ids = run.ids[first : first + BLOCK_TOKENS]
            starts = run.char_start[first : first + BLOCK_TOKENS]
            last = first + len(ids)
            end = run.char_start[last] if last < len(run.ids) else run.char_end
            text = self._text[starts[0] - self._text_start : end - self._text_start]
            block = Block(
                self._next,
                len(self.documents) - 1,
                array("q", ids),
                array("q", starts),
                text,
                self._line,
                document.is_by_lines,
            )
            self._line += text.count("\n")
            self._next += len(ids)
            added.append(block)
            self._origins.append(block.origin)
            document.n_chars = end
        self.blocks += added
        self._text = self._text[run.char_end - self._text_start :]
        self._text_start = run.char_end
        return added

    @property
    def is_full(self) -> bool:
        """Whether it is time to forget; well above the limit, so that it is seldom."""
        return len(self.blocks) > 2 * self._most

    @property
    def is_long(self) -> bool:
        """Whether more is remembered than is worth storing."""
        return len(self.blocks) > self._most

    def forget(self, counts: Sequence[int], n_seen: int, spared: Iterable[tuple[int, int]] = ()) -> None:
        """Forget blocks of which little is held, never those next to one that stays or not yet read by the model.

        Args:
            counts: for each block, entries of the pot that came from it, over all layers and heads.
            n_seen: tokens that the model has read; the trail is ahead of it.
            spared: ranges of origins that are wanted whatever the pot holds of them.
        """
        ranked = sorted(range(len(counts)), key=lambda number: counts[number], reverse=True)[: self._most // 3]
        stays = {near for number in ranked if counts[number] for near in (number - 1, number, number + 1)}
        for start, end in spared:
            stays.update(range(bisect_right(self._origins, start) - 1, bisect_right(self._origins, end - 1)))
        kept, gone = list[Block](), list(self.forgotten)
        for number, block in enumerate(self.blocks):
            # the one that was read last stays, too: it says where reading goes on
            if number in stays or number >= len(counts) or block.origin + len(block.ids) >= n_seen:
                kept.append(block)
            else:
                gone += forgotten(block, self.documents[block.document])
        self.forgotten = joined(sorted(gone, key=lambda row: row.origin), self._most)
        self.blocks = kept
        self._origins = [block.origin for block in self.blocks]

    def cut(self, n_seen: int) -> str:
        """Forget tokens that the model has not read, when reading ends early; returns where reading would go on.

        Args:
            n_seen: tokens that the model has read.

        Returns:
            An option that chooses the rest of the document, its last page or line once more; empty if there is none.
        """
        while self.blocks and self.blocks[-1].origin >= n_seen:
            self.blocks.pop()
        self._origins = [block.origin for block in self.blocks]
        self._next = n_seen
        if not self.blocks or self.blocks[-1].document != len(self.documents) - 1:
            return ""
        block, document = self.blocks[-1], self.documents[-1]
        n_read = n_seen - block.origin
        if n_read < len(block.ids):
            text = block.text[: block.starts[n_read] - block.char]
            block = replace(block, ids=block.ids[:n_read], starts=block.starts[:n_read], text=text)
            self.blocks[-1] = block
        document.n_chars = block.char_end
        page = document.page_at(block.char_end - 1)
        line = document.lines.of(block.line + block.text.count("\n"))
        return f"--pages {page.page}-" if page else f"--lines {line}-"

    def until(self, n_seen: int) -> "Trail":
        """The trail of what the model has read, while this one goes on; itself where the model has read it all."""
        if self._next <= n_seen:
            return self
        there = Trail(0, most_blocks=self._most)
        there.documents = [replace(document, pages=list(document.pages)) for document in self.documents]
        there.put_back(self.blocks, self._next, self.forgotten)
        there.cut(n_seen)
        return there

    def put_back(self, blocks: Sequence[Block], n_seen: int, gone: Sequence[Row] = ()) -> None:
        """Take blocks that were laid down before, the origin of the next token, and what was forgotten."""
        self.blocks, self.forgotten = list(blocks), list(gone)
        self._origins = [block.origin for block in self.blocks]
        self._next = n_seen

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Origins from the first token of each block to behind its last, ascending."""
        return [(block.origin, block.origin + len(block.ids)) for block in self.blocks]

    @property
    def all_ranges(self) -> list[tuple[int, int]]:
        """The same of everything that was read: of the blocks, and of the rows that are forgotten."""
        return sorted([*self.ranges, *((row.origin, row.end) for row in self.forgotten)])

    @property
    def has_gaps(self) -> bool:
        """Whether of some tokens nothing is known: those forgotten before pots were stored with where they stood."""
        known = [(block.origin, block.origin + len(block.ids), block.document) for block in self.blocks]
        known += [(row.origin, row.end, row.place[0]) for row in self.forgotten]
        return any(
            document == next_document and end < start
            for (_, end, document), (start, _, next_document) in pairwise(sorted(known))
        )

    def rows(self) -> Iterator[Row]:
        """Everything that was read, in its order: token by token, or where it is forgotten as a whole."""
        gone = deque(self.forgotten)
        for block in self.blocks:
            while gone and gone[0].origin < block.origin:
                yield gone.popleft()
            yield from rows_of(block, self.documents[block.document])
        yield from gone

    def find(self, origin: int) -> int | None:
        """Number of the block that a token is in; None if it is of no document or forgotten."""
        number = bisect_right(self._origins, origin) - 1
        if number < 0 or origin >= self.blocks[number].origin + len(self.blocks[number].ids):
            return None
        return number

    def ids(self, start: int, end: int) -> list[int]:
        """The tokens of a range of origins; empty if any of them is forgotten."""
        found: list[int] = []
        while start < end and (number := self.find(start)) is not None:
            block = self.blocks[number]
            part = block.ids[start - block.origin : end - block.origin]
            found += part
            start += len(part)
        return found if start == end else []

    def stretch(self, number: int) -> tuple[int, int]:
        """First and last block, inclusive, of the unbroken text around a block, at most two blocks to each side."""
        first = last = number
        while first > max(0, number - 2) and self._meets(first - 1):
            first -= 1
        while last < min(len(self.blocks) - 1, number + 2) and self._meets(last):
            last += 1
        return first, last

    def _meets(self, number: int) -> bool:
        here, following = self.blocks[number], self.blocks[number + 1]
        return here.document == following.document and here.origin + len(here.ids) == following.origin
