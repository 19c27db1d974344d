"""Whole sentences that stand for documents: a summary in their own words, for a model that cannot word one.

What a small model looks at is a weak sign of what matters. So a sentence is measured by how many others have its
words (as in SumBasic; Nenkova and Vanderwende 2005), by how early it stands, and by the model's attention to it.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.passages import Telling
from infinipot_cli.explain.stretches import Stretch, Stretches
from infinipot_cli.explain.trail import Trail
from infinipot_cli.explain.words import UNSPACED

# Fewer words are a heading or a cry, more are a list or a table; what has many says more than what has few.
FEWEST_WORDS, GOOD_WORDS, MOST_WORDS = 5, 8, 80
# A sentence at the end of its document counts so many times less than one at the beginning, and one more.
_EARLY = 4.0
_CLOSES = tuple(".!?。！？")
# Words of fewer letters stand in every text, in most languages.
_TELLING = re.compile(r"[^\W\d_]{5,}")


@dataclass(frozen=True)
class _Sentence:
    """A sentence on one line, where it came from, its length, and those of its words that tell what it is about."""

    text: str
    stretch: Stretch
    n_words: int
    words: tuple[str, ...]

    @property
    def is_closed(self) -> bool:
        return self.text.rstrip("\"'”’)]*")[-1:] in _CLOSES


def key_sentences(telling: Telling, trail: Trail, n_seen: int, most: int) -> list[Passage]:
    """Whole sentences that stand for the documents, in their order.

    What is left of a sentence, a heading or a stretch without an end is none; only where there is no other, as in a
    log, whole lines are taken, where there are none of these either, sentences of very few words, and at last whatever
    there is, as rows of a table. A sentence that says the same as another comes once.

    Args:
        telling: the attention of an answer that was asked for a summary.
        trail: of what was read.
        n_seen: tokens that the model has read; what comes later does not count.
        most: sentences.
    """
    distinct: dict[str, _Sentence] = {}  # what is printed on every page counts once
    for sentence in _sentences(trail, n_seen):
        distinct.setdefault(sentence.text.casefold(), sentence)
    counts = Counter(word for one in distinct.values() for word in one.words)
    places = [(one, one.stretch.match()) for one in _candidates(list(distinct.values()))]
    attended = telling.weights([match.origins for _, match in places])
    whole = max(attended, default=0.0) or 1.0

    def worth(number: int) -> tuple[bool, float, float]:
        sentence, match = places[number]
        often = sum(counts[word] for word in sentence.words) / max(1, len(sentence.words))
        early = 1 + _EARLY * match.char[0] / max(1, trail.documents[match.document].n_chars)
        looked_at = (1 + attended[number] / whole) / early
        return sentence.n_words >= GOOD_WORDS, often * looked_at, looked_at

    best = sorted(range(len(places)), key=worth, reverse=True)[:most]
    chosen = sorted((places[number] for number in best), key=lambda place: place[1].origins)
    return [replace(telling.of(match), quote=one.text) for one, match in chosen]


def _candidates(sentences: list[_Sentence]) -> list[_Sentence]:
    """Those that may stand in a summary."""
    whole = [one for one in sentences if FEWEST_WORDS <= one.n_words <= MOST_WORDS]
    closed = [one for one in whole if one.is_closed]
    cries = [one for one in sentences if one.n_words < FEWEST_WORDS and one.is_closed]
    return closed or whole or cries or [one for one in sentences if one.n_words <= MOST_WORDS] or sentences


def _sentences(trail: Trail, n_seen: int) -> list[_Sentence]:
    """All that are remembered whole, of what the model has read; where there are none, the pieces."""
    cut, found = Stretches(), list[Stretch]()
    for block in trail.blocks:
        found += cut.add(block)
    found += [rest] if (rest := cut.rest()) is not None else []
    found = [one for one in found if _was_seen(one, n_seen)]
    return [_sentence(one) for one in found if _is_whole(one)] or [_sentence(one) for one in found]


def _was_seen(stretch: Stretch, n_seen: int) -> bool:
    last = stretch.blocks[-1]
    return last.origin + len(last.ids) <= n_seen or stretch.match().origins[1] <= n_seen


def _is_whole(stretch: Stretch) -> bool:
    return not (stretch.is_open or stretch.is_unfinished)


def _sentence(stretch: Stretch) -> _Sentence:
    text = " ".join(stretch.text.split())
    pairs = ["".join(pair) for run in UNSPACED.findall(text) for pair in pairwise(run)]
    n_words = len(text.split()) + len(pairs) // 2  # a word of writing without blanks has two characters, about
    words = dict.fromkeys(pairs or map(str.casefold, _TELLING.findall(text)))
    return _Sentence(text, stretch, n_words, tuple(words))
