"""Where a model computes, in which numbers and with which attention: wishes against what this machine has."""

import importlib.util
import logging
import time
from pathlib import Path

import torch

from infinipot_cli.errors import DeviceError, InfinipotError, UsageError
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.settings import Attention, Dtype, Quantization

_DTYPES = {Dtype.FLOAT32: torch.float32, Dtype.BFLOAT16: torch.bfloat16, Dtype.FLOAT16: torch.float16}
# Part of a GPU's free memory that weights may take; the rest is for the pot and for what one pass computes.
_WEIGHT_SHARE = 0.85
_AMPERE = (8, 0)  # oldest compute capability that computes in bf16, and that flash-attn's kernels run on
# How allocators, drivers and libraries of kernels say that there is no memory left.
_NO_MEMORY = ("allocate memory", "out of memory", "ALLOC_FAILED")
# Bytes of a rounded weight, with its share of the scale of its block.
_ROUNDED = {Quantization.INT8: 1.0, Quantization.BNB_8BIT: 1.0, Quantization.BNB_4BIT: 0.5625}


def choose_device(wanted: str) -> torch.device:
    """The device that is meant.

    Apple's GPU is taken only when it is named: nothing here could be measured on one.

    Raises:
        DeviceError: it is not there.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = wanted.partition(":")
    if kind == "cuda":
        n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) >= n_devices:  # of 999 torch would make -25
            found = f"there are {n_devices}" if n_devices else "torch sees no CUDA device on this machine"
            raise DeviceError(f"--device {wanted} cannot be used: {found}", hint="--device cpu", code="no_device")
    device = torch.device(wanted)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("--device mps cannot be used: torch sees no Apple GPU", hint="--device cpu", code="no_device")
    return device


def is_exhausted(error: Exception) -> bool:
    """Whether an error says that memory ran out, which torch does in several ways."""
    if isinstance(error, InfinipotError):  # may quote anything
        return False
    is_named = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return is_named or any(words in str(error) for words in _NO_MEMORY)


def clock(device: torch.device) -> float:
    """Seconds of a clock that is read once all that was asked of a device is done; a GPU computes beside the program.

    It waits for a CUDA device, so it is nothing for single tokens.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def choose_dtype(wanted: Dtype, device: torch.device, stored: object) -> torch.dtype:
    """The number format to compute in.

    By default that of the checkpoint where the device computes in it, else fp32: a processor without instructions for
    bf16, or a GPU without units for it, is slower in it, and rounds for nothing. In fp16, which older GPUs are fast in,
    some models made for the range of bf16 overflow, so it is only taken where it is asked for.

    Args:
        wanted: what was asked for.
        device: where it is computed.
        stored: the checkpoint's own format by name, as its configuration gives it.
    """
    if wanted is not Dtype.AUTO:
        return _DTYPES[wanted]
    found = getattr(torch, str(stored).removeprefix("torch."), None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        found = torch.float32
    if device.type == "cpu" and not (found is torch.bfloat16 and torch.cpu._is_avx512_bf16_supported()):
        return torch.float32
    is_old = device.type == "cuda" and found is torch.bfloat16 and torch.cuda.get_device_capability(device) < _AMPERE
    return torch.float32 if is_old else found


def choose_attention(
    wanted: Attention, device: torch.device, dtype: torch.dtype, *, caps_scores: bool = False, with_masks: bool = False
) -> str:
    """The implementation of attention by transformers' name.

    Args:
        wanted: what was asked for.
        device: where it is computed.
        dtype: number format of queries and keys.
        caps_scores: the model squeezes attention scores, which sdpa cannot; some releases of transformers drop the cap
            without a word.
        with_masks: what is wanted needs one that takes masks, as flash-attn does not; what was named is taken anyway.

    Raises:
        DeviceError: flash-attn cannot run here.
        UsageError: this attention would change the model.
    """
    if wanted is Attention.AUTO:
        if caps_scores:
            return "eager"
        return "sdpa" if with_masks or _why_no_flash(device, dtype) else "flash_attention_2"
    if wanted is Attention.SDPA and caps_scores:
        raise UsageError("this model caps its attention scores, which sdpa cannot", hint="--attn eager")
    if wanted is Attention.FLASH:
        if reason := _why_no_flash(device, dtype):
            raise DeviceError(f"--attn flash cannot be used: {reason}", hint="--attn sdpa", code="no_flash_attention")
        return "flash_attention_2"
    return wanted.value


def _why_no_flash(device: torch.device, dtype: torch.dtype) -> str:
    if device.type != "cuda":
        return f"it needs a CUDA device, not {device.type}"
    if importlib.util.find_spec("flash_attn") is None:
        return "the package flash-attn is not installed (pip install 'infinipot[cuda]')"
    if torch.cuda.get_device_capability(device) < _AMPERE:
        return "the GPU is older than its kernels"
    if dtype not in (torch.float16, torch.bfloat16):
        return "it computes in float16 or bfloat16 only"
    return ""


def spread_over_devices(
    files: ModelFiles, device: torch.device, named: str, dtype: torch.dtype, quantize: Quantization = Quantization.NONE
) -> bool:
    """Whether the weights must be spread over all GPUs, because one has no room for them.

    Args:
        files: the model.
        device: the one chosen.
        named: what the user said; somebody who names `cuda:1` means that one alone.
        dtype: number format to compute in.
        quantize: what the weights are rounded to.

    Raises:
        UsageError: they must, and the package that does it is missing.
    """
    if device.type != "cuda" or ":" in named or torch.cuda.device_count() < 2:
        return False
    free = free_bytes(device)
    if free is None or _weight_bytes(files, dtype, quantize) <= _WEIGHT_SHARE * free:
        return False
    if importlib.util.find_spec("accelerate") is None:
        raise UsageError(
            f"{files.name} is larger than one GPU, and spreading it over several needs a package",
            hint="pip install accelerate",
            code="missing_package",
        )
    return True


def _weight_bytes(files: ModelFiles, dtype: torch.dtype, quantize: Quantization) -> float:
    """About what the weights take in memory: as many numbers as are stored, each in the format to compute in."""
    n_bytes = sum(path.stat().st_size for path in files.weight_files)
    stored = getattr(torch, files.dtype.removeprefix("torch."), None)
    if files.is_rounded or not isinstance(stored, torch.dtype):  # stays as it is
        return n_bytes
    return n_bytes / stored.itemsize * _ROUNDED.get(quantize, dtype.itemsize)


def model_devices(model: torch.nn.Module, device: torch.device) -> set[torch.device]:
    """The devices on which a model computes, of which `device` is the first.

    What lies on the CPU or the disk beside GPUs comes to one of these when its turn is there.
    """
    places = set((getattr(model, "hf_device_map", None) or {}).values()) - {"cpu", "disk"}
    placed = {torch.device("cuda", place) if isinstance(place, int) else torch.device(place) for place in places}
    return placed - {torch.device("cpu")} or {device}


def free_bytes(device: torch.device) -> int | None:
    """Memory that is free on a device, with what torch holds for itself unused; None where the system does not say."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if device.type == "cpu" else []
    except (OSError, ValueError):
        return None
    available = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return next((int(kibibytes) * 1024 for kibibytes in available), None)


def quantization(wanted: Quantization, dtype: torch.dtype) -> object | None:
    """Transformers' own configuration for rounding weights, None for none.

    Args:
        wanted: what was asked for.
        dtype: number format to compute in.

    Raises:
        UsageError: the package that does it is missing.
    """
    if wanted is Quantization.NONE:
        return None
    package, extra = ("optimum.quanto", "int8") if wanted is Quantization.INT8 else ("bitsandbytes", "bnb")
    try:
        present = all(importlib.util.find_spec(name) is not None for name in (package, "accelerate"))
    except ModuleNotFoundError:  # the package that holds it
        present = False
    if not present:
        raise UsageError(
            f"--quantize {wanted.value} needs packages that are not installed",
            hint=f"pip install 'infinipot[{extra}]'",
            code="missing_package",
        )
    from transformers import BitsAndBytesConfig, QuantoConfig

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it reports every conversion
    if wanted is Quantization.INT8:
        return QuantoConfig(weights="int8")
    if wanted is Quantization.BNB_4BIT:
        return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=dtype)
    return BitsAndBytesConfig(load_in_8bit=True)


def check_rounded(model: torch.nn.Module, name: str) -> None:
    """Refuse layers that bitsandbytes rounds to 4 bits on a CPU and then cannot compute with.

    Args:
        model: loaded, its weights rounded or not.
        name: of the model, for the message.

    Raises:
        DeviceError: a layer's width is no multiple of the block that shares one scale.
    """
    for place, layer in model.named_modules():
        weight = getattr(layer, "weight", None)
        state = getattr(weight, "quant_state", None)
        if type(layer).__name__ != "Linear4bit" or state is None or weight is None or weight.device.type != "cpu":
            continue
        if layer.in_features % state.blocksize:
            raise DeviceError(
                f"{name} cannot be rounded to 4 bits on a CPU: {place} is {layer.in_features} wide, and only multiples"
                f" of {state.blocksize} can",
                hint="--quantize bnb-8bit or int8",
                code="no_kernel",
            )
