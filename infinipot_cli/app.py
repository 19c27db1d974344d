"""The command line: its commands, and the one boundary where an exception becomes a message and an exit code."""

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from infinipot_cli import __version__
from infinipot_cli.commands import late
from infinipot_cli.commands.late import AS_TYPED, Entry, LateCommand
from infinipot_cli.commands.options import common
from infinipot_cli.config import load_config
from infinipot_cli.endings import Terminated, held_back, stopping
from infinipot_cli.errors import DeviceError, InfinipotError, ModelError, StandardOutputError, UsageError
from infinipot_cli.settings import Color

BROKEN_PIPE = 141


class InfinipotGroup(TyperGroup):
    """Runs a command and turns what it raises into one line, a hint and an exit code.

    A subclass of the group serves the real process, nested groups and Typer's test runner alike.
    """

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **more: Any) -> Any:
        """Look at the words; a signal that comes meanwhile is told of as later ones are."""
        typed = tuple(args)
        try:
            return super().make_context(info_name, args, *rest, **more)
        except (KeyboardInterrupt, Terminated) as end:
            raise typer.Exit(tell_stopped(end, typed_json(typed))) from None

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # as below
        """Take what stands before the command's name; what is wrong there is said as anything else is."""
        ctx.meta[AS_TYPED] = tuple(args)
        late.prepare(self.get_params(ctx))
        if ctx.parent is not None:  # the outermost group deals with the inner ones
            return super().parse_args(ctx, args)
        is_bare = not args
        try:
            return super().parse_args(ctx, args)
        except (BrokenPipeError, SystemExit) as end:  # --version and --help print while words are being parsed
            raise typer.Exit(_reader_is_gone(end)) from None
        except (typer.TyperException, OSError) as error:
            if is_bare and isinstance(error, typer.TyperException):
                raise  # nothing at all is help
            raise typer.Exit(_report(ctx, error)) from error

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]  # as below
        """Find the command; a document in its place is what somebody types who does not know `ask` yet."""
        word = args[0]
        if word not in self.commands and (word == "-" or word.startswith("@") or os.path.exists(word)):
            from shlex import join  # seldom needed, and help must stay fast

            question = "" if len(args) > 1 else ' "…"'
            hint = f"infinipot ask {join(args)}{question}"
            raise UsageError(f"{word} stands where a command is wanted", hint=hint)
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.real() if isinstance(command, LateCommand) else command, rest

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # Typer's own name of this type is private
        """Run the command the user named."""
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except (typer.Exit, typer.Abort):
            raise
        except (KeyboardInterrupt, Terminated) as end:
            raise typer.Exit(tell_stopped(end, _wanted_json(ctx))) from None
        except (BrokenPipeError, SystemExit) as end:
            raise typer.Exit(_reader_is_gone(end)) from None
        except Exception as error:  # the boundary: whatever was not foreseen is a bug of ours and says so
            raise typer.Exit(_report(ctx, error)) from error
        return result


def tell_stopped(end: KeyboardInterrupt | Terminated, wanted: object) -> int:
    """Say that a signal ended the command, as JSON where that is wanted; returns the exit code."""
    message, hint, exit_code = stopping(end)
    with held_back():  # an impatient second press must not cost the document
        _put_record(InfinipotError(message, hint=hint, code="interrupted"), exit_code, wanted)
    return exit_code


def _reader_is_gone(end: BaseException) -> int:
    """Let nobody be told of it once more when the process ends; returns the exit code.

    Rich, which draws the help, makes `SystemExit(1)` of a broken pipe. Any other is no broken pipe.
    """
    if isinstance(end, SystemExit) and end.code != 1:
        raise end
    from infinipot_cli.display.answer import discard_output

    discard_output()
    return BROKEN_PIPE


