"""Synthetic facts: short statements of invented people, places and numbers, each with questions about its slots.

The relations and their wordings stand in `relations.txt`. Slot values are drawn from word lists or put together
from syllables, so that the reader must copy from the text: no value can be known by heart.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SLOT = re.compile(r"\{(\w+)\}")


def _lists() -> dict[str, tuple[str, ...]]:
    lines = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split("\n")
    named = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {name: tuple(values.split("|")) for name, _, values in named}


WORDS = _lists()
GIVEN, FAMILY, STREET, ORG = (WORDS[name] for name in ("GIVEN", "FAMILY", "STREET", "ORG"))
ADJECTIVE, NOUN, OPENERS = (WORDS[name] for name in ("ADJECTIVE", "NOUN", "OPENERS"))
ONSET, VOWEL, CODA, TOWN_END = (WORDS[name] for name in ("ONSET", "VOWEL", "CODA", "TOWN_END"))


def word(rng: random.Random, n_syllables: int) -> str:
    """A pronounceable word that means nothing."""
    return "".join(rng.choice(ONSET) + rng.choice(VOWEL) + rng.choice(CODA) for _ in range(n_syllables))


def _proper(rng: random.Random, n_syllables: int) -> str:
    return word(rng, n_syllables).capitalize()


def _name(rng: random.Random) -> str:
    given = rng.choice(GIVEN) if rng.random() < 0.75 else word(rng, rng.choice((1, 2))).capitalize()
    if rng.random() < 0.12:
        return given
    family = rng.choice(FAMILY) if rng.random() < 0.5 else word(rng, rng.choice((1, 2, 2))).capitalize()
    title = rng.choice(("Mr. ", "Mrs. ", "Miss ", "Dr. ", "Captain ", "Lady ", "Sir ")) if rng.random() < 0.1 else ""
    return f"{title}{given} {family}"


def _town(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return rng.choice(("Port ", "New ", "Saint ", "Upper ", "East ", "Bad ")) + word(rng, 2).capitalize()
    return (word(rng, rng.choice((1, 1, 2))) + rng.choice(TOWN_END)).capitalize()


def _code(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return str(rng.randrange(100, 1_000_000))
    if kind == 1:
        return word(rng, 2) + str(rng.randrange(10, 100))
    if kind == 2:
        return f"{rng.choice('ABCDEFGHKLMNPRSTXZ')}{rng.choice('ABCDEFGHKLMNPRSTXZ')}-{rng.randrange(100, 10000)}"
    return rng.choice(GIVEN + NOUN).lower() + "-" + rng.choice(NOUN).lower()


def _timestamp(rng: random.Random) -> str:
    day = f"{rng.randrange(1999, 2031)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
    return f"{day} {rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"


def _date(rng: random.Random) -> str:
    month, day, year = rng.choice(WORDS["month"]), rng.randrange(1, 31), rng.randrange(1500, 2030)
    return rng.choice((f"{day} {month} {year}", f"{month} {day}, {year}", f"the {day}th of {month}", f"{day} {month}"))


def _money(rng: random.Random) -> str:
    amount = rng.choice((rng.randrange(2, 100), rng.randrange(100, 10_000)))
    unit = rng.choice(("pounds", "dollars", "guineas", "francs", "shillings", "crowns", "euros"))
    return rng.choice((f"{amount} {unit}", f"{amount} {unit}", f"${amount}"))


def _number(rng: random.Random) -> str:
    small = "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty".split()
    return rng.choice(small) if rng.random() < 0.25 else str(rng.randrange(2, 999))


def _big(rng: random.Random) -> str:
    value = rng.randrange(1_000, 900_000)
    return f"{value:,}" if rng.random() < 0.6 else str(value)


def _key(rng: random.Random) -> str:
    n_digits = rng.choice((4, 5, 5, 5, 6, 7))
    return str(rng.randrange(10 ** (n_digits - 1), 10**n_digits))


def _time(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return f"{rng.randrange(24)}:{rng.randrange(60):02d}"
    return f"half past {rng.choice('two three six nine ten'.split())}"


def _ship(rng: random.Random) -> str:
    return f"{rng.choice(ADJECTIVE)} {rng.choice(NOUN)}" if rng.random() < 0.6 else _proper(rng, 2)


def _pet(rng: random.Random) -> str:
    return _proper(rng, rng.choice((1, 2))) if rng.random() < 0.6 else rng.choice(NOUN)


def _hill(rng: random.Random) -> str:
    return rng.choice((f"Mount {_proper(rng, 2)}", f"{_proper(rng, 1)} Peak", f"{rng.choice(ADJECTIVE)} Hill"))


def _lake(rng: random.Random) -> str:
    names = (f"Lake of {_proper(rng, 2)}", f"{rng.choice(ADJECTIVE)} Sea", f"gulf of {_proper(rng, 2)}")
    return rng.choice(names)


def _street(rng: random.Random) -> str:
    return f"{rng.choice((_proper(rng, 2), rng.choice(NOUN), rng.choice(FAMILY)))} {rng.choice(STREET)}"


def _army(rng: random.Random) -> str:
    names = (f"{rng.randrange(2, 90)}th regiment", f"army of {_proper(rng, 2)}", f"{rng.choice(ADJECTIVE)} Guards")
    return rng.choice(names)


def _host(rng: random.Random) -> str:
    return rng.choice((f"{rng.choice(('web', 'db', 'app', 'node'))}-{rng.randrange(1, 99):02d}", word(rng, 2)))


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "person": _name,
    "person2": _name,
    "town": _town,
    "town2": _town,
    "date": _date,
    "code": _code,
    "money": _money,
    "number": _number,
    "bignumber": _big,
    "timestamp": _timestamp,
    "key": _key,
    "time": _time,
    "pet": _pet,
    "ship": _ship,
    "hill": _hill,
    "lake": _lake,
    "street": _street,
    "army": _army,
    "host": _host,
    "smallnumber": lambda rng: str(rng.randrange(1, 40)),
    "age": lambda rng: str(rng.randrange(6, 98)),
    "year": lambda rng: str(rng.randrange(1450, 2030)),
    "phone": lambda rng: f"{rng.randrange(100, 999)}-{rng.randrange(1000, 9999)}",
    "title": lambda rng: f"The {rng.choice(ADJECTIVE)} {rng.choice(NOUN)}",
    "substance": lambda rng: word(rng, 2) + rng.choice(("ium", "ine", "ite", "ol")),
    "org": lambda rng: f"{rng.choice((_town(rng), rng.choice(ADJECTIVE)))} {rng.choice(ORG)}",
    "river": lambda rng: f"river {_proper(rng, rng.choice((1, 2)))}",
    "country": lambda rng: _proper(rng, 2) + rng.choice(("ia", "land", "stan", "ania")),
}


@dataclass(frozen=True)
class Relation:
    """One kind of fact: statements of it and, per slot, questions that ask for the slot."""

    statements: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fact:
    """A planted statement and its questions, each with the answer that stands in the statement word for word."""

    text: str
    questions: tuple[tuple[str, str], ...]


@cache
def relations() -> tuple[Relation, ...]:
    """The relations of `relations.txt`, in file order."""
    found = []
    for block in (Path(__file__).parent / "relations.txt").read_text(encoding="utf-8").split("\n\n"):
        statements = tuple(line[2:] for line in block.splitlines() if line.startswith("S "))
        questions = []
        for line in block.splitlines():
            if line.startswith("Q "):
                slot, _, wordings = line[2:].partition(": ")
                questions += [(slot, wording) for wording in wordings.split(" | ")]
        if statements:
            found.append(Relation(statements, tuple(questions)))
    return tuple(found)


def make_fact(rng: random.Random, relation: Relation | None = None) -> Fact:
    """One random fact with every question that its wording can answer."""
    relation = relation or rng.choice(relations())
    values: dict[str, str] = {}

    def fill(match: re.Match[str]) -> str:
        slot = match[1]
        if slot not in values:
            values[slot] = MAKERS[slot](rng) if slot in MAKERS else rng.choice(WORDS[slot])
        return values[slot]

    text = SLOT.sub(fill, rng.choice(relation.statements))
    questions = []
    for slot, wording in relation.questions:
        needed = set(SLOT.findall(wording))
        if slot in values and needed <= values.keys():
            questions.append((SLOT.sub(lambda match: values[match[1]], wording), values[slot]))
    if text[0] not in '"123456789' and text[:2] not in ("ho", "ke") and rng.random() < 0.12:
        opener = rng.choice(OPENERS)
        text = opener + (
            text[0].lower() + text[1:] if text.startswith(("The ", "By ", "In ", "At ", "On ", "It ", "For ")) else text
        )
    return Fact(text, tuple(questions))
