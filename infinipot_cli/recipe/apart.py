"""Texts too much like those that evaluation asks about: another version of a paper, what replaced a proposal."""

import re
from collections.abc import Iterable, Iterator

RUN = 13  # words that follow one another; fewer are said twice by chance
MOST_SHARED = 0.04  # of a text's runs; what proposals repeat of one another is less, other versions share more

_WORD = re.compile(r"\w+")


class KeptApart:
    """What evaluation asks about, by its runs of words.

    Args:
        texts: all of it.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._runs = frozenset(run for text in texts for run in _runs(text))

    def is_like(self, text: str) -> bool:
        """Whether more of a text's runs than a few stand in what is kept apart."""
        runs = list(_runs(text))
        return sum(run in self._runs for run in runs) > MOST_SHARED * len(runs)


def _runs(text: str) -> Iterator[int]:
    """Every run of words as a number, which holds for this process alone."""
    words = _WORD.findall(text.lower())
    return (hash(tuple(words[at : at + RUN])) for at in range(len(words) - RUN + 1))
