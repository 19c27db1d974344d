"""The README in the terminal: every installation brings it along, as what a package index shows of the package."""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata

from rich.console import Console
from rich.markdown import Markdown

from infinipot_cli.display.answer import use_utf8
from infinipot_cli.display.listing import put
from infinipot_cli.display.pager import paged
from infinipot_cli.errors import UsageError

# Longer lines are hard to follow.
_WIDEST = 100
_IMAGE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n*", re.M)
# To a place in the README or beside it, which nothing on a terminal leads to.
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]*\)")


def show_manual(*, pager: bool = True, plain: bool = False) -> None:
    """Print it, laid out on a terminal, as Markdown anywhere else.

    Args:
        pager: whether a pager may be opened.
        plain: on a terminal too, as in a pipe.

    Raises:
        UsageError: this copy of the program was never installed.
    """
    use_utf8()
    text = manual()
    if plain or sys.stdout is None or not sys.stdout.isatty():
        put(text.rstrip("\n"))
    else:
        paged(_laid_out(text), wanted=pager)


def manual() -> str:
    """The README as Markdown.

    Raises:
        UsageError: this copy of the program was never installed.
    """
    try:
        text = metadata("infinipot").json.get("description")
    except PackageNotFoundError:
        text = None
    if not text:
        hint = "README.md beside the package says the same"
        raise UsageError("the manual comes with an installation, and infinipot runs from its source here", hint=hint)
    return str(text)


def _laid_out(text: str) -> str:
    text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    console = Console(file=sys.stdout, highlight=False, emoji=False)
    console.width = min(console.width, _WIDEST)
    with console.capture() as captured:
        console.print(Markdown(text, hyperlinks=False))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
