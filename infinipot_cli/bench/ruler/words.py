"""Words, numbers and codes that RULER's tasks hide and ask for. Differs: the word lists are our own."""

import random
import uuid
from collections.abc import Container
from functools import cache
from pathlib import Path


@cache
def lists() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Adjectives and nouns."""
    lines = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").splitlines()
    adjectives, nouns = (tuple(line.split()) for line in lines if line and not line.startswith("#"))
    return adjectives, nouns


def pair(rng: random.Random) -> str:
    """An adjective and a noun, joined as RULER joins them."""
    adjectives, nouns = lists()
    return f"{rng.choice(adjectives)}-{rng.choice(nouns)}"


def several(n: int, rng: random.Random) -> list[str]:
    """`n` different words; when single ones run out, pairs."""
    adjectives, nouns = lists()
    single = sorted({*adjectives, *nouns})
    if n <= len(single):
        return rng.sample(single, n)
    found = dict.fromkeys(single)
    while len(found) < n:
        found[pair(rng)] = None
    words = list(found)
    rng.shuffle(words)
    return words


def value(kind: str, rng: random.Random) -> str:
    """A number of seven digits, a random identifier or a pair of words.

    Args:
        kind: `numbers`, `uuids` or `words`.
        rng: of the choice.
    """
    if kind == "numbers":
        return str(rng.randint(10**6, 10**7 - 1))
    return str(uuid.UUID(int=rng.getrandbits(128), version=4)) if kind == "uuids" else pair(rng)


def another(kind: str, known: Container[str], rng: random.Random) -> str:
    """A value of a kind that is none of the known ones."""
    found = value(kind, rng)
    while found in known:
        found = value(kind, rng)
    return found
