"""Errors as the user meets them: what failed, why, and what to do; one line each, the hint last."""

from rich.console import Console
from rich.text import Text

from infinipot_cli.display.safe import safe_line


def show_problem(console: Console, message: str, hint: str = "") -> None:
    """Print an error and its hint."""
    console.print(Text.assemble(("error: ", "bold red"), safe_line(message)))
    if hint:
        console.print(Text.assemble(("hint:  ", "bold"), safe_line(hint)))


def show_warning(console: Console, message: str) -> None:
    """Print something that did not stop the work."""
    console.print(Text.assemble(("warning: ", "yellow"), safe_line(message)))


def problem_record(message: str, *, hint: str, code: str, exit_code: int) -> dict[str, object]:
    """The same as the one JSON document that `--json` puts on standard output."""
    return {"schema": 1, "error": {"code": code, "message": message, "hint": hint, "exit_code": exit_code}}
