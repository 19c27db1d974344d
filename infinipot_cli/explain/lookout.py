"""The passage of everything read that matches a question best in words.

The pot cannot say what it has lost; the text could, while it streamed past. So each question's words are looked for in
every block, and the best passages are remembered by place, not by text. Memory is bounded: passages are grouped by
which of the words they hold, a few of each group are kept, and how rare a word is comes from running counts (the
inverse document frequency of BM25, with two neighbouring blocks as a document).
"""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from infinipot_cli.explain.sentences import quote, sentence_at
from infinipot_cli.explain.trail import BLOCK_TOKENS, Block

# A passage matches if it has this part of the weight of the question's words, and at least two of them.
GOOD_MATCH = 0.6
FEWEST_WORDS = 2
# Words that stand in more of the passages than this say nothing about where to look.
COMMON = 0.1
# What such a word counts beside others: it tells passages apart that hold the same rare ones.
WEIGHT_OF_COMMON = 0.3
# Passages kept of a group; more of them than that, and none is the best.
MOST_ALIKE = 4
MOST_GROUPS = 512
MOST_WORDS = 24
# Characters between two mentions of the same, which stand in one passage then.
ONE_BREATH = 60
# Passages that are looked at for room, the best first.
MOST_TRIED = 128
# Whole blocks over which the end of a sentence is waited for.
MOST_OPEN = 3

_CLOSING = frozenset(".!?…。！？\"'”’)]")
_WORD = re.compile(r"\w+")
_LAST_WORD = re.compile(r"\w*\Z")
# Endings beyond this many letters are let go, so that "appointed" finds "appointment".
_STEM = 6


@dataclass(frozen=True)
class Match:
    """A passage that holds words of a question.

    Attributes:
        document: the document's place among those read.
        char: its first character, and the one behind its last, counted over the document.
        origins: of its first token, and the one behind its last.
        line: number of the line it starts on.
        quote: its words, cut if it is long.
    """

    document: int
    char: tuple[int, int]
    origins: tuple[int, int]
    line: int
    quote: str


@dataclass(frozen=True)
class Found:
    """What a look-out has found in all that was read.

    Attributes:
        best: the passages that match best, as `Lookout.best` gives them.
        passages: origins of those that may be read once more, as far as there is room, the best first.
    """

    best: tuple[Match, ...]
    passages: tuple[tuple[int, int], ...]


@dataclass
class _Group:
    n: int = 0
    matches: list[Match] = field(default_factory=list)


@dataclass(frozen=True)
class _Open:
    """A match whose sentence goes on in the next block."""

    group: _Group
    number: int
    blocks: list[Block]
    first: int
    last: int


