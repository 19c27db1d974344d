"""Which model a pot belongs to, told from its files without loading it."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from infinipot_cli.errors import PotError
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.pots.header import Fingerprint

# Weight files up to this size are hashed whole; of larger ones the size, the header and samples all over the file.
_WHOLE = 64 * 2**20
_SAMPLE, _N_SAMPLES = 64 * 2**10, 64
_NOT_ROUNDED = "none"  # as `--quantize` calls it


def fingerprint(files: ModelFiles, tokenizer: str, dtype: str, quantization: str) -> Fingerprint:
    """The identity of a model as it is used.

    Args:
        files: the model.
        tokenizer: its tokenizer, in the JSON form.
        dtype: number format it computes in.
        quantization: what its weights are rounded to.
    """
    weights = hashlib.sha256()
    for path in files.weight_files:
        for part in _parts(path):
            weights.update(part)
    config = files.folder / "config.json"
    return Fingerprint(
        model=files.name,
        weights=weights.hexdigest(),
        config=_sha256(config.read_bytes() if config.is_file() and not files.gguf_file else b""),
        tokenizer=_sha256(tokenizer.encode()),
        template=_sha256((files.chat_template or "").encode()),
        dtype=dtype,
        quantization=quantization,
    )


def check_same(stored: Fingerprint, here: Fingerprint, name: str) -> None:
    """Refuse a pot that another model has filled.

    Raises:
        PotError: with what differs.
    """
    named = {
        "weights": "weights", "config": "configuration", "tokenizer": "tokenizer", "template": "chat template",
        "dtype": "number format", "quantization": "rounding",
    }  # fmt: skip
    different = [word for field, word in named.items() if getattr(stored, field) != getattr(here, field)]
    if different == ["weights"] and stored.model == here.model:
        raise PotError(
            f"pot {name} was read by {stored.model} with other weights than it has now",
            hint="read its documents again: infinipot pots show names them",
            code="foreign_pot",
        )
    if different:
        options = {"number format": "--dtype", "rounding": "--quantize"}
        wished = [options[word] for word in different if word in options]
        same = f"leave {' and '.join(wished)} out" if len(wished) == len(different) else f"-m {stored.model}"
        raise PotError(
            f"pot {name} was read by {_as_used(stored)}; it cannot be used with {_as_used(here)}: other"
            f" {', '.join(different)}",
            hint=f"{same}, or read the documents again",
            code="foreign_pot",
        )


def _as_used(model: Fingerprint) -> str:
    """A model with its number format, and what its weights are rounded to."""
    rounding = "" if model.quantization == _NOT_ROUNDED else f", rounded to {model.quantization}"
    return f"{model.model} ({model.dtype}{rounding})"


def _parts(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    yield f"{path.suffix}:{size}:".encode()
    with path.open("rb") as file:
        if size <= _WHOLE:
            while part := file.read(2**20):
                yield part
            return
        for number in range(_N_SAMPLES):
            file.seek((size - _SAMPLE) * number // (_N_SAMPLES - 1), os.SEEK_SET)
            yield file.read(_SAMPLE)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
