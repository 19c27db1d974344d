"""Long text in the user's own pager, where it can be searched; a short one is simply printed."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

from infinipot_cli.errors import StandardOutputError

# Leaves a short text standing, keeps colours, cuts no line and clears nothing.
USUAL = "less -FIRX"


def paged(text: str, *, wanted: bool = True) -> None:
    """Show text that is safe for a terminal; in a pager if it is longer than the screen.

    Args:
        text: with colours, where standard output can show them.
        wanted: whether a pager may be opened at all.

    Raises:
        StandardOutputError: standard output takes no more text.
    """
    text = text.rstrip("\n") + "\n"
    command = _command() if wanted and _is_long(text) and _has_keyboard() else []
    if command and _page(text, command):
        return
    if sys.stdout is None:
        raise StandardOutputError("standard output is closed", code="stdout_closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise StandardOutputError(f"the output cannot be written: {why}") from error


def _page(text: str, command: list[str]) -> bool:
    """Run the pager; false if it cannot be run."""
    environment = {"LESS": "FRX", "LESSCHARSET": "utf-8", **os.environ}  # a bare `less` would show colours as codes
    with _deaf_to_interrupts():
        try:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
        except OSError:
            return False
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError), child.stdin:  # whoever leaves early has seen enough
            child.stdin.write(text.encode("utf-8", "backslashreplace"))
        child.wait()
    return True


def _command() -> list[str]:
    """The user's pager, `$PAGER` or `less`; nothing where that is nothing, `cat`, or not installed."""
    try:
        words = shlex.split(os.environ.get("PAGER", USUAL))
    except ValueError:  # an open quote
        return []
    return [] if not words or words == ["cat"] or shutil.which(words[0]) is None else words


def _is_long(text: str) -> bool:
    if sys.stdout is None or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return False
    screen = shutil.get_terminal_size()
    return sum(1 + len(line) // max(1, screen.columns) for line in text.splitlines()) > screen.lines


def _has_keyboard() -> bool:
    """Whether somebody can leave the pager again."""
    if sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty():
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY))
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Ctrl-C belongs to the pager while it runs."""
    try:
        before = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which a child would inherit
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
