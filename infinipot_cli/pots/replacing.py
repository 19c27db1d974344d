"""Files that take the place of others all at once, and what savings leave behind that were killed.

The bytes go to a file of their own beside the target, reach the disk, and only then take its name. While they are
written the file is locked; one that nobody holds was left by a process that is gone, and is swept by the next saving.
"""

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

_PART = re.compile(r"\..*\.pot\.[0-9a-f]{12}\.part", re.DOTALL)
_MOST_NAME = 150  # bytes of a name that are repeated in that of its part
_SURELY_GONE = 3600.0  # seconds after which a part is left over where files cannot be locked


def put(path: Path, data: bytes | bytearray, *, over: bool = True) -> None:
    """Write a file that only its owner can read; whatever happens, the old or the new content is there.

    Args:
        path: of the file; what a link leads to is replaced, and the link stays.
        data: all of it.
        over: whether a file that is there already may be replaced.

    Raises:
        FileExistsError: it is there, and must not be replaced.
        OSError: it cannot be written.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    with _part_beside(target) as (descriptor, part):
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if not over and target.exists():
            raise FileExistsError(f"{path} is there already")
        os.replace(part, target)
    _sync_folder(target.parent)


def sweep(folder: Path) -> None:
    """Delete what savings into this folder left behind when they were killed; those under way are let be."""
    with contextlib.suppress(OSError):
        for part in folder.iterdir():
            if _PART.fullmatch(part.name):
                with contextlib.suppress(OSError):
                    _sweep_one(part)


def _sweep_one(part: Path) -> None:
    descriptor = os.open(part, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        is_ours = lock(descriptor, wait=False)
        if is_ours or (is_ours is None and time.time() - os.fstat(descriptor).st_mtime > _SURELY_GONE):
            part.unlink()
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _part_beside(target: Path) -> Iterator[tuple[int, Path]]:
    """A new, locked file that nobody else may read: a pot holds what its documents say."""
    stem = os.fsdecode(os.fsencode(target.name.removesuffix(".pot"))[:_MOST_NAME])
    while True:
        part = target.with_name(f".{stem}.pot.{secrets.token_hex(6)}.part")
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        lock(descriptor, wait=True)
        if os.fstat(descriptor).st_nlink:  # else it was swept before it was locked
            break
        os.close(descriptor)
    try:
        yield descriptor, part
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        os.close(descriptor)


def lock(descriptor: int, *, wait: bool) -> bool | None:
    """Whether an open file could be locked, until it is closed; None where files cannot be."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _sync_folder(folder: Path) -> None:
    """Bring the new name itself to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
