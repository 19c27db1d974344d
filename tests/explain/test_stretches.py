"""Sentences of a stream are those of the whole text, however it comes in."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from watched import watched

from infinipot_cli.documents.piece import TextPiece
from infinipot_cli.explain.sentences import sentence_at
from infinipot_cli.explain.stretches import LONGEST, Stretch, Stretches
from infinipot_cli.explain.trail import Trail
from infinipot_cli.tokens.stream import TokenRun

PREFIX = 3
PIECES = st.sampled_from(
    [
        "The sea rose. ",
        "Mr. Holt left",
        " in 1873! ",
        "“Who?” ",
        "\n\n",
        "\n",
        "wind ",
        "灯塔很高。",
        "- a line\n",
        "e.g. so ",
    ]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=60).map("".join).filter(str.strip)


def stretches(text: str, n_together: int, token: str) -> list[Stretch]:
    trail, cutter, found = Trail(PREFIX), Stretches(), list[Stretch]()
    for blocks in watched(trail, text, n_together, token):
        for block in blocks:
            found += cutter.add(block)
    rest = cutter.rest()
    return [*found, *([rest] if rest else [])]


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(1, 90), st.sampled_from([r"(?s).{1,3}", r"(?s)\s*\S+\s*?"]))
def test_sentences_are_those_of_the_whole_text(text: str, n_together: int, token: str) -> None:
    text = text.strip()
    found = stretches(text, n_together, token)
    starts = [place.start() for place in re.finditer(token, text)]
    places = [stretch.match() for stretch in found]
    for stretch, match in zip(found, places, strict=True):
        assert text[slice(*match.char)] == stretch.text
        first, end = match.origins[0] - PREFIX, match.origins[1] - PREFIX
        assert starts[first] <= match.char[0] and (end == len(starts) or starts[end] >= match.char[1])
        assert match.line == 1 + text.count("\n", 0, match.char[0])
        if not stretch.is_open and not stretch.is_unfinished:
            assert sentence_at(text, match.char[0]) == match.char
    covered = "".join(stretch.text for stretch in found)
    assert re.sub(r"\s", "", covered) == re.sub(r"\s", "", text), "nothing is lost and nothing twice"
    assert [match.char for match in places] == sorted(match.char for match in places)


@given(st.integers(1, 400), st.sampled_from([" ", "\n"]), st.integers(1, 90))
def test_what_does_not_end_is_cut_between_words(n_words: int, between: str, n_together: int) -> None:
    text = between.join(f"word{number}" for number in range(n_words))
    found = stretches(text, n_together, r"\s?\S+")
    assert [word for stretch in found for word in stretch.text.split()] == text.split()
    assert all(len(stretch.text.split()) <= LONGEST for stretch in found)
    assert [stretch.is_open for stretch in found] == [number > 0 for number in range(len(found))]


def test_another_document_begins_anew() -> None:
    trail, cutter = Trail(0), Stretches()
    found = list[Stretch]()
    for name in ("a", "b"):
        trail.begin(name, "text")
        for _ in trail.watch([TextPiece("It rose", None, 0, None)]):
            pass
        for block in trail.add(TokenRun([0, 1], [0, 2], 7)):
            found += cutter.add(block)
    assert [(stretch.text, stretch.begins) for stretch in found] == [("It rose", True)]
    rest = cutter.rest()
    assert rest is not None and rest.begins and not rest.is_open
