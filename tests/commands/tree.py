"""The whole tree of commands, those included that are imported when they are run."""

from collections.abc import Iterator
from typing import Any

import typer

from infinipot_cli.app import app
from infinipot_cli.commands.late import LateCommand


def program() -> Any:
    """The program as one group."""
    return typer.main.get_command(app)


def inside(group: Any) -> dict[str, Any]:
    """What a group holds, by name; nothing in a command that is no group."""
    found = getattr(group, "commands", {})
    return {name: command.real() if isinstance(command, LateCommand) else command for name, command in found.items()}


def command_at(words: tuple[str, ...]) -> Any:
    """The command that so many words name."""
    command = program()
    for word in words:
        command = inside(command)[word]
    return command


def commands_in(group: Any, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command that is no group."""
    for name, command in inside(group).items():
        if hasattr(command, "commands"):
            yield from commands_in(command, *words, name)
        else:
            yield *words, name
