"""A model in one GGUF file is the model it was made from."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from infinipot_cli.errors import ModelError, UnsupportedModelError, UsageError
from infinipot_cli.model.catalog import POCKET_FOLDER, find
from infinipot_cli.model.load import load, tokenizer_json
from infinipot_cli.settings import Dtype, Loading, Quantization
from infinipot_cli.tokens.tokenizer import from_tokenizer_json

gguf = pytest.importorskip("gguf")
HEADS, KV_HEADS = 4, 2
NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def interleaved(weight: torch.Tensor, n_heads: int) -> torch.Tensor:
    """Rows in the order that llama.cpp rotates them in."""
    return weight.view(n_heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "pocket.gguf"
    config = json.loads((POCKET_FOLDER / "config.json").read_text())
    vocabulary = json.loads((POCKET_FOLDER / "tokenizer.json").read_text())["model"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    tokens = sorted(vocabulary["vocab"], key=vocabulary["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if place < 6 else 1 for place in range(len(tokens))])
    writer.add_token_merges([" ".join(merge) for merge in vocabulary["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(5)
    writer.add_chat_template((POCKET_FOLDER / "chat_template.jinja").read_text())
    for name, weight in load_file(POCKET_FOLDER / "model.safetensors").items():
        part = name.removeprefix("model.").removesuffix(".weight")
        if part.startswith("layers."):
            _, number, inner = part.split(".", 2)
            target = f"blk.{number}.{NAMES[inner]}"
            if inner.endswith(("q_proj", "k_proj")):
                weight = interleaved(weight, HEADS if inner.endswith("q_proj") else KV_HEADS)
        else:
            target = {"embed_tokens": "token_embd", "norm": "output_norm"}[part]
        writer.add_tensor(f"{target}.weight", weight.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_it_is_described_from_its_header(one_file: Path) -> None:
    files, pocket = find(str(one_file)), find("pocket")
    assert (files.name, files.context_length, files.chat_template) == ("pocket", 1024, pocket.chat_template)
    assert files.stop_ids == {5}
    assert files.special_tokens["bos_token"] == "<s>"


@pytest.mark.slow
def test_weights_and_tokens_are_those_it_was_made_from(one_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    exact = Loading(dtype=Dtype.FLOAT32)
    ours, theirs = load(find(str(one_file), exact), exact), load(find("pocket"), exact)
    assert capfd.readouterr() == ("", "")  # what loads draws no bar of its own
    ids = torch.arange(20, 60)[None]
    torch.testing.assert_close(ours.model(ids).logits, theirs.model(ids).logits, rtol=1e-4, atol=1e-4)
    tokenizer = from_tokenizer_json(tokenizer_json(find(str(one_file))))
    wanted = from_tokenizer_json(POCKET_FOLDER / "tokenizer.json")
    text = "Captain Flint hid 700,000 pounds in 1754 — or so they said."
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode_template("<|user|>") == wanted.encode_template("<|user|>")


@pytest.mark.skipif(not hasattr(transformers, "GgufConfig"), reason="before that transformers always unpacked")
def test_weights_are_asked_for_as_plain_numbers(one_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def refuse(*_: object, **options: Any) -> None:
        asked.append(options)
        raise RuntimeError("enough was seen")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", refuse)
    with pytest.raises(ModelError, match="enough was seen"):
        load(find(str(one_file)))
    assert asked[0]["quantization_config"].dequantize


@pytest.mark.parametrize("n_bytes", [0, 100, 4000])
def test_half_a_file_is_one_clear_error(one_file: Path, tmp_path: Path, n_bytes: int) -> None:
    (tmp_path / "half.gguf").write_bytes(one_file.read_bytes()[:n_bytes])
    with pytest.raises(ModelError, match="damaged or no GGUF file"):
        find(str(tmp_path / "half.gguf"))


def header(path: Path, kind: str, **fields: int) -> Path:
    """A file without weights."""
    writer = gguf.GGUFWriter(path, kind)
    writer.add_context_length(128)
    for name, value in fields.items():
        writer.add_uint16(name.replace("_", "."), value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_file_of_its_name_in_the_current_folder_is_another(
    one_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pocket.gguf").write_bytes(b"another")
    monkeypatch.chdir(tmp_path)
    asked: list[object] = []

    def refuse(*_: object, **options: Any) -> None:
        asked.append(options["gguf_file"])
        raise RuntimeError("enough was seen")

    files = find(os.path.relpath(one_file))
    for name in ("AutoModelForCausalLM", "AutoTokenizer"):
        monkeypatch.setattr(getattr(transformers, name), "from_pretrained", refuse)
    for use in (load, tokenizer_json):
        with pytest.raises(ModelError):
            use(files)
    assert [os.path.realpath(str(path)) for path in asked] == 2 * [os.path.realpath(one_file)]
    assert all(os.path.isabs(str(path)) for path in asked)


def test_a_kind_that_transformers_cannot_read_is_named(tmp_path: Path) -> None:
    files = find(str(header(tmp_path / "new.gguf", "newest")))
    for use in (load, tokenizer_json):
        with pytest.raises(ModelError, match=r"newest is not supported yet") as caught:
            use(files)
        assert (caught.value.code, "pip install -U" in caught.value.hint) == ("unknown_kind", True)


def test_a_file_that_is_newer_than_the_package_is_not_called_damaged(tmp_path: Path) -> None:
    path = header(tmp_path / "new.gguf", "llama")
    data = bytearray(path.read_bytes())
    data[4] = 9  # the version of the format
    path.write_bytes(data)
    with pytest.raises(ModelError, match="appears to be version 9") as caught:
        find(str(path))
    assert (caught.value.code, "-U gguf" in caught.value.hint) == ("unknown_kind", True)


def test_it_is_not_rounded_again(one_file: Path) -> None:
    with pytest.raises(UsageError, match="comes in a GGUF file") as caught:
        find(str(one_file), Loading(quantize=Quantization.INT8))
    assert caught.value.hint == "leave --quantize out"


def test_a_part_of_a_model_says_how_to_make_it_whole(tmp_path: Path) -> None:
    path = header(tmp_path / "big-00002-of-00003.gguf", "llama", split_count=3, split_no=1)
    with pytest.raises(ModelError, match="is one of 3 parts") as caught:
        find(str(path))
    assert caught.value.hint.endswith("llama-gguf-split --merge big-00001-of-00003.gguf big.gguf")


@pytest.mark.parametrize(
    ("kind", "reason"), [("mamba", "recurrent"), ("gpt2", "place for every position"), ("bloom", "ALiBi")]
)
def test_a_kind_that_cannot_use_a_pot_is_refused_before_weights_are_read(
    kind: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        find(str(header(tmp_path / "small.GGUF", kind)))  # as some call theirs
