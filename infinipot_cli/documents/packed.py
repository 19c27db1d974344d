"""Compressed sources unpacked as they are read: gzip, bzip2, xz and zstd, never more than a piece at a time."""

import bz2
import io
import lzma
import re
import sys
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from infinipot_cli.documents.source import READ_BYTES, Source
from infinipot_cli.errors import DocumentError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# What lies far beyond the worst log: text seldom packs to less than a fiftieth.
BOMB_BYTES = 100 << 20
BOMB_RATIO = 250
_XZ_MEMORY_BYTES = 128 << 20  # its largest preset asks for half of it

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
# A frame of zstd that holds something for others.
_SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def compression(head: bytes) -> str | None:
    """How a source is compressed, told from its first bytes; None if it is not."""
    if head.startswith(b"BZh") and head[4:10] != b"1AY&SY":  # words may begin with these letters
        return None
    if _SKIPPED.match(head):
        return "zstd"
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), None)


def unpacked(packed: Source, how: str) -> Source:
    """The source behind a compressed one; closing it closes both.

    Args:
        packed: compressed bytes, at their start.
        how: as `compression` names it.

    Raises:
        DocumentError: the reader for it is not installed.
    """
    return Source(packed.name, _UnpackedStream(packed, how), owned=True, inner=packed)


def check_bomb(name: str, n_packed: int, n_unpacked: int) -> None:
    """Refuse data that grow beyond all proportion.

    Raises:
        DocumentError: more than 100 MiB have come out, and more than 250 times what went in.
    """
    if n_unpacked > BOMB_BYTES and n_unpacked > BOMB_RATIO * n_packed:
        raise DocumentError(
            f"{name} unpacks to more than {BOMB_RATIO} times its size, as no document does",
            hint="if you trust it, unpack it yourself and pipe it in",
            code="decompression_bomb",
        )


class _UnpackedStream(io.RawIOBase):
    """The unpacked bytes; several members one behind the other are one stream, as for the tools themselves."""

    def __init__(self, packed: Source, how: str) -> None:
        self._packed = packed
        self._how = how
        self._make = _maker(packed.name, how)
        self._decompressor: _Decompressor | None = None
        self._input = b""
        self._n_in = self._n_out = 0
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self.read1(len(view))
        view[: len(data)] = data
        return len(data)

    def read1(self, n_bytes: int = READ_BYTES) -> bytes:
        """Up to so many bytes, as soon as there are any."""
        while not self._is_over:
            try:
                data = self._step(n_bytes)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                self._damaged(error)
                break
            except Exception as error:  # zstd's own class lives in a package that may be missing
                if type(error).__name__ != "ZstdError":
                    raise
                self._damaged(error)
                break
            if data:
                self._n_out += len(data)
                check_bomb(self._packed.name, self._n_in, self._n_out)
                return data
        return b""

    def close(self) -> None:
        self._packed.close()
        super().close()

    def _step(self, n_bytes: int) -> bytes:
        """One call of the decompressor, fed as it needs; empty where another step may bring more."""
        if self._decompressor is None:
            self._begin_member()
            if self._decompressor is None:
                return b""
        if self._decompressor.needs_input and not self._input:
            self._input = self._more()
            if not self._input:
                self._is_over = True
                self._packed.warnings.append(f"{self._packed.name} is cut off: its {self._how} data end too early")
                return b""
        data = self._decompressor.decompress(self._input, n_bytes)
        self._input = b""
        if self._decompressor.eof:
            self._input, self._decompressor = self._decompressor.unused_data, None
        return data

    def _begin_member(self) -> None:
        while True:
            while len(self._input) < 10 and (data := self._more()):
                self._input = (self._input + data).lstrip(b"\x00")  # tapes and xz pad with zeros
            self._input = self._input.lstrip(b"\x00")
            if self._how != "zstd" or not _SKIPPED.match(self._input):
                break
            self._skip(8 + int.from_bytes(self._input[4:8], "little"))
        if any(self._input.startswith(magic) for magic, how in MAGIC.items() if how == self._how):
            self._decompressor = self._make()
        else:  # the end, or something behind it that the tools ignore as well
            self._is_over = True

    def _skip(self, n_bytes: int) -> None:
        while len(self._input) < n_bytes and (data := self._more()):
            n_bytes, self._input = n_bytes - len(self._input), data
        self._input = self._input[n_bytes:]

    def _more(self) -> bytes:
        data = self._packed.read()
        self._n_in += len(data)
        return data

    def _damaged(self, error: Exception) -> None:
        self._is_over = True
        if isinstance(error, lzma.LZMAError) and "limit" in str(error).lower():
            raise DocumentError(
                f"{self._packed.name} needs more than {_XZ_MEMORY_BYTES >> 20} MiB to unpack", code="too_large"
            ) from error
        if not self._n_out:
            raise DocumentError(
                f"{self._packed.name} is damaged: its {self._how} data cannot be unpacked",
                hint="is the download complete?",
                code="damaged_archive",
            ) from error
        self._packed.warnings.append(
            f"{self._packed.name} is damaged: its {self._how} data end after {self._n_out:,} bytes"
        )


class _Gzip:
    """zlib's decompressor with the manners of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._tail = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._tail and not self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        out = self._inner.decompress(self._tail + data, max_length)
        self._tail = self._inner.unconsumed_tail
        return out


def _maker(name: str, how: str) -> Callable[[], _Decompressor]:
    match how:
        case "gzip":
            return _Gzip
        case "bzip2":
            return bz2.BZ2Decompressor
        case "xz":
            return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError as error:
        raise missing_extra(name, "zstd data") from error
    return zstd.ZstdDecompressor


def missing_extra(name: str, what: str) -> DocumentError:
    """The refusal of a format whose reader is not installed."""
    return DocumentError(
        f"{name} holds {what}, and the reader for it is not installed",
        hint="pip install 'infinipot[docs]'",
        code="missing_extra",
    )
