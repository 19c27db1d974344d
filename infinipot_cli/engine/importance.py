"""Which entries stay: CaP and NuC combined into one choice per layer and KV head, as pure functions on tensors."""

import torch
from torch import Tensor


def top(scores: Tensor, n: int) -> Tensor:
    """Indices of the n highest scores along the last axis, ties to the more recent (higher index); unordered.

    Args:
        scores: shape (..., N).
        n: at most N.

    Returns:
        int64, shape (..., n).
    """
    order = scores.flip(-1).argsort(dim=-1, descending=True, stable=True)
    return scores.shape[-1] - 1 - order[..., :n]


def select(
    votes: Tensor, novelty: Tensor, *, budget: int, novelty_ratio: float, n_prefix: int, protected: Tensor | None = None
) -> Tensor:
    """The entries that survive a distillation.

    Protected entries stay; then the most novel ones, T = min(int(α·|C|), places left); then the best by CaP. Ties go to
    the more recent entry.
    Paper: InfiniPot §3.3.3 and Appendix B. Differs: the pseudo code gathers in score order, which would scramble
    positions under CR-RoPE; survivors keep document order (Figure 1).

    Args:
        votes: CaP scores, shape (L, K, N), fp32.
        novelty: NuC scores, shape (L, K, N), nats, fp32.
        budget: |C|, entries to keep, at most N.
        novelty_ratio: α.
        n_prefix: protected entries in front, inside the budget.
        protected: further entries to keep, boolean, shape (L, K, N); at most the budget of them in each head.

    Returns:
        int64, ascending, shape (L, K, budget).
    """
    stays = torch.zeros_like(votes, dtype=torch.bool) if protected is None else protected.clone()
    stays[..., :n_prefix] = True
    n_novel = (budget - stays.sum(-1, keepdim=True)).clamp(max=int(novelty_ratio * budget))
    rank = torch.empty_like(stays, dtype=torch.int64)
    places = torch.arange(votes.shape[-1], device=votes.device).expand_as(rank)
    rank.scatter_(-1, top(novelty.masked_fill(stays, float("-inf")), votes.shape[-1]), places)
    stays |= rank < n_novel
    chosen = top(votes.masked_fill(stays, float("inf")), budget)
    return chosen.sort(dim=-1).values
