"""Tiny random models of every family that the engine is held to, built from their configurations: no download."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, PreTrainedModel

from infinipot_cli.model.text_part import text_part

VOCABULARY = 97
TRAINED_CONTEXT = 256
_SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": TRAINED_CONTEXT,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
_EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_LATENT: dict[str, Any] = {
    "num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16,
    "v_head_dim": 12, "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "n_group": 2,
    "topk_group": 1, "moe_intermediate_size": 32, "first_k_dense_replace": 1,
}  # fmt: skip
_LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
_LONGROPE = {
    "rope_type": "longrope", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5, "short_factor": [1.1, 1.2, 1.3],
    "long_factor": [2.0, 3.0, 4.0], "original_max_position_embeddings": 128,
}  # fmt: skip
_THREE_AXES = {"rope_type": "default", "rope_theta": 10_000.0}
_EYES = {
    "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 48, "patch_size": 14,
    "deepstack_visual_indexes": [0],
}  # fmt: skip
_MIXED = ["sliding_attention", "full_attention", "full_attention"]
# A window smaller than the pots of the checks, so that some layers are local while others are distilled.
_WINDOW = 20


@dataclass(frozen=True)
class Family:
    """One architecture as a tiny random model.

    Attributes:
        name: what people call it.
        model_type: its name in transformers.
        trait: what it asks of the engine beyond Llama; for a refused family, why.
        options: what its configuration has beyond the common shape.
        sees: of a model that also sees pictures, the encoder in front of its language part, which is left behind.
    """

    name: str
    model_type: str
    trait: str
    options: Mapping[str, Any] = field(default_factory=dict)
    sees: Mapping[str, Any] | None = None


FAMILIES = (
    Family("Llama", "llama", "rotated halves, grouped heads"),
    Family("Llama 3.1", "llama", "llama3 frequency scaling", {"rope_parameters": _LLAMA3}),
    Family("Mistral", "mistral", "window off", {"sliding_window": None}),
    Family("Mistral 0.1", "mistral", "window on", {"sliding_window": _WINDOW}),
    Family("Mixtral", "mixtral", "experts", _EXPERTS),
    Family("Qwen2", "qwen2", "biased projections"),
    Family("Qwen3", "qwen3", "normed keys", {"head_dim": 24}),
    Family("Qwen3-MoE", "qwen3_moe", "normed keys, experts", {"head_dim": 16, **_EXPERTS}),
    Family("Gemma", "gemma", "scaled embeddings", {"head_dim": 16}),
    Family(
        "Gemma 2", "gemma2", "soft caps, alternating windows",
        {"head_dim": 16, "sliding_window": _WINDOW, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 9.0,
         "query_pre_attn_scalar": 20},
    ),
    Family(
        "Gemma 3", "gemma3_text", "two rotary bases, windows",
        {"head_dim": 16, "sliding_window": _WINDOW, "layer_types": _MIXED},
    ),
    Family(
        "Phi-3", "phi3", "longrope, partial rotation",
        {"original_max_position_embeddings": 128, "rope_parameters": _LONGROPE},
    ),
    Family("Phi", "phi", "partial rotation", {"partial_rotary_factor": 0.5}),
    Family("StableLM", "stablelm", "partial rotation", {"partial_rotary_factor": 0.5}),
    Family("OLMo 2", "olmo2", "keys normed over all heads"),
    Family("SmolLM3", "smollm3", "layers without positions", {"no_rope_layers": [1, 1, 0]}),
    Family("GLM-4", "glm4", "interleaved, partial rotation", {"head_dim": 16, "partial_rotary_factor": 0.5}),
    Family("Cohere", "cohere", "interleaved rotation, scaled logits", {"logit_scale": 0.25}),
    Family(
        "Cohere 2", "cohere2", "full layers without positions", {"sliding_window": _WINDOW, "layer_types": _MIXED}
    ),
    Family(
        "Granite", "granite", "multipliers on scores, residuals and logits",
        {"attention_multiplier": 0.3, "embedding_multiplier": 2.0, "residual_multiplier": 0.5, "logits_scaling": 3.0},
    ),
    Family(
        "GPT-OSS", "gpt_oss", "attention sinks, windows, experts",
        {"head_dim": 16, "sliding_window": _WINDOW, **_EXPERTS},
    ),
    Family("StarCoder2", "starcoder2", "biases everywhere", {"sliding_window": None}),
    Family("GPT-NeoX", "gpt_neox", "fused projections, partial rotation", {"rotary_pct": 0.5}),
    Family("DeepSeek-V2", "deepseek_v2", "latent attention, interleaved", _LATENT),
    Family("DeepSeek-V3", "deepseek_v3", "latent attention", _LATENT),
    Family(
        "Qwen3-VL", "qwen3_vl", "language part alone, three axes",
        {"head_dim": 24, "rope_parameters": {**_THREE_AXES, "mrope_section": [4, 4, 4]}}, _EYES,
    ),
    Family(
        "GLM-4V", "glm4v", "language part alone, interleaved",
        {"rope_parameters": {**_THREE_AXES, "partial_rotary_factor": 0.5, "mrope_section": [1, 1, 1]}}, _EYES,
    ),
)  # fmt: skip


def build(family: Family, seed: int = 1) -> PreTrainedModel:
    """A random model of a family, in fp32.

    Weights are larger than usual and norms uneven, so that attention is sharp, scores lie far apart and nothing that
    an untrained norm would hide (such as a norm behind the rotation) stays hidden.
    """
    torch.manual_seed(seed)
    model: PreTrainedModel = _drawn(family).eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)
        else:
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return model


def _drawn(family: Family) -> PreTrainedModel:
    """A model as transformers draws its weights."""
    options = {**_SHAPE, **family.options}
    if family.sees is None:
        model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(family.model_type, **options))
        return model
    text = {"model_type": f"{family.model_type}_text", **options}
    config = AutoConfig.for_model(family.model_type, text_config=text, vision_config=dict(family.sees))
    return text_part(AutoModelForImageTextToText.from_config(config).eval(), family.name)


def random_ids(n: int, seed: int) -> list[int]:
    """Token ids without control tokens."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, VOCABULARY, (n,), generator=generator).tolist()
