"""Cleaning does not depend on where the text is cut, and lets nothing through that is not text."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.documents.clean import Cleaner, clean

FRAGMENTS = [
    *("word", "é", "日本", "\n", "\r\n", "\r", "\t", "\x1b[31m", "\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;x\x1b\\"),
    *("\x1b", "\x1b[", "\x1b]never ended", "\x9b1m", "\x90dcs\x9c", "\x00", "\x07", "\x7f", "\x85", "\ud800"),
    *("\ufeff", "\U000e0041", "\x1b(B", "\x1bc", "[1m", ";", "\\", "😀", "\x1b[38;5;", "\x1bPq\x1b"),
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=30).map("".join)


@given(TEXTS, st.data())
@settings(deadline=None)
def test_any_cutting_gives_the_same_text(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    cleaner = Cleaner()
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join([cleaner.push(part) for part in parts]) + cleaner.flush() == clean(text)


@given(TEXTS)
@settings(deadline=None)
def test_no_control_character_survives_but_newline_and_tab(text: str) -> None:
    for char in clean(text):
        assert char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs")
        assert char != "\ufeff" and not 0xE0000 <= ord(char) <= 0xE007F


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf")) | st.sampled_from("\n\t")))
@settings(deadline=None)
def test_clean_text_is_left_alone(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("\x1b[1;31mred\x1b[0m text", "red text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07 after", "link after"),
        ("a\x1b]0;no end\nnext line stays", "a]0;no end\nnext line stays"),
        ("\x9b31mred\x90payload\x9c!", "red!"),
        ("N\0U\0L\0", "NUL"),
        ("lone \x1b", "lone "),
        ("hidden\U000e0068\U000e0069 words", "hidden words"),
        ("\ufeffmark", "mark"),
        ("page one\x0cpage two\x0bthree\x85four", "page one page two three four"),
        ("light\u00adhouse, /long/\u200bpath", "lighthouse, /long/path"),
        ("👩‍👩‍👧 keeps its joiners", "👩‍👩‍👧 keeps its joiners"),
    ],
)
def test_examples(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


def test_an_endless_terminal_string_does_not_swallow_the_document() -> None:
    assert clean("\x1b]" + "x" * 10_000 + " end").endswith("x end")


def test_what_is_held_back_stays_small() -> None:
    cleaner = Cleaner()
    given_out = sum(len(cleaner.push("x" * 100)) for _ in range(10)) + len(cleaner.push("\x1bP" + "y" * 9_000))
    assert given_out > 5_000
