"""Formats that infinipot does not read itself: a program of the user's choice turns the file into text.

The program is named by the user's own settings, `[loaders]`, a command for each ending of a file name. It is started
without a shell, is given the file's path in the place of `$1`, and what it prints is the document, read while it comes.
"""

import contextlib
import io
import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infinipot_cli.documents.source import Source
from infinipot_cli.errors import DocumentError

PLACE = "$1"
_MOST_SAID = 300  # characters of what a program says when it fails
_PATIENCE = 5  # seconds that a program may take to end once nobody listens


def loader_of(name: str, loaders: Sequence[tuple[str, str]]) -> str | None:
    """The command for a file of this name; None without one.

    Args:
        name: of the file.
        loaders: ending without its dot, and command.
    """
    ending = Path(name).suffix.lstrip(".").lower()
    return next((command for wanted, command in loaders if wanted.lower().lstrip(".") == ending and ending), None)


def load(name: str, command: str) -> Source:
    """The text that a program makes of a file, as a source of bytes.

    Args:
        name: path of the file.
        command: as a shell would split it into words; `$1` stands for the path.

    Raises:
        DocumentError: there is no such program, or it cannot be started.
    """
    path = os.path.abspath(name)  # which no program takes for an option
    words = [word.replace(PLACE, path) for word in shlex.split(command)]
    try:
        return Source(name, _Output(name, words), owned=True)
    except OSError as error:
        raise DocumentError(
            f"{name} cannot be read: its loader {words[0]!r} cannot be started ({error.strerror or error})",
            hint="install it, or change [loaders] in your settings: infinipot config path",
            code="loader_failed",
        ) from error


class _Output(io.RawIOBase):
    """What a program prints; its end is an error where the program says so."""

    def __init__(self, name: str, words: list[str]) -> None:
        super().__init__()
        self._name, self._program = name, words[0]
        self._said = tempfile.TemporaryFile(prefix="infinipot-")  # noqa: SIM115  (closed in close)
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said, bufsize=0
            )
        except OSError:
            self._said.close()
            raise

    def read(self, size: int = -1, /) -> bytes:
        """Up to so many bytes, as soon as there are any.

        Raises:
            DocumentError: the program has failed.
        """
        assert self._process.stdout is not None
        data: bytes = self._process.stdout.read(size) or b""
        if not data and (code := self._process.wait()):
            raise DocumentError(
                f"{self._name} cannot be read: its loader {self._program!r} ended with {code}{self._reason()}",
                hint="the command is in [loaders] of your settings: infinipot config path",
                code="loader_failed",
            )
        return data

    def _reason(self) -> str:
        self._said.seek(0)
        lines = self._said.read(1 << 16).decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1][:_MOST_SAID]}" if lines else ""

    def close(self) -> None:
        """End the program if it is still at work."""
        if not self.closed:
            assert self._process.stdout is not None
            self._process.stdout.close()
            with contextlib.suppress(OSError):
                self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._said.close()
        super().close()
