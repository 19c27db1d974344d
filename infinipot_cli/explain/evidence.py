"""How much of an answer's attention went to each token of the documents, from the sums that the engine kept."""

from collections.abc import Sequence

import torch
from torch import Tensor

from infinipot_cli.engine import Attended
from infinipot_cli.explain.trail import Trail


def originals(trail: Trail, origins: Tensor) -> Tensor:
    """Where entries of a pot first came from: the origins of what was read once more are those of the first time.

    Args:
        trail: of what was read.
        origins: int64, any shape.
    """
    found = origins.clone() if trail.again else origins
    for again in trail.again:
        found[(origins >= again.origin) & (origins < again.origin + again.n_tokens)] -= again.origin - again.first
    return found


def originals_once(trail: Trail, origins: Tensor) -> Tensor:
    """The same of slots that may hold a token twice, which then counts once, as it was read last; -1 for the other.

    Args:
        trail: of what was read.
        origins: int64, (L, K, N).
    """
    if not trail.again:
        return origins
    ordered, places = originals(trail, origins).sort(dim=-1, stable=True)
    is_older = torch.zeros_like(ordered, dtype=torch.bool)
    is_older[..., :-1] = ordered[..., :-1] == ordered[..., 1:]
    return torch.empty_like(ordered).scatter_(-1, places, ordered.masked_fill(is_older, -1))


def was_read_again(trail: Trail, origins: Tensor) -> Tensor:
    """Which entries of a pot are of what was read once more, boolean, of the same shape."""
    return originals(trail, origins) != origins


def token_lookup(trail: Trail, origins: Tensor) -> Tensor:
    """The token that each entry of a pot was; -1 where the trail does not know.

    Args:
        trail: of what was read.
        origins: int64, any shape.
    """
    distinct, inverse = originals(trail, origins).unique(return_inverse=True)
    tokens = torch.full_like(distinct, -1)
    for place, origin in enumerate(distinct.tolist()):
        number = trail.find(origin)
        if number is not None:
            block = trail.blocks[number]
            tokens[place] = block.ids[origin - block.origin]
    return tokens[inverse]


def owners(origins: Tensor, ranges: Sequence[tuple[int, int]]) -> Tensor:
    """The place of the range that each entry came from, int64, of the same shape; -1 where it came from none.

    Args:
        origins: of a pot, any shape.
        ranges: of origins, ascending and apart.
    """
    if not ranges:
        return torch.full_like(origins, -1)
    starts, ends = torch.tensor(ranges, dtype=origins.dtype, device=origins.device).T.contiguous()
    places = torch.bucketize(origins.contiguous(), starts, right=True) - 1
    return places.masked_fill(origins >= ends[places.clamp(min=0)], -1)


def held_counts(origins: Tensor, ranges: Sequence[tuple[int, int]]) -> list[int]:
    """Entries that came from each of some ranges, over all layers and heads.

    Args:
        origins: of a pot, shape (L, K, N).
        ranges: as for `owners`.
    """
    found = owners(origins, ranges).flatten() + 1
    return [int(count) for count in torch.bincount(found, minlength=len(ranges) + 1)[1:].tolist()]


def by_origin(trail: Trail, attended: Attended, weights: Tensor, first: int, end: int) -> tuple[Tensor, Tensor]:
    """Weights summed over layers and heads, for each token of the documents that is held anywhere.

    Args:
        trail: of what was read.
        attended: of one answer.
        weights: `attended.total` or `attended.copied`, or a weighing of them, shape (L, H, N).
        first: origin of the first token of the documents.
        end: behind the last.

    Returns:
        Distinct origins, ascending, int64, (U,), and their weights, fp32, (U,).
    """
    origins = originals(trail, attended.origins).repeat_interleave(attended.n_groups, dim=1)
    inside = (origins >= first) & (origins < end)
    distinct, inverse = origins[inside].unique(return_inverse=True)
    return distinct, torch.zeros(len(distinct)).index_add_(0, inverse, weights[inside].float())
