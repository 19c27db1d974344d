"""Sentences that an answer attended to: its attention, mapped back to characters and summed."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infinipot_cli.engine import Attended
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.evidence import by_origin, originals_once
from infinipot_cli.explain.held import Held
from infinipot_cli.explain.sentences import quote, sentence_at
from infinipot_cli.explain.trail import Block, Trail

# Tokens looked at: the rest together weighs little, and an answer must not wait for it.
_MOST_TOKENS = 256
# Fewer words are a heading or a cry, more are a list or a table.
FEWEST_WORDS, MOST_WORDS = 5, 80
_CLOSES = tuple(".!?。！？")


def passages(trail: Trail, attended: Attended, first: int, held: Held | None = None) -> list[Passage]:
    """Sentences that an answer attended to, the most important first.

    What counts is the attention of heads that copy: that which lay on the very token that was then chosen. An answer
    in words of its own has none; then all attention counts.

    Args:
        trail: of what was read.
        attended: of one answer.
        first: origin of the first token of the documents.
        held: what the pot held when the question came, where something was done to it before the answer began.
    """
    return _Telling(trail, attended, first, held).passages()


def key_sentences(trail: Trail, attended: Attended, first: int, held: Held | None, most: int) -> list[Passage]:
    """Whole sentences that stand for the documents, in their order: of those attended to, the most important.

    What is left of a sentence, a heading or a stretch without an end is none; only where there is no other, as in a
    log, whole lines are taken, and where there are none of these either, sentences of very few words. A sentence that
    says the same as another comes once.

    Args:
        trail: of what was read.
        attended: of an answer that was asked for a summary.
        first: origin of the first token of the documents.
        held: as for `passages`.
        most: sentences.
    """
    telling = _Telling(trail, attended, first, held)
    ordered = telling.ordered
    uncut = [sentence for sentence in ordered if not (sentence.is_open or sentence.is_unfinished)]
    whole_ones = [sentence for sentence in uncut if FEWEST_WORDS <= len(sentence.text.split()) <= MOST_WORDS]
    closed, cries = (
        [one for one in among if one.text.rstrip("\"'”’)]*")[-1:] in _CLOSES] for among in (whole_ones, uncut)
    )
    candidates = closed or whole_ones or [cry for cry in cries if len(cry.text.split()) < FEWEST_WORDS]
    chosen = {" ".join(sentence.text.lower().split()): sentence for sentence in reversed(candidates)}
    best = sorted(chosen.values(), key=lambda sentence: sentence.weight, reverse=True)[:most]
    found = sorted(best, key=lambda sentence: (sentence.document, sentence.start))
    return [replace(telling.of(sentence), quote=" ".join(sentence.text.split())) for sentence in found]


class _Telling:
    """The sentences that an answer attended to, and what is known of each.

    Attributes:
        ordered: the sentences, the most important first.
    """

    def __init__(self, trail: Trail, attended: Attended, first: int, held: Held | None) -> None:
        self._trail = trail
        origins = held.origins if held else originals_once(trail, attended.origins)
        self._n_slots = origins.shape[0] * origins.shape[1]
        # sorted once: there may be hundreds of sentences, and a million entries
        self._held = origins.flatten().sort().values
        self.ordered, self._whole = _ranked(trail, attended, first)
        self._seen, weights = by_origin(trail, attended, attended.total, first, trail.n_seen)
        self._weights, self._total = weights, float(weights.sum()) or 1.0

    def passages(self) -> list[Passage]:
        """All of them."""
        return [self.of(sentence) for sentence in self.ordered]

    def of(self, sentence: "_Found") -> Passage:
        """One of them."""
        start, end = sentence.origins
        n_held = self._held[_between(self._held, start, end)].numel()
        attention = float(self._weights[_between(self._seen, start, end)].sum())
        document = self._trail.documents[sentence.document]
        page, label, line = document.place_at(sentence.start, sentence.line)
        return Passage(
            document=sentence.document,
            path=document.name,
            kind=document.kind,
            page=page,
            label=label,
            line=line,
            char=(sentence.start, sentence.end),
            quote=quote(sentence.text, sentence.around, is_open=sentence.is_open, is_unfinished=sentence.is_unfinished),
            score=round(sentence.weight / self._whole, 4),
            kept=round(n_held / (self._n_slots * (end - start)), 4),
            attention=round(attention / self._total, 4),
        )


def _between(ascending: Tensor, start: int, end: int) -> slice:
    """Where the values from one to before another stand."""
    first, last = torch.searchsorted(ascending, torch.tensor([start, end], device=ascending.device)).tolist()
    return slice(first, last)


def _ranked(trail: Trail, attended: Attended, first: int) -> "tuple[list[_Found], float]":
    """Sentences by their weight, and the weight of everything."""
    copied = by_origin(trail, attended, attended.copied, first, trail.n_seen)
    origins, weights = (
        copied if float(copied[1].sum()) > 0 else by_origin(trail, attended, attended.total, first, trail.n_seen)
    )
    whole = float(weights.sum())
    if not whole:
        return [], whole
    best = weights.topk(min(_MOST_TOKENS, len(weights)))
    found: dict[tuple[int, int], _Found] = {}
    for origin, weight in zip(origins[best.indices].tolist(), best.values.tolist(), strict=True):
        if weight <= 0:
            break
        sentence = _sentence(trail, origin)
        if sentence is not None:
            known = found.setdefault((sentence.document, sentence.start), sentence)
            known.weight += weight
    return sorted(found.values(), key=lambda sentence: sentence.weight, reverse=True), whole


@dataclass
class _Found:
    """A sentence with the weight it has gathered; `origins` are those of its first token and behind its last."""

    document: int
    origins: tuple[int, int]
    start: int
    end: int
    text: str
    around: int
    line: int
    is_open: bool
    is_unfinished: bool
    weight: float = 0.0


def _sentence(trail: Trail, origin: int) -> _Found | None:
    """The sentence around a token, as far as its text is remembered, within its page."""
    number = trail.find(origin)
    if number is None:
        return None
    block = trail.blocks[number]
    document = trail.documents[block.document]
    char = block.starts[origin - block.origin]
    low, high = trail.stretch(number)
    text_start = trail.blocks[low].char
    text = "".join(near.text for near in trail.blocks[low : high + 1])
    while char - text_start < len(text) - 1 and text[char - text_start].isspace():
        char += 1  # many tokens begin with the blank before their word
    page, page_end = document.page_at(char), document.page_end(char)
    page_start = max(0, page.char - text_start) if page is not None else 0
    within = text[page_start : None if page_end is None else max(page_start, page_end - text_start)]
    start, end = sentence_at(within, min(max(0, char - text_start - page_start), max(0, len(within) - 1)))
    offset = page_start + start
    return _Found(
        document=block.document,
        origins=_origins(trail.blocks[low : high + 1], text_start + offset, text_start + page_start + end),
        start=text_start + offset,
        end=text_start + page_start + end,
        text=within[start:end],
        around=char - text_start - offset,
        line=trail.blocks[low].line + text.count("\n", 0, offset),
        is_open=start == 0 and page_start == 0 and text_start > 0,
        is_unfinished=end == len(within) and high < len(trail.blocks) - 1 and page_end is None,
    )


def _origins(blocks: Sequence[Block], start: int, end: int) -> tuple[int, int]:
    """Origin of the token that holds a character, and that behind the token of the last one before another."""
    starts = [char for block in blocks for char in block.starts]
    origin = blocks[0].origin
    return origin + max(0, bisect_right(starts, start) - 1), origin + max(1, bisect_left(starts, end))
