"""`infinipot bench startup`: how long it takes until a command begins."""

from typing import Annotated

import typer

from infinipot_cli.commands.options import common


def startup(
    runs: Annotated[
        int, typer.Option("--runs", metavar="N", min=1, help="Runs of each command.", rich_help_panel="Test")
    ] = 11,
    json: common.Json = False,
    debug: common.Debug = False,
) -> None:
    """Median time of the commands that only speak of themselves, and the interpreter's share of it.

    infinipot bench startup
    """
    from infinipot_cli.bench.startup import run
    from infinipot_cli.display.listing import show_rows

    rows: list[dict[str, object]] = [
        {"command": row.command, "seconds": round(row.seconds, 3), "of it python": f"{row.interpreter:.0%}"}
        for row in run(runs)
    ]
    show_rows(rows, as_json=json)
