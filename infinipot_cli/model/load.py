"""Load a described model through transformers: from this machine only; by default safetensors only and no foreign code.

This is the edge that calls transformers' loaders on files that anyone may have written, so every exception of theirs
becomes a `ModelError` here, with the cause attached.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from infinipot_cli.errors import (
    DeviceError,
    InfinipotError,
    ModelError,
    PotSizeError,
    UnsupportedModelError,
    UsageError,
    is_foreign_failure,
)
from infinipot_cli.model import embedded
from infinipot_cli.model.device import (
    check_rounded,
    choose_attention,
    choose_device,
    choose_dtype,
    free_bytes,
    is_exhausted,
    model_devices,
    quantization,
    spread_over_devices,
)
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.model.footprint import footprint_of
from infinipot_cli.model.gguf import without_bars
from infinipot_cli.model.kinds import WANTED
from infinipot_cli.model.text_part import text_part, whole_class
from infinipot_cli.model.weights import damage, is_safe
from infinipot_cli.settings import SMALLEST_POT, Attention, Loading
from infinipot_cli.startup.late_shapes import bring_in

# What transformers says of a configuration, and of a class of models and an implementation of attention.
_UNKNOWN_KIND = re.compile(r"model type `([^`]+)` but Transformers does not recognize")
_UNREAD_GGUF = re.compile(r"not supported yet|Cannot build a tokenizer|Unrecognized model identifier")
_LACKS_KERNEL = re.compile(r"does not support (?:an attention implementation|flash attention)", re.IGNORECASE)

_LAYER = re.compile(r"^(?:(?:model|language_model|text_model|transformer|decoder)\.)*layers\.(\d+)\.self_attn\.")


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to read.

    Attributes:
        model: the transformers model in evaluation mode.
        name: what the user calls it.
        device: where it computes, such as `cpu` or `cuda`.
        dtype: number format of its weights, such as `fp32`.
        attention: implementation of attention, by transformers' name.
        quantization: what the weights were rounded to, `none` for nothing.
        context_length: longest trained context in tokens, where the files did not say it; None where they did.
    """

    model: Any
    name: str
    device: str
    dtype: str
    attention: str = "sdpa"
    quantization: str = "none"
    context_length: int | None = None


_SHORT = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16", torch.float64: "fp64"}


def load(files: ModelFiles, loading: Loading | None = None, *, with_masks: bool = False) -> LoadedModel:
    """Load the weights.

    Args:
        files: the model.
        loading: device, number format, attention, rounding.
        with_masks: of the attentions that may be chosen here, one that takes masks is wanted.

    Raises:
        ModelError: transformers does not know the model, its files are damaged, or it wants to run its own code.
        DeviceError: memory ran out, or what was asked for is not on this machine.
        UsageError: what was asked for needs a package, or would change the model.
    """
    _be_quiet()
    loading = loading or Loading()
    device = choose_device(loading.device)
    if device.type != "cpu":
        bring_in()
    dtype = choose_dtype(loading.dtype, device, files.dtype)
    rounding = quantization(loading.quantize, dtype)
    spread = spread_over_devices(files, device, loading.device, dtype, loading.quantize)
    is_embedded = embedded.is_embedded(files.folder)
    choose = partial(choose_attention, loading.attention, device, dtype, with_masks=with_masks or is_embedded)
    try:
        model: Any = None
        missing, unexpected = set[str](), set[str]()
        if is_embedded and rounding is None and not spread:
            model = embedded.build(files.folder, dtype, choose())
        if model is None:
            with warnings.catch_warnings(action="ignore"):  # of formats that torch reads all the same
                model, missing, unexpected = _from_pretrained(
                    files, loading, choose, device, dtype, rounding, spread=spread
                )
        if files.text_only:
            model = text_part(model.eval(), files.name)
        if not spread and rounding is None:
            model = model.to(device)
        model = model.eval().requires_grad_(False)
        check_rounded(model, files.name)
    except InfinipotError:
        raise
    except Exception as error:  # foreign loaders on foreign files: anything may come
        raise _translated(error, files) from error
    if missing:  # transformers fills them with random numbers and says so only in its log
        raise ModelError(
            f"{files.name} is damaged: {len(missing)} weights are missing, {min(missing)} first",
            hint="fetch the model again in full",
            code="damaged_model",
        )
    text = model.config.get_text_config(decoder=True)
    if n_more := _layers_beyond(unexpected, text):
        layers = "layer" if n_more == 1 else "layers"
        raise ModelError(
            f"{files.name} is damaged: its weights have {n_more} more {layers} than its config.json says",
            hint="weights and configuration are of two models: fetch both again from one place",
            code="damaged_model",
        )
    return LoadedModel(
        model,
        files.name,
        str(device),
        _SHORT.get(dtype, str(dtype).removeprefix("torch.")),
        str(model.config._attn_implementation),
        loading.quantize.value,
        None if files.context_length else getattr(text, "max_position_embeddings", None),
    )


