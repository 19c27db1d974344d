"""`infinipot templates`: the prompts that `-t` takes."""

from typing import Annotated

import typer

from infinipot_cli.commands import complete, options
from infinipot_cli.config import load_config
from infinipot_cli.templates import template_names, template_text

app = typer.Typer(no_args_is_help=True, help="List and show the prompts that --template takes.")


@app.command("list")
def list_templates(json: options.Json = False, names: options.NamesOnly = False, debug: options.Debug = False) -> None:
    """Templates that come with infinipot, and your own.

    infinipot templates list
    """
    from infinipot_cli.display.listing import show_rows

    rows = [{"name": name, "origin": origin} for name, origin in template_names().items()]
    rows += [{"name": name, "origin": "settings"} for name in load_config().templates]
    show_rows(rows, as_json=json, names_only=names)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A template.", autocompletion=complete.templates)],
    debug: options.Debug = False,
) -> None:
    """Print a template.

    infinipot templates show ask
    """
    from infinipot_cli.display.listing import put

    settings = load_config().templates.get(name)
    if settings is not None:
        put("\n".join(f"{key}: {value}" for key, value in settings.items()))
    else:
        put(template_text(name))
