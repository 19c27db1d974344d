"""One pot, one safetensors file: written whole or not at all, and trusted only after every byte was checked.

safetensors itself checks no content. The metadata therefore holds a SHA-256 over the whole file, taken with 64 zeros in
the place of its own digits; changing, cutting or lengthening the file anywhere breaks it. Nothing is unpickled and
nothing is interpreted before the sum is right.
"""

import contextlib
import hashlib
import os
import secrets
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from infinipot_cli.errors import OutputError, PotError
from infinipot_cli.pots.header import Header, from_json, strict_json

if TYPE_CHECKING:  # listing pots must not wait for torch
    from infinipot_cli.engine import PotState

SUFFIX = ".pot"
_OLD_PART = 3600  # seconds
_NO_SUM = "0" * 64
_MARK = b'"sha256":"'
_LARGEST_HEADER = 64 * 2**20
_BLOCK = 2**20


def write(path: Path, header: Header, state: "PotState") -> int:
    """Store a pot; returns its size in bytes.

    The bytes go to a file of their own beside the target, reach the disk, and only then take its name: whatever
    happens, the old or the new pot is there.

    Raises:
        OutputError: it cannot be written.
    """
    from safetensors.torch import save

    path = Path(os.path.realpath(path))  # a link stays, and what it leads to is renewed
    raw = bytearray(save(state.tensors, metadata={"infinipot": header.to_json(), "sha256": _NO_SUM}))
    at = _sum_place(bytes(raw[: 8 + struct.unpack("<Q", raw[:8])[0]]))
    raw[at : at + 64] = hashlib.sha256(raw).hexdigest().encode()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, path.name)
        with _only_ours(temporary) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(raw)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OutputError(
            f"the pot cannot be written to {path}: {error.strerror or error}", code="output_failed"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return len(raw)


def sweep(folder: Path, name: str = f"*{SUFFIX}") -> None:
    """Delete what savings that were killed have left of pots of this name; one that is under way is younger."""
    for part in folder.glob(f".{name}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _OLD_PART:
                part.unlink()


def read_header(path: Path, name: str) -> Header:
    """What a pot says about itself, its tensors unread and unchecked: enough for a list.

    Raises:
        PotError: it is no pot, or a damaged one.
    """
    return _header_of(_head(path, name), name)


def read(path: Path, name: str) -> tuple[Header, "PotState"]:
    """A pot, once all of it has been checked.

    Raises:
        PotError: it is missing, cut off, altered, or no pot at all.
    """
    head = _head(path, name)
    header = _header_of(head, name)
    before = _identity(path)
    _check_sum(path, head, name)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from infinipot_cli.engine import PotState

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise PotError(f"pot {name} is damaged", hint=_AGAIN, code="damaged_pot") from error
    if _identity(path) != before:  # else what was checked and what was loaded could be two files
        raise PotError(f"pot {name} was written anew while it was read", hint="ask again", code="damaged_pot")
    return header, PotState(header.numbers, tensors)


def _identity(path: Path) -> tuple[int, ...]:
    """What differs once a file is replaced or of another size; that its use is noted does not count."""
    try:
        state = path.stat()
    except OSError:
        return ()
    return state.st_dev, state.st_ino, state.st_size


_AGAIN = "read its documents again, or fetch the file again in full"


def _head(path: Path, name: str) -> bytes:
    """The length and the JSON in front of the tensors."""
    if path.is_fifo() or path.is_socket() or path.is_char_device():  # reading it could wait for ever
        raise PotError(f"{name} is no pot: it is not an ordinary file", code="damaged_pot")
    try:
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(_LARGEST_HEADER, path.stat().st_size - 8):
                raise PotError(f"{name} is no pot, or a damaged one", hint=_AGAIN, code="damaged_pot")
            return start + file.read(length)
    except FileNotFoundError as error:
        raise PotError(f"there is no pot {name}", hint="infinipot pots list", code="no_pot") from error
    except OSError as error:
        raise PotError(f"pot {name} cannot be read: {error.strerror or error}", code="damaged_pot") from error


def _header_of(head: bytes, name: str) -> Header:
    try:
        metadata = strict_json(head[8:])["__metadata__"]
        text = metadata["infinipot"]
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PotError(f"{name} is no pot, or a damaged one", hint=_AGAIN, code="damaged_pot") from error
    return from_json(text, name)


def _sum_place(head: bytes) -> int:
    """Where the digits of the sum stand; its key is plain JSON, which the header's own quotes are never."""
    return head.find(_MARK) + len(_MARK) if head.count(_MARK) == 1 else -1


def _check_sum(path: Path, head: bytes, name: str) -> None:
    at = _sum_place(head)
    if at < 0 or at + 64 > len(head):
        raise PotError(f"pot {name} is damaged: it has no sum to check", hint=_AGAIN, code="damaged_pot")
    digest = hashlib.sha256(head[:at] + _NO_SUM.encode() + head[at + 64 :])
    with path.open("rb") as file:
        file.seek(len(head))
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest().encode() != head[at : at + 64]:
        raise PotError(f"pot {name} is damaged: it was cut off or altered", hint=_AGAIN, code="damaged_pot")


@contextlib.contextmanager
def _only_ours(path: Path) -> Iterator[int]:
    """A new file that nobody else may read: a pot holds what its documents say."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Bring the new name itself to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
