"""The sentences of everything read that match a question best in words.

The pot cannot say what it has lost; the text could, while it streamed past. So each question's words are looked for in
every sentence, and the best are remembered by place, not by text. Memory is bounded: sentences are grouped by the words
that they and their neighbours hold, a few of each group are kept, and how rare a word is comes from running counts (the
inverse document frequency of BM25, with a sentence as a document).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from infinipot_cli.explain.nearness import Nearness
from infinipot_cli.explain.stretches import Match, Stretch, Stretches
from infinipot_cli.explain.trail import Block
from infinipot_cli.explain.words import Words

# A sentence matches if it has this part of the weight of the question's words, and at least two of them.
GOOD_MATCH = 0.6
FEWEST_WORDS = 2
# Words that stand in more of the sentences than this say nothing about where to look.
COMMON = 0.04
# What a word counts that stands only in the sentence before or behind, beside one of its own.
WEIGHT_OF_NEAR = 0.5
# Sentences kept of a group; more of them than that, and none is the best.
MOST_ALIKE = 4
MOST_GROUPS = 512
# Sentences that are looked at for room, the best first.
MOST_TRIED = 128

_Held = frozenset[int]


@dataclass(frozen=True)
class Found:
    """What a look-out has found in all that was read.

    Attributes:
        best: the sentences that match best, as `Lookout.best` gives them.
        passages: those that may be read once more, as far as there is room, the best first: origin of the first token
            and the one behind the last, and how well it matches, as a share of the best one's match.
        is_unheard: whether none of the question's words was there, and there are several.
    """

    best: tuple[Match, ...]
    passages: tuple[tuple[int, int, float], ...]
    is_unheard: bool = False


@dataclass
class _Group:
    """Sentences that hold the same words, with neighbours that hold the same others; how many, and the first ones.

    What is said word for word again takes no place of another: `texts` are the hashes of those that are kept.
    """

    n: int = 0
    matches: list[Match] = field(default_factory=list)
    texts: set[int] = field(default_factory=set)


class Lookout:
    """Looks for one question's words in everything that is read.

    Args:
        question: the user's words.

    Attributes:
        recalled: what it found in an earlier reading of all there is; None where it looks itself.
    """

    recalled: Found | None

    def __init__(self, question: str) -> None:
        self._words = Words(question)
        self._stretches = Stretches()
        self._n_sentences = self._n_chars = 0
        self._counts = [0] * len(self._words)
        self._groups: dict[tuple[_Held, _Held], _Group] = {}
        self._before: _Held = frozenset()  # words of the sentence before the latest
        self._latest: tuple[Stretch, _Held] | None = None  # waits for what its neighbour holds
        self.recalled = None

    def see(self, blocks: Iterable[Block]) -> bool:
        """The next blocks of what is read; returns whether several of the words stand together in them."""
        if not len(self._words):
            return False
        n_found = 0
        for block in blocks:
            self._n_chars += len(block.text)
            for stretch in self._stretches.add(block):
                n_found += self._see(stretch)
        return n_found > 0 or any(len(own | near) >= FEWEST_WORDS for own, near, _ in self._waiting())

    def _see(self, stretch: Stretch) -> bool:
        """One more sentence; returns whether it or the one before matches in several words."""
        own = self._words.find(stretch.text)
        self._n_sentences += 1
        for word in own:
            self._counts[word] += 1
        if stretch.begins:
            self._settle(frozenset())
        is_found = self._settle(own)
        self._latest = (stretch, own)
        return is_found

    def _settle(self, behind: _Held) -> bool:
        """Put the latest sentence where it belongs, now that what is behind it is known."""
        if self._latest is None:
            self._before = frozenset()
            return False
        (stretch, own), self._latest = self._latest, None
        near = (self._before | behind) - own
        self._before = own
        if not own:
            return False
        group = self._groups.setdefault((own, near), _Group())
        group.n += 1
        if len(group.matches) < MOST_ALIKE and (text := hash(" ".join(stretch.text.split()))) not in group.texts:
            group.matches.append(stretch.match())
            group.texts.add(text)
        if len(self._groups) > MOST_GROUPS:
            best = sorted(self._groups, key=self._worth, reverse=True)[: MOST_GROUPS // 2]
            self._groups = {words: self._groups[words] for words in best}
        return len(own | near) >= FEWEST_WORDS

    def _waiting(self) -> list[tuple[_Held, _Held, Stretch]]:
        """The latest sentences, which wait for their neighbours or their ends, as if nothing came behind them."""
        found = []
        rest = self._stretches.rest()
        behind = self._words.find(rest.text) if rest is not None else frozenset[int]()
        before = self._before
        if self._latest is not None:
            stretch, own = self._latest
            found.append((own, (before | behind) - own, stretch))
            before = own
        if rest is not None:
            found.append((behind, before - behind, rest))
        return [(own, near, stretch) for own, near, stretch in found if own]

    def _all_groups(self) -> dict[tuple[_Held, _Held], _Group]:
        """The groups with what is waiting."""
        groups = self._groups
        for own, near, stretch in self._waiting():
            group = groups.get((own, near), _Group())
            groups = groups | {(own, near): _Group(group.n + 1, [*group.matches, stretch.match()][:MOST_ALIKE])}
        return groups

    def _rare(self) -> _Held:
        """Words that say where to look: found, and not everywhere."""
        most = max(MOST_ALIKE, COMMON * self._n_sentences)
        return frozenset(number for number, count in enumerate(self._counts) if 0 < count <= most)

    def _weight(self, words: _Held) -> float:
        """Sum of the inverse document frequencies; of a sentence that has not ended, too, which counts as one more."""
        return sum(math.log(1 + (self._n_sentences + 1) / max(1, self._counts[word])) for word in words)

    def _worth(self, words: tuple[_Held, _Held]) -> float:
        own, near = words
        return self._weight(own) + WEIGHT_OF_NEAR * self._weight(near)

    def near(self, passages: Iterable[str]) -> Nearness:
        """Where the question's words stand in passages."""
        return Nearness(self._words, passages)

    def favoured(self, most: int) -> list[tuple[int, int]]:
        """Origins of the passages that match best so far, as ranges, the best first.

        Args:
            most: tokens, in all.
        """
        return _within(most, ((start, end) for start, end, _ in self._ranked()))

    def _ranked(self) -> Iterator[tuple[int, int, float]]:
        """All remembered sentences that hold several words with their neighbours, as `Found.passages` has them.

        Those of a single word only where there are no others.
        """
        groups = self._all_groups()
        several = [words for words in groups if len(words[0] | words[1]) >= FEWEST_WORDS]
        worths = {words: self._worth(words) for words in several or groups}
        best = max(worths.values(), default=0.0)
        for words in sorted(worths, key=worths.__getitem__, reverse=True):
            for match in groups[words].matches:
                yield *match.origins, worths[words] / best

    def to_reread(self, most: int, close: float = 0.0) -> list[tuple[int, int]]:
        """The same of passages that shall be read once more.

        Args:
            most: tokens, in all.
            close: share of the best one's match that the others must have.
        """
        return _within(most, ((start, end) for start, end, share in self._to_reread() if share >= close))

    def _to_reread(self) -> Iterable[tuple[int, int, float]]:
        return self.recalled.passages if self.recalled is not None else self._ranked()

    def found(self, n_seen: int) -> Found:
        """Everything that it can say; the argument is that of `best`."""
        passages = islice((span for span in self._to_reread() if span[1] <= n_seen), MOST_TRIED)
        return Found(tuple(self.best(n_seen)), tuple(passages), bool(self.unheard(self._n_chars)))

    def unheard(self, n_chars: int) -> tuple[str, ...]:
        """The question's words, if none of them stands in what was read; only where there are several.

        Args:
            n_chars: characters of all that was read; where less was seen, nothing can be said.
        """
        if self.recalled is not None:
            return self._words.written if self.recalled.is_unheard else ()
        is_found = any(self._counts) or bool(self._waiting())
        is_told = len(self._words.written) >= FEWEST_WORDS and not self._words.is_cut
        return self._words.written if is_told and not is_found and self._n_chars >= n_chars > 0 else ()

    def best(self, n_seen: int) -> list[Match]:
        """The sentences that match best, all alike; none if nothing matches well, or too much matches as well.

        Args:
            n_seen: tokens that the model has read; what comes later does not count.
        """
        if self.recalled is not None:
            return list(self.recalled.best)
        rare = self._rare()
        alike: dict[_Held, _Group] = {}
        for (own, _), group in self._all_groups().items():
            merged = alike.setdefault(own & rare, _Group())
            merged.n += group.n
            merged.matches += [match for match in group.matches if match.origins[1] <= n_seen]
        alike = {words: group for words, group in alike.items() if group.matches and len(words) >= FEWEST_WORDS}
        best = max(alike, key=self._weight, default=frozenset())
        if not best or self._weight(best) < GOOD_MATCH * self._weight(rare):
            return []
        return sorted(alike[best].matches, key=lambda match: match.origins) if alike[best].n <= MOST_ALIKE else []


def _within(most: int, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those of the ranges, the first ones first, that find room in so many tokens, what they share counted once."""
    chosen: list[tuple[int, int]] = []
    for start, end in islice(ranges, MOST_TRIED):
        joined = apart([*chosen, (start, end)])
        grown = sum(end - start for start, end in joined) - sum(end - start for start, end in chosen)
        if grown <= most:
            chosen, most = joined, most - grown
    return chosen


def apart(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in the order given, each joined to the first that it overlaps, so that nothing is in two of them."""
    found: list[tuple[int, int]] = []
    for start, end in ranges:
        near = [other for other in found if start < other[1] and other[0] < end]
        if near:
            place = found.index(near[0])
            whole = (min(start, *(other[0] for other in near)), max(end, *(other[1] for other in near)))
            found = [other for other in found if other not in near]
            found.insert(place, whole)
        else:
            found.append((start, end))
    return found


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in ascending order, those that touch or overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
