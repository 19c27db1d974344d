"""Words of a question: found in other forms of theirs, and in no other word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.explain.words import MOST_WORDS, Words


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("moved", "moves"), ("moving", "move"), ("cities", "City"), ("appointed", "appointment"), ("planned", "plan"),
        ("called", "calls"), ("1873", "1873"), ("Łódź", "łódź"), ("naïve", "NAÏVE"), ("classes", "class"),
        ("Straße", "Straße"), ("Straße", "Strasse"), ("Straße", "STRASSE"), ("STRASSE", "Straße"), ("große", "groß"),
        ("Schloß", "Schlosses"), ("Weißwurst", "Weißwürste"), ("İstanbul", "İstanbul"), ("istanbul", "İSTANBUL"),
    ],
)  # fmt: skip
def test_other_forms_of_a_word_are_found(asked: str, written: str) -> None:
    assert Words(f"When was it {asked}?").find(f"So {written}, they say.") == {0}


@pytest.mark.parametrize(
    ("asked", "written"),
    [("1873", "18734"), ("1873", "1874"), ("keeper", "housekeeper"), ("art", "artist"), ("7", "70"), ("sun", "sung")],
)
def test_other_words_are_not(asked: str, written: str) -> None:
    assert Words(f"When was it {asked}?").find(f"So {written}, they say.") == frozenset()


def test_words_that_only_ask_do_not_count_unless_there_are_no_others() -> None:
    assert len(Words("What is the name of the ship?")) == 2
    words = Words("Who is he?")
    assert words.find("He is there, and who was it?") == set(range(len(words)))


def test_what_is_written_without_blanks_is_found_in_pairs() -> None:
    words = Words("灯塔的管理员是谁?")
    found = words.find("据说灯塔的管理员叫马伦。")
    assert len(found) >= 4 and len(words.find("海风很大。")) == 0


def test_no_more_words_than_there_is_room_for() -> None:
    words = Words(" ".join(f"{letter}{number}" for letter in "abcdefgh" for number in range(9)))
    assert len(words) == MOST_WORDS
    assert len(Words("")) == len(Words("?!")) == 0


def test_signs_of_patterns_are_signs() -> None:
    assert Words("What of C++ (or a.b*)?").find("In C and a, b.") != frozenset()


@given(st.text(alphabet="moving city 東京都.,-\n", max_size=60))
def test_places_are_where_the_words_that_are_found_stand(text: str) -> None:
    words = Words("Which cities moved to 東京都?")
    places = list(words.places(text))
    assert {number for *_, number in places} <= words.find(text)
    assert all(words.find(text[first:end]) == {number} for first, end, number in places)
