"""`infinipot bench report`: the paper's tables and figures out of a folder of records."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Paper, check_paper
from infinipot_cli.commands.options import common

NAME = "report.md"


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Records: what --json printed, or the files of --record.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help=f"A .md or .html file; DIR/{NAME} by default.",
            rich_help_panel="Output",
        ),
    ] = None,
    paper: Paper = "L3",
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Draw the paper's tables and figures from the records of a folder, beside the paper's own numbers.

    infinipot bench report runs -o report.html

    Plots need infinipot[plots]; they lie in a folder beside a .md report and inside an .html one.
    """
    check_paper(paper)
    from infinipot_cli.display.console import error_console, say

    console = error_console(color, quiet=quiet)
    written = write(folder, output or folder / NAME, paper, say=lambda line: say(console, line))
    from infinipot_cli.display.answer import AnswerWriter

    writer = AnswerWriter()
    writer.write(str(written))
    writer.close()


def write(folder: Path, path: Path, paper: str, *, say: Callable[[str], None]) -> Path:
    """Write a folder's report and say what is missing of it.

    Args:
        folder: holds the records.
        path: of the report.
        paper: the model whose rows of the paper stand beside ours.
        say: takes a line for the user.

    Returns:
        The path of the report.

    Raises:
        DocumentError: the folder holds no record.
        OutputError: the report cannot be written.
    """
    from infinipot_cli.bench.report.found import find
    from infinipot_cli.bench.report.plots import MISSING, can_plot
    from infinipot_cli.bench.report.write import text
    from infinipot_cli.display.output_file import output_file

    found = find(folder)
    for left_out, why in found.left_out.items():
        say(f"left out: {left_out.name} {why}")
    if not can_plot():
        say(MISSING)
    with output_file(str(path)) as out:
        out.write(text(found, path, paper))
    return path
