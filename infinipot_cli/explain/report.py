"""The report on one answer, computed from the trail of what was read and the sums that the engine kept."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import torch
from torch import Tensor

from infinipot_cli.engine import Attended, Pot
from infinipot_cli.engine.importance import inside
from infinipot_cli.explain.citations import Passage, cite, is_refusal
from infinipot_cli.explain.evictions import Evicted, Evictions
from infinipot_cli.explain.evidence import by_origin, originals
from infinipot_cli.explain.held import Held, held_at
from infinipot_cli.explain.passages import passages
from infinipot_cli.explain.record import RULES, Part, Pass, Report, Span
from infinipot_cli.explain.trail import BLOCK_TOKENS, Trail

# Blocks of a text that make one part where there are no pages.
PART_BLOCKS = 8
MOST_PASSAGES = 20
Facts = dict[int, tuple[tuple[float, ...], float]]
_NOTHING = ((0.0,) * len(RULES), 0.0)


def make_report(
    trail: Trail,
    pot: Pot,
    attended: Attended,
    passes: Sequence[Pass],
    *,
    question: str,
    answer: str,
    n_tokens: int,
    ranges: Sequence[tuple[int, int]] = (),
    evictions: Evictions | None = None,
    held: Held | None = None,
    picked: Sequence[Passage] = (),
) -> Report:
    """Everything that is known about one answer, or with `held.unasked` about a pot of which nothing was asked.

    Args:
        trail: of what was read.
        pot: that was asked.
        attended: of its answer.
        passes: the distillations.
        question: what was asked.
        answer: what came.
        n_tokens: document tokens read.
        ranges: origins of each document's tokens, ascending, where anything may have been said between them.
        evictions: what the distillations took, if that was watched.
        held: what the pot held when the question came, where something was done to it before the answer began.
        picked: sentences that stand for the answer, where it was not shown itself.
    """
    held = held or held_at(trail, pot, attended)
    first = pot.n_prefix
    end = min(trail.n_seen, ranges[-1][1] if ranges else first + n_tokens)
    held = _of_documents(held, ranges) if ranges else held
    ranked = sorted(picked, key=lambda one: -one.score) or passages(trail, attended, first, held)
    cited = list(picked) or ([] if is_refusal(answer) else cite(ranked))
    facts = _facts(trail, attended, held, first, end)
    n_kept = sum(sum(kept) for kept, _ in facts.values())
    rows = max(1, attended.n_rows)
    origins = originals(trail, attended.origins)
    is_text = ((origins >= first) & (origins < end)).repeat_interleave(attended.n_groups, dim=1)
    return Report(
        question=question,
        answer=answer,
        n_tokens=n_tokens,
        kept_share=n_kept / n_tokens if n_tokens else 0.0,
        protected=pot.n_prefix,
        parts=tuple(_with_slots(list(_parts(trail, facts, cited, evictions)), trail, held.origins)),
        passages=tuple(ranked[:MOST_PASSAGES]),
        cited=tuple(cited),
        passes=tuple(passes),
        heads=_by_head(attended.total * is_text, rows),
        copying=_by_head(attended.copied * is_text, rows),
        thirds=_thirds(held.origins, first, end),
        n_unrecorded=evictions.n_unseen if evictions else 0,
    )


def _of_documents(held: Held, ranges: Sequence[tuple[int, int]]) -> Held:
    """The same without what was said in a conversation, and without the prompt in front."""
    origins, places = held.origins.masked_fill(~inside(list(ranges), held.origins), -1).sort(dim=-1, stable=True)
    return Held(origins, held.rules.gather(-1, places))


def _thirds(origins: Tensor, first: int, end: int) -> tuple[float, float, float]:
    """Share held of each third of the tokens from `first` to `end`, the mean over layers and heads."""
    edges = [first + (end - first) * number // 3 for number in range(4)]
    n_slots = origins.shape[0] * origins.shape[1]
    held = [int(((origins >= start) & (origins < stop)).sum()) / n_slots for start, stop in pairwise(edges)]
    early, middle, late = (n / max(1, stop - start) for n, (start, stop) in zip(held, pairwise(edges), strict=True))
    return early, middle, late


def _with_slots(parts: list[Part], trail: Trail, origins: Tensor) -> Iterator[Part]:
    """Add to each part what every layer and head holds of it."""
    n_layers, n_heads, _ = origins.shape
    numbers: list[int] = [number for number, part in enumerate(parts) for _ in range(part.n_tokens)]
    known = torch.tensor([token.origin for token in _tokens(trail)] or [-1])
    owner = torch.tensor(numbers or [0])
    flat = origins.cpu().flatten(0, 1)
    place = torch.searchsorted(known, flat.contiguous()).clamp(max=len(known) - 1)
    inside = known[place] == flat
    slot = torch.arange(n_layers * n_heads)[:, None].expand_as(flat)
    counts = torch.bincount(
        (owner[place] * (n_layers * n_heads) + slot)[inside], minlength=max(1, len(parts)) * n_layers * n_heads
    ).view(-1, n_layers, n_heads)
    for part, held in zip(parts, counts[: len(parts)].tolist(), strict=True):
        shares = tuple(tuple(count / part.n_tokens for count in layer) for layer in held)
        yield replace(part, slots=shares)


def _by_head(weights: Tensor, rows: int) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(value, 4) for value in layer) for layer in (weights.sum(-1) / rows).tolist())


def _facts(trail: Trail, attended: Attended, held: Held, first: int, end: int) -> Facts:
    """For each token held or attended to: the share of slots by rule, and the share of attention."""
    is_text = (held.origins >= first) & (held.origins < end)
    origins, places = held.origins[is_text].unique(return_inverse=True)
    counts = torch.bincount(places * len(RULES) + held.rules[is_text], minlength=len(origins) * len(RULES))
    shares = (counts.view(-1, len(RULES)) / max(1, held.origins.shape[0] * held.origins.shape[1])).tolist()
    kept = {origin: tuple(share) for origin, share in zip(origins.tolist(), shares, strict=True)}
    seen, weights = by_origin(trail, attended, attended.total, first, end)
    attention = dict(zip(seen.tolist(), (weights / (float(weights.sum()) or 1.0)).tolist(), strict=True))
    return {
        origin: (kept.get(origin, _NOTHING[0]), attention.get(origin, 0.0)) for origin in sorted({*kept, *attention})
    }


@dataclass(frozen=True, slots=True)
class _Token:
    """One token and where it stands.

    `place` is its document, page (0 without pages), stretch of lines (0 with pages), and the lines left out in front of
    it; `block` is that of the trail; `char` its first character.
    """

    place: tuple[int, int, int, int]
    block: int
    origin: int
    text: str
    line: int
    char: int


def _tokens(trail: Trail) -> Iterator[_Token]:
    """Every token that the trail remembers, in reading order."""
    for block in trail.blocks:
        document, line = trail.documents[block.document], block.line
        ends = [*block.starts[1:], block.char_end]
        for number, (start, end) in enumerate(zip(block.starts, ends, strict=True)):
            text = block.text[start - block.char : end - block.char]
            page = document.page_at(start)
            origin = block.origin + number
            stretch = 0 if page is not None else 1 + origin // (PART_BLOCKS * BLOCK_TOKENS)
            number_of_page, in_file = page.page if page is not None else 0, document.lines.of(line)
            place = (block.document, number_of_page, stretch, in_file - line)
            yield _Token(place, block.origin, origin, text, in_file, start)
            line += text.count("\n")


def _parts(trail: Trail, facts: Facts, cited: Sequence[Passage], evictions: Evictions | None) -> Iterator[Part]:
    labels = [{start.page: start.label for start in document.pages} for document in trail.documents]
    for (document, page, *_), group in groupby(_tokens(trail), key=lambda token: token.place):
        tokens = list(group)
        lines = (tokens[0].line, tokens[-1].line)
        found = [facts.get(token.origin, _NOTHING) for token in tokens]
        kept = tuple(sum(kept[rule] for kept, _ in found) / len(tokens) for rule in range(len(RULES)))
        share = sum(kept)
        part = Part(
            path=trail.documents[document].name,
            page=page or None,
            label=labels[document].get(page),
            lines=None if page else lines,
            n_tokens=len(tokens),
            kept=kept,
            attended=sum(weight for _, weight in found),
            cited=False,
            spans=tuple(_spans(tokens, found)),
            evicted=_within(evictions.of(Counter(token.block for token in tokens).items()), 1 - share)
            if evictions
            else (),
            char=(tokens[0].char, tokens[-1].char + len(tokens[-1].text)),
            kind=trail.documents[document].kind,
        )
        yield replace(part, cited=any(source.document == document and part.holds(source) for source in cited))


def _within(evicted: Sequence[Evicted], missing: float) -> tuple[Evicted, ...]:
    """What went of a part, no more of it than is missing: a block that lost much may have lost it beside the part."""
    whole = sum(share for _, share in evicted)
    factor = min(1.0, max(0.0, missing) / whole) if whole else 0.0
    return tuple((cycle, share * factor) for cycle, share in evicted if share * factor > 0)


def _spans(tokens: Sequence[_Token], found: Sequence[tuple[tuple[float, ...], float]]) -> Iterator[Span]:
    """Neighbours about which the same is known, joined: most of a long document is nothing but dropped."""
    for (kept, weight), group in groupby(zip(tokens, found, strict=True), key=lambda pair: pair[1]):
        members = list(group)
        yield Span("".join(token.text for token, _ in members), kept, weight * len(members))
