import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig

from infinipot_cli.bench.tiny_models import FAMILIES, Family, build
from infinipot_cli.errors import DeviceError, InfinipotError, ModelError, PotSizeError, UsageError
from infinipot_cli.model.device import is_exhausted
from infinipot_cli.model.files import describe
from infinipot_cli.model.footprint import footprint_of
from infinipot_cli.model.load import check_room, load, memory_guard, tokenizer_json
from infinipot_cli.model.port import port_of
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import Attention, Loading, PotRequest


@pytest.fixture
def model_copy(tiny_model: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_model, tmp_path / "copy")
    return tmp_path / "copy"


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_weights_are_loaded_as_they_were_saved(tiny_model: Path) -> None:
    loaded = load(describe("tiny", tiny_model))
    assert (loaded.name, loaded.dtype, loaded.model.training) == ("tiny", "fp32", False)
    saved = load_file(tiny_model / "model.safetensors")
    for name, weight in loaded.model.state_dict().items():
        if name in saved:
            assert torch.equal(weight.cpu(), saved[name])
    assert not any(weight.requires_grad for weight in loaded.model.parameters())


@pytest.mark.parametrize("family", [one for one in FAMILIES if one.sees is None], ids=lambda family: family.name)
def test_every_family_is_loaded_as_it_comes(family: Family, tmp_path: Path) -> None:
    """Some have no kernel for sdpa: then the attention that is left is taken, unless the user named one."""
    model = build(family)
    model.save_pretrained(tmp_path)
    loaded = load(describe("tiny", tmp_path)).model
    assert loaded.config._attn_implementation in ("sdpa", "eager")
    port_of(loaded)
    ids = torch.arange(9, 21)[None]
    with torch.no_grad():
        torch.testing.assert_close(loaded(ids).logits, model(ids).logits, atol=1e-4, rtol=1e-4)
    if not model._supports_sdpa:
        with pytest.raises(InfinipotError):
            load(describe("tiny", tmp_path), Loading(attention=Attention.SDPA))


