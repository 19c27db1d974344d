"""Read what the catalyst attends to, at transformers' attention interface, and at no other time.

The table entry of the attention in use is overridden for one forward and restored afterwards; the override calls the
original and sums the catalyst's attention over the entries held, so no layer's attention matrix outlives the layer.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS


class AllHeard(Exception):  # noqa: N818 - it ends a forward early and is no error
    """Every layer has voted; what the forward would still compute is of no use."""


AttentionFunction = Callable[..., tuple[Tensor, Tensor | None]]


@contextmanager
def captured_votes(
    model: PreTrainedModel, n_held: int, *, group_max: bool = False, n_layers: int | None = None
) -> Iterator[dict[int, Tensor]]:
    """Collect, layer by layer, the attention that all query rows of one forward pay to the entries held before it.

    Args:
        model: its attention implementation is looked up in its text config.
        n_held: entries before the forward; later columns are dropped after the softmax.
        group_max: take the highest of a KV head's query heads instead of their sum.
        n_layers: end the forward with `AllHeard` as soon as so many layers have voted.

    Yields:
        Layer index -> votes, shape (K, n_held), fp32: softmax over everything a row sees, summed over rows and over the
        query heads of each KV head (paper Eq. 2).
    """
    votes: dict[int, Tensor] = {}

    def vote(layer: int, query: Tensor, key: Tensor, mask: Tensor | None, scoring: dict[str, Any]) -> None:
        votes[layer] = cap_scores(query, key, mask, n_held=n_held, group_max=group_max, **scoring)
        if len(votes) == n_layers:
            raise AllHeard

    with _overheard(model, vote):
        yield votes


@contextmanager
def captured_last_row(model: PreTrainedModel) -> Iterator[dict[int, Tensor]]:
    """Collect, layer by layer, what the last token of each forward attends to; what is computed does not change.

    Yields:
        Layer index -> weights of the latest forward, shape (H, N), fp32: softmax over all N keys that the row sees.
    """
    rows: dict[int, Tensor] = {}

    def look(layer: int, query: Tensor, key: Tensor, mask: Tensor | None, scoring: dict[str, Any]) -> None:
        last_mask = mask if mask is None else mask[:, :, -1:]
        rows[layer] = attention_weights(query[:, :, -1:], key, last_mask, **scoring)[:, :, 0].flatten(0, 1)

    with _overheard(model, look):
        yield rows


@contextmanager
def _overheard(model: PreTrainedModel, hear: Callable[..., None]) -> Iterator[None]:
    """Hand layer, queries, keys, mask and scoring of every attention to `hear` before it is computed as always."""
    name = model.config.get_text_config(decoder=True)._attn_implementation or "eager"
    original = ALL_ATTENTION_FUNCTIONS.get(name)

    def override(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
    ) -> tuple[Tensor, Tensor | None]:
        plain = original or sys.modules[type(module).__module__].eager_attention_forward
        hear(int(module.layer_idx), query, key, attention_mask, _scoring(options))  # type: ignore[arg-type]
        output: tuple[Tensor, Tensor | None] = plain(module, query, key, value, attention_mask, **options)
        return output

    ALL_ATTENTION_FUNCTIONS[name] = override
    try:
        yield
    finally:
        del ALL_ATTENTION_FUNCTIONS[name]
        if original is not None and ALL_ATTENTION_FUNCTIONS.get(name) is not original:
            ALL_ATTENTION_FUNCTIONS[name] = original  # it was an override of somebody else's


def _scoring(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "scaling": options["scaling"],
        "window": options.get("sliding_window"),
        "softcap": options.get("softcap"),
        "sinks": options.get("s_aux"),
    }


def cap_scores(
    query: Tensor,
    key: Tensor,
    mask: Tensor | None,
    *,
    n_held: int,
    scaling: float,
    window: int | None = None,
    softcap: float | None = None,
    sinks: Tensor | None = None,
    group_max: bool = False,
) -> Tensor:
    """Representative score of every entry held: the catalyst's attention to it.

    Paper: InfiniPot §3.3.1, Eq. 2; the sum over the query heads of a KV head ranks as their mean does.

    Args:
        query: catalyst rows after rotation, shape (1, H, P, D).
        key: keys of entries and catalyst after rotation, shape (1, K, N + P, D).
        mask: what the model hands its attention, boolean or additive, broadcastable to (1, 1, P, N + P); None: causal.
        n_held: N.
        scaling: factor on the products.
        window: sliding window of the layer, used where no mask is given.
        softcap: tanh cap on the products.
        sinks: logit per query head that takes part in the softmax and votes for nothing, shape (H,).
        group_max: take the highest of a KV head's query heads instead of their sum. Differs from the paper.

    Returns:
        Shape (K, N), fp32.
    """
    weights = attention_weights(query, key, mask, scaling=scaling, window=window, softcap=softcap, sinks=sinks)
    by_head = weights[..., :n_held].sum(dim=2)
    return by_head.amax(dim=1) if group_max else by_head.sum(dim=1)


def attention_weights(
    query: Tensor,
    key: Tensor,
    mask: Tensor | None,
    *,
    scaling: float,
    window: int | None = None,
    softcap: float | None = None,
    sinks: Tensor | None = None,
) -> Tensor:
    """What each query row attends to, as the model's own attention weighs it.

    Args:
        query: shape (1, H, P, D); the other arguments are those of `cap_scores`.
        key: shape (1, K, N, D), the keys of the P rows at its end.
        mask: broadcastable to (1, 1, P, N).
        scaling: factor on the products.
        window: sliding window of the layer, used where no mask is given.
        softcap: tanh cap on the products.
        sinks: logit per query head, shape (H,).

    Returns:
        Shape (K, H / K, P, N), fp32; rows sum to 1, or less with sinks.
    """
    n_kv, n_rows, n_keys = key.shape[1], query.shape[2], key.shape[2]
    grouped = query[0].view(n_kv, -1, n_rows, query.shape[-1]).float()
    products = torch.einsum("kgpd,knd->kgpn", grouped, key[0].float()) * scaling
    if softcap is not None:
        products = softcap * torch.tanh(products / softcap)
    if mask is None:
        rows = torch.arange(n_keys - n_rows, n_keys, device=key.device)[:, None]
        columns = torch.arange(n_keys, device=key.device)
        seen = columns <= rows
        if window is not None:
            seen &= columns > rows - window
        products = products.masked_fill(~seen, float("-inf"))
    elif mask.dtype == torch.bool:
        products = products.masked_fill(~mask[0, :, None, :, :n_keys], float("-inf"))
    else:
        products = products + mask[0, :, None, :, :n_keys].float()
    if sinks is not None:
        extra = sinks.float().view(n_kv, -1, 1, 1).expand(-1, -1, n_rows, 1)
        products = torch.cat((products, extra), dim=-1)
    return products.softmax(dim=-1)[..., :n_keys]
