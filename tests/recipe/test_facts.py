"""Invented facts: every answer stands in its statement word for word, and nothing of the evaluation is in training."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from infinipot_cli.recipe.facts import SLOT, Relation, make_fact, make_rivals, relations, reword, told_apart
from infinipot_cli.recipe.slots import MAKERS, WORDS

BENCH = Path(__file__).parents[2] / "infinipot_cli" / "bench"


@pytest.mark.parametrize("relation", relations(), ids=lambda relation: relation.statements[0][:40])
def test_answers_stand_in_the_statement(relation: Relation) -> None:
    rng = random.Random(0)
    n_questions = 0
    for _ in range(20):
        fact = make_fact(rng, relation)
        assert "{" not in fact.text
        for question, answer in fact.questions:
            assert "{" not in question
            assert answer in fact.text
            n_questions += 1
    assert n_questions >= 20


def test_the_same_seed_makes_the_same_facts() -> None:
    first, second = random.Random(3), random.Random(3)
    assert [make_fact(first) for _ in range(50)] == [make_fact(second) for _ in range(50)]


def test_an_opener_takes_no_question_away() -> None:
    first = next(one for one in relations() if any("hour is what" in wording for wording in one.statements))
    only = replace(first, statements=tuple(one for one in first.statements if "hour is what" in one))
    rng = random.Random(0)
    assert all(make_fact(rng, only).questions for _ in range(400))


# Of three words, "on account of" is one that any two texts share; the longer list meets more of these.
@pytest.mark.parametrize(("name", "n_words"), [("facts.tsv", 3), ("fresh-facts.tsv", 4)])
def test_evaluation_wordings_are_not_trained_on(name: str, n_words: int) -> None:
    """No training statement has the words of an evaluation fact between its names."""
    rows = (BENCH / name).read_text(encoding="utf-8").splitlines()
    wanted = [row.split("\t")[0] for row in rows if row and not row.startswith("#")]
    assert len(wanted) >= 20
    phrases = [
        part.strip(" ,.;:\"'")
        for relation in relations()
        for statement in relation.statements
        for part in SLOT.split(statement)[::2]
    ]
    for phrase in phrases:
        if len(phrase.split()) >= n_words:
            assert not any(phrase.lower() in fact.lower() for fact in wanted), phrase


def test_every_slot_can_be_filled_and_every_question_can_be_asked() -> None:
    free = {"he", "his", "him", "himself"}
    for relation in relations():
        slots = [set(SLOT.findall(statement)) for statement in relation.statements]
        for slot in set().union(*slots) - free:
            assert slot in MAKERS or slot in WORDS, slot
        for slot, wording in relation.questions:
            assert any({slot, *SLOT.findall(wording)} - free <= known for known in slots), (slot, wording)


def test_rivals_share_a_relation_and_no_question() -> None:
    rng = random.Random(5)
    for _ in range(200):
        first, second = make_rivals(rng)
        assert first.questions and second.questions and first.text != second.text
        known = dict(first.questions)
        assert all(known.get(question, answer) == answer for question, answer in second.questions)


def test_rivals_of_what_nothing_tells_apart_are_refused() -> None:
    passkey = next(relation for relation in relations() if "{key}" in relation.statements[0])
    with pytest.raises(ValueError, match="told apart"):
        make_rivals(random.Random(0), relation=passkey)


def test_a_question_with_two_answers_is_left_out() -> None:
    rng = random.Random(1)
    logs = [relation for relation in relations() if relation.kind == "log"]
    assert len(logs) > 10
    facts = told_apart(make_fact(rng, rng.choice(logs)) for _ in range(120))
    answers: dict[str, str] = {}
    for question, answer in (pair for fact in facts for pair in fact.questions):
        assert answers.setdefault(question, answer) == answer


def test_a_reworded_question_keeps_the_name_it_asks_about() -> None:
    rng = random.Random(2)
    n_changed = 0
    for _ in range(2000):
        fact = make_fact(rng)
        for question, _answer in fact.questions[:1]:
            asked = reword(rng, fact, question)
            n_changed += asked != question
            for name in fact.people:
                if name in question:
                    assert name.split()[-1] in asked
    assert 200 < n_changed < 1000
