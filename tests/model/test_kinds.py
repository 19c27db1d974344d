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
}  # fmt: skip


@pytest.mark.parametrize(("kind", "reason"), REFUSED.items(), ids=list(REFUSED))
def test_the_reason_stands_in_one_line(kind: str, reason: str, tmp_path: Path) -> None:
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModelError, match=reason) as caught:
        describe("mine", tmp_path)
    assert "\n" not in caught.value.message
    assert "rotary" in caught.value.hint


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
