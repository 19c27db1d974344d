import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.bench.plants import Plant, all_facts, facts, hide, is_right, passkeys, strew
from infinipot_cli.recipe import facts as training
from tests.conftest import BOOK


def test_there_are_enough_facts_and_each_holds_its_answer() -> None:
    assert len(all_facts()) >= 20
    assert len({fact.question for fact in all_facts()}) == len(all_facts())
    for fact in all_facts():
        assert is_right(fact.statement, fact.answer)
        assert not is_right(fact.question, fact.answer)


def test_facts_repeat_only_when_all_were_used() -> None:
    chosen = facts(len(all_facts()) + 3, random.Random(1))
    assert set(chosen[: len(all_facts())]) == set(all_facts())
    assert facts(7, random.Random(1)) == chosen[:7]


def test_pass_keys_are_five_digits_in_the_wording_of_the_paper() -> None:
    (plant,) = passkeys(1, random.Random(0))
    assert plant == Plant(
        f"The pass key is {plant.answer}. Remember it. {plant.answer} is the pass key.",
        "What is the pass key?",
        plant.answer,
    )
    assert len(plant.answer) == 5


@given(st.text(st.sampled_from("ab .!?\n”。"), max_size=80), st.floats(0, 1))
def test_hiding_adds_the_statement_and_takes_nothing_away(text: str, depth: float) -> None:
    hidden = hide(text, "<X>", depth)
    before, after = hidden.split("<X> ")
    assert text in (before + after, before.removesuffix(" ") + after)
    assert not before or before[-1].isspace(), "it stands apart from what is before it"
    assert len(before) >= int(depth * len(text))


def in_prose(text: str, start: int) -> int:
    """Where a statement stands in ordinary prose: behind the next full stop and the white space, or at the end."""
    end = re.compile(r"[.!?][\"'”’)]*\s+").search(text, start)
    return end.end() if end else len(text)


def test_in_ordinary_prose_the_next_sentence_end_is_taken_however_the_text_was_cut() -> None:
    book, rng = BOOK.read_text(encoding="utf-8"), random.Random(0)
    for _ in range(300):
        start = rng.randrange(len(book) - 9000)
        text, depth = book[start : start + rng.randrange(1500, 9000)], rng.random()
        place = in_prose(text, int(depth * len(text)))
        assert hide(text, "<X>", depth).split("<X> ")[0].rstrip() == text[:place].rstrip()


SENTENCES = {
    "Chinese": "天色很黑，没有人点亮港口的灯。" * 300,
    "marks in quotes": "他说：“天黑了！”谁点了灯？" * 300,
    "code": "def lit(lamp):\n    return lamp.state == ON\n\n" * 200,
    "a table": "night\t17\t23.5\nlamp\t4\t1.75\n" * 300,
    "words alone": "night lamp harbour " * 300,
    "no white space": "0123456789abcdef" * 300,
    "prose before a long table": "It was dark. " * 20 + "night\t17\t23.5\n" * 900,
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_a_statement_stands_near_its_depth_in_any_text(kind: str) -> None:
    text = SENTENCES[kind]
    depths = (0.1, 0.3, 0.5, 0.7, 0.9)
    for depth in depths:
        assert hide(text, "<X>", depth).index("<X>") == pytest.approx(depth * len(text), abs=60), depth
    whole, spans = strew(text, [f"<{number}>" for number in range(5)])
    assert [whole[first:behind] for first, behind in spans] == [f"<{number}>" for number in range(5)]
    for number, (first, _) in enumerate(spans):
        assert first == pytest.approx((0.1 + 0.2 * number) * len(text), abs=80)
    assert hide(text, "<X>", 0.5).split("<X>")[0][-1].isspace()


def test_a_statement_stands_between_two_sentences() -> None:
    assert hide("One. Two” he said. Three. Four.", "X.", 0.2) == "One. Two” he said. X. Three. Four."
    assert hide("One. Two.", "X.", 1.0) == "One. Two. X. "
    assert hide("One. Two.\n", "X.", 1.0) == "One. Two.\nX. "
    assert hide("", "X.", 1.0) == "X. "


@pytest.mark.parametrize(
    ("given_answer", "wanted", "right"),
    [
        ("It was Maren Holt.", "Maren Holt", True),
        ("maren  holt", "Maren Holt", True),
        ("Maren X Holt", "Maren Holt", False),
        ("Holt", "Maren Holt", False),
        ("In 18731", "1873", False),
        ("1873.", "1873", True),
        ("", "1873", False),
    ],
)
def test_an_answer_is_right_if_it_holds_the_words(given_answer: str, wanted: str, right: bool) -> None:
    assert is_right(given_answer, wanted) == right


def test_no_wording_of_the_benchmark_is_a_wording_of_the_training() -> None:
    files = list((Path(training.__file__).parent / "relations").glob("*.txt"))
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    wordings = [line[2:] for line in lines if line[:2] in ("S ", "Q ")]
    assert len(wordings) > 1000
    patterns = [
        re.compile(re.sub(r"\\\{\w+\\\}", r"[\\w’'-]+(?: [\\w’'-]+){0,2}", re.escape(wording.strip())))
        for line in wordings
        for wording in line.split(": ", 1)[-1].split(" | ")
    ]
    assert any(pattern.fullmatch("Anna Barlow was born in Tarn on 3 May.") for pattern in patterns)
    for fact in all_facts():
        assert not [pattern for pattern in patterns if pattern.fullmatch(fact.statement)]
