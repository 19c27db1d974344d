"""Options and output that the benchmarks share."""

from pathlib import Path
from typing import Annotated

import typer

from infinipot_cli.errors import UsageError
from infinipot_cli.settings import parse_size

Book = Annotated[
    str,
    typer.Option(
        "--book", metavar="FILE", help="The long text to read: a document, or a folder of them.", rich_help_panel="Test"
    ),
]
Arms = Annotated[
    str,
    typer.Option(
        "--arms",
        metavar="A,B",
        help="Ways to hold the text: infinipot as asked for, general (CaP-G), catalyst-p, -u, -g1, -g2 or -FILE, "
        "no-nuc (catalyst alone), no-cap (novelty alone), alpha-25 or any other percent, no-cr-rope, bare (last "
        "token, no CR-RoPE), a policy's name; or all.",
        rich_help_panel="Test",
    ),
]
Record = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="FILE",
        help="Keep each answer as a line of JSON; a stopped run goes on from there.",
        rich_help_panel="Test",
    ),
]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Say every question and answer.", rich_help_panel="Output")
]
Paper = Annotated[
    str, typer.Option("--paper", metavar="LLM", help="The paper's rows to show beside.", rich_help_panel="Test")
]


def check_paper(name: str) -> None:
    """Refuse a model that the paper's tables do not have.

    Raises:
        UsageError: there is no such row.
    """
    from infinipot_cli.bench.longbench_record import paper_models

    if name not in paper_models():
        raise UsageError(f"the paper has no rows of {name!r}", hint="one of " + ", ".join(paper_models()))


def print_json(record: dict[str, object]) -> None:
    """Print a run's record on standard output."""
    from infinipot_cli.display.answer import AnswerWriter
    from infinipot_cli.display.safe import safe_json

    writer = AnswerWriter()
    writer.write(safe_json(record))
    writer.close()


def parse_lengths(text: str) -> tuple[int, ...]:
    """Lengths as a user types them, in tokens, separated by commas; each once.

    Raises:
        UsageError: one is no size, or no token at all.
    """
    found = tuple(dict.fromkeys(parse_size(word) for word in text.split(",")))
    for length in found:
        check_length(length)
    return found


def check_length(length: int) -> None:
    """Refuse a text of no token.

    Raises:
        UsageError: the length is below 1.
    """
    if length < 1:
        raise UsageError(f"a length must be at least 1 token, not {length}", hint="write lengths such as 4k,32k")


def parse_depths(text: str) -> tuple[float, ...]:
    """Depths as a user types them, shares of a text separated by commas.

    Raises:
        UsageError: one is no number from 0 to 1.
    """
    try:
        found = tuple(dict.fromkeys(float(word) for word in text.split(",")))
    except ValueError:
        raise UsageError(f"{text!r} are no depths", hint="write shares such as 0.1,0.5,0.9") from None
    if not all(0 <= depth <= 1 for depth in found):
        raise UsageError("a depth must lie between 0 and 1")
    return found
