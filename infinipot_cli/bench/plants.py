"""Lines to hide in a long text, and the hiding: pass keys that nobody could guess, and plain facts.

Pass keys follow the test that the paper reports (section 4, Table 4); the facts are ordinary sentences whose wordings
the embedded model has never seen in training.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Scripts that write no space between sentences have marks of their own.
_SENTENCE_END = re.compile(r"[.!?][\"'”’)]*(?:\s+|\Z)|[。！？।؟][\"'”’」』）)]*\s*")
# Where a text without sentences is parted: code, tables, lists.
_PARTS = (re.compile(r"\n\s*"), re.compile(r"\s+"))
# No sentence of ordinary prose has as many characters.
_LONGEST = 2000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Plant:
    """Something to hide and to ask for.

    Attributes:
        statement: what is hidden.
        question: what is asked.
        answer: what a right answer contains.
    """

    statement: str
    question: str
    answer: str


def passkeys(n: int, rng: random.Random) -> list[Plant]:
    """`n` pass keys of five random digits."""
    keys = [f"{rng.randrange(10_000, 100_000)}" for _ in range(n)]
    return [
        Plant(f"The pass key is {key}. Remember it. {key} is the pass key.", "What is the pass key?", key)
        for key in keys
    ]


def facts(n: int, rng: random.Random) -> list[Plant]:
    """`n` plain facts in random order; each comes again only when all have been used."""
    return _dealt(all_facts(), n, rng)


def fresh_facts(n: int, rng: random.Random) -> list[Plant]:
    """`n` facts of `fresh-facts.tsv`, which no setting was chosen by, dealt as `facts` are."""
    return _dealt(all_fresh_facts(), n, rng)


def _dealt(known: tuple[Plant, ...], n: int, rng: random.Random) -> list[Plant]:
    chosen: list[Plant] = []
    while len(chosen) < n:
        chosen += rng.sample(known, len(known))
    return chosen[:n]


def all_facts() -> tuple[Plant, ...]:
    """Every fact of `facts.tsv`."""
    return _of_file("facts.tsv")


def all_fresh_facts() -> tuple[Plant, ...]:
    """Every fact of `fresh-facts.tsv`."""
    return _of_file("fresh-facts.tsv")


@cache
def _of_file(name: str) -> tuple[Plant, ...]:
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return tuple(Plant(*line.split("\t")) for line in lines if line and not line.startswith("#"))


def hide(text: str, statement: str, depth: float) -> str:
    """Put a statement between two sentences of a text.

    Args:
        text: the haystack.
        statement: the needle.
        depth: where, as a share of the characters; the next end of a sentence is taken, or the end of the text behind
            its last sentence. In a text without sentences it is the next end of a line, else of a word.
    """
    place, gap = _place(text, int(depth * len(text)))
    return f"{text[:place]}{gap}{statement} {text[place:]}"


def _place(text: str, start: int) -> tuple[int, str]:
    """Where a statement may stand at or behind a place, and what must stand in front of it."""
    place = _parting(text, start)
    return place, "" if not place or text[place - 1].isspace() else " "


def _parting(text: str, start: int) -> int:
    """Where the next sentence begins or the last one ends; near the place itself where there are no sentences."""
    stop = min(start + _LONGEST, len(text))
    end = _SENTENCE_END.search(text, start)
    if end and end.start() < stop:
        return end.end()
    if stop == len(text) and _SENTENCE_END.search(text, max(0, start - _LONGEST)):
        return stop  # what is left is a sentence that was cut off
    ends = (part.search(text, start, stop) for part in _PARTS)
    return next((end.end() for end in ends if end), start)


def strew(text: str, statements: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Put statements between the sentences of a text, evenly along it.

    Returns:
        The text, and first and last character of each statement in it, the last excluded.
    """
    parts, spans, done, length = [], [], 0, 0
    for number, statement in enumerate(statements):
        place, gap = _place(text, max(done, int((number + 0.5) / len(statements) * len(text))))
        gap = gap if place > done else ""  # the statement before it ends with one
        parts += [text[done:place], gap, f"{statement} "]
        length += place - done + len(gap)
        spans.append((length, length + len(statement)))
        length, done = length + len(statement) + 1, place
    return "".join([*parts, text[done:]]), spans


def is_right(given: str, wanted: str) -> bool:
    """Whether an answer contains the wanted words, one after the other; case and punctuation do not count."""
    given_words, wanted_words = _WORD.findall(given.lower()), _WORD.findall(wanted.lower())
    return any(
        given_words[start : start + len(wanted_words)] == wanted_words
        for start in range(len(given_words) - len(wanted_words) + 1)
    )
