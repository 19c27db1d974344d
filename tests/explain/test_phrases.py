"""Answers in the words of the text: which phrases a passage holds, and which of them agrees best with the others."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.explain.phrases import LONGEST, agreeing, as_running_text, distinct, windows
from infinipot_cli.model.catalog import POCKET_FOLDER
from infinipot_cli.tokens.tokenizer import DocumentTokenizer, from_tokenizer_json

POCKET = from_tokenizer_json(Path(POCKET_FOLDER) / "tokenizer.json", is_proved=True)


def phrases(passage: str, tokenizer: DocumentTokenizer = POCKET, joint: str = " ") -> set[str]:
    found = windows(passage, tokenizer, joint=joint)
    return {tokenizer.decode(ids[:end]).removeprefix(joint) for ids, ends in found for end in ends}


def test_every_run_of_words_is_a_phrase() -> None:
    words = "Maren Holt kept it".split()
    wanted = {" ".join(words[a:b]) for a in range(4) for b in range(a + 1, 5)}
    assert phrases("Maren Holt kept it") == wanted


@pytest.mark.parametrize(
    ("passage", "wanted", "unwanted"),
    [
        ("It cost 700,000 pounds.", ["700,000 pounds", "700,000"], ["700", "000 pounds,", "000"]),
        ('He said "Pieces of eight!" twice.', ["Pieces of eight", '"Pieces of eight!"'], ['said "Pie']),
        ("Born in 1850 (or 1851) he wrote.", ["1850", "1851", "1850 (or 1851)"], ["185", "1851)", "1850 (or 1851"]),
        (
            "see [rust-lang/rfcs#2094] and `x = 7`",
            ["rust-lang/rfcs#2094", "`x = 7`"],
            ["[rust-lang/rfcs#2094", "x = 7`"],
        ),
        ("The ship's cook, John Silver", ["ship's cook", "John Silver"], ["ship"]),
        ("at 3.5 km", ["3.5", "3.5 km"], ["3", "3."]),
        ("Eiffel,Paris,1889,330", ["Eiffel", "Paris", "1889", "Paris,1889"], ["Par"]),
        ("at 12:30 by www.example.org", ["12:30", "www.example.org"], ["12", "30", "www", "org"]),
        ("user:alice level=warn", ["alice", "warn"], ["ali"]),
        ("Straße 東京都 12", ["Straße", "12"], ["Stra"]),
        ("of John\n  Silver, cook", ["John Silver"], ["John\n  Silver"]),
        ("$5 or £7", ["$5", "£7"], ["$"]),
    ],
)
def test_a_phrase_ends_neither_in_a_word_nor_in_a_number(passage: str, wanted: list[str], unwanted: list[str]) -> None:
    found = phrases(passage)
    assert set(wanted) <= found
    assert not set(unwanted) & found


@given(st.text(alphabet="ab 1,.'\"(\n)é漢字-", max_size=60))
def test_phrases_stand_in_the_passage_word_for_word(passage: str) -> None:
    for ids, ends in windows(passage, POCKET, joint=" "):
        assert 0 < max(ends) == len(ids) <= LONGEST
        for end in ends:
            text = POCKET.decode(ids[:end]).removeprefix(" ")
            assert text and text in " ".join(passage.split())


def test_where_answers_begin_at_once_no_blank_stands_in_front() -> None:
    assert {POCKET.decode(ids[:1]) for ids, _ in windows("one two", POCKET, joint="")} == {"one", "two"}


def test_the_common_core_of_several_readings_wins_over_a_stray_one() -> None:
    readings = {"1901": 0.30, "King Edward VII": 0.25, "Edward VII": 0.25, "King Edward": 0.2}
    assert agreeing({text: math.log(share) for text, share in readings.items()}) == "King Edward VII"


def test_what_is_far_likelier_than_all_others_is_the_answer() -> None:
    assert agreeing({"Skerry": math.log(0.9), "Holt": math.log(0.02), "Maren Holt": math.log(0.02)}) == "Skerry"
    assert agreeing({"Skerry": -3.0}) == "Skerry"
    assert agreeing({"b": -1.0, "a": -1.0}) == "a", "the same in every run"


@given(st.dictionaries(st.text(alphabet="abc ", min_size=1, max_size=6), st.integers(-30, 0), min_size=1, max_size=9))
def test_only_how_likely_phrases_are_beside_each_other_counts(logprobs: dict[str, float]) -> None:
    assert agreeing(logprobs) in logprobs
    assert agreeing({text: logprob - 7.0 for text, logprob in logprobs.items()}) == agreeing(logprobs)


def test_of_phrases_that_read_alike_the_likeliest_speaks() -> None:
    assert distinct({(1,): -2.0, (2,): -1.0, (3, 4): -5.0}, ["one", "one", "two"]) == {
        "one": ((2,), -1.0),
        "two": ((3, 4), -5.0),
    }


@pytest.mark.parametrize(
    ("passage", "wanted"),
    [
        ("Jonathan\nArmitage came", "Jonathan Armitage came"),
        ("He was born in\n1701 in New\nBedford.", "He was born in 1701 in New Bedford."),
        ("\nJonathan came.\n", "\nJonathan came.\n"),
        ("one two", "one two"),
        ("", ""),
    ],
)
def test_a_passage_reads_as_its_lines_in_one(passage: str, wanted: str) -> None:
    ids = POCKET.encode(passage)
    assert POCKET.decode([token for _, part in as_running_text(ids, POCKET) for token in part]) == wanted


@given(st.text(alphabet="ab 1,.\n-é漢", max_size=60))
def test_every_token_that_is_read_again_stands_for_one_of_the_passage(passage: str) -> None:
    ids = POCKET.encode(passage)
    parts = as_running_text(ids, POCKET)
    places = [place + n for place, part in parts for n in range(len(part))]
    assert places == sorted(set(places)) and set(places) <= set(range(len(ids)))
    read = [token for _, part in parts for token in part]
    assert "".join(POCKET.decode(read).split()) == "".join(passage.split())
    left_out = set(range(len(ids))) - set(places)
    assert all(POCKET.decode([ids[place]]).isspace() for place in left_out)
