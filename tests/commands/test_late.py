"""Commands that are imported when they are run, and values that are taken as they are: nobody can tell, but by time."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperArgument, TyperOption
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.commands.late import EVERYDAY, LateCommand
from infinipot_cli.commands.quick_values import take_as_they_are
from tests.commands.tree import command_at, commands_in, inside, program


@pytest.mark.parametrize("name", list(inside(program())))
def test_a_command_is_listed_with_the_first_line_of_its_help(name: str) -> None:
    listed = program().commands[name]
    assert isinstance(listed, LateCommand)
    real = listed.real()
    assert listed.help == (real.help or "").split("\n\n")[0]
    assert (listed.name, listed.rich_help_panel) == (real.name, real.rich_help_panel)
    assert listed.real() is real


def test_nothing_of_a_command_is_imported_that_is_not_run() -> None:
    code = (
        "import sys\nfrom infinipot_cli.__main__ import main\nsys.argv = ['infinipot', 'pots', 'path', 'x']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "names = ('infinipot_cli.commands.pots', 'infinipot_cli.commands.ask', 'infinipot_cli.commands.bench',\n"
        "    'pydantic', 'typer.rich_utils')\n"
        "print(*(name for name in names if name in sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "infinipot_cli.commands.pots"


def test_markdown_is_there_for_whoever_wants_it() -> None:
    code = (
        "import sys\nfrom infinipot_cli.startup.quick_imports import own_process\nown_process()\n"
        "from rich.markdown import Markdown\nprint('markdown_it' in sys.modules)\n"
        "made = Markdown('# Who?')\nprint('markdown_it' in sys.modules, type(made).__module__)\n"
        "from rich.markdown import Heading\nprint(type(Markdown('x')) is type(made))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "rich.markdown", "True"]


@pytest.mark.parametrize("words", [("ask",), ("summarize",), ("pots", "list")], ids=" ".join)
def test_help_of_many_options_is_short_behind_h_and_whole_behind_help(words: tuple[str, ...]) -> None:
    brief, whole = (CliRunner().invoke(app, [*words, flag], prog_name="infinipot").stdout for flag in ("-h", "--help"))
    shown, there_is = (set(re.findall(r"^│ +(--[a-z][a-z-]*)", text, re.MULTILINE)) for text in (brief, whole))
    options = [option for option in command_at(words).params if isinstance(option, TyperOption)]
    assert there_is == {"--help", *(next(word for word in option.opts if word[:2] == "--") for option in options)}
    hidden = there_is - shown
    assert shown <= there_is and not hidden & EVERYDAY and (shown <= EVERYDAY or not hidden)
    told = re.search(rf"(\d+) more options: infinipot {' '.join(words)} --help", brief)
    assert (int(told[1]) if told else 0) == len(hidden)
    assert len(brief.splitlines()) < 100 and "more options" not in whole
    assert "bool" not in whole and "list[" not in whole


def given_values(parameter: Any) -> Iterator[Any]:
    """Values that a shell, an environment variable or the settings may hand to an option, good and bad ones."""
    kind = parameter.type_descriptor.annotation
    yield None
    yield parameter.default
    if parameter.multiple or parameter.nargs == -1:
        yield from (("a",), ["a", "b"], (), [], [1], "a", ["a", None])
    else:
        yield from (
            "",
            "a",
            "0",
            "1",
            "-1",
            "0.5",
            "1e9",
            "auto",
            "int8",
            "true",
            "4G",
            b"a",
            0,
            1,
            -1,
            0.5,
            True,
            10**12,
        )
    if isinstance(kind, type) and issubclass(kind, os.PathLike | str):
        yield Path("a")


def outcome(process: Any, ctx: Any, value: Any) -> tuple[Any, ...]:
    try:
        result = process(ctx, value)
    except Exception as error:  # of whatever kind: it must be the same one
        return type(error), str(error)
    return type(result), result


@pytest.mark.parametrize("words", list(commands_in(program())), ids=" ".join)
def test_every_option_takes_and_refuses_what_it_does_by_conversion(words: tuple[str, ...]) -> None:
    quick, slow = command_at(words), command_at(words)
    take_as_they_are(quick.params)
    ctx = typer.Context(slow, info_name=words[-1])
    for one, other in zip(quick.params, slow.params, strict=True):
        assert isinstance(one, TyperArgument | TyperOption) and "process_value" in vars(one)
        for value in given_values(other):
            assert outcome(one.process_value, ctx, value) == outcome(other.process_value, ctx, value), (one.name, value)