def _be_quiet() -> None:
    """What is wrong is an exception as well, and that is told in one line."""
    transformers.logging.set_verbosity(logging.CRITICAL)
    transformers.logging.disable_progress_bar()


def accelerator() -> str:
    """What torch can compute on here."""
    if torch.cuda.is_available():
        return f"cuda: {torch.cuda.get_device_name(0)}"
    return f"none, the CPU is used (threads: {torch.get_num_threads()})"


def tokenizer_json(files: ModelFiles) -> str:
    """Convert a tokenizer that comes in another form to the JSON of the tokenizers library.

    Raises:
        ModelError: the folder holds no tokenizer that can be converted.
    """
    _be_quiet()
    try:
        more = {"gguf_file": files.gguf_path} if files.gguf_file else {}
        tokenizer = AutoTokenizer.from_pretrained(
            files.folder, trust_remote_code=files.trust_remote_code, local_files_only=True, **more
        )
        return str(tokenizer.backend_tokenizer.to_str())
    except BaseException as error:  # foreign loaders on foreign files: anything may come
        if not is_foreign_failure(error):
            raise
        if unread := _unread_gguf(error, files):
            raise unread from error
        raise ModelError(
            f"{files.name} has no tokenizer that can be used here",
            hint="a tokenizer.json is wanted",
            code="no_tokenizer",
        ) from error


def check_trained(loaded: LoadedModel, capacity: int) -> None:
    """Refuse a pot that is larger than the trained context, where that is known of the loaded model alone.

    Raises:
        PotSizeError: it is.
    """
    longest = loaded.context_length
    if longest is not None and capacity > longest:
        raise PotSizeError(
            f"a pot of {capacity} places is larger than the {longest} tokens that {loaded.name} was trained for",
            hint=f"-s {longest} is the most for this model",
        )


def check_room(loaded: LoadedModel, capacity: int, budget: int) -> None:
    """Refuse a pot that the free memory does not hold, before anything is read into it.

    Raises:
        DeviceError: it does not.
    """
    model = loaded.model
    frees = [free_bytes(place) for place in model_devices(model, model.device)]
    known = [free for free in frees if free is not None]
    free = sum(known) if len(known) == len(frees) else None
    try:
        config = model.config.get_text_config(decoder=True).to_dict()
        takes = footprint_of(config, model.dtype.itemsize)
    except (KeyError, TypeError, ValueError, ArithmeticError):  # what it takes will be seen when it is filled
        return
    if free is None or takes.bytes_of(capacity, budget) <= free:
        return
    fits = takes.capacity_of(free)
    raise DeviceError(
        f"a pot of {capacity} places takes {takes.bytes_of(capacity, budget) / 2**30:.1f} GiB with {loaded.name},"
        f" and {free / 2**30:.1f} GiB are free on {loaded.device}",
        hint=f"-s {fits} fits" if fits >= SMALLEST_POT else "",
        code="out_of_memory",
    )


