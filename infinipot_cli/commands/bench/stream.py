"""`infinipot bench stream`: does a text of any size pass through a pipe in flat memory?"""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Book, print_json
from infinipot_cli.commands.options import common


def stream(
    book: Book,
    megabytes: Annotated[
        int,
        typer.Option("--megabytes", metavar="N", min=11, help="Text to send, in millions.", rich_help_panel="Test"),
    ] = 100,
    model: common.Model = settings.DEFAULT_MODEL,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Memory of everything in front of the model while a long text comes through a pipe and becomes tokens.

    infinipot bench stream --book book.txt --megabytes 1000
    """
    from dataclasses import asdict

    from infinipot_cli.bench import haystack
    from infinipot_cli.bench.stream import measure
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.tables import show_table, stream_table

    say(error_console(color, quiet=quiet), f"sending {megabytes} MB", style="dim")
    row = measure(haystack.read_book(book), megabytes * 1_000_000, model)
    if json:
        print_json({"schema": 1, "bench": "stream", "model": model, "rows": [asdict(row)]})
    else:
        show_table(stream_table([row]))
