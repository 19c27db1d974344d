"""Commands that are known by name and one line, and imported when somebody runs one of them or asks for its help.

Building all of them takes a quarter of a second: the help of the program itself and every command would wait for the
options of forty others.
"""

from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from typing import Any, cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from infinipot_cli.commands.quick_values import take_as_they_are


@dataclass(frozen=True)
class Entry:
    """A command or a group of commands as the program's own help lists it.

    Attributes:
        name: what is typed; also the module in this package, and there the function, or `app` for a group.
        line: the first line of its help.
        panel: title under which it is listed; None for the usual one.
        lists: a group whose name alone lists what it is about; None for what is no group.
        needs_words: its name alone shows its help.
    """

    name: str
    line: str
    panel: str | None = None
    lists: bool | None = None
    needs_words: bool = False

    def build(self) -> TyperCommand | TyperGroup:
        """Import it, and make the command."""
        module = import_module(f"infinipot_cli.commands.{self.name}")
        # Typer makes commands out of a whole program only.
        program = typer.Typer(add_completion=False)
        program.callback()(lambda: None)
        if self.lists is None:
            named = getattr(module, self.name)
            program.command(self.name, no_args_is_help=self.needs_words, rich_help_panel=self.panel)(named)
        else:
            group = ListingGroup if self.lists else PlainGroup
            program.add_typer(module.app, name=self.name, cls=group, rich_help_panel=self.panel)
        _show_plainly(program)
        built = typer.main.get_command(program)
        assert isinstance(built, TyperGroup)
        return cast("TyperCommand | TyperGroup", built.commands[self.name])


class LateCommand(TyperCommand):
    """Stands for a command until it is run."""

    entry: Entry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._real: TyperCommand | TyperGroup | None = None

    def real(self) -> TyperCommand | TyperGroup:
        """The command itself."""
        if self._real is None:
            self._real = self.entry.build()
        return self._real


def add(program: typer.Typer, entries: tuple[Entry, ...]) -> None:
    """Let a program know of commands; its group must take `real` of what it is to run."""
    for entry in entries:
        kind = type("LateCommand", (LateCommand,), {"entry": entry})
        program.command(entry.name, cls=kind, help=entry.line, rich_help_panel=entry.panel)(lambda: None)


class PlainGroup(TyperGroup):
    """A group of commands, quick to parse."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # Typer's own name of this type is private
        """Take the group's words."""
        take_as_they_are(self.get_params(ctx))
        return super().parse_args(ctx, args)


class ListingGroup(PlainGroup):
    """A group whose name alone lists what it is about, as `infinipot pots`; its help is behind `-h`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # as above
        """Take the group's words, or what stands for none."""
        usual = [name for name in ("list", "show") if name in self.commands][:1]
        return super().parse_args(ctx, args or ([] if ctx.resilient_parsing else usual))


class PlainCommand(TyperCommand):
    """A command whose help reads as it was written.

    Typer would brace the words of the usage line, break paragraphs where the docstring breaks, and swallow what stands
    in square brackets as Rich's markup.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        paragraphs = cleandoc(self.help or "").replace("[", r"\[").split("\n\n")
        self.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # as above
        """Take the command's words."""
        take_as_they_are(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # as above
        """The parts of the usage line behind the command's name."""
        words = (str(parameter.metavar) for parameter in self.params if isinstance(parameter, TyperArgument))
        return ["[OPTIONS]", *words]


def _show_plainly(commands: typer.Typer) -> None:
    """Make every command, of nested groups too, a `PlainCommand`."""
    for command in commands.registered_commands:
        command.cls = PlainCommand
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _show_plainly(group.typer_instance)
