"""Logits of given hidden states, by the model's own head, a few rows at a time.

A head is more than a matrix (soft caps, scales), so the model itself is called with its body replaced by a stub that
returns the given states. Rows are sliced, because tokens × vocabulary in fp32 would dwarf the pot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from infinipot_cli.model.heap import give_back_large_blocks

SLICE_BYTES = 32 * 2**20


class _BodyOutput(BaseModelOutputWithPast):
    """What a body returns, with None for what only some bodies add (router logits, image states)."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


class _Given(nn.Module):
    """Stands in for the body while the head runs."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states

    def forward(self, *_: Any, **__: Any) -> _BodyOutput:
        return _BodyOutput(last_hidden_state=self.states)


@contextmanager
def _body_replaced(model: PreTrainedModel, states: Tensor) -> Iterator[None]:
    name = model.base_model_prefix
    body = model._modules[name]
    model._modules[name] = _Given(states)
    try:
        yield
    finally:
        model._modules[name] = body


def head(model: PreTrainedModel, states: Tensor) -> Tensor:
    """Logits, fp32, shape (n, V), of final hidden states (n, width), where those are."""
    give_back_large_blocks()
    with _body_replaced(model, states[None]):
        logits: Tensor = model(
            input_ids=torch.zeros((1, states.shape[0]), dtype=torch.long, device=states.device), use_cache=False
        ).logits
    return logits[0].to(states.device).float()


def rows_per_slice(vocabulary_size: int) -> int:
    """Rows of logits that fit 32 MiB in fp32, between 32 and 256."""
    return max(32, min(256, SLICE_BYTES // (4 * vocabulary_size)))


def negative_log_likelihood(model: PreTrainedModel, states: Tensor, targets: Tensor, vocabulary_size: int) -> Tensor:
    """-log P of each target given the state that predicts it, nats, fp32, shape (n,)."""
    size = rows_per_slice(vocabulary_size)
    parts = []
    for at in range(0, states.shape[0], size):
        logits = head(model, states[at : at + size])
        wanted = logits.gather(1, targets[at : at + size, None])[:, 0]
        # in place, and gone before the next, so that there is only one
        highest = logits.amax(dim=-1, keepdim=True)
        parts.append(logits.sub_(highest).exp_().sum(dim=-1).log() + highest[:, 0] - wanted)
        del logits
    return torch.cat(parts) if parts else states.new_empty(0, dtype=torch.float32)
