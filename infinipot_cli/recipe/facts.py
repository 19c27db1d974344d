"""Synthetic facts: short statements of invented people, places and numbers, each with questions about its slots.

The relations and their wordings stand in `relations/*.txt`; what fills their slots is in `slots.py`.
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from infinipot_cli.recipe.slots import MAKERS, OPENERS, WORDS

SLOT = re.compile(r"\{(\w+)\}")
ARTICLE = re.compile(r"\b([Aa]) (?=[aeioAEIO]|um|un(?!i))")
PRONOUNS = ({"he": "he", "his": "his", "him": "him", "himself": "himself"},
            {"he": "she", "his": "her", "him": "her", "himself": "herself"})  # fmt: skip
TRIES = 20


@dataclass(frozen=True)
class Relation:
    """One kind of fact: statements of it and, per slot, questions that ask for the slot.

    `kind` is "log" for lines of which whole logs are made, else empty.
    """

    statements: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]
    kind: str = ""


@dataclass(frozen=True)
class Fact:
    """A planted statement and its questions, each with the answer that stands in the statement word for word.

    `people` are the names in it, which a question may shorten.
    """

    text: str
    questions: tuple[tuple[str, str], ...]
    people: tuple[str, ...] = ()


@cache
def relations() -> tuple[Relation, ...]:
    """The relations of `relations/*.txt`, by file name and in file order."""
    found = []
    for path in sorted((Path(__file__).parent / "relations").glob("*.txt")):
        for block in path.read_text(encoding="utf-8").split("\n\n"):
            lines = [line.partition(" ") for line in block.splitlines()]
            statements = tuple(rest for mark, _, rest in lines if mark == "S")
            questions = []
            for mark, _, rest in lines:
                if mark == "Q":
                    slot, _, wordings = rest.partition(": ")
                    questions += [(slot, wording) for wording in wordings.split(" | ")]
            if statements:
                kind = next((rest for mark, _, rest in lines if mark == "K"), "")
                found.append(Relation(statements, tuple(questions), kind))
    return tuple(found)


def make_fact(rng: random.Random, relation: Relation | None = None) -> Fact:
    """One random fact with every question that its wording can answer."""
    relation = relation or rng.choice(relations())
    values = dict(rng.choice(PRONOUNS))
    inserted = relation.kind != "log" and rng.random() < 0.15

    def fill(match: re.Match[str]) -> str:
        nonlocal inserted
        slot = match[1]
        if slot not in values:
            values[slot] = MAKERS[slot](rng) if slot in MAKERS else rng.choice(WORDS[slot])
        after = match.string[match.end() : match.end() + 2]
        if inserted and slot == "person" and re.fullmatch(r" [a-z]", after):
            inserted = False
            return f"{values[slot]}, {rng.choice(WORDS['ASIDES'])},"
        return values[slot]

    text = ARTICLE.sub(r"\1n ", SLOT.sub(fill, rng.choice(relation.statements)))
    if relation.kind != "log":
        text = text[0].upper() + text[1:]
    if relation.kind != "log" and text[0] not in '"123456789' and text[:2] not in ("ho", "ke") and rng.random() < 0.12:
        first = text.split(" ", 1)[0].rstrip(",")
        is_name = first == "I" or any(value.startswith(first) for value in values.values())
        text = rng.choice(OPENERS) + (text if is_name else text[0].lower() + text[1:])
    questions = []
    for slot, wording in relation.questions:
        needed = set(SLOT.findall(wording))
        if slot in values and needed <= values.keys():
            answer = values[slot] if values[slot] in text else values[slot][0].upper() + values[slot][1:]
            question = ARTICLE.sub(r"\1n ", SLOT.sub(lambda match: values[match[1]], wording))
            questions.append((question, answer))
    questions = [(question, answer) for question, answer in questions if answer in text]
    return Fact(text, tuple(questions), tuple(values[slot] for slot in ("person", "person2") if slot in values))


def told_apart(facts: Iterable[Fact]) -> list[Fact]:
    """The same facts, each with only the questions that no other of them would answer differently."""
    facts = list(facts)
    answers: dict[str, set[str]] = {}
    for fact in facts:
        for question, answer in fact.questions:
            answers.setdefault(question, set()).add(answer)
    return [
        Fact(fact.text, tuple(pair for pair in fact.questions if len(answers[pair[0]]) == 1), fact.people)
        for fact in facts
    ]


def make_rivals(rng: random.Random, n: int = 2, relation: Relation | None = None) -> list[Fact]:
    """Facts of one relation about different names, each with at least one question that only it answers.

    They are the hardest distractors for one another that wording can make: what differs is the name asked for.

    Raises:
        ValueError: the relation has no question that names anything (as the plain pass key).
    """
    for _ in range(TRIES):
        chosen = relation or rng.choice(relations())
        drawn = [make_fact(rng, chosen) for _ in range(n)]
        people = [name for fact in drawn for name in fact.people]
        rivals = told_apart(drawn)
        if len(set(people)) == len(people) and all(fact.questions for fact in rivals):
            return rivals
    raise ValueError("no facts of this relation can be told apart by their questions")


def reword(rng: random.Random, fact: Fact, question: str) -> str:
    """The question as another person may put it: a name cut to the family name, or a few words around it."""
    if rng.random() < 0.15:
        for name in fact.people:
            family = name.split()[-1]
            if len(name.split()) > 1 and sum(family in other for other in fact.people) == 1:
                question = question.replace(name, family)
    if rng.random() < 0.12:
        frame = rng.choice(WORDS["FRAMES"])
        first = question.split(" ", 1)[0]
        lowered = first not in fact.text and first not in ("PIN",) and "{q}" in frame
        inner = question[0].lower() + question[1:] if lowered else question
        question = frame.replace("{q}", inner).replace("{Q}", question)
    return question
