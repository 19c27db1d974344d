"""`infinipot templates`: the prompts that `-t` takes."""

from typing import Annotated

import typer

from infinipot_cli.commands import complete
from infinipot_cli.commands.options import common
from infinipot_cli.commands.runs.consent import No
from infinipot_cli.config import load_config
from infinipot_cli.errors import OutputError, UsageError
from infinipot_cli.templates import (
    CATALYSTS,
    DOCUMENT,
    QUESTION,
    is_built_in,
    load_template,
    own_file,
    template_names,
    template_text,
)

app = typer.Typer(
    no_args_is_help=True,
    help="List, show and edit the prompts that --template takes."
    "\n\ninfinipot templates list\n\ninfinipot templates edit minutes",
)


@app.command("list")
def list_templates(
    json: common.Json = False,
    names: common.NamesOnly = False,
    no_pager: common.NoPager = False,
    plain: common.Plain = False,
    debug: common.Debug = False,
) -> None:
    """Templates that come with infinipot, and your own.

    infinipot templates list
    """
    from infinipot_cli.display.listing import show_rows

    found = {name: (origin, _asks(name)) for name, origin in template_names().items()}
    for name, held in load_config().templates.items():
        origin = f"settings, before {found[name][0]}" if name in found else "settings"
        if not is_built_in(name):  # which is taken whatever the settings say
            found[name] = (origin, str(held.get("question", "")))
    # what people write their answers with comes before what judges a full pot
    rows = [
        {"name": name, "option": option, "asks": asks, "origin": origin}
        for option in ("-t", "--catalyst")
        for name, (origin, asks) in found.items()
        if (option == "--catalyst") == (name in CATALYSTS.values())
    ]
    show_rows(rows, as_json=json, names_only=names, pager=not no_pager, plain=plain)


def _asks(name: str) -> str:
    """The words of a prompt on one line, without the place of the document."""
    try:
        return " ".join(template_text(name).replace(DOCUMENT, "").split())
    except UsageError as error:  # one of the user's own that cannot be read
        return error.message


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A template.", autocompletion=complete.templates)],
    debug: common.Debug = False,
) -> None:
    """Print a template.

    infinipot templates show ask
    """
    from infinipot_cli.display.listing import put

    settings = load_config().templates.get(name)
    if settings is not None and not is_built_in(name):
        put("\n".join(f"{key}: {value}" for key, value in settings.items()))
    else:
        put(template_text(name))


@app.command()
def edit(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A template of your own.", autocompletion=complete.templates)
    ],
    origin: Annotated[
        str,
        typer.Option("--from", metavar="NAME", help="What a new one begins as.", autocompletion=complete.templates),
    ] = "ask",
    no_input: No = False,
    debug: common.Debug = False,
) -> None:
    """Write a prompt of your own in your editor; {document} marks where the document goes, {question} the question.

    infinipot templates edit minutes

    infinipot templates edit brief --from summarize-short
    """
    from infinipot_cli.commands.editing import check_terminal
    from infinipot_cli.commands.editing import edit as open_editor
    from infinipot_cli.display.console import error_console, say

    path, config = own_file(name), load_config()
    if name in config.templates:  # -t would take that one whatever the file says
        origin_of_it = config.origins[f"templates.{name}"]
        raise UsageError(f"the template {name} stands in {origin_of_it}", hint=f"change [templates.{name}] there")
    check_terminal(path, no_input=no_input)
    try:
        if not path.exists():
            asks = config.templates.get(origin, {}).get("question", QUESTION)
            text = template_text("ask" if origin in config.templates else origin).replace(QUESTION, asks)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    open_editor(path)
    load_template(name)  # says what is wrong with it
    say(error_console(), f'saved {path} → infinipot ask book.txt -t {name} "…"', style="dim")
