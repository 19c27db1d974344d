"""Read what the catalyst attends to, at transformers' attention interface, and at no other time.

The table entry of the attention in use is overridden for one forward and restored afterwards. While the catalyst runs
the override weighs every entry in fp32 and sums the weights into votes; where transformers' SDPA would compute the same
weights once more, the layer's output is made from these. No layer's weights outlive the layer.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

# Rows whose attention is written out at once where all rows of a forward count.
ROWS_AT_ONCE = 64


class AllHeard(Exception):  # noqa: N818 - it ends a forward early and is no error
    """Every layer has voted; what the forward would still compute is of no use."""


@dataclass(frozen=True)
class Heard:
    """What one layer's attention is computed from.

    Attributes:
        layer: its number.
        query: shape (1, H, P, D).
        key: shape (1, K, N, D), after rotation.
        value: shape (1, K, N, E).
        mask: what the model hands its attention, boolean or additive, broadcastable to (1, 1, P, N), or
            of each query head; None: causal.
        scoring: scaling, window, softcap and sinks, as `attention_weights` takes them.
    """

    layer: int
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    scoring: dict[str, Any]

    def last(self, n_rows: int) -> "Heard":
        """The same of the last rows alone."""
        mask = self.mask if self.mask is None else self.mask[:, :, -n_rows:]
        return replace(self, query=self.query[:, :, -n_rows:], mask=mask)

    @property
    def is_plain(self) -> bool:
        """Whether products and softmax are all there is, so that every implementation computes the same."""
        return self.scoring["softcap"] is None and self.scoring["sinks"] is None


class Votes(dict[int, Tensor]):
    """Layer index -> votes, and the wall time that counting them took, apart from the forward that cast them."""

    seconds = 0.0


@contextmanager
def captured_votes(
    model: PreTrainedModel, n_held: int, *, group_max: bool = False, n_rows: int | None = None,
    n_layers: int | None = None,
) -> Iterator[Votes]:  # fmt: skip
    """Collect, layer by layer, the attention that query rows of one forward pay to the entries before them.

    Args:
        model: its attention implementation is looked up in its text config.
        n_held: entries before those rows; later columns are dropped after the softmax.
        group_max: take the highest of a KV head's query heads instead of their sum.
        n_rows: the last rows of the forward, so many of which vote; all of them by default.
        n_layers: end the forward with `AllHeard` as soon as so many layers have voted.

    Yields:
        Layer index -> votes, shape (K, n_held), fp32: softmax over everything a row sees, summed over rows and over the
        query heads of each KV head (paper Eq. 2).
    """
    votes = Votes()

    def vote(heard: Heard) -> Tensor | None:
        start = time.perf_counter()
        rows = heard if n_rows is None else heard.last(n_rows)
        weights = attention_weights(rows.query, rows.key, rows.mask, **rows.scoring)
        votes[heard.layer] = cap_scores(weights, n_held=n_held, group_max=group_max)
        votes.seconds += time.perf_counter() - start
        if len(votes) == n_layers:
            raise AllHeard
        return weights if rows is heard else None

    with _overheard(model, vote):
        yield votes


@contextmanager
def captured_last_row(model: PreTrainedModel) -> Iterator[dict[int, Tensor]]:
    """Collect, layer by layer, what the last token of each forward attends to; what is computed does not change.

    Yields:
        Layer index -> weights of the latest forward, shape (H, N), fp32: softmax over all N keys that the row sees.
    """
    rows: dict[int, Tensor] = {}

    def look(heard: Heard) -> None:
        last = heard.last(1)
        weights = attention_weights(last.query, last.key, last.mask, **last.scoring)
        rows[heard.layer] = weights[:, :, 0].flatten(0, 1)

    with _overheard(model, look):
        yield rows


@contextmanager
def captured_columns(model: PreTrainedModel) -> Iterator[dict[int, Tensor]]:
    """Collect, layer by layer, what all tokens of each forward attend to; what is computed does not change.

    Yields:
        Layer index -> weights of the latest forward summed over its rows, shape (H, N), fp32: each row's softmax over
        all keys that it sees, those of the forward included. A few rows are weighed at a time.
    """
    sums: dict[int, Tensor] = {}

    def look(heard: Heard) -> None:
        query, n_rows = heard.query, heard.query.shape[2]
        n_before = heard.key.shape[2] - n_rows
        total = query.new_zeros((query.shape[1], heard.key.shape[2]), dtype=torch.float32)
        for at in range(0, n_rows, ROWS_AT_ONCE):
            end = min(at + ROWS_AT_ONCE, n_rows)
            seen = n_before + end  # later keys are hidden from these rows
            mask = heard.mask if heard.mask is None else heard.mask[:, :, at:end]
            weights = attention_weights(query[:, :, at:end], heard.key[:, :, :seen], mask, **heard.scoring)
            total[:, :seen] += weights.sum(dim=2).flatten(0, 1)
        sums[heard.layer] = total

    with _overheard(model, look):
        yield sums


@contextmanager
def _overheard(model: PreTrainedModel, hear: Callable[[Heard], Tensor | None]) -> Iterator[None]:
    """Hand what each attention is computed from to `hear`, which may return its weights, (K, H / K, P, N).

    transformers' own SDPA is a product of those weights and the values, and is then not run again; any other
    implementation, somebody's own above all, is called as always.
    """
    name = implementation(model)
    original = ALL_ATTENTION_FUNCTIONS.get(name)

    def override(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
    ) -> tuple[Tensor, Tensor | None]:
        heard = Heard(int(module.layer_idx), query, key, value, attention_mask, _scoring(options))  # type: ignore[arg-type]
        weights = hear(heard)
        if weights is not None and original is sdpa_attention_forward and heard.is_plain:
            return attended(weights, value), None
        plain = original or sys.modules[type(module).__module__].eager_attention_forward
        output: tuple[Tensor, Tensor | None] = plain(module, query, key, value, attention_mask, **options)
        return output

    with swapped(name, override):
        yield


@contextmanager
def replaced_attention(model: PreTrainedModel, attend: Callable[[Heard], Tensor]) -> Iterator[None]:
    """Let `attend` compute every layer's attention output, (1, P, H, E), while it lasts."""

    def override(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
    ) -> tuple[Tensor, Tensor | None]:
        heard = Heard(int(module.layer_idx), query, key, value, attention_mask, _scoring(options))  # type: ignore[arg-type]
        return attend(heard).contiguous(), None

    with swapped(implementation(model), override):
        yield


