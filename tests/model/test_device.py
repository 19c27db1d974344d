"""Wishes about device, numbers and attention against what a machine has."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from infinipot_cli.bench.tiny_models import FAMILIES, build, random_ids
from infinipot_cli.engine import generate, read
from infinipot_cli.errors import DeviceError, ModelError, UsageError
from infinipot_cli.model import device as device_module
from infinipot_cli.model.catalog import find
from infinipot_cli.model.device import (
    check_rounded,
    choose_attention,
    choose_device,
    choose_dtype,
    clock,
    free_bytes,
    model_devices,
    quantization,
    spread_over_devices,
)
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.model.load import load
from infinipot_cli.settings import Attention, Dtype, Loading, Quantization

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cpu:0", "", "tpu", "cuda:01", "cuda:1000"])
def test_devices_that_do_not_exist_are_mistakes(name: str) -> None:
    with pytest.raises(UsageError, match="no device"):
        Loading(device=name)


@pytest.mark.parametrize("name", ["cuda", "cuda:3", "cuda:999"])
def test_a_missing_gpu_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(DeviceError, match=name):
        choose_device(name)


def test_a_gpu_beyond_the_last_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1").index == 1
    for name in ("cuda:2", "cuda:999"):
        with pytest.raises(DeviceError, match=f"{name} cannot be used: there are 2"):
            choose_device(name)


def test_a_processor_without_bf16_computes_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    for supported, wanted in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda answer=supported: answer)
        assert choose_dtype(Dtype.AUTO, CPU, "bfloat16") is wanted
    assert choose_dtype(Dtype.AUTO, CPU, "float16") is torch.float32
    assert choose_dtype(Dtype.AUTO, CPU, "") is torch.float32
    assert choose_dtype(Dtype.AUTO, torch.device("cuda"), "float16") is torch.float16
    assert choose_dtype(Dtype.FLOAT16, CPU, "float32") is torch.float16


def test_a_gpu_without_bf16_computes_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    for capability, wanted in (((8, 0), torch.bfloat16), ((7, 5), torch.float32)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, found=capability: found)
        assert choose_dtype(Dtype.AUTO, gpu, "bfloat16") is wanted
        assert choose_dtype(Dtype.AUTO, gpu, "float16") is torch.float16
        assert choose_dtype(Dtype.BFLOAT16, gpu, "bfloat16") is torch.bfloat16


def test_attention_that_would_change_the_model_is_refused() -> None:
    assert choose_attention(Attention.AUTO, CPU, torch.float32, caps_scores=False) == "sdpa"
    assert choose_attention(Attention.AUTO, CPU, torch.float32, caps_scores=True) == "eager"
    assert choose_attention(Attention.EAGER, CPU, torch.float32, caps_scores=False) == "eager"
    with pytest.raises(UsageError, match="caps its attention scores"):
        choose_attention(Attention.SDPA, CPU, torch.float32, caps_scores=True)
    with pytest.raises(DeviceError, match="needs a CUDA device"):
        choose_attention(Attention.FLASH, CPU, torch.float32, caps_scores=False)


def test_flash_is_taken_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 6))
    monkeypatch.setattr(device_module.importlib.util, "find_spec", lambda _: object())
    assert choose_attention(Attention.AUTO, gpu, torch.bfloat16, caps_scores=False) == "flash_attention_2"
    assert choose_attention(Attention.AUTO, gpu, torch.float32, caps_scores=False) == "sdpa"
    assert choose_attention(Attention.AUTO, gpu, torch.bfloat16, with_masks=True) == "sdpa"
    assert choose_attention(Attention.FLASH, gpu, torch.bfloat16, with_masks=True) == "flash_attention_2"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    with pytest.raises(DeviceError, match="older"):
        choose_attention(Attention.FLASH, gpu, torch.bfloat16, caps_scores=False)


def test_weights_larger_than_one_gpu_are_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x" * 1000)
    files = ModelFiles("x", tmp_path, None, frozenset(), {}, None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1100, 2000))
    gpu, half = torch.device("cuda"), torch.bfloat16
    assert spread_over_devices(files, gpu, "auto", half)
    assert not spread_over_devices(files, torch.device("cuda:1"), "cuda:1", half)
    assert not spread_over_devices(files, CPU, "auto", half)
    with monkeypatch.context() as without:
        without.setattr(device_module.importlib.util, "find_spec", lambda _: None)
        with pytest.raises(UsageError, match="larger than one GPU") as caught:
            spread_over_devices(files, gpu, "auto", half)
        assert "accelerate" in caught.value.hint
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1300, 2000))
    assert not spread_over_devices(files, gpu, "auto", half)


@pytest.mark.parametrize(
    ("dtype", "quantize", "n_bytes"),
    [
        (torch.bfloat16, Quantization.NONE, 1000),
        (torch.float32, Quantization.NONE, 2000),
        (torch.bfloat16, Quantization.BNB_8BIT, 500),
        (torch.float32, Quantization.INT8, 500),
        (torch.bfloat16, Quantization.BNB_4BIT, 285),
    ],
)
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_weights_are_spread_by_what_they_take_in_memory(
    name: str, dtype: torch.dtype, quantize: Quantization, n_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"x" * 1000)
    files = ModelFiles("x", tmp_path, None, frozenset(), {}, None, dtype="bfloat16")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for free, wanted in ((n_bytes, True), (n_bytes * 1.3, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, free))
        assert spread_over_devices(files, torch.device("cuda"), "auto", dtype, quantize) == wanted
    rounded = replace(files, is_rounded=True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 1000))
    assert spread_over_devices(rounded, torch.device("cuda"), "auto", dtype, quantize), "they stay as they are stored"


def test_what_torch_holds_unused_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 300)
    assert free_bytes(torch.device("cuda")) == 300


def test_the_devices_of_a_spread_model_are_those_that_compute() -> None:
    model, gpus = torch.nn.Linear(2, 2), {torch.device("cuda:0"), torch.device("cuda:1")}
    assert model_devices(model, CPU) == {CPU}
    model.hf_device_map = {"a": 0, "b": "cuda:1", "c": "cpu", "d": "disk"}
    assert model_devices(model, torch.device("cuda:0")) == gpus
    model.hf_device_map = {"a": "cpu", "b": "disk"}
    assert model_devices(model, CPU) == {CPU}


def test_the_clock_waits_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    clock(CPU)
    assert not waited
    assert clock(torch.device("cuda:1")) <= clock(CPU)
    assert waited == [torch.device("cuda:1")]


@pytest.mark.parametrize("name", ["Llama", "Gemma 3", "GPT-NeoX"])
def test_a_model_of_which_part_lies_elsewhere_keeps_and_answers_the_same(name: str, tmp_path: Path) -> None:
    """Accelerate brings the weights of a layer when its turn comes, here from disk."""
    model = build(next(family for family in FAMILIES if family.name == name))
    model.save_pretrained(tmp_path)
    body = model.base_model_prefix
    parts = [part for part, _ in model.named_children() if part != body]
    parts += [f"{body}.{part}" for part, _ in model.base_model.named_children() if part != "layers"]
    places = dict.fromkeys(parts, "cpu") | {f"{body}.layers.{n}": "disk" if n == 1 else "cpu" for n in range(3)}
    spread = AutoModelForCausalLM.from_pretrained(
        tmp_path, device_map=places, offload_folder=tmp_path / "elsewhere", dtype=torch.float32
    ).eval()
    assert {parameter.device.type for parameter in spread.parameters()} == {"cpu", "meta"}

    def answered(which: PreTrainedModel) -> tuple[list[Tensor], list[int]]:
        pot = read(which, random_ids(90, 2), catalyst_ids=[2, 3], prefix_ids=[5], capacity=40, budget=20, record=True)
        return pot.kept_history, [step.token_id for step in generate(which, pot, [4, 5, 6], max_new_tokens=50)]

    kept, tokens = answered(model)
    kept_spread, tokens_spread = answered(spread)
    assert len(kept) == len(kept_spread) > 3
    assert all(torch.equal(one, other) for one, other in zip(kept, kept_spread, strict=True))
    assert tokens == tokens_spread


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quantization(Quantization.NONE, torch.float32) is None
    monkeypatch.setattr(device_module.importlib.util, "find_spec", lambda _: None)
    for wanted, extra in ((Quantization.INT8, "int8"), (Quantization.BNB_4BIT, "bnb")):
        with pytest.raises(UsageError, match="not installed") as caught:
            quantization(wanted, torch.float32)
        assert f"infinipot[{extra}]" in caught.value.hint


class Linear4bit(torch.nn.Linear):
    """As bitsandbytes leaves a layer: what matters of it here."""

    def __init__(self, width: int) -> None:
        super().__init__(width, 8)
        self.weight.quant_state = SimpleNamespace(blocksize=64)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("width", "works"), [(128, True), (64, True), (32, False), (96, False)])
def test_layers_that_cannot_be_rounded_to_4_bits_on_a_cpu_are_named(width: int, works: bool) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(7, width), Linear4bit(width))
    if works:
        check_rounded(model, "tiny")
        return
    with pytest.raises(DeviceError, match=f"tiny cannot be rounded.* 1 is {width} wide"):
        check_rounded(model, "tiny")


@pytest.mark.parametrize("dtype", [Dtype.FLOAT32, Dtype.BFLOAT16, Dtype.FLOAT16])
def test_weights_come_in_the_format_asked_for(tiny_model: Path, dtype: Dtype) -> None:
    loaded = load(find(str(tiny_model)), Loading(dtype=dtype, attention=Attention.EAGER))
    assert {weight.dtype for weight in loaded.model.parameters()} == {getattr(torch, dtype.value)}
    assert loaded.attention == "eager"


def test_pickled_weights_are_read_only_when_asked(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    reference = load(find(str(tiny_model)))
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tiny_model / name).read_bytes())
    torch.save(reference.model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="may run code") as caught:
        find(str(folder))
    assert "--allow-pickle" in caught.value.hint
    trusting = Loading(allow_pickle=True)
    loaded = load(find(str(folder), trusting), trusting)
    ids = torch.arange(6, 20)[None]
    assert torch.equal(loaded.model(ids).logits, reference.model(ids).logits)
