"""Load a described model through transformers: from this machine only, weights from safetensors only, no foreign code.

This is the edge that calls transformers' loaders on files that anyone may have written, so every exception of theirs
becomes a `ModelError` here, with the cause attached.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from infinipot_cli.errors import DeviceError, InfinipotError, ModelError
from infinipot_cli.model.files import ModelFiles


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to read.

    Attributes:
        model: the transformers model in evaluation mode.
        name: what the user calls it.
        device: where it computes, such as `cpu` or `cuda`.
        dtype: number format of its weights, such as `fp32`.
    """

    model: Any
    name: str
    device: str
    dtype: str


_SHORT = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16", torch.float64: "fp64"}


def load(files: ModelFiles) -> LoadedModel:
    """Load the weights; full precision on a CPU, the checkpoint's own on a GPU.

    Raises:
        ModelError: transformers does not know the model, its files are damaged, or it wants to run its own code.
        DeviceError: memory ran out.
    """
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model, report = _from_pretrained(files, "auto" if device == "cuda" else torch.float32)
        model = model.to(device).eval().requires_grad_(False)
    except Exception as error:  # foreign loaders on foreign files: anything may come
        raise _translated(error, files) from error
    missing = sorted(report["missing_keys"])
    if missing:  # transformers fills them with random numbers and says so only in its log
        raise ModelError(
            f"{files.name} is damaged: {len(missing)} weights are missing, {missing[0]} first", code="damaged_model"
        )
    return LoadedModel(model, files.name, device, _SHORT.get(model.dtype, str(model.dtype).removeprefix("torch.")))


def accelerator() -> str:
    """What torch can compute on here."""
    if torch.cuda.is_available():
        return f"cuda: {torch.cuda.get_device_name(0)}"
    return f"none, the CPU is used ({torch.get_num_threads()} threads)"


def tokenizer_json(files: ModelFiles) -> str:
    """Convert a tokenizer that comes in another form to the JSON of the tokenizers library.

    Raises:
        ModelError: the folder holds no tokenizer that can be converted.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(files.folder, trust_remote_code=False, local_files_only=True)
        return str(tokenizer.backend_tokenizer.to_str())
    except Exception as error:  # foreign loaders on foreign files: anything may come
        raise ModelError(
            f"{files.name} has no tokenizer that can be used here",
            hint="a tokenizer.json is wanted",
            code="no_tokenizer",
        ) from error


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
        if not _is_exhausted(error):
            raise
        raise DeviceError(
            f"there is not enough memory to {what}", hint="a smaller pot needs less: -s", code="out_of_memory"
        ) from error


def _is_exhausted(error: Exception) -> bool:
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)


def _from_pretrained(files: ModelFiles, dtype: "torch.dtype | str") -> Any:
    config = AutoConfig.from_pretrained(files.folder, trust_remote_code=False, local_files_only=True)
    text = config.get_text_config(decoder=True)
    # sdpa cannot cap attention scores; some releases of transformers drop the cap without a word
    attention = "eager" if getattr(text, "attn_logit_softcapping", None) else None
    return AutoModelForCausalLM.from_pretrained(
        files.folder,
        config=config,
        dtype=dtype,
        attn_implementation=attention,
        trust_remote_code=False,
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
    )


def _translated(error: Exception, files: ModelFiles) -> InfinipotError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    if _is_exhausted(error):
        return DeviceError(f"there is not enough memory to load {files.name}", code="out_of_memory")
    if "trust_remote_code" in str(error):
        return ModelError(
            f"{files.name} needs code from its own folder to run; infinipot runs none", code="remote_code"
        )
    if isinstance(error, ValueError) and "Unrecognized configuration class" in reason:
        return ModelError(f"{files.name} is not a language model that writes text", code="not_a_language_model")
    return ModelError(f"{files.name} cannot be loaded: {reason}", code="damaged_model")
