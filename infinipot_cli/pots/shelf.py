"""The pots of this user: the named ones in one folder, files elsewhere, and what was read last."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infinipot_cli.errors import OutputError, PotError, UsageError
from infinipot_cli.places import HOME_VARIABLE, OWN_NAME, cache_folder, data_folder, is_writable, making
from infinipot_cli.pots.file import read_header
from infinipot_cli.pots.header import Header
from infinipot_cli.pots.replacing import sweep

SUFFIX = ".pot"
MARK = "@"
# What Ctrl-C leaves, and what the latest reading without a name of the user's is called, which may be that one.
STOPPED, LAST = "stopped", "last"


@dataclass(frozen=True)
class Shelved:
    """A pot on the shelf; `header` is None and `problem` says why where it cannot be read.

    `used` is None of a link whose pot is not there.
    """

    name: str
    path: Path
    n_bytes: int
    used: float | None
    header: Header | None
    problem: str = ""


def shelf_folder() -> Path:
    """Where named pots are."""
    return data_folder() / "pots"


def cached_folder() -> Path:
    """Where readings are that nobody has named."""
    return cache_folder() / "pots"


def is_file_name(name: str) -> bool:
    """Whether a pot is named by its file, such as `./book.pot`, and not by its place on the shelf."""
    plain = name.removeprefix(MARK)
    return ("/" in plain or os.sep in plain) and "\0" not in plain


def path_of(name: str) -> Path:
    """The file of a pot, whether it is there or not.

    Args:
        name: with or without the `@` in front; a path if it has a folder.

    Raises:
        UsageError: no pot can have this name.
    """
    plain = name.removeprefix(MARK)
    if is_file_name(plain):
        return Path(os.path.expanduser(plain))
    if not _is_own(plain):
        raise UsageError(
            f"{name!r} cannot be the name of a pot",
            hint=f"the file of this name is ./{plain}"
            if plain.endswith(SUFFIX)
            else "a-z, A-Z, 0-9, '.', '_' and '-', such as @contract-2024; or a file, such as ./contract.pot",
        )
    return shelf_folder() / f"{plain}{SUFFIX}"


def _is_own(plain: str) -> bool:
    """Whether a pot on the shelf can have this name."""
    return OWN_NAME.fullmatch(plain) is not None and not plain.endswith(SUFFIX)


def place_of(name: str) -> Path:
    """The file of a pot that shall be read; `last` is the latest of the readings that nobody has named.

    Raises:
        UsageError: no pot can have this name.
    """
    if name.removeprefix(MARK) != LAST:
        return path_of(name)
    return max([path_of(STOPPED), *cached()], key=_used)


def name_to_replace(name: str) -> str:
    """The name under which a pot is stored again once more was read into it.

    Raises:
        UsageError: it is `last`, which is a reading that nobody has named.
    """
    plain = name.removeprefix(MARK)
    if plain != LAST:
        return plain
    if place_of(name) != path_of(STOPPED):
        raise UsageError(
            f"{MARK}{LAST} is a reading without a name, to which nothing can be added",
            hint="--save-pot NAME stores it, and what is read into it, under a name",
            code="no_name",
        )
    return STOPPED


def cached() -> list[Path]:
    """Files of the readings that nobody has named."""
    with contextlib.suppress(OSError):
        return sorted(cached_folder().glob(f"*{SUFFIX}"))
    return []


def new_unnamed() -> Path:
    """A file for a reading that nobody has named, which the next readings will not find by themselves.

    Raises:
        OSError: there can be no such file.
    """
    folder = cached_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{secrets.token_hex(32)}{SUFFIX}"


def check_new_name(name: str) -> None:
    """Refuse the names of readings that nobody has named, and files that do not look like pots.

    Raises:
        UsageError: it is one of these.
    """
    if is_file_name(name) and not name.endswith(SUFFIX):  # a slip must not make, or take the place of, anything else
        raise UsageError(
            f"{name} cannot be the file of a new pot: it must end in {SUFFIX}", hint=f"{name.rstrip('/')}{SUFFIX}"
        )
    taken = {LAST: "what was read last, whatever that is", STOPPED: "what Ctrl-C leaves"}
    if (meaning := taken.get(name.removeprefix(MARK))) is not None:
        raise UsageError(f"{MARK}{name.removeprefix(MARK)} is {meaning}", hint="take another name")


def check_target(name: str) -> None:
    """Refuse, before anything is read, a place where no pot can be stored.

    Raises:
        UsageError: no pot can have this name.
        OutputError: it is the place of something else, or in a folder that is not there or cannot be written.
    """
    path = path_of(name)
    with looked_at(path):
        is_there = path.exists()
        if is_there and not path.is_file():
            raise OutputError(f"{path} is no regular file", hint="name another file for the pot", code="output_failed")
    if is_file_name(name) and is_there:
        try:
            read_header(path, name)
        except PotError as error:  # ".pot" is the ending of other files too
            raise OutputError(
                f"{path} is there and is no pot", hint="name another file for the pot", code="output_failed"
            ) from error
    if not is_file_name(name):
        if not is_writable(path.parent):
            raise OutputError(
                f"no pot can be stored: {path.parent} cannot be written",
                hint=f"another place: {HOME_VARIABLE}=FOLDER",
                code="output_failed",
            )
        return
    if not os.path.isdir(path.parent):
        raise OutputError(f"there is no folder {path.parent}", hint=making(path.parent), code="output_failed")
    if not is_writable(path.parent):
        raise OutputError(
            f"no pot can be stored: {path.parent} cannot be written", hint="name another folder", code="output_failed"
        )


@contextlib.contextmanager
def looked_at(path: Path) -> Iterator[None]:
    """Say what keeps the place of a new pot from being looked at: a name that is too long, or a folder that is shut."""
    try:
        yield
    except OSError as error:
        problem = f"{path} cannot be written: {error.strerror or error}"
        raise OutputError(problem, hint="name another file for the pot", code="output_failed") from error


def names() -> list[str]:
    """Names of all pots, from the names of files alone."""
    with contextlib.suppress(OSError):
        found = (path.name.removesuffix(SUFFIX) for path in shelf_folder().glob(f"*{SUFFIX}"))
        return sorted(name for name in found if _is_own(name) and name != LAST)
    return []


def shelved() -> list[Shelved]:
    """All pots, by name; what killed savings have left beside them is swept."""
    sweep(shelf_folder())
    sweep(cached_folder())
    found = (_shown(name) for name in names())
    return [pot for pot in found if pot is not None]


def _shown(name: str) -> Shelved | None:
    """A pot of a list; None where it has been deleted meanwhile."""
    path = path_of(name)
    try:
        return _look(name, path)
    except PotError as error:  # a link to a disk that is not there is shown, and costs nobody the others
        if not os.path.islink(path):
            return None
        problem = f"a link to {os.readlink(path)}, which is not there" if error.code == "no_pot" else error.message
        return Shelved(name, path, 0, None, None, problem)


def latest() -> str:
    """The name of the pot that was stored or asked last.

    Raises:
        PotError: there is none at all.
    """
    known = [name for name in {*names(), LAST} if os.path.exists(place_of(name))]
    if not known:
        raise PotError("there is no stored pot yet", hint="infinipot read makes one", code="no_pot")
    return max(known, key=lambda name: _used(place_of(name)))


def _used(path: Path) -> float:
    """When a pot was stored or asked last; before everything if it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def mark_used(name: str) -> None:
    """Write down that a pot was asked; when a file was read last is kept by few systems, and a list reads them all."""
    with contextlib.suppress(OSError):
        os.utime(place_of(name))


