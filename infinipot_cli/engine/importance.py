"""Which entries stay: CaP and NuC combined into one choice per layer and KV head, as pure functions on tensors."""

import torch
import torch.nn.functional as F
from torch import Tensor


def top(scores: Tensor, n: int, *, in_order: bool = False) -> Tensor:
    """Indices of the n highest scores along the last axis, ties to the more recent (higher index).

    Args:
        scores: shape (..., N), fp32.
        n: at most N.
        in_order: highest first; else in no order, which is faster.

    Returns:
        int64, shape (..., n).
    """
    # Score and index in one integer, so that no two are equal and no stable sort of everything is needed: the bits of
    # a float order as integers do, once those behind a minus sign are turned over; + 0 makes -0 and 0 one.
    bits = (scores.float() + 0.0).view(torch.int32).long()
    places = torch.arange(scores.shape[-1], device=scores.device)
    ranked = (bits ^ ((bits >> 31) & 0x7FFFFFFF)) << 32 | places
    return ranked.topk(n, dim=-1, sorted=in_order).indices


def select(
    votes: Tensor, novelty: Tensor, *, budget: int, novelty_ratio: float, n_prefix: int,
    protected: Tensor | None = None, fresh: Tensor | None = None, fresh_share: float = 0.0,
) -> Tensor:  # fmt: skip
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
        fresh: entries read since the last distillation, boolean, shape (L, K, N).
        fresh_share: part of T that only those may take. Differs from the paper; 0 is its procedure.

    Returns:
        int64, ascending, shape (L, K, budget).
    """
    stays = torch.zeros_like(votes, dtype=torch.bool) if protected is None else protected.clone()
    stays[..., :n_prefix] = True
    stays = novel_too(novelty, stays, budget=budget, novelty_ratio=novelty_ratio, fresh=fresh, fresh_share=fresh_share)
    chosen = torch.zeros_like(stays).scatter_(-1, top(votes.masked_fill(stays, float("inf")), budget), True)
    return chosen.nonzero()[:, -1].view(*votes.shape[:-1], budget)


def novel_too(
    novelty: Tensor, stays: Tensor, *, budget: int, novelty_ratio: float, fresh: Tensor | None, fresh_share: float
) -> Tensor:
    """What stays, boolean, (L, K, N), and the most novel entries besides; arguments as for `select`."""
    n_novel = (budget - stays.sum(-1, keepdim=True)).clamp(max=int(novelty_ratio * budget))
    if fresh is not None and fresh_share:
        n_fresh = (n_novel * fresh_share).long()
        before = stays.sum(-1, keepdim=True)
        stays = stays | most_novel(novelty, stays | ~fresh, n_fresh) & fresh
        n_novel = n_novel - (stays.sum(-1, keepdim=True) - before)
    return stays | most_novel(novelty, stays, n_novel)


def most_novel(novelty: Tensor, taken: Tensor, n: Tensor) -> Tensor:
    """The n most novel entries that are not taken yet, boolean, (L, K, N); n of shape (L, K, 1)."""
    most = int(n.max())
    best = top(novelty.masked_fill(taken, float("-inf")), most, in_order=True)
    is_wanted = torch.arange(most, device=novelty.device) < n
    return torch.zeros_like(taken).scatter_(-1, best, is_wanted)


def pooled(votes: Tensor, width: int) -> Tensor:
    """The highest score among the `width` neighbours around each entry, same shape (L, K, N)."""
    return F.max_pool1d(votes, width, stride=1, padding=width // 2)


def concentrated_budget(votes: Tensor, mass: float, novelty_ratio: float, budget: int) -> int:
    """The least |C| whose places for CaP hold this share of the scores, between a quarter of the budget and all of it.

    Args:
        votes: CaP scores, shape (L, K, N).
        mass: share of their sum, mean over layers and heads.
        novelty_ratio: α, the part of |C| that CaP does not get.
        budget: |C| as asked for.
    """
    if novelty_ratio >= 1:  # CaP has no places to give back
        return budget
    shares = votes.sort(dim=-1, descending=True).values.cumsum(-1) / votes.sum(-1, keepdim=True).clamp(min=1e-30)
    n_needed = int((shares.mean(dim=(0, 1)) < mass).sum()) + 1
    return max(budget // 4, min(budget, round(n_needed / (1 - novelty_ratio))))


def ranked(novelty: Tensor) -> Tensor:
    """The rank of each novelty among all, from 0 to 1, (T,); one alone has none, and is taken for ordinary: 0.5."""
    if len(novelty) == 1:
        return torch.full_like(novelty, 0.5)
    return novelty.argsort().argsort() / max(1, len(novelty) - 1)


def inside(ranges: list[tuple[int, int]], origins: Tensor) -> Tensor:
    """Which entries come from ascending ranges of origins, boolean, (L, K, N)."""
    starts, ends = torch.tensor(ranges, device=origins.device).T.contiguous()
    place = torch.bucketize(origins, starts, right=True) - 1
    covered: Tensor = (place >= 0) & (origins < ends[place.clamp(min=0)])
    return covered
