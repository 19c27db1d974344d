"""Which kinds of models can use a pot, as far as their configuration tells: before any weight is read.

What a configuration cannot tell is found by the engine's own proof (`model.port`) once the weights are there.
"""

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
    "falcon_h1": "Falcon-H1", "lfm2": "LFM2", "minimax": "MiniMax",
}  # fmt: skip
# Rotary positions, but nothing that a pot could hold on to.
_OWN_ATTENTION = "computes its attention outside transformers' interface, so what a catalyst attends to cannot be read"
_ELSEWISE = {
    "gptj": f"GPT-J {_OWN_ATTENTION}", "codegen": f"CodeGen {_OWN_ATTENTION}", "falcon": f"Falcon {_OWN_ATTENTION}",
    "llama4": "Llama 4 attends in fixed chunks, so its entries cannot be renumbered",
    "llama4_text": "Llama 4 attends in fixed chunks, so its entries cannot be renumbered",
    "hunyuan_v1_dense": "Hunyuan norms its keys behind the rotation, so they cannot be renumbered exactly",
    "hunyuan_v1_moe": "Hunyuan norms its keys behind the rotation, so they cannot be renumbered exactly",
}  # fmt: skip


def check_kind(name: str, config: dict[str, object]) -> None:
    """Refuse a model whose configuration says that it cannot use a pot.

    Args:
        name: what the user calls it.
        config: its config.json.

    Raises:
        UnsupportedModelError: with the reason.
    """
    kind = str(config.get("model_type", ""))
    reason = ""
    if kind in _ELSEWISE and not (kind == "falcon" and config.get("alibi")):
        reason = _ELSEWISE[kind]
    elif config.get("is_encoder_decoder"):
        reason = f"{_shown(kind)} has an encoder and a decoder; the encoder reads everything at once"
    elif "vision_config" in config or "audio_config" in config:
        reason = f"{_shown(kind)} reads pictures or sound beside text; its text-only version may work"
    elif kind in _ABSOLUTE:
        reason = f"{_ABSOLUTE[kind]} learns a place for every position, so entries cannot be renumbered"
    elif kind in _ALIBI or config.get("alibi"):
        reason = f"{_ALIBI.get(kind, kind)} has ALiBi instead of rotary positions, so entries cannot be renumbered"
    elif kind in _RECURRENT:
        reason = f"{_RECURRENT[kind]} has recurrent layers, which keep no entries to choose from"
    elif not _writes_text(config):
        reason = f"it is a {_architecture(config)}, which gives vectors or labels and writes no text"
    if reason:
        raise UnsupportedModelError(f"{name} cannot use a pot: {reason}", hint=WANTED)


def _architecture(config: dict[str, object]) -> str:
    listed = config.get("architectures")
    return str(listed[0]) if isinstance(listed, list) and listed else ""


def _writes_text(config: dict[str, object]) -> bool:
    """Whether the first architecture is a language model; a configuration that names none is given the chance."""
    architecture = _architecture(config)
    return not architecture or architecture.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"))


def _shown(kind: str) -> str:
    return kind.upper() if len(kind) <= 3 else kind.replace("_", "-").capitalize()
