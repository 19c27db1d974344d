"""A model in one GGUF file, described from its own header; transformers turns the weights back into plain numbers.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Reading it needs the `gguf` package, an extra.
"""

import importlib.util
import re
from functools import partial
from pathlib import Path
from typing import Any

from infinipot_cli.errors import ModelError, UsageError
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.model.kinds import check_kind

SUFFIX = ".gguf"
# What the package says of numbers and of a format that came after it.
_NEWER = re.compile(r"is not a valid GGMLQuantizationType|appears to be version \d+ which")


def describe_gguf(path: Path) -> ModelFiles:
    """Read what a GGUF file says about itself.

    Raises:
        UsageError: a package that reads it is missing.
        ModelError: the file is damaged, or lacks what is needed.
    """
    if any(importlib.util.find_spec(package) is None for package in ("gguf", "accelerate")):
        raise UsageError(
            f"{path.name} needs the packages gguf and accelerate",
            hint="pip install 'infinipot[gguf]'",
            code="missing_package",
        )
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        fields: dict[str, Any] = {name: field.contents() for name, field in reader.fields.items()}
    except Exception as error:  # a foreign parser on a foreign file: anything may come
        if _NEWER.search(str(error)):
            raise ModelError(
                f"{path.name} cannot be read by the package gguf that is installed: {error}",
                hint="a newer one may: pip install -U gguf",
                code="unknown_kind",
            ) from error
        raise ModelError(
            f"{path} is damaged or no GGUF file", hint="fetch the file again in full", code="damaged_model"
        ) from error
    if isinstance(n_parts := fields.get("split.count"), int) and n_parts > 1:
        raise _part_of_several(path, n_parts)
    architecture = fields.get("general.architecture")
    check_kind(path.stem, {"model_type": architecture})  # llama.cpp mostly calls kinds as transformers does
    context = fields.get(f"{architecture}.context_length")
    tokens = fields.get("tokenizer.ggml.tokens") or []
    named = {name: fields.get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "unknown", "padding")}
    special = {
        f"{ {'unknown': 'unk', 'padding': 'pad'}.get(name, name) }_token": str(tokens[number])
        for name, number in named.items()
        if isinstance(number, int) and number < len(tokens)
    }
    stops = {fields.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")}
    return ModelFiles(
        name=path.stem,
        folder=path.parent,
        context_length=context if isinstance(context, int) and context > 0 else None,
        stop_ids=frozenset(number for number in stops if isinstance(number, int)),
        special_tokens=special,
        chat_template=fields.get("tokenizer.chat_template"),
        gguf_file=path.name,
    )


def _part_of_several(path: Path, n_parts: int) -> ModelError:
    first = re.sub(r"-\d+(-of-\d+)", r"-00001\1", path.name)
    whole = re.sub(r"-\d+-of-\d+", "", path.name)
    return ModelError(
        f"{path.name} is one of {n_parts} parts of a model, and only whole ones can be read",
        hint=f"merge them: llama-gguf-split --merge {first} {whole}",
        code="incomplete_model",
    )


def without_bars() -> None:
    """Have transformers draw no bar while it turns weights back: it would draw it in a pipe, and under -q."""
    from transformers import modeling_gguf_pytorch_utils as loader

    vars(loader)["tqdm"] = partial(vars(loader)["tqdm"], disable=True)
