"""Long text in the user's own pager, where it can be searched; a short one is simply printed."""

import pydoc
import shutil
import sys

from infinipot_cli.display.answer import AnswerWriter


def paged(text: str) -> None:
    """Show text that is safe for a terminal; in a pager if it is longer than the screen."""
    size = shutil.get_terminal_size()
    height = sum(1 + len(line) // max(1, size.columns) for line in text.split("\n"))
    if height > size.lines and sys.stdin is not None and sys.stdin.isatty():
        pydoc.pager(text)
        return
    writer = AnswerWriter()
    writer.write(text)
    writer.close()
