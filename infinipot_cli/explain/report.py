"""The report on one answer, computed from the trail of what was read and the sums that the engine kept."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

import torch
from torch import Tensor

from infinipot_cli.engine import Attended, Pot
from infinipot_cli.engine.importance import inside
from infinipot_cli.explain.citations import Passage, cite, is_refusal
from infinipot_cli.explain.evictions import Evicted, Evictions
from infinipot_cli.explain.evidence import by_origin, originals, owners
from infinipot_cli.explain.held import Held, held_at
from infinipot_cli.explain.passages import passages
from infinipot_cli.explain.record import FORGOTTEN, RULES, Part, Pass, Report, Span
from infinipot_cli.explain.rows import Row, ranges_of
from infinipot_cli.explain.trail import Trail

MOST_PASSAGES = 20
Facts = dict[int, tuple[tuple[float, ...], float]]
_Ranges = list[tuple[int, int]]
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
    parts = tuple(_with_slots(list(_parts(trail, facts, cited, evictions)), held.origins))
    rows = max(1, attended.n_rows)
    origins = originals(trail, attended.origins)
    is_text = ((origins >= first) & (origins < end)).repeat_interleave(attended.n_groups, dim=1)
    return Report(
        question=question,
        answer=answer,
        n_tokens=n_tokens,
        kept_share=n_kept / n_tokens if n_tokens else 0.0,
        protected=pot.n_prefix,
        parts=parts,
        passages=tuple(ranked[:MOST_PASSAGES]),
        cited=tuple(cited),
        passes=tuple(passes),
        heads=_by_head(attended.total * is_text, rows),
        copying=_by_head(attended.copied * is_text, rows),
        thirds=_thirds(held.origins, first, end),
        n_unrecorded=evictions.n_unseen if evictions else 0,
        n_untold=max(0, n_tokens - sum(part.n_tokens for part in parts)) if trail.has_gaps else 0,
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


def _with_slots(parts: Sequence[tuple[Part, _Ranges]], origins: Tensor) -> Iterator[Part]:
    """Add to each part, given with the origins of its tokens, what every layer and head holds of it."""
    n_layers, n_heads, _ = origins.shape
    n_slots = n_layers * n_heads
    numbers = torch.tensor([number for number, (_, ranges) in enumerate(parts) for _ in ranges] or [0])
    flat = origins.cpu().flatten(0, 1)
    place = owners(flat, [ends for _, ranges in parts for ends in ranges])
    slot = torch.arange(n_slots)[:, None].expand_as(flat)
    inside = place >= 0
    entries = numbers[place[inside]] * n_slots + slot[inside]
    counts = torch.bincount(entries, minlength=max(1, len(parts)) * n_slots).view(-1, n_layers, n_heads)
    for (part, _), held in zip(parts, counts[: len(parts)].tolist(), strict=True):
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


def _parts(
    trail: Trail, facts: Facts, cited: Sequence[Passage], evictions: Evictions | None
) -> Iterator[tuple[Part, _Ranges]]:
    """Each part and the origins of its tokens."""
    labels = [{start.page: start.label for start in document.pages} for document in trail.documents]
    known = list(facts)
    for (document, page, *_), group in groupby(trail.rows(), key=lambda row: row.place):
        rows = list(group)
        n_tokens, ranges = sum(row.n_tokens for row in rows), ranges_of(rows)
        found = [facts.get(row.origin, _NOTHING) if row.text is not None else _sum(facts, known, row) for row in rows]
        kept = tuple(sum(kept[rule] for kept, _ in found) / n_tokens for rule in range(len(RULES)))
        part = Part(
            path=trail.documents[document].name,
            page=page or None,
            label=labels[document].get(page),
            lines=None if page else (rows[0].lines[0], rows[-1].lines[1]),
            n_tokens=n_tokens,
            kept=kept,
            attended=sum(weight for _, weight in found),
            cited=False,
            spans=tuple(_spans(rows, found)),
            evicted=_within(evictions.of(ranges), 1 - sum(kept)) if evictions else (),
            char=(rows[0].char[0], rows[-1].char[1]),
            kind=trail.documents[document].kind,
        )
        is_cited = any(source.document == document and part.holds(source) for source in cited)
        yield replace(part, cited=is_cited), ranges


def _sum(facts: Facts, known: Sequence[int], row: Row) -> tuple[tuple[float, ...], float]:
    """What is known of the tokens of a row, added up; `known` are the origins of the facts, ascending."""
    found = [facts[origin] for origin in known[bisect_left(known, row.origin) : bisect_left(known, row.end)]]
    kept = tuple(sum(kept[rule] for kept, _ in found) for rule in range(len(RULES)))
    return kept, sum(weight for _, weight in found)


def _within(evicted: Sequence[Evicted], missing: float) -> tuple[Evicted, ...]:
    """What went of a part, no more of it than is missing: a block that lost much may have lost it beside the part."""
    whole = sum(share for _, share in evicted)
    factor = min(1.0, max(0.0, missing) / whole) if whole else 0.0
    return tuple((cycle, share * factor) for cycle, share in evicted if share * factor > 0)


def _spans(rows: Sequence[Row], found: Sequence[tuple[tuple[float, ...], float]]) -> Iterator[Span]:
    """Neighbours about which the same is known, joined: most of a long document is nothing but dropped."""
    pairs = zip(rows, found, strict=True)
    for ((kept, weight), is_forgotten), group in groupby(pairs, key=lambda pair: (pair[1], pair[0].text is None)):
        members = [row for row, _ in group]
        if not is_forgotten:
            yield Span("".join(row.text or "" for row in members), kept, weight * len(members))
            continue
        for row in members:
            mean = tuple(share / row.n_tokens for share in kept)
            yield Span(FORGOTTEN, mean, weight, lines_forgotten=row.n_line_ends)
