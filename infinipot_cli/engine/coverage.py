"""Where the entries of a pot came from: how much of each stretch of the stream it still holds."""

from collections.abc import Sequence
from itertools import pairwise

import torch

from infinipot_cli.engine.pot import Pot


def coverage(pot: Pot, edges: Sequence[int]) -> list[float]:
    """Share of the tokens between each two edges that is held, the mean over layers and heads.

    One pass over the origins: milliseconds even for a large model, so it can be drawn after each distillation.

    Args:
        pot: any.
        edges: ascending origins, counted over prefix then document; the last one ends the last stretch.
    """
    origins = pot.origins
    bounds = torch.tensor(edges, dtype=origins.dtype, device=origins.device)
    counts = torch.bincount(torch.bucketize(origins.flatten(), bounds, right=True), minlength=len(edges) + 1)
    n_heads = origins.shape[0] * origins.shape[1]
    held = counts[1 : len(edges)].tolist()
    widths = (max(1, end - start) for start, end in pairwise(edges))  # a page may be blank
    return [number / n_heads / width for number, width in zip(held, widths, strict=True)]
