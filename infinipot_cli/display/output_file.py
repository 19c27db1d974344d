"""The file of `-o`: the whole new text, or what stood there before."""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from infinipot_cli.endings import Terminated
from infinipot_cli.errors import OutputError, UsageError
from infinipot_cli.places import making

_HINTS = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "name a file in a folder that you may write to"),
    errno.ENOTDIR: "a file stands where a folder is wanted; name another",
    errno.ENAMETOOLONG: "name it more shortly",
    errno.ENOSPC: "make room on the disk, or name a file on another",
}
_MOST_NAME = 100  # bytes of a name that are repeated in that of the file beside it


@contextlib.contextmanager
def output_file(path: str, *, by_line: bool = False) -> Iterator[TextIO]:
    """Open a file that takes its name only when the block ends.

    A folder or disk that takes no file is found out before the work begins.

    Args:
        path: where the text shall stand, always UTF-8.
        by_line: every line stands by itself, so those written before an interruption are kept.

    Raises:
        OutputError: the file cannot be made or written.
    """
    target, handle, temporary = _begun(path)
    stream = os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n")
    try:
        try:
            yield stream
        except (KeyboardInterrupt, Terminated, Exception) as error:
            # an error that ends the run after whole lines were written must not take them along
            if by_line and not isinstance(error, OutputError) and stream.tell():
                _commit(stream, temporary, target, path)
            raise
        _commit(stream, temporary, target, path)
    finally:
        with contextlib.suppress(OSError, ValueError):
            stream.close()
        temporary.unlink(missing_ok=True)


def check_named(path: str, option: str) -> None:
    """Refuse what names no file.

    Raises:
        UsageError: nothing, or what stands for a stream.
    """
    if path.strip() in ("", "-"):
        raise UsageError(f"{option} {path!r} is no file", hint="name a file to write")


def check_apart(output: str | None, inputs: Iterable[str], option: str) -> None:
    """Refuse to write over what is read.

    Raises:
        UsageError: the file to write is one of these, by whatever path.
    """
    for path in inputs if output is not None and os.path.exists(output) else ():
        with contextlib.suppress(OSError, ValueError):
            if os.path.samefile(str(output), path):
                raise UsageError(f"{option} {output} would write over what is read", hint="name another file to write")


def check_different(outputs: Mapping[str, str | None]) -> None:
    """Refuse two outputs in one file.

    Args:
        outputs: paths by the option that names them; None for what is not wanted.

    Raises:
        UsageError: two of them are the same file.
    """
    taken: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        with contextlib.suppress(ValueError):  # a zero byte in the name, which is said elsewhere
            place = os.path.realpath(path)
            if place in taken:
                raise UsageError(f"{taken[place]} and {option} both name {path}", hint="name two files")
            taken[place] = option


def check_output(path: str) -> None:
    """Find out before the work begins whether a file can be made, for one that is written when all is done.

    Raises:
        OutputError: it cannot.
    """
    _, handle, temporary = _begun(path)
    os.close(handle)
    temporary.unlink(missing_ok=True)


def _begun(path: str) -> tuple[Path, int, Path]:
    """Where the text shall stand in the end, and an open file beside it."""
    with _said(path):
        target = Path(os.path.realpath(path))
        if not target.parent.exists():
            folder = os.path.dirname(path) or str(target.parent)  # as typed, unless it is where a link leads
            folder = str(target.parent) if os.path.exists(folder) else folder
            message = f"{path} cannot be written: there is no folder {folder}"
            raise OutputError(message, hint=making(folder), code="output_failed")
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise OutputError(f"{path} is no regular file", hint="name a file to write", code="output_failed")
        if target.exists() and not os.access(target, os.W_OK):  # the folder alone would let it be replaced
            message = f"{path} cannot be written: it is write-protected"
            raise OutputError(message, hint="name another file, or allow it: chmod u+w", code="output_failed")
        stem = os.fsdecode(os.fsencode(target.name)[:_MOST_NAME])
        handle, name = tempfile.mkstemp(prefix=f".{stem}.", suffix=".tmp", dir=target.parent)
    return target, handle, Path(name)


def _commit(stream: TextIO, temporary: Path, target: Path, path: str) -> None:
    with _said(path):
        stream.flush()
        os.fsync(stream.fileno())
        stream.close()
        temporary.chmod(stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask())
        temporary.replace(target)


def _umask() -> int:
    mask = os.umask(0o077)  # there is no way to ask without setting
    os.umask(mask)
    return mask


@contextlib.contextmanager
def _said(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        why = getattr(error, "strerror", None) or str(error)
        hint = _HINTS.get(getattr(error, "errno", None) or 0, "")
        raise OutputError(f"{path} cannot be written: {why}", hint=hint, code="output_failed") from error