def implementation(model: PreTrainedModel) -> str:
    """Name of the attention in use, by which the table knows it."""
    return model.config.get_text_config(decoder=True)._attn_implementation or "eager"


@contextmanager
def swapped(name: str, override: Callable[..., tuple[Tensor, Tensor | None]]) -> Iterator[None]:
    """Put a function into the table of implementations, and what was there back afterwards."""
    original = ALL_ATTENTION_FUNCTIONS.get(name)
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


def cap_scores(weights: Tensor, *, n_held: int, group_max: bool = False) -> Tensor:
    """Representative score of every entry held: the catalyst's attention to it.

    Paper: InfiniPot §3.3.1, Eq. 2; the sum over the query heads of a KV head ranks as their mean does.

    Args:
        weights: attention of the catalyst's rows to entries and catalyst, shape (K, H / K, P, N + P).
        n_held: N.
        group_max: take the highest of a KV head's query heads instead of their sum. Differs from the paper.

    Returns:
        Shape (K, N), fp32.
    """
    by_head = weights[..., :n_held].sum(dim=2)
    return by_head.amax(dim=1) if group_max else by_head.sum(dim=1)


def attended(weights: Tensor, value: Tensor) -> Tensor:
    """A layer's attention output, (1, P, H, E), from its weights (K, H / K, P, N) and values (1, K, N, E)."""
    mixed = torch.bmm(weights.flatten(1, 2), value[0].float())
    by_head = mixed.view(*weights.shape[:3], value.shape[-1]).flatten(0, 1)
    # in one piece, as transformers' own comes: some models take views of it
    return by_head.transpose(0, 1)[None].to(value.dtype).contiguous()


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
        query: after rotation, shape (1, H, P, D).
        key: shape (1, K, N, D), the keys of the P rows at its end.
        mask: broadcastable to (1, 1, P, N), or of each query head.
        scaling: factor on the products.
        window: sliding window of the layer, used where no mask is given.
        softcap: tanh cap on the products.
        sinks: logit per query head, shape (H,).

    Returns:
        Shape (K, H / K, P, N), fp32; rows sum to 1, or less with sinks.
    """
    return weighed(products(query, key, scaling, softcap), mask, window=window, sinks=sinks)


def products(query: Tensor, key: Tensor, scaling: float, softcap: float | None = None) -> Tensor:
    """Of each query row with each key, fp32, a new tensor (K, H / K, P, N); arguments as for `attention_weights`."""
    n_kv, n_rows, n_keys = key.shape[1], query.shape[2], key.shape[2]
    grouped = query[0].reshape(n_kv, -1, query.shape[-1]).float()
    # not einsum, which would copy keys that do not lie in one piece
    found = torch.bmm(grouped, key[0].float().mT).mul_(scaling).view(n_kv, -1, n_rows, n_keys)
    return found if softcap is None else softcap * torch.tanh(found / softcap)


def causal(n_rows: int, n_keys: int, window: int | None, device: torch.device) -> Tensor:
    """What the last rows see where no mask says otherwise, boolean, (P, N)."""
    rows = torch.arange(n_keys - n_rows, n_keys, device=device)[:, None]
    columns = torch.arange(n_keys, device=device)
    seen = columns <= rows
    return seen if window is None else seen & (columns > rows - window)


def weighed(found: Tensor, mask: Tensor | None, *, window: int | None = None, sinks: Tensor | None = None) -> Tensor:
    """The softmax over what each row sees of products (K, H / K, P, N), which are overwritten.

    Arguments as for `attention_weights`.
    """
    n_kv, _, n_rows, n_keys = found.shape
    if mask is None:
        found.masked_fill_(~causal(n_rows, n_keys, window, found.device), float("-inf"))
    else:
        mask = mask[0, ..., :n_keys].unflatten(0, (1 if mask.shape[1] == 1 else n_kv, -1))
        if mask.dtype == torch.bool:
            found.masked_fill_(~mask, float("-inf"))
        else:
            found += mask.float()
    if sinks is not None:
        extra = sinks.float().view(n_kv, -1, 1, 1).expand(-1, -1, n_rows, 1)
        found = torch.cat((found, extra), dim=-1)
    return found.softmax(dim=-1)[..., :n_keys]
