"""Options and output that the benchmarks share."""

from typing import Annotated

import typer

Book = Annotated[
    str,
    typer.Option("--book", metavar="FILE", help="The long text to read, a text file or a PDF.", rich_help_panel="Test"),
]


def print_json(record: dict[str, object]) -> None:
    """Print a run's record on standard output."""
    from infinipot_cli.display.answer import AnswerWriter
    from infinipot_cli.display.safe import safe_json

    writer = AnswerWriter()
    writer.write(safe_json(record))
    writer.close()
