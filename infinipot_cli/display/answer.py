"""The answer on standard output: streamed as it comes, nothing added but one line end."""

import os
import sys
from typing import TextIO

from infinipot_cli.display.safe import safe
from infinipot_cli.errors import OutputError, StandardOutputError


class AnswerWriter:
    """Writes an answer piece by piece, without the blank space around it.

    Args:
        stream: where to; standard output by default.

    Raises:
        OutputError: there is no such stream, or it takes no more text.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        out = stream or sys.stdout
        if out is None:
            raise StandardOutputError("standard output is closed", code="stdout_closed")
        self._stream = out
        self._waiting = ""
        self.text = ""

    def write(self, text: str) -> None:
        """Write what may be shown by now; blank space waits until something follows it."""
        self._waiting += safe(text)
        shown = self._waiting.rstrip()
        if not shown:
            return
        space = self._waiting[len(shown) :]
        if not self.text:
            shown = shown.lstrip()
        self._put(shown)
        self.text += shown
        self._waiting = space

    def close(self) -> None:
        """End the answer with one line end."""
        self._put("\n")

    def _put(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:  # ValueError: the stream was closed under us
            why = getattr(error, "strerror", None) or error
            kind = StandardOutputError if self._stream is sys.stdout else OutputError
            raise kind(f"the answer cannot be written: {why}", code="output_failed") from error


def use_utf8() -> None:
    """Make standard output speak UTF-8 when it is no terminal, whatever the locale says, and never fail on a letter."""
    if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="backslashreplace")
        else:
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.stderr is not None and hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Point standard output at the null device, so that closing it after a broken pipe cannot fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):  # a stream of a test runner has no descriptor
        pass
    finally:
        os.close(null)
