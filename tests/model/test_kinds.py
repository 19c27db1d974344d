"""Models that cannot use a pot are refused from their configuration, with the reason, before weights are read."""

import json
from pathlib import Path

import pytest
from transformers import AutoConfig

from infinipot_cli.errors import UnsupportedModelError
from infinipot_cli.model.files import describe

REFUSED = {
    "gpt2": "position", "opt": "position", "bloom": "ALiBi", "mpt": "ALiBi", "mamba": "recurrent",
    "jamba": "recurrent", "rwkv": "recurrent", "qwen3_next": "recurrent", "recurrent_gemma": "recurrent",
    "t5": "encoder", "bart": "encoder", "whisper": "encoder", "llava": "pictures", "qwen2_vl": "pictures",
    "gemma3": "pictures", "gptj": "GPT-J .* interface", "codegen": "CodeGen .* interface",
    "falcon": "Falcon .* interface", "llama4": "fixed chunks", "llama4_text": "fixed chunks",
    "hunyuan_v1_dense": "behind the rotation", "hunyuan_v1_moe": "behind the rotation",
    "qwen3_5": "Qwen3.5 has recurrent", "qwen3_5_text": "recurrent", "qwen3_5_moe": "Qwen3.5-MoE has recurrent",
    "kimi_linear": "recurrent", "olmo_hybrid": "recurrent", "lfm2_moe": "recurrent",
    "deepseek_v32": "index of its own", "glm_moe_dsa": "index of its own", "gemma3n": "entries of others",
    "gemma3n_text": "entries of others",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "reason"), REFUSED.items(), ids=list(REFUSED))
def test_the_reason_stands_in_one_line(kind: str, reason: str, tmp_path: Path) -> None:
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModelError, match=reason) as caught:
        describe("mine", tmp_path)
    assert "\n" not in caught.value.message
    assert "rotary" in caught.value.hint


@pytest.mark.parametrize(
    ("layer", "reason"),
    [("mamba", "recurrent"), ("conv", "recurrent"), ("indexed_attention", "index"), ("chunked_attention", "chunks")],
)
@pytest.mark.parametrize("is_nested", [False, True], ids=["text", "with pictures"])
def test_a_kind_not_known_is_refused_by_the_layers_it_names(
    layer: str, reason: str, is_nested: bool, tmp_path: Path
) -> None:
    config: dict[str, object] = {"layer_types": ["full_attention", layer]}
    if is_nested:
        config = {"text_config": config, "vision_config": {}}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "new", **config}))
    with pytest.raises(UnsupportedModelError, match=f"NEW .*{reason}"):
        describe("mine", tmp_path)


@pytest.mark.parametrize(
    "architecture", ["BertModel", "XLMRobertaModel", "BertForMaskedLM", "ViTForImageClassification"]
)
def test_what_writes_no_text_is_refused_by_name(architecture: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "any", "architectures": [architecture]}))
    with pytest.raises(UnsupportedModelError, match=f"{architecture}, which gives vectors or labels"):
        describe("mine", tmp_path)


def test_falcon_with_alibi_is_refused_and_an_unknown_decoder_gets_its_chance(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "falcon", "alibi": True}))
    with pytest.raises(UnsupportedModelError, match="ALiBi"):
        describe("mine", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "new", "architectures": ["NewForCausalLM"]}))
    (tmp_path / "model.safetensors").touch()
    assert describe("mine", tmp_path).name == "mine"


@pytest.mark.parametrize(
    "config",
    [
        {"architectures": ["MyModel"], "auto_map": {"AutoModelForCausalLM": "modeling_my.MyModel"}},
        {"architectures": ["SuperLM"]},
        {"architectures": ["GPT2LMHeadModel"]},
    ],
)
def test_what_may_write_text_gets_its_chance(config: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "new", **config}))
    (tmp_path / "model.safetensors").touch()
    assert describe("mine", tmp_path).name == "mine"
