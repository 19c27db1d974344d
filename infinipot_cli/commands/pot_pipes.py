"""A pot on its way through a pipe: its bytes on standard output, and from standard input."""

import sys
from typing import BinaryIO

from infinipot_cli.errors import StandardOutputError, UsageError


def check_piped(name: str) -> None:
    """Refuse to print a pot where somebody reads.

    Args:
        name: of the pot.

    Raises:
        UsageError: standard output is a terminal.
        StandardOutputError: it is closed.
    """
    if sys.stdout is None:
        raise StandardOutputError("standard output is closed", code="stdout_closed")
    if sys.stdout.isatty():
        raise UsageError(
            "a pot is no text for a terminal",
            hint=f"infinipot pots export {name.removeprefix('@')} FILE, or pipe it on",
        )


def send(data: bytes) -> None:
    """Write a pot to standard output, and nothing else.

    Raises:
        StandardOutputError: it takes no more.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:  # ValueError: the stream was closed under us
        why = getattr(error, "strerror", None) or error
        raise StandardOutputError(f"the pot cannot be written: {why}") from error


def received() -> BinaryIO:
    """Standard input, where a pot comes through it.

    Raises:
        UsageError: it is a terminal, or closed.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise UsageError(
            "no pot comes through standard input",
            hint="infinipot pots export book - | infinipot pots import - --name book",
        )
    return sys.stdin.buffer
