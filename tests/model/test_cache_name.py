"""The cache goes to a model by the name that it knows, so that no release warns a user."""

import functools

import pytest
import torch
from torch import nn
from transformers.cache_utils import DynamicCache

from infinipot_cli.model.cache_name import handed


class Older(nn.Module):
    def forward(self, input_ids: torch.Tensor, past_key_values: DynamicCache | None = None) -> None: ...


class Newer(nn.Module):
    def forward(self, input_ids: torch.Tensor, cache: DynamicCache | None = None) -> None: ...


class Wrapped(nn.Module):
    @functools.wraps(Newer.forward)
    def forward(self, *args: object, **kwargs: object) -> None: ...


class Anything(nn.Module):
    def forward(self, **kwargs: object) -> None: ...


@pytest.mark.parametrize(
    ("module", "name"),
    [(Older, "past_key_values"), (Newer, "cache"), (Wrapped, "cache"), (Anything, "past_key_values")],
)
def test_the_name_is_that_of_the_forward(module: type[nn.Module], name: str) -> None:
    cache = DynamicCache()
    assert handed(module(), cache) == {name: cache}
    assert handed(module(), cache)[name] is cache
