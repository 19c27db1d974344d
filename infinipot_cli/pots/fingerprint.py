"""Which model a pot belongs to, told from its files without loading it."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from infinipot_cli.errors import ModelError, PotError
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.pots.header import Fingerprint, Header

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

    Raises:
        ModelError: a file of it cannot be read.
    """
    weights = hashlib.sha256()
    for path in files.weight_files:
        with _readable(path):
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


def check_same(header: Header, here: Fingerprint, name: str, *, place: str) -> None:
    """Refuse a pot that another model has filled.

    Args:
        header: of the pot.
        here: the model that it shall be used with.
        name: of the pot.
        place: what `-m` must be to find that model, as `Header.model` says it.

    Raises:
        PotError: with what differs.
    """
    stored = header.fingerprint
    named = {
        "weights": "weights", "config": "configuration", "tokenizer": "tokenizer", "template": "chat template",
        "dtype": "number format", "quantization": "rounding",
    }  # fmt: skip
    different = [word for field, word in named.items() if getattr(stored, field) != getattr(here, field)]
    if not different:
        return
    options = {"number format": "--dtype", "rounding": "--quantize"}
    wished = [options[word] for word in different if word in options]
    if header.model == place and not wished:
        raise PotError(
            f"pot {name} was read by {stored.model} with other {', '.join(different)} than it has now",
            hint="read its documents again: infinipot pots show names them",
            code="foreign_pot",
        )
    then, now = stored.model, here.model
    if then == now and header.model != place:
        then, now = header.model, place
    same = f"leave {' and '.join(wished)} out" if len(wished) == len(different) else f"-m {quote(header.model)}"
    raise PotError(
        f"pot {name} was read by {_as_used(stored, then)}; it cannot be used with {_as_used(here, now)}: other"
        f" {', '.join(different)}",
        hint=f"{same}, or read the documents again",
        code="foreign_pot",
    )


def _as_used(model: Fingerprint, called: str) -> str:
    """A model with its number format, and what its weights are rounded to."""
    rounding = "" if model.quantization == _NOT_ROUNDED else f", rounded to {model.quantization}"
    return f"{called} ({model.dtype}{rounding})"


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say of a file of weights that it cannot be read."""
    try:
        yield
    except OSError as error:
        is_gone = isinstance(error, FileNotFoundError)
        raise ModelError(
            f"{path} cannot be read: {error.strerror or error}",
            hint="fetch the model again in full" if is_gone else "check who may read it, and that its disk is well",
            code="damaged_model",
        ) from error


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
