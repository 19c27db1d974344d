"""Budgets that differ between the heads of a layer while the layer's total stays the same (after Ada-KV).

Heads then hold unequally many entries. They stand against the right edge: a head with fewer has empty places in front,
which attention is told to skip, and its entries have the distances to each other and to the next token that renumbering
from 0 would give them (CR-RoPE is about distances). Empty places are places all the same: the pot is as long as its
longest head, and what follows has that much less room, so no head may grow beyond a bound.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infinipot_cli.engine.importance import novel_too, top
from infinipot_cli.engine.pot import Pot


def select_shared(
    votes: Tensor, novelty: Tensor, origins: Tensor, *, budget: int, novelty_ratio: float, protected: Tensor,
    spread: float, widest: int, local: Sequence[int] = (), fresh: Tensor | None = None, fresh_share: float = 0.0,
) -> Tensor:  # fmt: skip
    """The entries that survive a distillation where the heads of a layer share what the catalyst gives away.

    In each head protected entries stay, and then the most novel, as `importance.select` has it. Of the places left in
    it the share that is not spread goes to its own best by CaP, its floor. All others of the layer go to the highest
    scores of the layer. Differs from the paper, whose heads hold equally many.

    Args:
        votes: CaP scores, shape (L, K, N), fp32.
        novelty: NuC scores, shape (L, K, N), fp32.
        origins: of the entries, (L, K, N); below 0 for empty places.
        budget: |C|; a layer keeps K times as many, or all it may if no head may hold more.
        novelty_ratio: α.
        protected: entries that stay, the prefix among them, boolean, (L, K, N); at most the budget of them in a head.
        spread: share of the places for CaP that is open to all heads.
        widest: most entries of one head, at least the budget.
        local: layers that keep their latest entries whatever their scores.
        fresh: entries read since the last distillation, boolean, (L, K, N).
        fresh_share: part of the places for novel tokens that only those may take.

    Returns:
        Ascending indices against the right edge, -1 in front, int64, (L, K, entries of the longest head).
    """
    is_there = origins >= 0
    stays = novel_too(
        novelty.masked_fill(~is_there, float("-inf")), protected & is_there, budget=budget,
        novelty_ratio=novelty_ratio, fresh=fresh, fresh_share=fresh_share,
    ) & is_there  # fmt: skip
    n_staying = stays.sum(-1, keepdim=True)
    n_free = is_there.sum(-1, keepdim=True) - n_staying
    n_own = budget - n_staying
    floor = torch.minimum(n_own - (n_own * spread).long(), n_free)
    rank = _ranks(votes.masked_fill(stays | ~is_there, float("-inf")))
    is_open = (rank >= floor) & (rank < torch.minimum(widest - n_staying, n_free))
    n_shared = (n_own - floor).sum(1)  # of each layer, (L, 1)
    stays |= rank < floor
    stays |= _best_of_layer(votes, is_open, n_shared)
    for number in local:
        stays[number] = is_there[number]
        stays[number, :, :-budget] = False
    places = torch.where(stays, torch.arange(stays.shape[-1], device=stays.device), -1).sort(dim=-1).values
    return places[..., -int(stays.sum(-1).max()) :].contiguous()


def _ranks(scores: Tensor) -> Tensor:
    """Place of each entry among its head's by score, 0 the highest, ties to the more recent, (L, K, N)."""
    order = top(scores, scores.shape[-1], in_order=True)
    places = torch.arange(scores.shape[-1], device=scores.device).expand_as(order)
    return torch.zeros_like(order).scatter_(-1, order, places)


def _best_of_layer(votes: Tensor, is_open: Tensor, n: Tensor) -> Tensor:
    """The n highest scores of each layer among what is open, boolean, (L, K, N); n of shape (L, 1)."""
    flat, candidates = votes.flatten(1), is_open.flatten(1)
    most = int(n.max())
    best = top(flat.masked_fill(~candidates, float("-inf")), most, in_order=True)
    is_wanted = torch.arange(most, device=n.device) < n
    return (torch.zeros_like(candidates).scatter_(-1, best, is_wanted) & candidates).view_as(is_open)


def widest_head(pot: Pot) -> int:
    """Most entries that a head may keep: what the budget leaves of a full pot is halved at most."""
    return pot.budget + (pot.capacity - len(pot.catalyst_ids) - pot.budget) // 2
