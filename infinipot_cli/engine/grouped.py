"""Attention with two numberings at once: near tokens at their distance, far ones by groups (Self-Extend)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.layer import PotLayer
from infinipot_cli.engine.pot import Pot
from infinipot_cli.model.attention import ROWS_AT_ONCE, Heard, attended, products, replaced_attention, weighed


@contextmanager
def grouped_attention(model: PreTrainedModel, pot: Pot, *, group: int, near: int) -> Iterator[dict[int, Tensor]]:
    """Let a model attend so while it reads into a pot from which nothing leaves.

    Args:
        model: without sliding windows.
        pot: entry i stands at position i.
        group: G, tokens that share a position where they are far.
        near: W, distance from which tokens are far.

    Yields:
        Layer index -> weights of the last row of the latest forward, (H, N), fp32.
    """
    rows: dict[int, Tensor] = {}

    def attend(heard: Heard) -> Tensor:
        layer = pot.pot_layers[heard.layer]
        first = layer.n - heard.query.shape[2]
        layer.note_grouped(first, group)
        far_query = _far_query(layer, heard.query, first, group, near)
        parts = []
        for at in range(0, heard.query.shape[2], ROWS_AT_ONCE):
            weights = _weights(heard, layer, far_query, slice(at, at + ROWS_AT_ONCE), first, near)
            parts.append(attended(weights, heard.value[:, :, : weights.shape[-1]]))
        rows[heard.layer] = weights[:, :, -1].flatten(0, 1)
        return torch.cat(parts, dim=1)

    with replaced_attention(model, attend):
        yield rows


def _far_query(layer: PotLayer, query: Tensor, first: int, group: int, near: int) -> Tensor:
    """Queries (1, H, P, D) at floor(p / G) + W - floor(W / G), fp32."""
    places = torch.arange(first, layer.n, device=query.device)
    plain = layer.rope.rotate(query.float(), places, inverse=True)
    return layer.rope.rotate(plain, places // group + near - near // group)


def _weights(heard: Heard, layer: PotLayer, far_query: Tensor, rows: slice, first: int, near: int) -> Tensor:
    """Of some rows over all they can see: each product is the near or the far one, and one softmax goes over both."""
    assert layer.grouped is not None
    query = heard.query[:, :, rows]
    n_seen = first + rows.start + query.shape[2]
    scaling, softcap = heard.scoring["scaling"], heard.scoring["softcap"]
    at_distance = products(query, heard.key[:, :, :n_seen], scaling, softcap)
    by_group = products(far_query[:, :, rows], layer.grouped[:, :, :n_seen], scaling, softcap)
    places = torch.arange(n_seen, device=query.device)
    is_near = places[-query.shape[2] :, None] - places < near
    return weighed(torch.where(is_near, at_distance, by_group), None, sinks=heard.scoring["sinks"])