def _report(ctx: typer.Context, error: Exception) -> int:
    """Show an exception as the user should see it; returns the exit code."""
    from infinipot_cli.display.console import error_console
    from infinipot_cli.display.problem import show_problem

    known = _known(error, f"{ctx.command_path} {ctx.invoked_subcommand or ''}".strip())
    model, origin = ctx.meta.get(common.MODEL_ORIGIN, ("", ""))
    if isinstance(known, ModelError) and model and model in known.message:  # nobody typed it, so say where it stands
        known.hint = f"{known.hint}; {origin}".removeprefix("; ")
    if ctx.meta.get(common.DEBUG):
        traceback.print_exception(error)
    if known.message:  # a command without any words has shown its help
        show_problem(error_console(_wanted_color(ctx), plain=_wanted_plain(ctx)), known.message, known.hint)
    code = getattr(error, "exit_code", known.exit_code)
    _put_record(known, code, _wanted_json(ctx))
    if isinstance(known, StandardOutputError) and sys.stdout is not None:
        from infinipot_cli.display.answer import discard_output

        discard_output()  # what waits to be written would fail once more when the process ends
    return int(code)


def _put_record(known: InfinipotError, code: int, wanted: object) -> None:
    """What ended a command as JSON, where that was asked for and standard output is not itself what failed."""
    if not wanted or sys.stdout is None or isinstance(known, StandardOutputError):
        return
    from infinipot_cli.display.answer import use_utf8
    from infinipot_cli.display.problem import problem_record
    from infinipot_cli.display.safe import safe_json

    record = problem_record(known.message, hint=known.hint, code=known.code, exit_code=code)
    use_utf8()
    try:
        sys.stdout.write(safe_json(record, one_line=wanted == common.LINES) + "\n")
        sys.stdout.flush()
    except OSError:  # nobody reads it, or there is no room: the exit code tells all the same
        from infinipot_cli.display.answer import discard_output

        discard_output()


def _wanted_json(ctx: typer.Context) -> object:
    """How JSON was asked for, if it was; what failed before words were parsed searches them as they were typed."""
    if common.JSON in ctx.meta:
        return ctx.meta[common.JSON]
    return typed_json(_typed_flags(ctx))


def typed_json(words: Sequence[str]) -> object:
    """How JSON is asked for by the words of a command line, not by an environment variable."""
    flags = _flags(words)
    return common.LINES if "--jsonl" in flags else "--json" in flags


def _wanted_color(ctx: typer.Context) -> Color:
    """When colour was asked for, likewise."""
    if common.COLOR in ctx.meta:
        return Color(ctx.meta[common.COLOR])
    flags = [part for word in _typed_flags(ctx) for part in word.replace("--color=", "--color\0").split("\0")]
    wanted = [Color(value) for flag, value in pairwise(flags) if flag == "--color" and value in [*Color]]
    return wanted[-1] if wanted else Color(ctx.meta.get(common.SETTINGS_COLOR, Color.AUTO))


def _wanted_plain(ctx: typer.Context) -> bool:
    """Whether all shall be as in a pipe, likewise."""
    return bool(ctx.meta.get(common.PLAIN, "--plain" in _typed_flags(ctx)))


def _typed_flags(ctx: typer.Context) -> list[str]:
    return _flags(ctx.meta.get(AS_TYPED, ()))


def _flags(words: Sequence[str]) -> list[str]:
    return list(takewhile(lambda word: word != "--", words))


# Words of the library that reads values, and what a user would say.
_PLAINLY = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "a whole number is wanted",
    "Input should be a valid number, unable to parse string as a number": "a number is wanted",
}


# What the system says of a stream that takes nothing more.
_NOT_WRITTEN = {errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EBADF, errno.EINVAL, getattr(errno, "EDQUOT", errno.ENOSPC)}


def _has_folder() -> bool:
    """Whether the process is in a folder that exists."""
    try:
        return bool(os.getcwd())
    except OSError:
        return False


