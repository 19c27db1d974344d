"""Bring the embedded model into memory without transformers' loader.

That loader knows the stored forms of every model there is, and builds each on torch's device without memory, for which
torch imports sympy: a quarter of a second of every command, for a model whose form is known. Whatever is not as
expected here is left to that loader, which can say what is wrong.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from infinipot_cli.model.catalog import POCKET_FOLDER

_WEIGHTS = "model.safetensors"


def is_embedded(folder: Path) -> bool:
    """Whether a model's folder is that of the embedded model."""
    return folder == POCKET_FOLDER


def build(folder: Path, dtype: torch.dtype, attention: str) -> LlamaForCausalLM | None:
    """Build the model with its weights on the CPU; None where that needs transformers' own loader.

    Args:
        folder: of the embedded model.
        dtype: number format of the weights.
        attention: implementation of attention, by transformers' name.
    """
    try:
        config = LlamaConfig.from_pretrained(folder, local_files_only=True, dtype=dtype, attn_implementation=attention)
        config.name_or_path = str(folder)
        with _without_numbers(dtype):
            model = LlamaForCausalLM(config)
        weights = {name: weight.to(dtype) for name, weight in load_file(folder / _WEIGHTS).items()}
        missing, unexpected = model.load_state_dict(weights, strict=False, assign=True)
        model.tie_weights()
    except Exception:  # of another version, or damaged: the loader for everything says it
        return None
    is_tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    return None if unexpected or missing != ["lm_head.weight"] or not is_tied else model


@contextmanager
def _without_numbers(dtype: torch.dtype) -> Iterator[None]:
    """Modules that are made inside are in this number format, and their weights hold no numbers yet."""
    from transformers.initialization import no_init_weights

    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with no_init_weights():
            yield
    finally:
        torch.set_default_dtype(before)
