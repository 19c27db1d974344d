"""`infinipot bench families`: does the engine hold for every family of models?"""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import print_json
from infinipot_cli.commands.options import common


def families(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[FAMILY]...", help="Only these, by name or type; all by default.")
    ] = None,
    cycles: Annotated[
        int,
        typer.Option(
            "--cycles", metavar="N", min=1, help="Distillations before keys are checked.", rich_help_panel="Test"
        ),
    ] = 250,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of the README.", rich_help_panel="Output")
    ] = False,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Hold the engine to every family of models, on tiny random ones made on the spot.

    A document that fits must read as plain transformers reads it; kept sets and answers must equal a slow reference's;
    stored keys must equal fresh ones after hundreds of distillations.

    infinipot bench families llama qwen3
    """
    settings.prepare_environment()
    from infinipot_cli.bench import families as bench
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.tables import families_markdown, families_table, show_table

    console = error_console(color, quiet=quiet)
    rows = []
    for row in bench.run(frozenset(names or ()), cycles):
        rows.append(row)
        say(console, f"{row.family}  {'right' if all(row.verdicts) else 'WRONG'}", style="dim")
    if json:
        print_json({"schema": 1, "bench": "families", "rows": [row.to_record() for row in rows]})
    elif markdown:
        from infinipot_cli.display.answer import AnswerWriter

        writer = AnswerWriter()
        writer.write(families_markdown(rows))
        writer.close()
    else:
        show_table(families_table(rows))
    if not all(all(row.verdicts) for row in rows):
        raise typer.Exit(1)
