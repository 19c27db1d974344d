"""What is wrong with weight files that cannot be loaded, told from their first bytes. No torch.

The format: https://huggingface.co/docs/safetensors/index#format. A file begins with the length of a JSON header, which
gives the place of every tensor behind it.
"""

import json
from pathlib import Path

_LFS_POINTER = b"version https://git-lfs"
_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000  # as the safetensors library has it


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file only names another, which Git LFS has not fetched."""
    try:
        with path.open("rb") as file:
            return file.read(len(_LFS_POINTER)) == _LFS_POINTER
    except OSError:
        return False


def damage(folder: Path) -> str:
    """The first file of weights that is not whole and what is wrong with it, in a few words; empty if all are whole."""
    for path in sorted(folder.glob("*.safetensors")):
        if wrong := _wrong_with(path):
            return f"{path.name} {wrong}"
    return ""


def _wrong_with(path: Path) -> str:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(max(_LENGTH_BYTES, len(_LFS_POINTER)))
            if start.startswith(_LFS_POINTER):
                return "is a Git LFS pointer and not the weights it stands for"
            length = int.from_bytes(start[:_LENGTH_BYTES], "little")
            if size < _LENGTH_BYTES or length > _LONGEST_HEADER:
                return "is empty" if not size else "is no safetensors file"
            file.seek(_LENGTH_BYTES)
            header = file.read(length)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    wanted = _LENGTH_BYTES + length + (_data_bytes(header) if len(header) == length else 0)
    return f"is cut off after {size:,} of at least {wanted:,} bytes" if size < wanted else ""


def _data_bytes(header: bytes) -> int:
    """Bytes behind the header; 0 for one that makes no sense, which the library then names."""
    try:
        places = [entry["data_offsets"][1] for name, entry in json.loads(header).items() if name != "__metadata__"]
        return max(map(int, places), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return 0
