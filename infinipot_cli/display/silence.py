"""A word about standard input when nothing comes: a run that hangs without one looks broken."""

import select
import sys

from rich.console import Console

from infinipot_cli.display.console import say

SILENCE_SECONDS = 1.0


def tell_if_silent(console: Console) -> None:
    """Say what is being waited for when nothing comes."""
    try:
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], SILENCE_SECONDS)
    except (AttributeError, OSError, ValueError):  # closed, or a test's stream without a descriptor
        return
    if not ready:
        end = " (Ctrl-D ends it)" if sys.stdin.isatty() else ""
        say(console, f"reading standard input…{end}", style="dim")
