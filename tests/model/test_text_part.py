"""The language part of models that also see pictures: the numbers of the whole model, and a model of its own."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoModelForMultimodalLM, PreTrainedModel
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.errors import ModelError, UnsupportedModelError
from infinipot_cli.model.files import describe
from infinipot_cli.model.load import load
from infinipot_cli.model.port import port_of
from infinipot_cli.model.text_part import text_part

_TEXT: dict[str, Any] = {
    "vocab_size": 320, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 12, "max_position_embeddings": 512, "pad_token_id": 1, "bos_token_id": 0,
    "eos_token_id": 4,
}  # fmt: skip
_SEES: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14,
}  # fmt: skip
_SEES_AND_MERGES = {
    "depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 48, "patch_size": 14,
    "deepstack_visual_indexes": [0],
}  # fmt: skip
_THREE_AXES = {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 2, 2]}}
_MARKS = {"image_token_id": 300, "video_token_id": 301, "vision_start_token_id": 302, "vision_end_token_id": 303}
_HALF = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5, "mrope_section": [1, 1, 1]}
# Kind -> its text, its eyes, and what else it needs; those without a class for text alone last.
WHOLES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "llava": ({"model_type": "llama"}, {"model_type": "clip_vision_model", "projection_dim": 16}, {}),
    "gemma3": (
        {
            "model_type": "gemma3_text", "sliding_window": 20,
            "layer_types": ["sliding_attention", "full_attention", "full_attention"],
        },
        {"model_type": "siglip_vision_model"},
        {"mm_tokens_per_image": 4, "boi_token_index": 301, "eoi_token_index": 302},
    ),
    "mistral3": ({"model_type": "mistral", "sliding_window": None}, {"model_type": "pixtral"}, {}),
    "qwen2_5_vl": ({"model_type": "qwen2_5_vl_text", **_THREE_AXES}, _SEES_AND_MERGES, _MARKS),
    "qwen2_vl": (
        {"model_type": "qwen2_vl_text", **_THREE_AXES},
        {"depth": 1, "embed_dim": 16, "hidden_size": 48, "num_heads": 2, "patch_size": 14},
        _MARKS,
    ),
    "qwen3_vl": ({"model_type": "qwen3_vl_text", **_THREE_AXES}, _SEES_AND_MERGES, _MARKS),
    "glm4v": ({"model_type": "glm4v_text", "rope_parameters": _HALF}, _SEES_AND_MERGES, _MARKS),
}  # fmt: skip


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def save_whole(kind: str, folder: Path, tokenizer_of: Path) -> PreTrainedModel:
    """Write a random model of a kind that also sees, with the tokenizer and the chat template of another."""
    text, sees, more = WHOLES[kind]
    eyes = sees if "depth" in sees else {**_SEES, **sees}
    marks = {} if "image_token_id" in more else {"image_token_index": 300}
    config = AutoConfig.for_model(kind, text_config={**_TEXT, **text}, vision_config=eyes, **marks, **more)
    torch.manual_seed(3)
    known = AutoModelForMultimodalLM if type(config) in AutoModelForMultimodalLM._model_mapping else None
    whole: PreTrainedModel = (known or AutoModelForImageTextToText).from_config(config).eval()
    for weight in whole.parameters():  # larger than transformers draws them, so that answers differ by what was read
        if weight.dim() > 1:
            weight.data.mul_(4)
    whole.save_pretrained(folder)
    for file in tokenizer_of.iterdir():
        if "token" in file.name or file.suffix == ".jinja":
            shutil.copy(file, folder)
    return whole


@pytest.mark.parametrize("kind", WHOLES)
def test_the_language_part_computes_what_the_whole_model_does(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    whole = save_whole(kind, tmp_path / kind, tiny_model)
    with pytest.raises(UnsupportedModelError, match="pictures") as caught:
        describe(kind, tmp_path / kind)
    assert "--text-only" in caught.value.hint

    part = load(describe(kind, tmp_path / kind, text_only=True)).model
    ids = torch.arange(5, 90)[None]
    with torch.no_grad():
        wanted, given = (model(input_ids=ids, use_cache=False).logits for model in (whole, part))
    assert torch.allclose(given.float(), wanted.float(), rtol=1e-4, atol=1e-4) and wanted.std() > 0.01
    assert port_of(part).n_layers == 3
    encoders = sum(weight.numel() for weight in whole.parameters()) - sum(one.numel() for one in part.parameters())
    assert encoders > 0 and not any("vision" in name or "visual" in name for name, _ in part.named_modules())


@pytest.mark.parametrize("kind", ["qwen2_vl", "qwen2_5_vl"])
def test_a_text_whose_sizes_stand_among_those_of_the_whole_is_loaded_alike(
    kind: str, tiny_model: Path, tmp_path: Path
) -> None:
    """As Qwen publishes these: `vision_config` beside the text's own fields, and the older names of a rotation."""
    whole = save_whole(kind, tmp_path, tiny_model)
    config = json.loads((tmp_path / "config.json").read_text())
    text = config.pop("text_config")
    text["rope_scaling"] = {"type": "mrope", "mrope_section": text.pop("rope_parameters")["mrope_section"]}
    flat = {**text, "rope_theta": 10_000.0, **config, "model_type": kind}
    (tmp_path / "config.json").write_text(json.dumps(flat))
    with pytest.raises(UnsupportedModelError, match="pictures") as caught:
        describe(kind, tmp_path)
    assert "--text-only" in caught.value.hint

    files = describe(kind, tmp_path, text_only=True)
    assert files.context_length == 512
    part = load(files).model
    ids = torch.arange(5, 90)[None]
    with torch.no_grad():
        wanted, given = (model(input_ids=ids, use_cache=False).logits for model in (whole, part))
    assert torch.allclose(given.float(), wanted.float(), rtol=1e-4, atol=1e-4) and wanted.std() > 0.01
    assert port_of(part).n_layers == 3


