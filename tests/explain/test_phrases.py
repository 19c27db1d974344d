"""Answers in the words of the text: which phrases a passage holds, and which of them agrees best with the others."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.explain.citations import REFUSAL
from infinipot_cli.explain.nearness import Nearness
from infinipot_cli.explain.phrases import BESIDE, LONGEST, agreeing, as_running_text, chosen, distinct, windows
from infinipot_cli.explain.words import Words
from infinipot_cli.model.catalog import POCKET_FOLDER
from infinipot_cli.tokens.tokenizer import DocumentTokenizer, from_tokenizer_json

POCKET = from_tokenizer_json(Path(POCKET_FOLDER) / "tokenizer.json", is_proved=True)


def phrases(passage: str, tokenizer: DocumentTokenizer = POCKET, joint: str = " ") -> set[str]:
    found = windows(passage, tokenizer, joint=joint)
    return {tokenizer.decode(ids[:end]).removeprefix(joint) for ids, ends in found for end in ends}


def test_every_run_of_words_is_a_phrase() -> None:
    words = "Maren Holt kept it".split()
    wanted = {" ".join(words[a:b]) for a in range(4) for b in range(a + 1, 5)} - {"it"}
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
        ("Then I gave it to them in the US.", ["US", "gave it to them"], ["I", "to them", "it", "in the"]),
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


ASKED = Words("Who painted the old harbour bridge?")


@pytest.mark.parametrize(
    ("passage", "times"),
    [
        ("Maren Holt came.", 0.03),
        ("She, as many people in the town and elsewhere knew, painted. At last, too, Maren Holt came by.", 0.5),
        (
            "The old harbour bridge was there, far from where she stood. In that year, as all knew, Maren Holt came.",
            3.0,
        ),
        ("Maren Holt painted the old harbour bridge.", 3.0),
    ],
)
def test_the_more_of_the_question_stands_there_the_surer_must_a_refusal_be(passage: str, times: float) -> None:
    refusal, phrase = (tuple(POCKET.encode(" " + text)) for text in (REFUSAL, "Maren Holt"))
    near = Nearness(ASKED, [passage]).of("Maren Holt")
    times = max(times, math.exp(BESIDE * (2 * near - 1)))
    assert (times > 3.0) == passage.startswith("Maren Holt painted the")
    for factor, wanted in ((1.1, refusal), (0.9, phrase)):
        weighed = {phrase: math.log(0.005), refusal: math.log(0.005 * times * factor)}
        assert tuple(chosen(weighed, POCKET, Nearness(ASKED, [passage]))) == wanted


def test_of_likely_phrases_the_one_beside_the_words_of_the_question_is_given() -> None:
    passages = [
        "Ann Lee painted the old harbour bridge, as everybody knew in the town and in all the villages around it."
        " Years later somebody met Bob Ray."
    ]
    names = {name: tuple(POCKET.encode(" " + name)) for name in ("Ann Lee", "Bob Ray", "the old harbour bridge")}

    def given(**logprobs: float) -> str:
        weighed = {ids: logprobs[name.split()[-1]] for name, ids in names.items()}
        return POCKET.decode(list(chosen(weighed, POCKET, Nearness(ASKED, passages)))).strip()

    assert given(Lee=-3.0, Ray=-1.0, bridge=-1.5) == "Ann Lee"
    assert given(Lee=-6.5, Ray=-1.0, bridge=-1.5) == "Bob Ray", "what is not likely at all is no answer"


def test_nearness_takes_the_best_place_and_no_words_inside() -> None:
    words, text = Words("old bridge"), "The bridge. " + "So it is. " * 40 + "Ann at the old bridge, and Ann."
    beside, alone = Nearness(words, [text]), Nearness(words, ["Ann."])
    assert 0.8 < beside.of("Ann") < 1.0 and alone.of("Ann") == beside.of("Bob") == 0.0
    assert Nearness(words, ["At 1940 the old bridge fell. " + "So it is. " * 40 + "Room 4."]).of("4") < 0.01
    assert beside.of("the old bridge") < 0.1 < beside.of("old") < 0.6
    assert (beside.covered, alone.covered, Nearness(Words(""), [text]).covered) == (1.0, 0.0, 0.0)
    parts = Nearness(Words("old bridge tower"), ["The old mill.", "A bridge and a tower."])
    assert parts.covered == pytest.approx(2 / 3), "words of several passages do not add up"


def test_where_nothing_is_likely_there_is_no_answer() -> None:
    refusal = tuple(POCKET.encode(" " + REFUSAL))
    assert tuple(chosen({refusal: -9.0}, POCKET, Nearness(ASKED, []))) == refusal
    assert tuple(chosen({}, POCKET, Nearness(ASKED, []))) == ()


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
