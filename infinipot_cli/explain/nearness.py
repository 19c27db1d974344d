"""Where the words of a question stand beside the phrases that could answer it.

A small reader knows too little of what a question means. Where its words stand knows something as well: an answer
stands near them and does not hold them itself, and where hardly any of them is there, there is no answer either.
"""

import math
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from infinipot_cli.explain.words import Words

# Characters, some twelve words, at which a word of the question counts 1/e of what it counts beside the phrase.
REACH = 72.0
# Places of a phrase that are looked at.
MOST_PLACES = 4
_NO_LETTER_BEFORE, _NO_LETTER_BEHIND = r"(?<![^\W_])", r"(?![^\W_])"


class Nearness:
    """The words of a question in passages.

    Args:
        words: of the question.
        passages: pieces of text.

    Attributes:
        covered: share of the words, from 0 to 1, that the passage holds that has most of them.
    """

    def __init__(self, words: Words, passages: Iterable[str]) -> None:
        shown = [" ".join(passage.split()) for passage in passages]
        self._n_words = max(1, len(words))
        self._text = " ".join(shown)
        self._found = list(words.places(self._text))
        self.covered = max((len(words.find(passage)) for passage in shown), default=0) / self._n_words

    def of(self, phrase: str) -> float:
        """How near a phrase stands to the words, at its best place: 1 with all of them beside it, 0 far from any.

        A word counts where it stands nearest, but not inside the phrase.
        """
        best = 0.0
        for place, end in islice(self._places(phrase), MOST_PLACES):
            gaps = dict[int, int]()
            for first, last, number in self._found:
                if last <= place or first >= end:
                    gap = max(first - end, place - last)
                    gaps[number] = min(gap, gaps.get(number, gap))
            best = max(best, sum(math.exp(-gap / REACH) for gap in gaps.values()) / self._n_words)
        return best

    def _places(self, phrase: str) -> Iterator[tuple[int, int]]:
        """Where a phrase stands, and not as a part of a word or number."""
        start = _NO_LETTER_BEFORE if phrase[:1].isalnum() else ""
        end = _NO_LETTER_BEHIND if phrase[-1:].isalnum() else ""
        return (found.span() for found in re.finditer(start + re.escape(phrase) + end, self._text))
