"""Tiny random decoders, and one helper that runs engine and reference on the same input."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCABULARY = 97
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "attn_implementation": "sdpa",
}
MAKERS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "llama-mha": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE | {"num_key_value_heads": 4})),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=None)),
    "mistral-window": lambda: MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=20)),
    "mistral-wide-window": lambda: MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=64)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=24)),
}


def tiny(name: str, seed: int = 1) -> PreTrainedModel:
    """A random model with weights large enough for attention to be sharp and scores to be far apart."""
    torch.manual_seed(seed)
    model = MAKERS[name]().eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    return model


def some_windows(width: int = 14) -> PreTrainedModel:
    """The first layer sees everything, the others the latest entries."""
    torch.manual_seed(2)
    shape = SHAPE | {"use_sliding_window": True, "sliding_window": width, "max_window_layers": 1}
    model = Qwen2ForCausalLM(Qwen2Config(**shape)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.25) if parameter.ndim > 1 else None
    return model


@pytest.fixture(scope="session")
def llama() -> PreTrainedModel:
    return tiny("llama")


def random_ids(n: int, seed: int) -> list[int]:
    """Token ids without the first two."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, VOCABULARY, (n,), generator=generator).tolist()
