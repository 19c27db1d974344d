"""Pots that come from elsewhere or go there: copies as files and through pipes, and the names that fit them."""

import os
import re
from pathlib import Path
from shlex import quote
from typing import IO
from unicodedata import normalize

from infinipot_cli.errors import OutputError, UsageError
from infinipot_cli.places import making
from infinipot_cli.pots.file import check_structure, read_all, read_stream
from infinipot_cli.pots.replacing import put
from infinipot_cli.pots.shelf import LAST, MARK, STOPPED, SUFFIX, check_new_name, is_file_name, look, looked_at, path_of

_LONGEST_OFFERED = 40  # characters of a name that is offered


def export(name: str, target: Path) -> Path:
    """Copy a pot to a file; into a folder under its own name.

    Raises:
        PotError: there is none of this name, or a damaged one.
        OutputError: the target is there already, in no folder, or cannot be written.
    """
    source = look(name).path
    own = f"{name.removeprefix(MARK)}{SUFFIX}" if not is_file_name(name) else source.name
    with looked_at(target):
        target = target / own if target.is_dir() else target
        if not target.parent.is_dir():  # a slip must not make folders
            raise OutputError(f"there is no folder {target.parent}", hint=making(target.parent), code="output_failed")
    _put_new(target, content(name))
    return target


def content(name: str) -> bytes:
    """The whole file of a pot, once its sum was checked.

    Raises:
        PotError: there is none of this name, or it is damaged or cannot be read.
    """
    found = look(name)
    return read_all(found.path, f"{MARK}{found.name}")[1]


def bring(source: Path, name: str | None = None) -> str:
    """Put a pot file on the shelf, once all of it was checked that can be without its model; returns its name there.

    Raises:
        PotError: the file is no pot, or a damaged one.
        UsageError: no pot can have this name.
        OutputError: a pot of this name is there already.
    """
    if name is not None and is_file_name(name):
        raise UsageError(
            f"{name} is a file and no name on the shelf",
            hint=f"--name {name_like(Path(name).name)}; a pot file can be asked where it is: {_as_asked(source)}",
        )
    target = _new_place(name) if name is not None else _place_by(source)
    _, data = read_all(source, str(source))
    check_structure(data, str(source))
    _put_new(target, data)
    return target.name.removesuffix(SUFFIX)


def bring_stream(stream: IO[bytes], name: str) -> str:
    """The same with what comes through a pipe, all of which is read before anything is written.

    Raises:
        PotError: it is no pot, or a damaged one.
        UsageError: no pot can have this name.
        OutputError: a pot of this name is there already.
    """
    if is_file_name(name):
        raise UsageError(f"{name} is a file and no name on the shelf", hint=f"… > {name}")
    target = _new_place(name)
    _, data = read_stream(stream, "(standard input)")
    check_structure(data, "(standard input)")
    _put_new(target, data)
    return target.name.removesuffix(SUFFIX)


def name_like(text: str) -> str:
    """A name that a new pot can have, made of any text, such as the name of a file."""
    plain = normalize("NFKD", text.removesuffix(SUFFIX)).encode("ascii", "ignore").decode("ascii")
    name = re.sub(r"[^A-Za-z0-9]+", "-", plain)[:_LONGEST_OFFERED].strip("-")
    return "notes" if name in ("", LAST, STOPPED) else name


def _as_asked(source: Path) -> str:
    """What a shell must be given to ask a pot file where it is."""
    return quote(f"{MARK}{source}" if is_file_name(str(source)) else f"{MARK}./{source}")


def _place_by(source: Path) -> Path:
    """The new place of a pot file on the shelf, under its own name.

    Raises:
        UsageError: no new pot can have that.
    """
    try:
        return _new_place(source.name.removesuffix(SUFFIX))
    except UsageError as error:
        raise UsageError(error.message, hint=f"--name {name_like(source.name)}") from error


def _new_place(name: str) -> Path:
    target = path_of(name)
    check_new_name(name)
    return target


def _put_new(target: Path, data: bytes) -> None:
    """Write a file that is not there yet."""
    if os.path.lexists(target):
        raise OutputError(f"{target} is there already", hint="remove it first, or take another name")
    try:
        put(target, data, over=False)
    except FileExistsError as error:
        raise OutputError(f"{target} is there already", hint="remove it first, or take another name") from error
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
