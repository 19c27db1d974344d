"""What a pot held when a question came, and what saved it: every entry of each layer and head by the rule that did."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infinipot_cli.engine import Attended, Pot
from infinipot_cli.engine.importance import inside, most_novel
from infinipot_cli.engine.policies import Timing
from infinipot_cli.explain.evidence import originals_once, was_read_again
from infinipot_cli.explain.record import RULES
from infinipot_cli.explain.trail import Again, Trail

CAP, NUC, PINNED, REREAD, UNJUDGED = range(len(RULES))


@dataclass(frozen=True)
class Held:
    """Entries of a pot.

    Attributes:
        origins: where each was read first, a token once in each slot, int64, (L, K, N); -1 for what counts as nothing.
            Ascending, unless something was read again in an earlier turn of a conversation.
        rules: what saved it, its place in `RULES`, int64, (L, K, N).
    """

    origins: Tensor
    rules: Tensor


def held_at(trail: Trail, pot: Pot, attended: Attended) -> Held:
    """What an answer began with.

    Args:
        trail: of what was read.
        pot: that was asked.
        attended: of its answer.
    """
    rules = saved_by(pot, attended).masked_fill(was_read_again(trail, attended.origins), REREAD)
    return Held(originals_once(trail, attended.origins), rules)


def origins_held(trail: Trail, pot: Pot, held: Held | None) -> Tensor:
    """Origins of what was held when a question came, (L, K, N): what is given, or else the pot as it is."""
    return held.origins if held is not None else originals_once(trail, pot.origins)


def with_reread(held: Held, passages: Sequence[Again]) -> Held:
    """The same with passages that are read once more, whole in every slot."""
    origins = held.origins
    for again in passages:
        origins = origins.masked_fill((origins >= again.first) & (origins < again.first + again.n_tokens), -1)
    read = torch.cat([torch.arange(again.first, again.first + again.n_tokens) for again in passages])
    fresh = read.to(origins.device).expand(*origins.shape[:2], -1)
    ordered, places = torch.cat((origins, fresh), dim=-1).sort(dim=-1)
    rules = torch.cat((held.rules, torch.full_like(fresh, REREAD)), dim=-1)
    return Held(ordered, rules.gather(-1, places))


def unasked(pot: Pot) -> Attended:
    """What a report needs of an answer, where there was none: the entries as they are, attended to by nobody."""
    nothing = Attended()
    nothing.origins, nothing.novelty = pot.origins.cpu(), pot.novelty.cpu()
    nothing.total = nothing.copied = torch.zeros(nothing.origins.shape)
    nothing.n_cycles, nothing.n_seen_distilled = pot.n_cycles, pot.n_seen_distilled
    return nothing


def saved_by(pot: Pot, attended: Attended) -> Tensor:
    """What saved each entry that the answer began with: its place in `RULES`, int64, (L, K, N).

    What is pinned is known from where it stood; of the rest the most novel are chosen first and stay the most novel of
    those kept, so no record of the choice is needed.
    Entries read after the last distillation, and those of layers with a window, were never judged, and where novelty is
    renewed only what is pinned is known.

    Args:
        pot: that was asked.
        attended: of its answer.
    """
    rules = torch.full_like(attended.origins, UNJUDGED)
    if not attended.n_cycles or pot.policy.timing is not Timing.WHEN_FULL:
        return rules
    judged = slice(0, _n_judged(attended))
    origins = attended.origins[..., judged].contiguous()
    stays, is_there = _pinned(pot, origins), origins >= 0
    budget = int(is_there.sum(dim=(1, 2)).max()) // origins.shape[1]  # what a head holds on average
    n_novel = (budget - stays.sum(-1, keepdim=True)).clamp(min=0, max=int(pot.novelty_ratio * budget))
    novel = most_novel(attended.novelty[..., judged].masked_fill(~is_there, float("-inf")), stays, n_novel)
    scored = torch.full_like(origins, CAP).masked_fill(novel, NUC)
    if pot.choice.renew:  # what chose them has been found again since
        scored = torch.full_like(origins, UNJUDGED)
    rules[..., judged] = scored.masked_fill(stays, PINNED)
    for number, layer in enumerate(pot.pot_layers):
        if layer.is_local:
            rules[number] = UNJUDGED
    return rules


def _n_judged(attended: Attended) -> int:
    """Places of each slot that the last distillation before the answer has filled."""
    return int((attended.origins[0, 0] < attended.n_seen_distilled).sum())


def _pinned(pot: Pot, origins: Tensor) -> Tensor:
    """Which entries no score could evict, boolean: the prefix, pins, passages with the question's words, ends."""
    first, latest = pot.policy.always(pot.budget)
    stays = origins < pot.n_prefix + max(first, pot.choice.sinks)
    stays |= origins >= pot.n_seen_distilled - max(latest, pot.choice.recent)
    for ranges in filter(None, (pot.pinned, pot.favoured)):
        stays |= inside(ranges, origins)
    return stays & (origins >= 0)
