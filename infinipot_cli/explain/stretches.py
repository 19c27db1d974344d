"""Sentence by sentence through blocks of tokens as they are read, wherever the blocks begin and end."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infinipot_cli.explain.sentences import ends, quote
from infinipot_cli.explain.trail import Block

# Tokens after which a sentence that does not end is cut between words.
LONGEST = 96

_CLOSING = frozenset(".!?…。！？\"'”’)]")


@dataclass(frozen=True)
class Match:
    """A sentence that holds words of a question.

    Attributes:
        document: the document's place among those read.
        char: its first character, and the one behind its last, counted over the document.
        origins: of its first token, and the one behind its last.
        line: the line it starts on, as `LineNumbers` counts it.
        quote: its words, cut if it is long.
        last_line: the line it ends on.
    """

    document: int
    char: tuple[int, int]
    origins: tuple[int, int]
    line: int
    quote: str
    last_line: int


@dataclass(frozen=True)
class Stretch:
    """A sentence, or a piece of one that is too long.

    Attributes:
        blocks: that hold it.
        text: its characters.
        start: the first of them, in the text of the blocks.
        begins: whether nothing that was read stands in front of it.
        is_open: whether its beginning is missing.
        is_unfinished: whether its end is.
    """

    blocks: tuple[Block, ...]
    text: str
    start: int
    begins: bool
    is_open: bool
    is_unfinished: bool

    def match(self) -> Match:
        """Its place, and its words as a quote."""
        first = self.blocks[0]
        char = first.char + self.start
        origins = _tokens(self.blocks, char, char + len(self.text))
        line = first.line + "".join(block.text for block in self.blocks).count("\n", 0, self.start)
        return Match(
            document=first.document,
            char=(char, char + len(self.text)),
            origins=origins,
            line=line,
            quote=quote(self.text, 0, is_open=self.is_open, is_unfinished=self.is_unfinished),
            last_line=line + self.text.count("\n"),
        )


class Stretches:
    """Cuts what is read into sentences."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._text = ""
        self._start = 0  # of the sentence that has not ended
        self._begins = self._is_open = False

    def add(self, block: Block) -> Iterator[Stretch]:
        """The sentences that have ended now that a block was read."""
        if self._blocks and not _meets(self._blocks[-1], block):
            if (rest := self.rest()) is not None:
                yield rest
            self._blocks, self._text, self._start = [], "", 0
        if not self._blocks:
            self._begins, self._is_open = True, block.char > 0
        self._blocks.append(block)
        self._text += block.text
        for end in ends(self._text, self._start, by_lines=block.by_lines):
            if end >= len(self._text):
                break  # more of its end may come
            yield from self._cut(end, is_unfinished=False)
        while (cut := self._too_long()) is not None:
            yield from self._cut(cut, is_unfinished=True)
        while len(self._blocks) > 1 and len(self._blocks[0].text) <= self._start:
            self._start -= len(self._blocks[0].text)
            self._text = self._text[len(self._blocks[0].text) :]
            del self._blocks[0]

    def rest(self) -> Stretch | None:
        """What was read of the sentence that has not ended, if anything."""
        text = self._text[self._start :].rstrip()
        return self._stretch(len(self._text), is_unfinished=text[-1:] not in _CLOSING) if text.strip() else None

    def _cut(self, end: int, *, is_unfinished: bool) -> Iterator[Stretch]:
        if self._text[self._start : end].strip():
            yield self._stretch(end, is_unfinished=is_unfinished)
            self._begins = False
            self._is_open = is_unfinished
        self._start = end

    def _stretch(self, end: int, *, is_unfinished: bool) -> Stretch:
        text = self._text[self._start : end]
        start = self._start + len(text) - len(text.lstrip())
        return Stretch(tuple(self._blocks), text.strip(), start, self._begins, self._is_open, is_unfinished)

    def _too_long(self) -> int | None:
        """Where to cut a sentence that has too many tokens: behind a line, or else a word."""
        origin = self._blocks[0].char
        n_before = sum(bisect_right(block.starts, origin + self._start) for block in self._blocks)
        first = max(0, n_before - 1)
        if sum(len(block.starts) for block in self._blocks) - first <= LONGEST:
            return None
        starts = [place - origin for block in self._blocks for place in block.starts]
        last = max(starts[first + LONGEST], self._start + 1)
        line = self._text.rfind("\n", self._start + 1, last) + 1
        word = self._text.rfind(" ", self._start + 1, last) + 1
        return (
            line if self._text[self._start : line].strip() else word if self._text[self._start : word].strip() else last
        )


def _meets(before: Block, block: Block) -> bool:
    return before.document == block.document and before.origin + len(before.ids) == block.origin


def _tokens(blocks: Sequence[Block], start: int, end: int) -> tuple[int, int]:
    """Origins of the tokens of some characters, from the last that begins no later: many begin with a blank."""
    first = max(0, sum(bisect_right(block.starts, start) for block in blocks) - 1)
    last = max(first + 1, sum(bisect_left(block.starts, end) for block in blocks))
    return blocks[0].origin + first, blocks[0].origin + last