def _known(error: Exception, command: str) -> InfinipotError:
    """The error of a command as one of ours, for its message, hint and code."""
    if isinstance(error, InfinipotError):
        return error
    if isinstance(error, typer.TyperException):
        where = getattr(error, "ctx", None)  # of a nested command, where there is one
        command = where.command_path if where else command
        message = error.format_message()
        for theirs, ours in _PLAINLY.items():
            message = message.replace(theirs, ours)
        return InfinipotError(message, hint=f"{command} --help lists what there is", code="usage")
    if isinstance(error, FileNotFoundError) and error.filename is None and not _has_folder():
        return UsageError("the folder you are in is not there any more", hint="cd to another one")
    if isinstance(error, OSError) and sys.stdout is not None and error.errno in _NOT_WRITTEN and error.filename is None:
        return StandardOutputError(f"the answer cannot be written: {error.strerror or error}")
    if isinstance(error, MemoryError):
        return DeviceError("there is not enough memory", hint="a smaller pot needs less: -s", code="out_of_memory")
    return InfinipotError(
        f"this is a bug in infinipot: {type(error).__name__}: {error}",
        hint="run it again with --debug to see where, and report it",
        code="bug",
    )


app = typer.Typer(
    name="infinipot",
    cls=InfinipotGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="infinipot COMMAND -h says more, --help everything, infinipot help manual shows the README. "
    "To report a problem, add what --debug and infinipot doctor print. Exit codes: 0 answered, 2 usage, 3 document, "
    "4 model, 5 memory or device, 6 stored pot, 7 output, 130 Ctrl-C, 141 the reader of a pipe went away, "
    "143 SIGTERM. The method: https://arxiv.org/abs/2410.01518",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"infinipot {__version__}")
        raise typer.Exit


# Commands that must work when the settings are broken, since they are what shows it.
WITHOUT_SETTINGS = {None, "config", "doctor", "schema", "help"}
# Benchmarks of a model and pot of the user's; `pocket` and `cost` are about sizes of their own.
CONFIGURED_BENCHES = ("needle", "ruler", "longbench", "hitrate", "ageing", "citations", "pots", "memory", "screen")
MANAGE = "Manage"


@app.callback()
def infinipot(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("-V", "--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Ask a local model about documents of any length, in memory of fixed size.

    infinipot ask book.txt "Who found the map?"
    """
    if ctx.invoked_subcommand in WITHOUT_SETTINGS:
        return
    try:
        found = load_config()
    except InfinipotError:
        if {"-h", "--help"}.isdisjoint(_typed_flags(ctx)):
            raise
        return  # who asks for help gets it
    ctx.meta[common.ALIASES] = found.aliases
    ctx.meta[common.TEMPLATES] = found.templates
    ctx.meta[common.LOADERS] = tuple(found.loaders.items())
    if (color := found.values.get("output.color")) is not None:
        ctx.meta[common.SETTINGS_COLOR] = color.value
    # Typer asks this map after flags and environment variables, and nested groups for an entry of their own.
    defaults = found.default_map()
    ctx.default_map = {
        **dict.fromkeys(("ask", "summarize", "read", "explain", "chat", "info"), defaults),
        "bench": dict.fromkeys(CONFIGURED_BENCHES, defaults),
    }


late.add(
    app,
    (
        Entry("ask", "Answer questions from documents of any length.", needs_words=True),
        Entry("summarize", "Summarize documents of any length."),
        Entry("read", "Read documents into a pot and store it, to ask it later."),
        Entry("explain", "Answer a question and show where the answer came from.", needs_words=True),
        Entry("chat", "Ask one question after the other about documents or a stored pot."),
        Entry("info", "Count what documents hold, without reading them into a pot."),
        Entry("pots", "List, look into, copy and delete stored pots.", MANAGE, lists=True),
        Entry("models", "List, name and choose the models of this machine.", MANAGE, lists=True),
        Entry("templates", "List, show and edit the prompts that --template takes.", MANAGE, lists=True),
        Entry(
            "history",
            "Look up what was asked and answered at this terminal, or keep it from being recorded.",
            MANAGE,
            lists=True,
        ),
        Entry("config", "Show the settings and where they come from.", MANAGE, lists=True),
        Entry("doctor", "Check what infinipot needs: libraries, accelerator, models, settings, terminal.", MANAGE),
        Entry("schema", "Print the JSON Schema of what --json and --jsonl print; changes to it only add.", MANAGE),
        Entry("help", "Show the help of a command, or the whole manual.", MANAGE),
        Entry("bench", "Measure what the pot finds again and what it costs.", MANAGE, lists=False),
    ),
)
