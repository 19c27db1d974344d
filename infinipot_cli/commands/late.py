"""Commands that are known by name and one line, and imported when somebody runs one of them or asks for its help.

Building all of them takes a quarter of a second: the help of the program itself and every command would wait for the
options of forty others.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from itertools import pairwise
from typing import Any, cast

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from infinipot_cli.commands.quick_values import take_as_they_are

# Options that `-h` shows of a command with more than MANY; `--help` shows all.
EVERYDAY = frozenset(
    "--question --questions --each --interactive --length --ext --pages --lines --pin --model --pot-size --max-tokens "
    "--output --json --quiet --dry-run --cite --explain --html --page --verify --template --save-pot --pot --resume "
    "--continue --help".split()
)
MANY = 25
_EXAMPLE = re.compile(r"(?:[^|]*\| )?infinipot \w")


# Where the outermost group notes the words of the command line.
AS_TYPED = "infinipot.words"


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


def named(command: object, words: Iterable[str]) -> list[str]:
    """Names of the commands in the group that the words lead to from a command; none where it is no group."""
    for word in words:
        command = command.commands.get(word) if isinstance(command, TyperGroup) else None
        command = command.real() if isinstance(command, LateCommand) else command
    return sorted(command.commands) if isinstance(command, TyperGroup) else []


def prepare(parameters: Iterable[object]) -> None:
    """Make a command's parameters quick to take, and their help free of types that say nothing.

    Typer calls a flag `<bool>`, and gives an argument the type that it has in Python.
    """
    parameters = list(parameters)
    take_as_they_are(parameters)
    for parameter in parameters:
        is_flag = isinstance(parameter, TyperOption) and parameter.is_flag
        if is_flag or isinstance(parameter, TyperArgument):
            vars(parameter)["display_type_rich"] = lambda ctx: None


class PlainGroup(TyperGroup):
    """A group of commands, quick to parse, whose help reads as it was written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = _plainly(self.help or "")

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # Typer's own name of this type is private
        """Take the group's words."""
        prepare(self.get_params(ctx))
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
    in square brackets as Rich's markup. Examples that follow one another stand together.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.help = _plainly(self.help or "")

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # as above
        """Take the command's words."""
        prepare(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # as above
        """Write the help; of very many options, `-h` has those of every day."""
        seldom = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, TyperOption)]
        seldom = [option for option in seldom if not (option.hidden or EVERYDAY.intersection(option.opts))]
        if len(self.params) <= MANY or "--help" in ctx.meta.get(AS_TYPED, ("--help",)):
            return super().format_help(ctx, formatter)
        epilog = self.epilog
        try:
            self.epilog = f"{len(seldom)} more options: {ctx.command_path} --help"
            for option in seldom:
                option.hidden = True
            return super().format_help(ctx, formatter)
        finally:
            self.epilog = epilog
            for option in seldom:
                option.hidden = False

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # as above
        """The parts of the usage line behind the command's name."""
        words = (str(parameter.metavar) for parameter in self.params if isinstance(parameter, TyperArgument))
        return ["[OPTIONS]", *words]


def _plainly(text: str) -> str:
    """A help text as Typer has to be given it."""
    paragraphs = cleandoc(text).replace("[", r"\[").split("\n\n")
    lines = [" ".join(paragraph.split()) for paragraph in paragraphs]
    breaks = ["\n" if _EXAMPLE.match(one) and _EXAMPLE.match(two) else "\n\n" for one, two in pairwise(lines)]
    return "".join(map("".join, zip(lines, [*breaks, ""], strict=True)))


def _show_plainly(commands: typer.Typer) -> None:
    """Make every command, of nested groups too, a `PlainCommand`."""
    for command in commands.registered_commands:
        command.cls = PlainCommand
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _show_plainly(group.typer_instance)