@contextmanager
def memory_guard(what: str) -> Iterator[None]:
    """Turn exhausted memory, which torch reports in several ways, into one error.

    Args:
        what: the thing that was being done, as in "not enough memory to …".

    Raises:
        DeviceError: memory ran out inside the block.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_exhausted(error):
            raise
        raise DeviceError(
            f"there is not enough memory to {what}", hint="a smaller pot needs less: -s", code="out_of_memory"
        ) from error


def _from_pretrained(
    files: ModelFiles, loading: Loading, choose: Callable[..., str], device: torch.device, dtype: torch.dtype,
    rounding: object, *, spread: bool,
) -> tuple[Any, set[str], set[str]]:  # fmt: skip
    """Any model, and the names of the weights that its files lack, and of those that it has no place for."""
    bring_in()  # models are built on the device without memory
    source: dict[str, Any] = {"trust_remote_code": files.trust_remote_code, "local_files_only": True}
    if files.gguf_file:
        source["gguf_file"] = files.gguf_path
        without_bars()
    config = AutoConfig.from_pretrained(files.folder, **source)
    text = config.get_text_config(decoder=True)
    caps = bool(getattr(text, "attn_logit_softcapping", None))
    more: dict[str, Any] = {}
    if stored := rounding or (_unpacked() if files.gguf_file else None):
        more["quantization_config"] = stored
    if spread or rounding:
        more["device_map"] = "auto" if spread else {"": str(device)}
    if not files.gguf_file:
        more["use_safetensors"] = not files.allow_pickle or any(map(is_safe, files.weight_files))
    chosen = choose(caps_scores=caps)
    kind: Any = (whole_class(config) if files.text_only else None) or AutoModelForCausalLM
    others = ["sdpa", "eager"] if loading.attention is Attention.AUTO else []
    for attention in dict.fromkeys([chosen, *others]):
        try:
            loaded: Any = kind.from_pretrained(
                files.folder,
                config=config,
                dtype=dtype,
                attn_implementation=attention,
                output_loading_info=True,
                **source,
                **more,
            )
            break
        except (ValueError, ImportError, OSError) as error:
            # some have no kernel for it, as those whose attention has sinks; and a flash-attn that is installed may be
            # built for another torch, of another generation, or not the one that a model wants
            lacks_kernel, is_flash = bool(_LACKS_KERNEL.search(str(error))), attention == "flash_attention_2"
            if attention == "eager" or not (lacks_kernel or is_flash):
                raise
            if others:  # a failure that has nothing to do with attention comes again
                continue
            if lacks_kernel:
                raise UsageError(
                    f"{files.name} has no kernel for --attn {loading.attention.value}",
                    hint="--attn eager, or leave --attn out",
                ) from error
            if not isinstance(error, ImportError):
                raise
            raise DeviceError(
                f"--attn flash cannot be used: {_reason(error)}", hint="--attn sdpa", code="no_flash_attention"
            ) from error
    model, report = loaded
    return model, set(report["missing_keys"]), set(report["unexpected_keys"])


def _unpacked() -> object | None:
    """What tells newer releases of transformers to unpack a GGUF file; older ones always do."""
    made = getattr(transformers, "GgufConfig", None)
    return None if made is None else made(dequantize=True)


def _layers_beyond(names: set[str], config: Any) -> int:
    """How many layers of a decoder are among weights that it has no place for; those that draft tokens do not count."""
    if getattr(config, "num_nextn_predict_layers", None):
        return 0
    numbers = {int(found[1]) for name in names if (found := _LAYER.search(name))}
    return sum(number >= int(config.num_hidden_layers) for number in numbers)


def _unread_gguf(error: BaseException, files: ModelFiles) -> ModelError | None:
    """The error of a whole GGUF file of a kind, or in a format, that transformers cannot read; None for others."""
    if not files.gguf_file or not _UNREAD_GGUF.search(str(error)):
        return None
    return ModelError(
        f"{files.name} cannot be read by transformers {transformers.__version__}: {_reason(error)}",
        hint="a newer one may: pip install -U transformers; or take the model in its folder of safetensors",
        code="unknown_kind",
    )


def _reason(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _translated(error: Exception, files: ModelFiles) -> InfinipotError:
    reason = _reason(error)
    if is_exhausted(error):
        return DeviceError(
            f"there is not enough memory to load {files.name}",
            hint="smaller numbers need less: --dtype float16, or --quantize",
            code="out_of_memory",
        )
    if unread := _unread_gguf(error, files):
        return unread
    if not files.gguf_file and (wrong := damage(files.folder)):
        hint = "git lfs pull in its folder" if "LFS" in wrong else "fetch the model again in full"
        return ModelError(f"{files.name} cannot be loaded: {wrong}", hint=hint, code="damaged_model")
    if "Weights only load failed" in str(error):
        return ModelError(
            f"{files.name} cannot be loaded: its pickled files hold more than weights, which might run code",
            hint="fetch its *.safetensors files; of pickled ones only those that hold nothing but weights are read",
            code="damaged_model",
        )
    if "trust_remote_code" in str(error):
        return ModelError(
            f"{files.name} needs code from its own folder to run, which infinipot does not do unasked",
            hint="if you trust where it comes from: --trust-remote-code",
            code="remote_code",
        )
    if "does not support an attention implementation" in str(error):
        return UnsupportedModelError(
            f"{files.name} cannot use a pot: its attention does not run through transformers' interface", hint=WANTED
        )
    if isinstance(error, ValueError) and "Unrecognized configuration class" in reason:
        return ModelError(f"{files.name} is not a language model that writes text", code="not_a_language_model")
    if unknown := _UNKNOWN_KIND.search(reason):
        return ModelError(
            f"{files.name} is of kind {unknown[1]}, which transformers {transformers.__version__} does not know",
            hint="a newer one may: pip install -U transformers",
            code="unknown_kind",
        )
    if isinstance(error, ImportError):
        return ModelError(f"{files.name} cannot be loaded: {reason}", code="missing_package")
    if "ignore_mismatched_sizes" in str(error):
        reason = "its weights have other shapes than its config.json says"
    elif isinstance(error, KeyError):
        reason = f"its config.json says {reason}, which transformers does not know"
    return ModelError(
        f"{files.name} cannot be loaded: {reason}", hint="fetch the model again in full", code="damaged_model"
    )
