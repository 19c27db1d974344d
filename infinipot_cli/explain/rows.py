"""Tokens in a row and where they stand: one by one where their text is remembered, else as many as have one place."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infinipot_cli.explain.trail import Block, ReadDocument

# Tokens of a text that have one place where there are no pages.
STRETCH_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Row:
    """Consecutive tokens that have one place.

    Attributes:
        place: document, page (0 without pages), stretch of a text (0 with pages), and lines of the file that were left
            out in front.
        origin: of the first token.
        n_tokens: how many they are.
        lines: of the file, on which the first and the last token start.
        n_line_ends: in their text.
        char: their first character and the one behind their last, counted over the document.
        text: None where it is forgotten.
    """

    place: tuple[int, int, int, int]
    origin: int
    n_tokens: int
    lines: tuple[int, int]
    n_line_ends: int
    char: tuple[int, int]
    text: str | None = None

    @property
    def end(self) -> int:
        """Origin of the token behind the last."""
        return self.origin + self.n_tokens


def rows_of(block: "Block", document: "ReadDocument") -> Iterator[Row]:
    """Each token of a block by itself."""
    line, ends = block.line, [*block.starts[1:], block.char_end]
    for number, (start, end) in enumerate(zip(block.starts, ends, strict=True)):
        text = block.text[start - block.char : end - block.char]
        place, n_line_ends = _place(block, document, number, line), text.count("\n")
        in_file = line + place[3]
        char = (start, start + len(text))
        yield Row(place, block.origin + number, 1, (in_file, in_file), n_line_ends, char, text)
        line += n_line_ends


def forgotten(block: "Block", document: "ReadDocument") -> list[Row]:
    """What is remembered of a block that is forgotten."""
    last = len(block.ids) - 1
    last_line = block.line + block.text.count("\n", 0, block.starts[last] - block.char)
    place = _place(block, document, 0, block.line)
    if place != _place(block, document, last, last_line):  # places ascend, so that between the same is only the same
        return _joined((replace(row, text=None) for row in rows_of(block, document)), 1)
    lines = (block.line + place[3], last_line + place[3])
    return [Row(place, block.origin, last + 1, lines, block.text.count("\n"), (block.char, block.char_end))]


def joined(rows: Iterable[Row], most: int) -> list[Row]:
    """Forgotten tokens with neighbours that have the same place as one row.

    Args:
        rows: ascending.
        most: rows of texts; where they are more, stretches whose tokens are all forgotten get twice as long, and so on.
    """
    found, width = _joined(rows, 1), 1
    while len(texts := [row for row in found if not row.place[1]]) > most and width <= texts[-1].place[2]:
        width *= 2
        found = _joined(found, width)
    return found


def ranges_of(rows: Iterable[Row]) -> list[tuple[int, int]]:
    """Origins of some tokens, from the first to behind the last of each unbroken row."""
    found: list[tuple[int, int]] = []
    for row in rows:
        if found and found[-1][1] == row.origin:
            found[-1] = (found[-1][0], row.end)
        else:
            found.append((row.origin, row.end))
    return found


def _place(block: "Block", document: "ReadDocument", number: int, line: int) -> tuple[int, int, int, int]:
    """Of a token of a block that starts on a line, as `LineNumbers` counts it."""
    page = document.page_at(block.starts[number])
    stretch = 0 if page is not None else 1 + (block.origin + number) // STRETCH_TOKENS
    return (block.document, page.page if page is not None else 0, stretch, document.lines.of(line) - line)


def _joined(rows: Iterable[Row], width: int) -> list[Row]:
    """Neighbours as one that differ at most in their stretch, of so many that begin with a multiple of that."""
    found: list[Row] = []
    for row in rows:
        before = found[-1] if found else None
        if before is not None and before.end == row.origin and _wide(before, width) == _wide(row, width):
            found[-1] = Row(
                place=before.place,
                origin=before.origin,
                n_tokens=before.n_tokens + row.n_tokens,
                lines=(before.lines[0], row.lines[1]),
                n_line_ends=before.n_line_ends + row.n_line_ends,
                char=(before.char[0], row.char[1]),
            )
        else:
            found.append(row)
    return found


def _wide(row: Row, width: int) -> tuple[int, int, int, int]:
    document, page, stretch, left_out = row.place
    return (document, page, stretch // width, left_out)
