"""A file in the user's own editor."""

import os
import shlex
import subprocess
from pathlib import Path

from infinipot_cli.commands.runs.consent import can_ask
from infinipot_cli.errors import UsageError

_USUAL = "vi"


def check_terminal(path: Path, *, no_input: bool) -> None:
    """Refuse before anything is written where no editor can be shown.

    Raises:
        UsageError: there is no terminal, or nothing may wait for the user.
    """
    if not can_ask(no_input=no_input):
        raise UsageError("an editor needs a terminal", hint=f"write {path} yourself", code="no_terminal")


def edit(path: Path) -> None:
    """Open a file in `$VISUAL`, `$EDITOR` or vi and wait until it is closed.

    Args:
        path: of a file that is there.

    Raises:
        UsageError: there is no such editor, or it ended with an error.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _USUAL
    try:
        code = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"the editor {editor} cannot be run: {why}", hint="set EDITOR", code="no_editor") from error
    if code:
        raise UsageError(f"the editor {editor} ended with {code}", hint=f"the file is {path}", code="no_editor")
