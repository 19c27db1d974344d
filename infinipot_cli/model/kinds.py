"""Which kinds of models can use a pot, as far as their configuration tells: before any weight is read.

What a configuration cannot tell is found by the engine's own proof (`model.port`) once the weights are there.
"""

import re
from collections.abc import Mapping

from infinipot_cli.errors import UnsupportedModelError

WANTED = "a decoder with rotary positions is wanted, such as Llama, Mistral, Qwen, Gemma or Phi"

_ABSOLUTE = {
    "gpt2": "GPT-2", "opt": "OPT", "gpt_neo": "GPT-Neo", "gpt_bigcode": "StarCoder 1", "xglm": "XGLM",
    "ctrl": "CTRL", "openai-gpt": "GPT", "biogpt": "BioGPT",
}  # fmt: skip
_ALIBI = {"bloom": "BLOOM", "mpt": "MPT"}
_RECURRENT = {
    "mamba": "Mamba", "mamba2": "Mamba-2", "falcon_mamba": "Falcon Mamba", "rwkv": "RWKV", "xlstm": "xLSTM",
    "recurrent_gemma": "RecurrentGemma", "jamba": "Jamba", "bamba": "Bamba", "zamba": "Zamba", "zamba2": "Zamba 2",
    "qwen3_next": "Qwen3-Next", "granitemoehybrid": "Granite hybrid", "nemotron_h": "Nemotron-H",
    "falcon_h1": "Falcon-H1", "lfm2": "LFM2", "lfm2_moe": "LFM2-MoE", "lfm3": "LFM3", "minimax": "MiniMax",
    "qwen3_5": "Qwen3.5", "qwen3_5_text": "Qwen3.5", "qwen3_5_moe": "Qwen3.5-MoE", "qwen3_5_moe_text": "Qwen3.5-MoE",
    "kimi_linear": "Kimi Linear", "olmo_hybrid": "OLMo hybrid", "bailing_hybrid": "Ling hybrid", "zaya": "Zaya",
}  # fmt: skip
# Layers that pick what they attend to by an index of their own, which knows nothing of what a pot has dropped.
_INDEXED = {"deepseek_v32": "DeepSeek-V3.2", "deepseek_v4": "DeepSeek-V4", "glm_moe_dsa": "GLM-MoE-DSA"}
RECURRENT = "has recurrent layers, which keep no entries to choose from"
CHUNKED = "attends in fixed chunks, so its entries cannot be renumbered"
INDEXED = "picks what it attends to by an index of its own, which a pot does not hold"
SHARED = "lets layers use the entries of others, and a pot holds each layer's own"
# What a layer is called in a configuration, by transformers or by the model's makers.
_LAYERS = {
    "linear_attention": RECURRENT, "mamba": RECURRENT, "mamba2": RECURRENT, "conv": RECURRENT, "recurrent": RECURRENT,
    "hybrid": RECURRENT, "hybrid_sliding": RECURRENT, "indexed_attention": INDEXED,
    "deepseek_sparse_attention": INDEXED, "qwen_sparse_attention": INDEXED, "compressed_sparse_attention": INDEXED,
    "heavily_compressed_attention": INDEXED, "chunked_attention": CHUNKED,
}  # fmt: skip
# Rotary positions, but nothing that a pot could hold on to.
_OWN_ATTENTION = "computes its attention outside transformers' interface, so what a catalyst attends to cannot be read"
_ELSEWISE = {
    "gptj": f"GPT-J {_OWN_ATTENTION}", "codegen": f"CodeGen {_OWN_ATTENTION}", "falcon": f"Falcon {_OWN_ATTENTION}",
    "llama4": f"Llama 4 {CHUNKED}", "llama4_text": f"Llama 4 {CHUNKED}",
    "hunyuan_v1_dense": "Hunyuan norms its keys behind the rotation, so they cannot be renumbered exactly",
    "hunyuan_v1_moe": "Hunyuan norms its keys behind the rotation, so they cannot be renumbered exactly",
}  # fmt: skip