def look(name: str) -> Shelved:
    """One pot, as far as its header tells.

    Raises:
        PotError: there is none of this name.
    """
    return _look(name.removeprefix(MARK), place_of(name))


def _look(plain: str, path: Path) -> Shelved:
    try:
        state = path.stat()
    except PermissionError as error:
        raise PotError(f"pot {MARK}{plain} cannot be read: {error.strerror}", code="damaged_pot") from error
    except OSError as error:
        raise PotError(f"there is no pot {MARK}{plain}", hint=_there_are(), code="no_pot") from error
    try:
        header: Header | None = read_header(path, MARK + plain)
        problem = ""
    except PotError as error:
        header, problem = None, error.message
    return Shelved(plain, path, state.st_size, state.st_mtime, header, problem)


def remove(name: str) -> Shelved:
    """Delete a pot; returns what it was.

    Raises:
        PotError: there is none of this name, or the file named is none.
    """
    found = removable(name)
    if is_file_name(name) and found.problem:  # on the shelf a damaged pot may go; elsewhere it may be anything
        raise PotError(f"{name} is no pot, or a damaged one", hint=f"rm {found.path}", code="damaged_pot")
    _delete(found.path)
    return found


def removable(name: str) -> Shelved:
    """What goes with this name: a pot, or a link on the shelf to one that is not there.

    Raises:
        PotError: there is neither.
    """
    try:
        return look(name)
    except PotError:
        found = None if is_file_name(name) else _shown(name.removeprefix(MARK))
        if found is None:
            raise
        return found


def _delete(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise OutputError(f"{path} cannot be deleted: {error.strerror or error}") from error


def prune(*, days: float | None = None, n_bytes: int | None = None) -> Iterator[Shelved]:
    """Delete pots: those unused for so many days, then the longest unused until the rest takes no more than so much.

    Left-overs of savings that were killed go as well. What cannot be deleted keeps no other from being.

    Returns:
        Each one when it is deleted.

    Raises:
        OutputError: one could not be deleted, when all others are.
    """
    # a link to a disk that is not there stays: the disk may come back
    known = [(pot.used, pot) for pot in shelved() if pot.used is not None]
    held = sorted(known, key=lambda one: one[0])
    left = sum(pot.n_bytes for _, pot in held)
    problem: OutputError | None = None
    for used, pot in held:
        too_old = days is not None and time.time() - used > days * 86_400
        if not (too_old or (n_bytes is not None and left > n_bytes)):
            break
        try:
            _delete(pot.path)
        except OutputError as error:
            problem = problem or error
            continue
        left -= pot.n_bytes
        yield pot
    if problem is not None:
        raise problem


def _there_are() -> str:
    known = names()
    return f"there are {', '.join(MARK + name for name in known[:5])}" if known else "infinipot read makes one"
