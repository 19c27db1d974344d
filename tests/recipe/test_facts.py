"""Invented facts: every answer stands in its statement word for word, and nothing of the evaluation is in training."""

import random
from pathlib import Path

import pytest

from infinipot_cli.recipe.facts import SLOT, Relation, make_fact, relations

EVALUATION = Path(__file__).parents[2] / "infinipot_cli" / "bench" / "facts.tsv"


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


def test_evaluation_wordings_are_not_trained_on() -> None:
    """No training statement has the words of an evaluation fact between its names."""
    rows = EVALUATION.read_text(encoding="utf-8").splitlines()
    wanted = [row.split("\t")[0] for row in rows if row and not row.startswith("#")]
    assert len(wanted) >= 20
    phrases = [
        part.strip(" ,.;:\"'")
        for relation in relations()
        for statement in relation.statements
        for part in SLOT.split(statement)[::2]
    ]
    for phrase in phrases:
        if len(phrase.split()) >= 3:
            assert not any(phrase.lower() in fact.lower() for fact in wanted), phrase