# Architectures that end in no text, as transformers calls them.
_NO_TEXT = re.compile(r"(?:(?<!LMHead)Model|Encoder|For(?!CausalLM$|ConditionalGeneration$)[A-Z]\w*)$")


# Parts of a configuration that stand for encoders in front of a decoder of text.
_ENCODERS = ("vision_config", "audio_config")


def check_kind(name: str, config: dict[str, object], *, text_only: bool = False) -> None:
    """Refuse a model whose configuration says that it cannot use a pot.

    Args:
        name: what the user calls it.
        config: its config.json.
        text_only: of a model with encoders, the language part is all that is wanted.

    Raises:
        UnsupportedModelError: with the reason.
    """
    part = _text_part(config)
    if part is not None and not (part_reason := _reason(part)):
        if text_only:
            return
        reason = f"{_shown(_kind(config))} reads pictures or sound beside text"
        hint = "--text-only loads its language part alone, a rotary decoder without pictures and sound"
    else:
        reason, hint = part_reason if part is not None else _reason(config), WANTED
    if reason:
        raise UnsupportedModelError(f"{name} cannot use a pot: {reason}", hint=hint)


def _text_part(config: Mapping[str, object]) -> dict[str, object] | None:
    """The configuration of the decoder behind encoders, which some models have among their own; None without one."""
    if not has_encoders(config) or not _writes_text(config):
        return None
    text = config.get("text_config")
    if text is None and "num_hidden_layers" in config:
        text = {name: value for name, value in config.items() if name not in _ENCODERS}
    return {"model_type": _kind(config), **text} if isinstance(text, dict) else None


def _reason(config: Mapping[str, object]) -> str:
    """Why a decoder of text cannot use a pot; empty if nothing is known."""
    kind = _kind(config)
    if kind in _ELSEWISE and not (kind == "falcon" and config.get("alibi")):
        return _ELSEWISE[kind]
    if config.get("is_encoder_decoder"):
        return f"{_shown(kind)} has an encoder and a decoder; the encoder reads everything at once"
    if kind in _RECURRENT:
        return f"{_RECURRENT[kind]} {RECURRENT}"
    if kind in _INDEXED:
        return f"{_INDEXED[kind]} {INDEXED}"
    if layers := layer_reason(config):
        return f"{_shown(kind)} {layers}"
    if kind in _ABSOLUTE:
        return f"{_ABSOLUTE[kind]} learns a place for every position, so entries cannot be renumbered"
    if kind in _ALIBI or config.get("alibi"):
        return f"{_ALIBI.get(kind, kind)} has ALiBi instead of rotary positions, so entries cannot be renumbered"
    if not _writes_text(config):
        return f"it is a {_architecture(config)}, which gives vectors or labels and writes no text"
    if has_encoders(config):
        return f"{_shown(kind)} reads pictures or sound beside text"
    return ""


def _kind(config: Mapping[str, object]) -> str:
    return str(config.get("model_type", ""))


def has_encoders(config: Mapping[str, object]) -> bool:
    """Whether a configuration is of a model that also sees pictures or hears sound."""
    return any(part in config for part in _ENCODERS)


def layer_reason(config: Mapping[str, object]) -> str:
    """Why layers of a configuration, or of the text part of one, cannot use a pot; empty if nothing is known."""
    for part in (config, config.get("text_config")):
        if not isinstance(part, Mapping):
            continue
        if part.get("num_kv_shared_layers"):
            return SHARED
        names = part.get("layer_types")
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str) and name in _LAYERS:
                return _LAYERS[name]
    return ""


def _architecture(config: Mapping[str, object]) -> str:
    listed = config.get("architectures")
    return str(listed[0]) if isinstance(listed, list) and listed else ""


def _writes_text(config: Mapping[str, object]) -> bool:
    """Whether the first architecture may be a language model, by its name, or by the code that it brings."""
    own_code = config.get("auto_map")
    has_own = isinstance(own_code, Mapping) and "AutoModelForCausalLM" in own_code
    return has_own or _NO_TEXT.search(_architecture(config)) is None


def _shown(kind: str) -> str:
    return kind.upper() if len(kind) <= 3 else kind.replace("_", "-").capitalize()
