"""Where the words of a question stand beside the phrases that could answer it.

A small reader knows too little of what a question means. Where its words stand knows something as well: an answer
stands near them and does not hold them itself, and where hardly any of them is there, there is no answer either.
"""

import math
from collections.abc import Iterable

from infinipot_cli.explain.words import Words

# Characters, some twelve words, at which a word of the question counts 1/e of what it counts beside the phrase.
REACH = 72.0
# Places of a phrase that are looked at.
MOST_PLACES = 4


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
        best, place = 0.0, self._text.find(phrase)
        for _ in range(MOST_PLACES):
            if place < 0:
                break
            end, gaps = place + len(phrase), dict[int, int]()
            for first, last, number in self._found:
                if last <= place or first >= end:
                    gap = max(first - end, place - last)
                    gaps[number] = min(gap, gaps.get(number, gap))
            best = max(best, sum(math.exp(-gap / REACH) for gap in gaps.values()) / self._n_words)
            place = self._text.find(phrase, place + 1)
        return best
