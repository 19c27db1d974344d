"""Options that several commands share, each with its one sentence of help."""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import complete
from infinipot_cli.settings import Color

# Places in Typer's context where the boundary in app.py looks, because it must know them even if parsing fails.
JSON = "infinipot.json"
DEBUG = "infinipot.debug"
COLOR = "infinipot.color"
SETTINGS_COLOR = "infinipot.settings_color"  # for commands without --color
PLAIN = "infinipot.plain"
LINES = "lines"
# What the settings say and where the model came from, for the commands.
ALIASES = "infinipot.aliases"
TEMPLATES = "infinipot.templates"
LOADERS = "infinipot.loaders"
MODEL_WAS_CHOSEN = "infinipot.model_was_chosen"
MODEL_WAS_NAMED = "infinipot.model_was_named"  # for this very run, not in settings
MODEL_ORIGIN = "infinipot.model_origin"  # the model, and what names it where that is not this command line


_ORIGINS = {
    "ENVIRONMENT": f"{settings.MODEL_VARIABLE} names it",
    "DEFAULT_MAP": "the settings name it: infinipot config show",
}


def is_typed(ctx: typer.Context, name: str) -> bool:
    """Whether a parameter's value stands on the command line, not in settings, the environment or the program."""
    return str(ctx.get_parameter_source(name)).rsplit(".", 1)[-1] == "COMMANDLINE"


def _remember(key: str, ctx: typer.Context, value: object) -> object:
    ctx.meta[key] = value
    return value


def _remember_json(ctx: typer.Context, value: bool) -> object:
    if value:
        ctx.meta.setdefault(JSON, True)
    return value


def _known_model(ctx: typer.Context, value: str) -> str:
    """The model behind an alias; whether anybody chose it is remembered for the hint of the first run."""
    source = str(ctx.get_parameter_source("model")).rsplit(".", 1)[-1]
    ctx.meta[MODEL_WAS_CHOSEN], ctx.meta[MODEL_WAS_NAMED] = source != "DEFAULT", source == "COMMANDLINE"
    aliases: dict[str, str] = ctx.meta.get(ALIASES, {})
    model = aliases.get(value, value)
    if origin := _ORIGINS.get(source):
        ctx.meta[MODEL_ORIGIN] = (model, origin)
    return model


def _remember_jsonl(ctx: typer.Context, value: bool) -> object:
    if value:
        ctx.meta[JSON] = LINES
    return value


def _remember_debug(ctx: typer.Context, value: bool) -> object:
    return _remember(DEBUG, ctx, value)


def _remember_color(ctx: typer.Context, value: Color) -> object:
    return _remember(COLOR, ctx, value)


def remember_plain(ctx: typer.Context, value: bool) -> object:
    """Let errors be as plain as the rest."""
    return _remember(PLAIN, ctx, value)


Model = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        envvar=settings.MODEL_VARIABLE,
        help="pocket, a folder, an alias, or a model in the Hugging Face cache.",
        callback=_known_model,
        autocompletion=complete.models,
        rich_help_panel="Model and pot",
    ),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        "-n",
        "--max-tokens",
        metavar="N",
        parser=settings.parse_size,
        help=f"Longest answer in tokens; {settings.ASK_TOKENS} by default, {settings.SUMMARY_TOKENS} for a summary.",
        rich_help_panel="Output",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON document, on failure too.",
        callback=_remember_json,
        is_eager=True,
        rich_help_panel="Output",
    ),
]
Jsonl = Annotated[
    bool,
    typer.Option(
        "--jsonl",
        help="Print one JSON document a line for each answer; each source is then read by itself.",
        callback=_remember_jsonl,
        is_eager=True,
        rich_help_panel="Output",
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write to a file, which is there whole or not at all.",
        rich_help_panel="Output",
    ),
]
NamesOnly = Annotated[bool, typer.Option("-q", "--quiet", help="Only the names, one a line.", rich_help_panel="Output")]
NoLog = Annotated[bool, typer.Option("--no-log", help="Keep this out of the history.", rich_help_panel="Output")]
NoPager = Annotated[
    bool, typer.Option("--no-pager", help="Print a long list instead of paging it.", rich_help_panel="Output")
]
Plain = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="As in a pipe: no colour, no picture, no pager.",
        callback=remember_plain,
        is_eager=True,
        rich_help_panel="Output",
    ),
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Nothing but the answer and errors.", rich_help_panel="Output")
]
ColorWhen = Annotated[
    Color,
    typer.Option(
        "--color", help="When to use colour.", callback=_remember_color, is_eager=True, rich_help_panel="Output"
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show where an error came from.",
        callback=_remember_debug,
        is_eager=True,
        rich_help_panel="Output",
    ),
]