class Lookout:
    """Looks for one question's words in everything that is read.

    Args:
        question: the user's words.

    Attributes:
        recalled: what it found in an earlier reading of all there is; None where it looks itself.
    """

    recalled: "Found | None"

    def __init__(self, question: str) -> None:
        stems = dict.fromkeys(word.casefold()[:_STEM] for word in _WORD.findall(question))
        self._stems = {stem: number for number, stem in enumerate(list(stems)[:MOST_WORDS])}
        ordered = sorted(self._stems, key=len, reverse=True)
        self._pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, ordered))})\w*", re.IGNORECASE) if ordered else None
        self._n_blocks = 0
        self._counts = [0] * len(self._stems)
        self._groups: dict[frozenset[int], _Group] = {}
        self._behind: list[tuple[Block, frozenset[int]]] = []  # the latest blocks, as many as make a whole one
        self._open: _Open | None = None
        self.recalled = None

    def see(self, blocks: Iterable[Block]) -> bool:
        """The next blocks of what is read; returns whether there is a passage of several of the words among them."""
        n_found = sum(self._see(block) for block in blocks)
        return n_found > 0

    def _see(self, block: Block) -> bool:
        if self._pattern is None:
            return False
        behind = self._behind if self._behind and _meets(self._behind[-1][0], block) else []
        last = _LAST_WORD.search("".join(near.text for near, _ in behind))
        begun = last.group() if last else ""  # a block may begin within a word
        found = self._found(begun + block.text)
        here = frozenset(word for word, (_, end) in found.items() if end > len(begun))
        self._behind = _whole([*behind, (block, here)])
        known = frozenset[int]().union(*(words for _, words in behind))
        was_open = bool(behind) and self._complete(block)
        self._n_blocks += 1
        for word in here | behind[-1][1] if behind else here:
            self._counts[word] += 1
        rare = self._rare() & (here | known)
        if not rare or (rare <= known and not rare <= here):
            return was_open  # nothing, or nothing that the blocks before had not alone
        group = self._groups.setdefault(rare, _Group())
        group.n += 1
        if len(group.matches) < MOST_ALIKE:
            self._remember(group, [*(near for near, _ in behind), block], rare)
        if len(self._groups) > MOST_GROUPS:
            best = sorted(self._groups, key=self._weight, reverse=True)[: MOST_GROUPS // 2]
            self._groups = {words: self._groups[words] for words in best}
        return was_open or len(rare) >= FEWEST_WORDS

    def _found(self, text: str) -> dict[int, tuple[int, int]]:
        """Numbers of the question's words that a text holds, with the place of the last of each."""
        return {number: place.span() for number, place in self._words_in(text)}

    def _in_one_breath(self, text: str, words: frozenset[int], first: int) -> int:
        """Where a passage begins that said before, at once, what it says from a character on; several words of it."""
        begun, said = first, set[int]()
        for number, place in reversed([(number, place) for number, place in self._words_in(text) if number in words]):
            if place.start() < begun and begun - place.end() <= ONE_BREATH:
                begun = place.start()
                said.add(number)
        return begun if len(said) >= FEWEST_WORDS else first

    def _words_in(self, text: str) -> Iterator[tuple[int, re.Match[str]]]:
        """Numbers of the question's words as they come in a text, and their places."""
        assert self._pattern is not None
        for place in self._pattern.finditer(text):
            number = self._stems.get(place.group().casefold()[:_STEM])
            if number is not None:
                yield number, place

    def _remember(self, group: _Group, blocks: list[Block], words: frozenset[int]) -> None:
        """Add the sentences from the first word to the last.

        Of a word that is there twice the latter counts, unless what is said twice is said in one breath.
        """
        text = "".join(block.text for block in blocks)
        places = [place for word, place in self._found(text).items() if word in words]
        first, last = min(start for start, _ in places), max(end for _, end in places) - 1
        first = self._in_one_breath(text, words, first)
        match, is_whole = _passage(blocks, first, last)
        group.matches.append(match)
        if not is_whole:
            self._open = _Open(group, len(group.matches) - 1, blocks, first, last)

    def _complete(self, block: Block) -> bool:
        """Add the end of the sentence that the block before broke off; returns whether there was one."""
        broken, self._open = self._open, None
        if broken is None or broken.number >= len(broken.group.matches):
            return False
        blocks = [*broken.blocks, block]
        match, is_whole = _passage(blocks, broken.first, broken.last)
        broken.group.matches[broken.number] = match
        if not is_whole and sum(len(later.ids) for later in blocks) < MOST_OPEN * BLOCK_TOKENS:
            self._open = replace(broken, blocks=blocks)
        return True

    def _rare(self) -> frozenset[int]:
        """Words that say where to look: found, and not everywhere."""
        most = max(MOST_ALIKE, COMMON * self._n_blocks)
        return frozenset(number for number, count in enumerate(self._counts) if 0 < count <= most)

    def _weight(self, words: frozenset[int]) -> float:
        """Sum of the inverse document frequencies."""
        return sum(math.log(1 + self._n_blocks / self._counts[word]) for word in words)

    def _worth(self, words: frozenset[int], rare: frozenset[int]) -> float:
        return self._weight(words & rare) + WEIGHT_OF_COMMON * self._weight(words - rare)

    def favoured(self, most: int, *, fewest: int = FEWEST_WORDS) -> list[tuple[int, int]]:
        """Origins of the passages that match best so far, as ranges, the best first.

        Args:
            most: tokens, in all.
            fewest: words of the question that a passage must hold.
        """
        return _within(most, self._ranked(fewest))

    def _ranked(self, fewest: int) -> Iterator[tuple[int, int]]:
        """Origins of all remembered passages of so many words, the best first."""
        rare = self._rare()
        groups = [words for words in self._groups if len(words) >= fewest]
        for words in sorted(groups, key=lambda words: self._worth(words, rare), reverse=True):
            for match in self._groups[words].matches:
                yield match.origins

    def to_reread(self, most: int) -> list[tuple[int, int]]:
        """The same of passages that shall be read once more: one word is enough where no other says where to look."""
        return _within(most, self._to_reread())

    def _to_reread(self) -> Iterable[tuple[int, int]]:
        if self.recalled is not None:
            return self.recalled.passages
        return self._ranked(min(FEWEST_WORDS, len(self._rare())))

    def found(self, n_seen: int) -> "Found":
        """Everything that it can say; the argument is that of `best`."""
        passages = islice((span for span in self._to_reread() if span[1] <= n_seen), MOST_TRIED)
        return Found(tuple(self.best(n_seen)), tuple(passages))

    def best(self, n_seen: int) -> list[Match]:
        """The passages that match best, all alike; none if nothing matches well, or too much matches as well.

        Args:
            n_seen: tokens that the model has read; what comes later does not count.
        """
        if self.recalled is not None:
            return list(self.recalled.best)
        rare = self._rare()
        alike: dict[frozenset[int], _Group] = {}
        several = ((words, group) for words, group in self._groups.items() if len(words) >= FEWEST_WORDS)
        for words, group in several:  # words may have become common since
            merged = alike.setdefault(words & rare, _Group())
            merged.n += group.n
            merged.matches += [match for match in group.matches if match.origins[1] <= n_seen]
        alike = {words: group for words, group in alike.items() if group.matches}
        best = max(alike, key=self._weight, default=frozenset())
        if len(best) < FEWEST_WORDS or self._weight(best) < GOOD_MATCH * self._weight(rare):
            return []
        return alike[best].matches if alike[best].n <= MOST_ALIKE else []


def _within(most: int, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those of the ranges, the first ones first, that find room in so many tokens, what they share counted once."""
    chosen: list[tuple[int, int]] = []
    for start, end in islice(ranges, MOST_TRIED):
        if any(start < other_end and other_start < end for other_start, other_end in chosen):
            joined = apart([*chosen, (start, end)])
        elif end - start <= most:
            joined = [*chosen, (start, end)]
        else:
            continue
        grown = sum(end - start for start, end in joined) - sum(end - start for start, end in chosen)
        if grown <= most:
            chosen, most = joined, most - grown
    return chosen


def _passage(blocks: list[Block], first: int, last: int) -> tuple[Match, bool]:
    """The sentences around two characters of neighbouring blocks, and whether they end within them."""
    text = "".join(block.text for block in blocks)
    start, end = sentence_at(text, first)[0], sentence_at(text, last)[1]
    offset = blocks[0].char
    starts = [char for block in blocks for char in block.starts]
    # the last token that begins no later than the passage, since many begin with the blank before their word
    first_token = max(0, bisect_right(starts, offset + start) - 1)
    end_token = max(first_token + 1, bisect_left(starts, offset + end))
    # behind a blank at the end of a block a sentence may go on, unless it is closed
    is_whole = bool(text[end:].strip()) or (end < len(text) and text[end - 1] in _CLOSING)
    match = Match(
        document=blocks[0].document,
        char=(offset + start, offset + end),
        origins=(blocks[0].origin + first_token, blocks[0].origin + end_token),
        line=blocks[0].line + text.count("\n", 0, start),
        quote=quote(text[start:end], first - start, is_open=start == 0 and offset > 0, is_unfinished=not is_whole),
    )
    return match, is_whole


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


def _whole(blocks: list[tuple[Block, frozenset[int]]]) -> list[tuple[Block, frozenset[int]]]:
    """The latest blocks: one, or as many as make one where what was read together ended within it."""
    n_tokens = sum(len(block.ids) for block, _ in blocks)
    while blocks and (n_tokens := n_tokens - len(blocks[0][0].ids)) >= BLOCK_TOKENS:
        blocks = blocks[1:]
    return blocks


def _meets(before: Block, block: Block) -> bool:
    return before.document == block.document and before.origin + len(before.ids) == block.origin
