"""One pot, one safetensors file: written whole or not at all, and trusted only after every byte was checked.

safetensors itself checks no content. The metadata therefore holds a SHA-256 over the whole file, taken with 64 zeros in
the place of its own digits; changing, cutting or lengthening the file anywhere breaks it. Nothing is unpickled and
nothing but the header is interpreted before the sum is right. A file is read once: what was summed is what is used,
whoever puts another in its place meanwhile.
"""

import contextlib
import hashlib
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from infinipot_cli.errors import OutputError, PotError
from infinipot_cli.pots import strict
from infinipot_cli.pots.header import Header, from_json
from infinipot_cli.pots.replacing import put

if TYPE_CHECKING:  # listing pots must not wait for torch
    from infinipot_cli.engine import PotState

_NO_SUM = "0" * 64
_MARK = b'"sha256":"'
_LARGEST_HEADER = 64 * 2**20


def write(path: Path, header: Header, state: "PotState") -> int:
    """Store a pot; returns its size in bytes.

    Whatever happens, the old or the new pot is there. Where the path is a link, what it leads to is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    from safetensors.torch import save

    raw = bytearray(save(state.tensors, metadata={"infinipot": header.to_json(), "sha256": _NO_SUM}))
    at = _sum_place(bytes(raw[: 8 + struct.unpack("<Q", raw[:8])[0]]))
    raw[at : at + 64] = hashlib.sha256(raw).hexdigest().encode()
    try:
        put(path, raw)
    except OSError as error:
        raise OutputError(
            f"the pot cannot be written to {path}: {error.strerror or error}", code="output_failed"
        ) from error
    return len(raw)


def read_header(path: Path, name: str) -> Header:
    """What a pot says about itself, its tensors unread and nothing of them checked but their size: enough for a list.

    Raises:
        PotError: it is no pot, or one that shows to be damaged.
    """
    with _opened(path, name) as file:
        size = _size(file)
        head = _head(file, name, size)
    content = _content_of(head, name)
    header = _header_of(content, name)
    if len(head) + _n_data_bytes(content) != size:
        raise PotError(f"pot {name} is damaged: it was cut off or altered", hint=_AGAIN, code="damaged_pot")
    return header


def read_all(path: Path, name: str) -> tuple[Header, bytes]:
    """A pot's header, and the bytes of the whole file once their sum was checked.

    Raises:
        PotError: it is missing, cut off, altered, or no pot at all.
    """
    with _opened(path, name) as file:
        return read_stream(file, name, _size(file))


def read_stream(stream: IO[bytes], name: str, size: int | None = None) -> tuple[Header, bytes]:
    """The same from an open stream, which may be a pipe; of what is no pot only the beginning is read.

    Args:
        stream: at its start.
        name: what the user calls it.
        size: of all of it in bytes, where that is known.

    Raises:
        PotError: it is cut off, altered, or no pot at all.
    """
    head = _head(stream, name, size)
    header = _header_of(_content_of(head, name), name)
    data = head + stream.read()
    _check_sum(data, len(head), name)
    return header, data


def check_structure(data: bytes, name: str) -> None:
    """Refuse a file whose tensors do not lie in it as its header says; without torch.

    Raises:
        PotError: they do not.
    """
    from safetensors import SafetensorError, deserialize

    try:
        deserialize(data)  # type: ignore[no-untyped-call, unused-ignore]
    except (SafetensorError, ValueError) as error:
        raise PotError(f"pot {name} is damaged", hint=_AGAIN, code="damaged_pot") from error


def read(path: Path, name: str) -> tuple[Header, "PotState"]:
    """A pot, once all of it has been checked that can be without its model.

    Raises:
        PotError: it is missing, cut off, altered, or no pot at all.
    """
    header, data = read_all(path, name)
    return header, state_of(header, data, name)


def state_of(header: Header, data: bytes, name: str) -> "PotState":
    """What stands in a pot's file, whose sum was checked.

    Raises:
        PotError: it is no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    from infinipot_cli.engine import PotState

    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, AssertionError) as error:
        raise PotError(f"pot {name} is damaged", hint=_AGAIN, code="damaged_pot") from error
    return PotState(header.numbers, tensors)


_AGAIN = "read its documents again, or fetch the file again in full"


@contextlib.contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    """An ordinary file, open; anything else could be waited for without end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PotError(f"{name} is no pot: it is not an ordinary file", code="damaged_pot")
            yield file
    except FileNotFoundError as error:
        raise PotError(f"there is no pot {name}", hint="infinipot pots list", code="no_pot") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PotError(f"pot {name} cannot be read: {reason}", code="damaged_pot") from error


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _head(file: IO[bytes], name: str, size: int | None) -> bytes:
    """The length and the JSON in front of the tensors."""
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= length <= _LARGEST_HEADER or (size is not None and length > size - 8):
        raise PotError(f"{name} is no pot, or a damaged one", hint=_AGAIN, code="damaged_pot")
    return start + file.read(length)


def _content_of(head: bytes, name: str) -> dict[str, Any]:
    """The JSON in front of the tensors."""
    try:
        content = strict.loads(head[8:])
        if isinstance(content, dict):
            return content
        raise TypeError
    except (ValueError, TypeError, RecursionError) as error:
        raise PotError(f"{name} is no pot, or a damaged one", hint=_AGAIN, code="damaged_pot") from error


def _header_of(content: dict[str, Any], name: str) -> Header:
    try:
        metadata = content["__metadata__"]
        text = metadata["infinipot"]
        if not isinstance(text, str) or metadata.keys() != {"infinipot", "sha256"}:
            raise TypeError
    except (KeyError, TypeError, AttributeError) as error:
        raise PotError(f"{name} is no pot, or a damaged one", hint=_AGAIN, code="damaged_pot") from error
    return from_json(text, name)


def _n_data_bytes(content: dict[str, Any]) -> int:
    """Bytes that the tensors take; -1 where their places make no sense."""
    try:
        return max(
            (int(place["data_offsets"][1]) for key, place in content.items() if key != "__metadata__"), default=0
        )
    except (ValueError, KeyError, TypeError, IndexError, OverflowError):
        return -1


def _sum_place(head: bytes) -> int:
    """Where the digits of the sum stand; its key is plain JSON, which the header's own quotes are never."""
    return head.find(_MARK) + len(_MARK) if head.count(_MARK) == 1 else -1


def _check_sum(data: bytes, n_head: int, name: str) -> None:
    at = _sum_place(data[:n_head])
    if at < 0 or at + 64 > n_head:
        raise PotError(f"pot {name} is damaged: it has no sum to check", hint=_AGAIN, code="damaged_pot")
    digest = hashlib.sha256(data[:at] + _NO_SUM.encode())
    digest.update(memoryview(data)[at + 64 :])
    if digest.hexdigest().encode() != data[at : at + 64]:
        raise PotError(f"pot {name} is damaged: it was cut off or altered", hint=_AGAIN, code="damaged_pot")
