"""Masks that differ between the heads of a layer, for heads that hold unequally many entries."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from infinipot_cli.errors import UnsupportedModelError
from infinipot_cli.model.attention import causal, implementation, swapped


@contextmanager
def columns_hidden(model: PreTrainedModel, n_hidden: Tensor) -> Iterator[None]:
    """Hide the first columns of each head from every forward while it lasts.

    transformers builds one mask for all heads of a layer, so it is completed where attention is computed; layers that
    hide nothing get what they always get. A mask of booleans takes H · P · N bytes while its layer runs. It stands in
    front of whatever overhears attention, which is told of the whole mask.

    Args:
        model: its attention must take a mask of each head.
        n_hidden: columns to hide in front, by layer and KV head, int64, (L, K).

    Raises:
        UnsupportedModelError: the model's attention takes no such mask.
    """
    check_takes_masks_by_head(model)
    name, numbers = implementation(model), n_hidden.tolist()
    original = ALL_ATTENTION_FUNCTIONS.get(name)

    def override(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
    ) -> tuple[Tensor, Tensor | None]:
        hidden = numbers[int(module.layer_idx)]  # type: ignore[arg-type]
        if any(hidden):
            attention_mask = _hiding(hidden, query, key, attention_mask, options.get("sliding_window"))
        plain = original or sys.modules[type(module).__module__].eager_attention_forward
        output: tuple[Tensor, Tensor | None] = plain(module, query, key, value, attention_mask, **options)
        return output

    with swapped(name, override):
        yield


def check_takes_masks_by_head(model: PreTrainedModel) -> None:
    """Refuse an implementation of attention that takes no mask, or none for each head.

    Raises:
        UnsupportedModelError: it is such a one.
    """
    name = implementation(model)
    if name not in ("sdpa", "eager"):
        raise UnsupportedModelError(
            f"heads of unequal size need a mask each, which {name} attention does not take",
            hint="--attn sdpa, or leave --set spread out",
        )


def _hiding(hidden: Sequence[int], query: Tensor, key: Tensor, mask: Tensor | None, window: int | None) -> Tensor:
    """A mask, (1, H, P, N), that hides the first columns of each KV head besides what it hid before."""
    n_rows, n_keys = query.shape[2], key.shape[2]
    columns = torch.arange(n_keys, device=query.device)
    if mask is None:
        mask = causal(n_rows, n_keys, window, query.device)[None, None]
    firsts = torch.tensor(hidden, device=query.device).repeat_interleave(query.shape[1] // len(hidden))
    is_hidden = (columns < firsts[:, None])[None, :, None]
    if mask.dtype == torch.bool:
        return mask[..., :n_keys] & ~is_hidden
    return mask[..., :n_keys].masked_fill(is_hidden, torch.finfo(mask.dtype).min)
