"""Terminals of ours: what a program shows on one, and one at which we type."""

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

# A program gets Ctrl-C from the terminal it belongs to, and belongs to one only if it says so itself.
_TAKE = "import fcntl, os, sys, termios\nfcntl.ioctl(2, termios.TIOCSCTTY, 0)\nos.execvp(sys.argv[1], sys.argv[1:])\n"
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|\x08|\x07|[^\x1b\r\n\x08\x07]+")


def shown_on(ours: int, *, patience: float = 60) -> bytes:
    """All that is shown until the other end is closed, or nothing has come for so many seconds; closes ours."""
    shown = b""
    while select.select([ours], [], [], patience)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
    os.close(ours)
    return shown


class Terminal:
    """A program on a terminal of its own, whose keys it obeys; use it in a `with` block.

    Args:
        words: the program.
        environment: its variables; the terminal tells its size itself.
        columns: the width.
        rows: the height.
        streams: those of standard input and output that are elsewhere, as subprocess takes them.
    """

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], *, columns: int = 80, rows: int = 24, **streams: Any
    ) -> None:
        self._ours, self._theirs = os.openpty()
        termios.tcsetwinsize(self._theirs, (rows, columns))
        self.modes_before = termios.tcgetattr(self._theirs)
        self._shown = b""
        sizeless = {key: value for key, value in environment.items() if key not in ("COLUMNS", "LINES")}
        streams = {"stdin": self._theirs, "stdout": self._theirs, **streams}
        self.child = subprocess.Popen(
            [sys.executable, "-SE", "-c", _TAKE, *words],
            stderr=self._theirs,
            env={"TERM": "xterm-256color", **sizeless},
            start_new_session=True,
            **streams,
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        for stream in (self.child.stdin, self.child.stdout):
            if stream is not None:
                stream.close()
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def shown(self) -> str:
        """Everything so far."""
        return self._shown.decode(errors="replace")

    @property
    def modes(self) -> list[Any]:
        """How the terminal treats what is typed: whether it echoes, whose the keys are."""
        return termios.tcgetattr(self._theirs)

    def type(self, keys: str) -> int:
        """Press keys; returns where in `shown` their effect begins."""
        place = len(self.shown)
        os.write(self._ours, keys.encode())
        return place

    def wait_for(self, pattern: str, after: int = 0, *, patience: float = 60) -> int:
        """Wait until something is shown behind a place of `shown`; returns where it ends."""
        end = time.monotonic() + patience
        while (found := re.compile(pattern).search(self.shown, after)) is None:
            has_ended = self.child.poll() is not None
            if not self._take(0.2) and has_ended:
                raise AssertionError(f"{pattern!r} was never shown: {self.shown[after:]!r}")
            assert time.monotonic() < end, f"{pattern!r} is not shown: {self.shown[after:]!r}"
        return found.end()

    def end(self, *, patience: float = 60) -> int:
        """Wait until the program has ended and all it showed is here; returns its exit code."""
        end = time.monotonic() + patience
        while self.child.poll() is None:
            self._take(0.1)
            assert time.monotonic() < end, f"it does not end: {self.shown!r}"
        while self._take(0.05):
            pass
        return self.child.wait()

    def interrupt(self) -> None:
        """Send the signal of Ctrl-C to the program alone, as `kill -INT` does."""
        self.child.send_signal(signal.SIGINT)

    def _take(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        self._shown += os.read(self._ours, 65536)
        return True


class Screen:
    """The rows that a terminal without edges holds after what was sent to it, colours aside."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0

    @property
    def rows(self) -> list[str]:
        """What can be read, without the empty rows below."""
        rows = ["".join(row).rstrip() for row in self._rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def feed(self, sent: str) -> "Screen":
        """Obey what was sent."""
        for found in _CONTROL.finditer(sent):
            text, number, kind = found[0], (found[1] or "").partition(";")[0], found[2]
            if kind is not None:
                self._obey(kind, int(number) if number.isdigit() else None)
            elif text == "\r":
                self._column = 0
            elif text == "\x08":
                self._column = max(0, self._column - 1)
            elif text == "\n":
                self._row += 1
                self._rows += [[] for _ in range(self._row + 1 - len(self._rows))]
            elif text != "\x07":
                self._write(text)
        return self

    def _write(self, text: str) -> None:
        row = self._rows[self._row]
        row += " " * (self._column - len(row))
        row[self._column : self._column + len(text)] = text
        self._column += len(text)

    def _obey(self, kind: str, number: int | None) -> None:
        row = self._rows[self._row]
        if kind == "A":
            self._row = max(0, self._row - (number or 1))
        elif kind == "K" and number == 2:
            row.clear()
        elif kind == "K" and not number:
            del row[self._column :]
        else:  # a colour, the cursor, or how keys are sent
            assert kind in "mhl", f"ESC [ {number} {kind} is not known here"