@pytest.mark.parametrize("kind", ["llava", "gemma3", "qwen3_vl"])
def test_a_pot_of_the_language_part_holds_what_that_part_saved_alone_holds(
    kind: str, tiny_model: Path, tmp_path: Path
) -> None:
    """Far past the pot, token for token; Qwen3's text is Qwen3 as long as nobody shows a picture."""
    whole = save_whole(kind, tmp_path / "whole", tiny_model)
    part = text_part(whole, kind)
    config = part.config.to_dict()
    if kind == "qwen3_vl":
        config = {**config, "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}
        config["rope_parameters"] = {"rope_type": "default", "rope_theta": 10_000.0}
    else:
        config["architectures"] = [type(part).__name__]
    part.save_pretrained(tmp_path / "alone")
    (tmp_path / "alone" / "config.json").write_text(json.dumps(config))
    for file in (tmp_path / "whole").iterdir():
        if "token" in file.name or file.suffix == ".jinja":
            shutil.copy(file, tmp_path / "alone")
    book = tmp_path / "book.txt"
    book.write_text("".join(f"Line {number}: the number is {number * number}.\n" for number in range(60)))
    words = (str(book), "What is said?", "-s", "256", "--max-tokens", "24", "--json", "--no-cite")
    answers = [
        json.loads(run("ask", *words, "-m", str(tmp_path / folder), "--text-only").stdout)
        for folder in ("whole", "alone")
    ]
    assert answers[0]["pot"]["distillations"] > 3
    assert answers[0]["answer"] == answers[1]["answer"] != ""
    assert answers[0]["retention"] == answers[1]["retention"]


def test_settings_may_ask_for_it_and_models_without_pictures_do_not_mind(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_whole("llava", tmp_path / "whole", tiny_model)
    story = tmp_path / "story.txt"
    story.write_text("Ben Gunn hid the treasure.")
    refused = run("ask", str(story), "Who?", "-m", str(tmp_path / "whole"))
    assert refused.exit_code == 4 and "--text-only" in refused.stderr
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text("[model]\ntext_only = true\n")
    for model in ("whole", tiny_model):
        answered = run("ask", str(story), "Who?", "-m", str(tmp_path / model), "--max-tokens", "3")
        assert answered.exit_code == 0, answered.stderr


def test_weights_of_more_layers_than_the_text_has_are_of_another_model(tiny_model: Path, tmp_path: Path) -> None:
    save_whole("llava", tmp_path, tiny_model)
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 2
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="1 more layer than"):
        load(describe("llava", tmp_path, text_only=True))


def test_what_writes_no_text_or_sees_later_tokens_stays_refused(tmp_path: Path) -> None:
    AutoConfig.for_model("clip", architectures=["CLIPModel"]).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModelError, match="CLIPModel, which gives vectors"):
        describe("clip", tmp_path, text_only=True)
    AutoConfig.for_model("llava", text_config={"model_type": "mamba"}).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModelError, match="recurrent"):
        describe("llava", tmp_path, text_only=True)


def test_a_stored_pot_remembers_it_and_lists_say_it(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    save_whole("gemma3", tmp_path / "sees", tiny_model)
    story = tmp_path / "story.txt"
    story.write_text("Ben Gunn hid the treasure. " * 20)
    model = str(tmp_path / "sees")
    stored = run("read", str(story), "-m", model, "--text-only", "-s", "128", "--save-pot", "story")
    assert stored.exit_code == 0, stored.stderr
    assert run("ask", "@story", "Who?", "--max-tokens", "3").exit_code == 0
    chosen = run("models", "default", model)
    assert chosen.exit_code == 0 and "--text-only loads its language part" in " ".join(chosen.stderr.split())
