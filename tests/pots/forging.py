"""Stored pots with changes that their sum goes along with: what only somebody who means it can make."""

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

Change = Callable[[dict[str, Any], dict[str, Tensor]], object]


def sealed(head: bytes, body: bytes) -> bytes:
    """A file of this header and these tensors, with the sum that it must have."""
    raw = bytearray(struct.pack("<Q", len(head)) + head + body)
    at = raw.index(b'"sha256":"') + len(b'"sha256":"')
    raw[at : at + 64] = b"0" * 64
    raw[at : at + 64] = hashlib.sha256(raw).hexdigest().encode()
    return bytes(raw)


def taken_apart(data: bytes) -> tuple[bytes, bytes]:
    """Header and tensors of a file."""
    n_head = 8 + struct.unpack("<Q", data[:8])[0]
    return data[8:n_head], data[n_head:]


def forged(path: Path, target: Path, change: Change) -> None:
    """Write a pot again with its header or tensors changed, and a right sum."""
    data = path.read_bytes()
    content = json.loads(json.loads(taken_apart(data)[0])["__metadata__"]["infinipot"])
    tensors = load(data)
    change(content, tensors)
    text = json.dumps(content, separators=(",", ":"))
    target.write_bytes(sealed(*taken_apart(save(tensors, metadata={"infinipot": text, "sha256": "0" * 64}))))


def reheaded(path: Path, target: Path, change: Callable[[bytes], bytes]) -> None:
    """Write a pot again with the bytes of its header changed, and a right sum."""
    head, body = taken_apart(path.read_bytes())
    target.write_bytes(sealed(change(head), body))
