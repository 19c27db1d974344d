"""What is wrong with weight files that cannot be loaded, told from their first bytes. No torch.

The format: https://huggingface.co/docs/safetensors/index#format. A file begins with the length of a JSON header, which
gives the place of every tensor behind it.
"""

import json
from pathlib import Path

OTHER_FORMAT = "consolidated*"  # Mistral's own, which holds all weights once more
_SAFE = ".safetensors"
_LFS_POINTER = b"version https://git-lfs"
_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000  # as the safetensors library has it


def weight_files(folder: Path) -> list[Path]:
    """The files of weights that transformers reads, by name: safetensors, or pickled ones where there are none."""
    safe = [path for path in folder.glob(f"*{_SAFE}") if not path.match(OTHER_FORMAT)]
    return sorted(safe or folder.glob("*.bin"))


def is_safe(path: Path) -> bool:
    """Whether weights are in a format that cannot run code."""
    return path.suffix == _SAFE


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file only names another, which Git LFS has not fetched."""
    try:
        with path.open("rb") as file:
            return file.read(len(_LFS_POINTER)) == _LFS_POINTER
    except OSError:
        return False


def damage(folder: Path) -> str:
    """The first file of weights that is not whole and what is wrong with it, in a few words; empty if all are whole."""
    for path in weight_files(folder):
        if wrong := _wrong_with(path):
            return f"{path.name} {wrong}"
    return ""


def _wrong_with(path: Path) -> str:
    if is_lfs_pointer(path):
        return "is a Git LFS pointer and not the weights it stands for"
    if not is_safe(path):  # torch says what it finds
        return ""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if size < _LENGTH_BYTES or length > _LONGEST_HEADER:
                return "is empty" if not size else "is no safetensors file"
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
