"""The trail: every token leads back to its text, page and line, and an endless stream does not fill the memory."""

import random
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.documents.piece import TextPiece
from infinipot_cli.explain.trail import BLOCK_TOKENS, Trail
from infinipot_cli.tokens.stream import TokenRun


def pieces_of(text: str, cuts: list[int]) -> Iterator[TextPiece]:
    edges = [0, *sorted({cut % (len(text) + 1) for cut in cuts} - {0, len(text)}), len(text)]
    for start, end in pairwise(edges):
        yield TextPiece(text[start:end], None, start, None)


def laid_down(text: str, cuts: list[int], *, n_prefix: int, width: int) -> Trail:
    """A trail of tokens of `width` characters, in runs of uneven lengths behind the pieces."""
    trail = Trail(n_prefix)
    trail.begin("book.txt", "text")
    rng, done = random.Random(len(text)), 0
    for piece in trail.watch(pieces_of(text, cuts)):
        end = piece.char_start + len(piece.text)
        while end - done > 3 * width:
            n = min((end - done) // width, rng.randrange(1, 200))
            starts = list(range(done, done + n * width, width))
            done += n * width
            trail.add(TokenRun(starts, starts, done))
    rest = list(range(done, len(text), width))
    if rest:
        trail.add(TokenRun(rest, rest, len(text)))
    return trail


@settings(max_examples=40, deadline=None)
@given(st.text("ab \n", min_size=1, max_size=1500), st.lists(st.integers(0, 10_000), max_size=6), st.integers(1, 7))
def test_every_token_leads_back_to_its_characters_and_its_line(text: str, cuts: list[int], width: int) -> None:
    trail = laid_down(text, cuts, n_prefix=5, width=width)
    assert "".join(block.text for block in trail.blocks) == text
    assert trail.n_seen == 5 + -(-len(text) // width)
    for origin in range(5, trail.n_seen):
        number = trail.find(origin)
        assert number is not None
        block = trail.blocks[number]
        char = block.starts[origin - block.origin]
        assert char == block.ids[origin - block.origin] == (origin - 5) * width
        assert block.line == 1 + text.count("\n", 0, block.char)
    assert trail.find(4) is None and trail.find(trail.n_seen) is None


def test_an_endless_stream_takes_no_more_blocks_than_asked_for() -> None:
    trail = Trail(0, most_blocks=30)
    trail.begin("standard input", "text")
    text, seen = "0123456789abcde\n" * 16, 0

    def endless() -> Iterator[TextPiece]:
        for number in range(3000):
            yield TextPiece(text, None, number * len(text), None)

    wanted, most = 0, 0
    for piece in trail.watch(endless()):
        starts = list(range(piece.char_start, piece.char_start + len(text), 4))
        trail.add(TokenRun(starts, starts, piece.char_start + len(text)))
        seen += len(starts)
        most = max(most, len(trail.blocks))
        if trail.is_full:
            trail.forget([50 * (edge == wanted) + (edge % 640 == 0) for edge in trail.edges], seen)
    assert most <= 61
    number = trail.find(wanted)  # what the pot holds most of is still there, with its neighbour
    assert number is not None and trail.blocks[number].text == text[: 4 * BLOCK_TOKENS]
    assert trail.stretch(number)[1] > number
    assert trail.blocks[-1].line == 1 + 16 * 2999


def test_pages_are_found_by_their_characters() -> None:
    trail = Trail(2)
    trail.begin("book.pdf", "pdf")
    pages = [TextPiece("One.", 1, 0, None, "i"), TextPiece("\n\nTwo.", 2, 4, None, "ii")]
    list(trail.watch(pages))
    found = [trail.documents[0].page_at(char) for char in (0, 3, 4, 5, 6, 9)]
    assert [page.label if page else None for page in found] == ["i", "i", "i", "i", "ii", "ii"]
    assert trail.documents[0].page_end(0) == 6 and trail.documents[0].page_end(6) is None
