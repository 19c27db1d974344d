"""Bytes of a file, a pipe or a device, 64 KiB at a time; looking at the first ones consumes nothing."""

import io
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from infinipot_cli.errors import DocumentError

READ_BYTES = 64 * 1024
SPOOL_LIMIT_BYTES = 1 << 30
STDIN_NAME = "standard input"


class Source:
    """An open byte stream.

    Args:
        name: how messages call it.
        stream: the bytes; closed with the source if `owned`.
        owned: whether we opened the stream ourselves.
        inner: the source that the stream unpacks; its size and its progress are this one's.

    Attributes:
        state: size in bytes and time of the last change, in nanoseconds, of a regular file when it was opened.
        n_bytes: size, where it is known beforehand.
        warnings: what the user should know about the bytes, one line each; the document shows them.
    """

    def __init__(
        self, name: str, stream: BinaryIO | io.RawIOBase, *, owned: bool, inner: "Source | None" = None
    ) -> None:
        self.name = name
        self.state: tuple[int, int] | None = inner.state if inner else _state_of(stream)
        own_bytes = self.state[0] if self.state else None
        self.n_bytes: int | None = inner.n_bytes if inner else own_bytes
        self.warnings: list[str] = inner.warnings if inner else []
        self._inner = inner
        self._n_taken = 0
        self._stream = stream
        self._owned = owned
        self._spool: BinaryIO | None = None
        self._seen = b""

    def peek(self, n_bytes: int) -> bytes:
        """The first `n_bytes` of what is still unread, or all of it when there is less; waits for them."""
        parts = [self._seen]
        missing = n_bytes - len(self._seen)
        while missing > 0 and (data := self._read_some(max(missing, READ_BYTES))):
            parts.append(data)
            missing -= len(data)
        self._seen = b"".join(parts)
        return self._seen[:n_bytes]

    def read(self) -> bytes:
        """Up to 64 KiB, as soon as there is anything; empty at the end."""
        if self._seen:
            data, self._seen = self._seen[:READ_BYTES], self._seen[READ_BYTES:]
        else:
            data = self._read_some(READ_BYTES)
        self._n_taken += len(data)
        return data

    def share(self) -> float | None:
        """Share of the source handed out so far, 0 to 1; None when its size is unknown."""
        if self._inner is not None:
            return self._inner.share()
        return None if self.n_bytes is None else min(self._n_taken / self.n_bytes, 1.0)

    def seekable(self) -> BinaryIO:
        """The whole source from its start as a file that can seek; a pipe is spooled to a private file.

        The spool has no name, is readable by nobody else, and is gone when the source is closed.

        Raises:
            DocumentError: a pipe brings more than the spool may hold, or the spool cannot be written.
        """
        if self._spool is not None:
            return self._spool
        if self._owned and self._inner is None and self.n_bytes is not None:
            self._stream.seek(0)
            return cast(BinaryIO, self._stream)
        try:
            self._spool = tempfile.TemporaryFile(prefix="infinipot-")  # noqa: SIM115  (closed in close)
        except OSError as error:  # no folder for such files can be written
            raise self._unspooled(error) from error
        n_spooled = 0
        while data := self.read():
            n_spooled += len(data)
            if n_spooled > SPOOL_LIMIT_BYTES:
                limit = f"{SPOOL_LIMIT_BYTES / (1 << 30):.3g} GiB"
                raise DocumentError(
                    f"{self.name} brings a document of more than {limit}",
                    hint="save it to a file and name the file instead",
                    code="too_large",
                )
            self._write_spool(data)
        self.n_bytes = n_spooled
        self._spool.seek(0)
        return self._spool

    def close(self) -> None:
        """Close what we opened; closing twice is harmless."""
        if self._spool is not None:
            self._spool.close()
        if self._owned:
            self._stream.close()

    def _read_some(self, n_bytes: int) -> bytes:
        # read1 gives what a pipe holds now; plain read would wait for the full amount
        read = getattr(self._stream, "read1", self._stream.read)
        try:
            data: bytes | None = read(n_bytes)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed under us
            raise DocumentError(f"cannot read {self.name}: {_reason(error)}", code="read_error") from error
        return data or b""

    def _write_spool(self, data: bytes) -> None:
        assert self._spool is not None
        try:
            self._spool.write(data)
        except OSError as error:
            raise self._unspooled(error) from error

    def _unspooled(self, error: OSError) -> DocumentError:
        return DocumentError(
            f"cannot keep the document from {self.name} on disk: {_reason(error)}",
            hint="set TMPDIR to a folder with room that can be written, or save it to a file",
            code="read_error",
        )


# Where whoever reads waits for more.
WAITS_IN = Source._read_some.__code__


def open_source(source: str, stdin: BinaryIO | None = None) -> Source:
    """Open a path, or standard input for "-".

    Raises:
        DocumentError: missing, a folder, not permitted, or otherwise not to be opened.
    """
    if source == "-":
        return Source(STDIN_NAME, stdin or _standard_input(), owned=False)
    if not source:
        hint = "is a variable of the shell not set?"
        raise DocumentError("the name of the document is empty", hint=hint, code="not_found")
    try:
        if Path(source).is_dir():
            raise DocumentError(
                f"{source} is a folder, not a document",
                hint="name the files in it that should be read",
                code="is_a_folder",
            )
        return Source(source, Path(source).open("rb"), owned=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DocumentError(f"{source} does not exist", hint=near_miss(source), code="not_found") from error
    except PermissionError as error:
        raise DocumentError(
            f"{source} cannot be read: permission denied",
            hint="check who may read it, e.g. ls -l",
            code="no_permission",
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise DocumentError(f"{source} cannot be opened: {_reason(error)}", code="read_error") from error


def _standard_input() -> BinaryIO:
    # None when the shell closed it (<&-); an object without a buffer when someone replaced it
    buffer: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if buffer is None or buffer.closed:
        raise DocumentError("standard input is closed", hint="pipe a document in, or name a file", code="stdin_closed")
    return buffer


def _state_of(stream: BinaryIO | io.RawIOBase) -> tuple[int, int] | None:
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):  # not backed by a file descriptor
        return None
    # proc files say 0 although they have content
    is_known = stat.S_ISREG(status.st_mode) and status.st_size > 0
    return (status.st_size, status.st_mtime_ns) if is_known else None


def near_miss(source: str) -> str:
    """What to try where a document does not exist: the file beside it whose name is most like it."""
    if "://" in source:
        return "infinipot does not fetch addresses; download the document first"
    from difflib import get_close_matches

    folder, name = os.path.split(source)
    try:
        beside = [other for other in os.listdir(folder or ".") if not other.startswith(".")]
    except (OSError, ValueError):
        beside = []
    if os.path.islink(source):
        return "it is a link to something that is not there"
    for other in get_close_matches(name, beside, n=1, cutoff=0.7):
        return f"did you mean {os.path.join(folder, other)}?"
    return "check the path, and quote it if it has spaces"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
