"""Sentences that an answer attended to: its attention, mapped back to characters and summed."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infinipot_cli.engine import Attended
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.evidence import by_origin, originals_once
from infinipot_cli.explain.held import Held
from infinipot_cli.explain.sentences import quote, sentence_at
from infinipot_cli.explain.stretches import Match
from infinipot_cli.explain.trail import Block, Trail

# Tokens looked at: the rest together weighs little, and an answer must not wait for it.
_MOST_TOKENS = 256


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
    return Telling(trail, attended, first, held).passages()


class Telling:
    """The sentences that an answer attended to, and what is known of each.

    Args:
        trail: of what was read.
        attended: of one answer.
        first: origin of the first token of the documents.
        held: as for `passages`.
    """

    def __init__(self, trail: Trail, attended: Attended, first: int, held: Held | None) -> None:
        self._trail = trail
        origins = held.origins if held else originals_once(trail, attended.origins)
        self._n_slots = origins.shape[0] * origins.shape[1]
        # sorted once: there may be hundreds of sentences, and a million entries
        self._held = origins.flatten().sort().values
        self._origins, self._copied = _told(trail, attended, first)
        self._whole = float(self._copied.sum())
        self._seen, weights = by_origin(trail, attended, attended.total, first, trail.n_seen)
        self._weights, self._total = weights, float(weights.sum()) or 1.0

    def passages(self) -> list[Passage]:
        """All of them, the most important first."""
        found: dict[tuple[int, int], _Found] = {}
        best = self._copied.topk(min(_MOST_TOKENS, len(self._copied)))
        for origin, weight in zip(self._origins[best.indices].tolist(), best.values.tolist(), strict=True):
            if weight <= 0:
                break
            sentence = _sentence(self._trail, origin)
            if sentence is not None:
                known = found.setdefault((sentence.document, sentence.start), sentence)
                known.weight += weight
        ordered = sorted(found.values(), key=lambda sentence: sentence.weight, reverse=True)
        return [self._of(sentence) for sentence in ordered]

    def weights(self, ranges: Sequence[tuple[int, int]]) -> list[float]:
        """What counts of the attention, on the tokens from each range's first origin to before its last."""
        sums = torch.cat([self._copied.new_zeros(1), self._copied.cumsum(0)])
        wanted = torch.tensor(ranges, dtype=self._origins.dtype, device=self._origins.device).reshape(-1, 2)
        edges = torch.searchsorted(self._origins, wanted)
        return (sums[edges[:, 1]] - sums[edges[:, 0]]).tolist()

    def of(self, match: Match) -> Passage:
        """A sentence that was found otherwise, attended to or not."""
        (weight,) = self.weights([match.origins])
        return self._of(
            _Found(
                document=match.document,
                origins=match.origins,
                start=match.char[0],
                end=match.char[1],
                text=match.quote,
                around=0,
                line=match.line,
                n_breaks=match.last_line - match.line,
                is_open=False,
                is_unfinished=False,
                weight=weight,
            )
        )

    def _of(self, sentence: "_Found") -> Passage:
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
            score=round(sentence.weight / (self._whole or 1.0), 4),
            kept=round(n_held / (self._n_slots * (end - start)), 4),
            attention=round(attention / self._total, 4),
            last_line=document.lines.of(sentence.line + sentence.n_breaks) if line is not None else None,
        )


def _between(ascending: Tensor, start: int, end: int) -> slice:
    """Where the values from one to before another stand."""
    first, last = torch.searchsorted(ascending, torch.tensor([start, end], device=ascending.device)).tolist()
    return slice(first, last)


def _told(trail: Trail, attended: Attended, first: int) -> tuple[Tensor, Tensor]:
    """Origins in ascending order, and what counts of the attention on each."""
    copied = by_origin(trail, attended, attended.copied, first, trail.n_seen)
    return copied if float(copied[1].sum()) > 0 else by_origin(trail, attended, attended.total, first, trail.n_seen)


@dataclass
class _Found:
    """A sentence with the weight it has gathered.

    `origins` are those of its first token and behind its last; `n_breaks` are the ends of lines in it.
    """

    document: int
    origins: tuple[int, int]
    start: int
    end: int
    text: str
    around: int
    line: int
    n_breaks: int
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
    place = min(max(0, char - text_start - page_start), max(0, len(within) - 1))
    start, end = sentence_at(within, place, by_lines=block.by_lines)
    if start == end:  # a token of nothing but blanks, at an end
        return None
    offset = page_start + start
    return _Found(
        document=block.document,
        origins=_origins(trail.blocks[low : high + 1], text_start + offset, text_start + page_start + end),
        start=text_start + offset,
        end=text_start + page_start + end,
        text=within[start:end],
        around=char - text_start - offset,
        line=trail.blocks[low].line + text.count("\n", 0, offset),
        n_breaks=within.count("\n", start, end),
        is_open=start == 0 and page_start == 0 and text_start > 0,
        is_unfinished=end == len(within) and high < len(trail.blocks) - 1 and page_end is None,
    )


def _origins(blocks: Sequence[Block], start: int, end: int) -> tuple[int, int]:
    """Origin of the token that holds a character, and that behind the token of the last one before another."""
    starts = [char for block in blocks for char in block.starts]
    origin = blocks[0].origin
    return origin + max(0, bisect_right(starts, start) - 1), origin + max(1, bisect_left(starts, end))
