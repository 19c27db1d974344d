"""The trail: every token leads back to its text, page and line, and an endless stream does not fill the memory."""

import json
import random
import zlib
from collections.abc import Iterator
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.documents.piece import LineNumbers, TextPiece
from infinipot_cli.errors import PotError
from infinipot_cli.explain.packing import packed, unpacked
from infinipot_cli.explain.rows import ranges_of
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
            trail.forget([50 * (edge == wanted) + (edge % 640 == 0) for edge, _ in trail.ranges], seen)
    assert most <= 61
    number = trail.find(wanted)  # what the pot holds most of is still there, with its neighbour
    assert number is not None and trail.blocks[number].text == text[: 4 * BLOCK_TOKENS]
    assert trail.stretch(number)[1] > number
    assert trail.blocks[-1].line == 1 + 16 * 2999
    assert len(trail.forgotten) <= 61 and not trail.has_gaps
    assert sum(row.n_tokens for row in trail.rows()) == trail.n_seen
    assert sum(row.n_line_ends for row in trail.rows()) == 16 * 3000


def places_of(trail: Trail) -> list[tuple[object, ...]]:
    """What is known of each place: where its tokens begin and end, their lines and characters."""
    found = []
    for place, group in groupby(trail.rows(), key=lambda row: row.place):
        rows = list(group)
        lines, char = (rows[0].lines[0], rows[-1].lines[1]), (rows[0].char[0], rows[-1].char[1])
        found.append((place, ranges_of(rows), lines, char, sum(row.n_line_ends for row in rows)))
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_where_forgotten_tokens_stood_is_remembered(seed: int, by_pages: bool) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choice("ab \n") for _ in range(6000))
    pages = [TextPiece(text[start : start + 700], start // 700 + 1, start, None) for start in range(0, 6000, 700)]
    whole, trail = Trail(3), Trail(3, most_blocks=14)
    for one in (whole, trail):
        one.begin("book", "pdf" if by_pages else "text", LineNumbers(((5, 60), (90, 700), (1200, None))))
        list(one.watch(pages if by_pages else [TextPiece(text, None, 0, None)]))
        for done in range(0, 6000, 150):
            starts = list(range(done, done + 150, 2))
            one.add(TokenRun(starts, starts, done + 150))
            if one.is_full and one is trail:
                one.forget([rng.randrange(9) for _ in one.blocks], one.n_seen - 75)
    assert trail.forgotten and not whole.forgotten
    assert places_of(trail) == places_of(whole)
    assert not trail.has_gaps and trail.all_ranges[-1][1] == whole.n_seen
    again = unpacked(packed(trail), 3, n_seen=trail.n_seen, n_documents=1, vocabulary_size=6000)
    assert again.forgotten == trail.forgotten and places_of(again) == places_of(whole)
    trail.forgotten.pop()
    assert trail.has_gaps


@pytest.mark.parametrize("spoiled", [{4: 1}, {4: 10**6}, {5: 0}, {5: 10**6}, {0: 1}, {1: 1}, {6: 0}, {8: -1}, {10: -1}])
def test_a_stored_trail_whose_forgotten_tokens_make_no_sense_is_refused(spoiled: dict[int, int]) -> None:
    trail = laid_down("a" * 6000, [], n_prefix=2, width=1)
    trail.forget([0] * len(trail.blocks), trail.n_seen)
    content = json.loads(zlib.decompress(packed(trail)))
    for place, value in spoiled.items():
        content["forgotten"][0][place] = value
    with pytest.raises(PotError):
        unpacked(zlib.compress(json.dumps(content).encode()), 2, n_seen=6002, n_documents=1, vocabulary_size=6000)


def test_pages_are_found_by_their_characters() -> None:
    trail = Trail(2)
    trail.begin("book.pdf", "pdf")
    pages = [TextPiece("One.", 1, 0, None, "i"), TextPiece("\n\nTwo.", 2, 4, None, "ii")]
    list(trail.watch(pages))
    found = [trail.documents[0].page_at(char) for char in (0, 3, 4, 5, 6, 9)]
    assert [page.label if page else None for page in found] == ["i", "i", "i", "i", "ii", "ii"]
    assert trail.documents[0].page_end(0) == 6 and trail.documents[0].page_end(6) is None