def test_a_missing_weight_is_an_error_and_never_random(model_copy: Path) -> None:
    weights = load_file(model_copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, model_copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 weights are missing, model\.layers\.1\.mlp\.up_proj\.weight"):
        load(describe("x", model_copy))


def test_more_layers_than_the_configuration_has_are_an_error_and_not_left_out(model_copy: Path) -> None:
    edit(model_copy / "config.json", num_hidden_layers=1, layer_types=None)
    with pytest.raises(ModelError, match="its weights have 1 more layer than its config"):
        load(describe("x", model_copy))
    weights = load_file(model_copy / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "layers.1." not in name}
    save_file({**kept, "model.of_something_else": torch.zeros(1)}, model_copy / "model.safetensors", {"format": "pt"})
    assert load(describe("x", model_copy)).model.config.num_hidden_layers == 1


@pytest.mark.parametrize("size", [0, 7, 5000])
def test_cut_off_weights_are_one_clear_error(model_copy: Path, size: int) -> None:
    path = model_copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(describe("x", model_copy))


def test_weights_of_another_shape_are_refused(model_copy: Path) -> None:
    edit(model_copy / "config.json", intermediate_size=48)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(describe("x", model_copy))


def test_code_in_a_model_folder_never_runs(model_copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    (model_copy / "evil.py").write_text(f"open({str(sentinel)!r}, 'w')\nclass C: pass\n")
    edit(
        model_copy / "config.json",
        model_type="unheard_of",
        auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.C"},
    )
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(ModelError):
        load(describe("x", model_copy))
    assert not sentinel.exists()


def test_a_pickle_that_holds_more_than_weights_is_not_run(model_copy: Path, tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(sentinel), "w"))

    (model_copy / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": Evil()}, model_copy / "pytorch_model.bin", pickle_protocol=4)
    with warnings.catch_warnings(action="error"), pytest.raises(ModelError, match="hold more than weights"):
        load(describe("x", model_copy, allow_pickle=True))
    assert not sentinel.exists()


def test_what_is_wrong_with_a_tokenizer_is_one_error_and_no_log(
    model_copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in model_copy.glob("tokenizer*"):
        path.unlink()
    (model_copy / "tokenizer.model").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="no tokenizer"):
        tokenizer_json(describe("x", model_copy))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_a_kind_that_transformers_does_not_know_is_named(model_copy: Path) -> None:
    edit(model_copy / "config.json", model_type="unheard_of")
    with pytest.raises(
        ModelError, match=r"^x is of kind unheard_of, which transformers \d\S* does not know$"
    ) as caught:
        load(describe("x", model_copy))
    assert (caught.value.code, caught.value.hint) == ("unknown_kind", "a newer one may: pip install -U transformers")


def test_a_model_that_writes_no_text_is_refused(model_copy: Path) -> None:
    (model_copy / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(ModelError, match="not a language model"):
        load(describe("x", model_copy))


def test_a_tokenizer_is_converted_or_named_as_missing(tiny_model: Path, model_copy: Path) -> None:
    assert json.loads(tokenizer_json(describe("x", tiny_model)))["model"]["type"] == "BPE"
    for path in model_copy.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match="no tokenizer"):
        tokenizer_json(describe("x", model_copy))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_exhausted_memory_is_one_error(error: Exception) -> None:
    with pytest.raises(DeviceError, match="not enough memory to read"), memory_guard("read"):
        raise error


def test_words_of_ours_are_never_taken_for_exhausted_memory() -> None:
    assert not is_exhausted(ModelError("out of memory.gguf is no model"))


@pytest.mark.parametrize(
    "error",
    [ImportError("flash_attn_2_cuda.so: undefined symbol: _ZN3c105"), ValueError("no such kernel"), OSError("offline")],
)
def test_flash_attention_that_cannot_be_used_is_left_out_unless_it_was_named(
    error: Exception, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a flash-attn that was built for another torch, or a model that wants a kernel of the hub."""
    original, tried = AutoModelForCausalLM.from_pretrained, list[str]()

    def without_flash(*words: object, **options: object) -> object:
        tried.append(str(options["attn_implementation"]))
        if tried[-1] == "flash_attention_2":
            raise error
        return original(*words, **options)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", without_flash)
    monkeypatch.setattr("infinipot_cli.model.device._why_no_flash", lambda *_: "")
    assert load(describe("tiny", tiny_model)).attention == "sdpa"
    assert tried == ["flash_attention_2", "sdpa"]
    tried.clear()
    assert load(describe("tiny", tiny_model), with_masks=True).attention == "sdpa"
    assert tried == ["sdpa"]
    with pytest.raises(InfinipotError) as caught:
        load(describe("tiny", tiny_model), Loading(attention=Attention.FLASH))
    assert str(error) in caught.value.message
    if isinstance(error, ImportError):
        assert (caught.value.code, caught.value.hint) == ("no_flash_attention", "--attn sdpa")


def test_a_spread_model_has_the_memory_of_all_its_devices(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(describe("tiny", tiny_model))
    half = footprint_of(loaded.model.config.to_dict(), loaded.model.dtype.itemsize).bytes_of(10_000, 5_000) / 2
    monkeypatch.setattr("infinipot_cli.model.load.free_bytes", lambda _: half)
    with pytest.raises(DeviceError, match="are free"):
        check_room(loaded, 10_000, 5_000)
    loaded.model.hf_device_map = {"model": "cuda:0", "lm_head": "cuda:1"}
    check_room(loaded, 10_000, 5_000)


def test_a_pot_that_free_memory_does_not_hold_is_refused_with_the_one_that_fits(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(describe("tiny", tiny_model))
    assert check_room(loaded, 10_000, 5_000) is None, "this machine has room for a small one"
    one = footprint_of(loaded.model.config.to_dict(), loaded.model.dtype.itemsize)
    monkeypatch.setattr("infinipot_cli.model.load.free_bytes", lambda _: one.bytes_of(10_000, 5_000))
    check_room(loaded, 10_000, 5_000)
    wanted = r"a pot of 4000000 places takes [0-9.]+ GiB with tiny, and 0\.0 GiB are free on cpu"
    with pytest.raises(DeviceError, match=wanted) as caught:
        check_room(loaded, 4_000_000, 2_000_000)
    assert (caught.value.hint, caught.value.code) == ("-s 10000 fits", "out_of_memory")
    monkeypatch.setattr("infinipot_cli.model.load.free_bytes", lambda _: one.place)
    with pytest.raises(DeviceError) as caught:
        check_room(loaded, 100, 50)
    assert not caught.value.hint, "no pot fits"
    monkeypatch.setattr("infinipot_cli.model.load.free_bytes", lambda _: None)
    check_room(loaded, 4_000_000, 2_000_000)


def test_a_trained_context_that_only_the_loaded_model_knows_bounds_the_pot_all_the_same(
    model_copy: Path, story: Path
) -> None:
    """As with Gemma 3 on the hub, whose text part leaves out what transformers supposes."""
    config = json.loads((model_copy / "config.json").read_text())
    del config["max_position_embeddings"]
    (model_copy / "config.json").write_text(json.dumps(config))
    supposed = LlamaConfig().max_position_embeddings
    for capacity in (supposed + 1, supposed):
        session = Session(str(model_copy), PotRequest(capacity, 200, max_tokens=20))
        with session.prepare([str(story)], ask("Who?")) as reading:
            if capacity == supposed:
                assert any(reading.read())
                continue
            with pytest.raises(PotSizeError, match=f"larger than the {supposed} tokens that copy was") as caught:
                next(reading.read())
            assert caught.value.hint == f"-s {supposed} is the most for this model"


def test_other_failures_pass_the_memory_guard() -> None:
    with pytest.raises(RuntimeError, match="shape"), memory_guard("read"):
        raise RuntimeError("shape mismatch")


@pytest.mark.parametrize(
    ("left", "text", "reason"),
    [
        ((), None, "has no tokenizer that can be used here"),
        (
            ("tokenizer_config.json",),
            "version https://git-lfs.github.com/spec/v1\n",
            "the tokenizer of mute is damaged",
        ),
        (
            ("tokenizer_config.json",),  # the library's parser panics, which Python knows as no Exception
            '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "added_tokens": [],'
            ' "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}',
            "the tokenizer of mute is damaged",
        ),
    ],
)
def test_a_missing_tokenizer_is_told_from_a_damaged_one(
    tiny_model: Path, tmp_path: Path, left: tuple[str, ...], text: str | None, reason: str
) -> None:
    folder = tmp_path / "mute"
    shutil.copytree(tiny_model, folder)
    for path in folder.glob("tokenizer*"):
        if path.name not in left:
            path.unlink()
    if text is not None:
        (folder / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError, match=reason) as caught:
        Session(str(folder)).tokenizer  # noqa: B018
    assert caught.value.hint


def test_a_kernel_that_a_model_lacks_is_named_where_it_was_asked_for(tmp_path: Path) -> None:
    family = next(one for one in FAMILIES if one.model_type == "gpt_oss")
    build(family).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"^x has no kernel for --attn sdpa$") as caught:
        load(describe("x", tmp_path), Loading(attention=Attention.SDPA))
    assert "--attn eager" in caught.value.hint
    assert load(describe("x", tmp_path)).attention == "eager"


def test_weights_of_an_adapter_are_no_model_beside_a_configuration_either(model_copy: Path) -> None:
    (model_copy / "model.safetensors").rename(model_copy / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="holds an adapter"):
        describe("x", model_copy)
