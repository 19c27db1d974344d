"""A long run in a file: its settings first, then one result a line, so that a stopped run goes on where it was."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from infinipot_cli.errors import OutputError, UsageError
from infinipot_cli.places import making

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


class RunFile(Generic[T]):
    """The lines of one run, each written when it is there.

    Args:
        path: the file; None keeps nothing.
        settings: of this run, which those in the file must equal.
        make: builds a result from its fields.

    Attributes:
        done: results so far, those of an earlier start included.

    Raises:
        UsageError: the file is of another run, or no such file at all.
        OutputError: it cannot be read or written.
    """

    def __init__(self, path: Path | None, settings: dict[str, object], make: Callable[..., T]) -> None:
        self.path = path
        self.done: list[T] = []
        first = json.dumps(settings, sort_keys=True)
        if path is None:
            return
        if path.is_dir():
            raise UsageError(f"{path} is a folder, and a record is a file", hint=f"such as {path / 'run.jsonl'}")
        if path.exists() and path.stat().st_size and not _is_cut(path, first):
            try:
                self.done = [make(**fields) for fields in self._resumed(path, json.loads(first))]
            except TypeError as error:
                raise UsageError(
                    f"{path} was written by another version of infinipot", hint="take another --record file"
                ) from error
        else:
            self._write("w", first + "\n")

    def _resumed(self, path: Path, wanted: dict[str, object]) -> list[dict[str, Any]]:
        try:
            # not splitlines: answers may hold other characters that end a line for it
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            known, *rows = [json.loads(line) for line in whole.decode("utf-8").split("\n")[:-1]]
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} is no record of this benchmark", hint="take another --record file") from error
        for name in sorted({*known, *wanted} if isinstance(known, dict) else ["settings"]):
            was = known.get(name) if isinstance(known, dict) else None
            if was != wanted.get(name):
                raise UsageError(
                    f"{path} is of a run with other settings: {name} was {was}, and is {wanted.get(name)}",
                    hint="take another --record file, or the same settings",
                )
        if len(whole) < len(content):  # the last line was cut off when the run was stopped; no other may be lost
            self._cut(path, len(whole))
        return rows

    def add(self, result: T) -> None:
        """Keep one result."""
        self.done.append(result)
        if self.path:
            self._write("a", json.dumps(asdict(result)) + "\n")

    def _cut(self, path: Path, n_bytes: int) -> None:
        try:
            os.truncate(path, n_bytes)
        except OSError as error:
            raise OutputError(f"the record {path} cannot be written: {error.strerror or error}") from error

    def _write(self, mode: str, text: str) -> None:
        assert self.path is not None
        try:
            with self.path.open(mode, encoding="utf-8") as out:
                out.write(text)
        except OSError as error:
            hint = "" if self.path.parent.exists() else making(self.path.parent)
            message = f"the record {self.path} cannot be written: {error.strerror or error}"
            raise OutputError(message, hint=hint) from error


def _is_cut(path: Path, first: str) -> bool:
    """Whether a run was stopped while it wrote the first line of its file."""
    try:
        with path.open("rb") as file:
            start = file.read(len(first.encode()) + 1)
    except OSError as error:
        raise OutputError(f"the record {path} cannot be read: {error.strerror or error}") from error
    return b"\n" not in start and first.encode().startswith(start)
