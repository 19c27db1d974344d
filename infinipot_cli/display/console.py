"""The two streams: the answer goes to standard output, everything else to the console on standard error.

A message is printed as it is, never as Rich markup, and without the control characters it may carry.
"""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from rich.console import Console as Console  # callers name it in annotations
from rich.text import Text

from infinipot_cli.display.safe import safe_line
from infinipot_cli.settings import Color


def error_console(color: Color = Color.AUTO, *, quiet: bool = False, plain: bool = False) -> Console:
    """The console on standard error; colour and animation only if that very stream is a terminal.

    Args:
        color: the user's wish, which wins over NO_COLOR and the like.
        quiet: print nothing at all.
        plain: on a terminal too, print as into a pipe.
    """
    # a closed standard error (2>&-) is None in Python; then there is nobody to tell
    stream = _Patient(sys.stderr) if sys.stderr is not None else io.StringIO()
    is_terminal = stream.isatty() and not plain
    has_color = color is Color.ALWAYS or (color is Color.AUTO and not plain and _is_forced())
    return Console(
        file=stream,  # type: ignore[arg-type]  # it writes like one
        no_color={Color.AUTO: None, Color.ALWAYS: False, Color.NEVER: True}[color],
        # Rich and its like take CI variables for terminals; a stream is a terminal when it says so.
        force_terminal=is_terminal or has_color,
        force_interactive=is_terminal and not is_dumb(),
        highlight=False,
        markup=False,
        emoji=False,
        # a terminal is given whole words, a pipe whole lines
        soft_wrap=not is_terminal,
        quiet=quiet,
    )


class _Patient:
    """Standard error that is written to as long as it takes anything: what is lost there must not cost the answer."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write; what cannot be written is lost, and so is all that follows."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, likewise."""
        self._try(self._stream.flush)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError:  # a broken pipe too, of which Rich would make an end of the program
            # what waits in the stream would fail once more when the process ends, and change its exit code
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)


def is_dumb() -> bool:
    """Whether the terminal cannot move its cursor; Rich, too, takes an unknown one for such."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def wheel(console: Console) -> str:
    """The spinner that a console can show."""
    return "dots" if console.encoding.startswith("utf") else "line"


def _is_forced() -> bool:
    """Whether colour is wanted in a pipe too (force-color.org); NO_COLOR wins."""
    return os.environ.get("FORCE_COLOR", "") not in ("", "0") and not os.environ.get("NO_COLOR")


@contextlib.contextmanager
def waiting(console: Console, text: str) -> Iterator[None]:
    """Show that something is going on, on a terminal that can be drawn on."""
    if console.is_terminal and console.is_interactive and not console.quiet:
        with console.status(Text(safe_line(text), style="dim"), spinner=wheel(console)):
            yield
    else:
        yield


def is_watched() -> bool:
    """Whether somebody sees both the answer and what is said about it."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))


def terminal_facts() -> str:
    """The terminal on standard error, as `doctor` names it."""
    console = error_console()
    if not console.is_terminal:
        return "none (standard error is redirected)"
    return f"{console.width}×{console.height} {console.color_system or 'no colour'} {console.encoding}"


def say(console: Console, text: str, *, style: str = "") -> None:
    """Print one line of ours, which may name files and models."""
    console.print(Text(safe_line(text), style=style))
