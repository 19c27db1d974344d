"""Options about where an answer came from."""

from typing import Annotated

import typer

Cite = Annotated[
    bool,
    typer.Option(
        "--cite/--no-cite",
        help="Under the answer, the pages or lines that it attended to.",
        rich_help_panel="Sources",
    ),
]
Explain = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="After the answer, what the pot kept and what the answer attended to.",
        rich_help_panel="Sources",
    ),
]
Html = Annotated[
    str | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write the report of --explain as one HTML file.",
        show_default=False,
        rich_help_panel="Sources",
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Read the sources again, alone and in full, and say if the answer differs.",
        rich_help_panel="Sources",
    ),
]
PageText = Annotated[
    str | None,
    typer.Option(
        "--page",
        metavar="N",
        help="Then the text of a page, or of lines, with what was kept of it: 203, xii, 10-12.",
        show_default=False,
        rich_help_panel="Sources",
    ),
]
