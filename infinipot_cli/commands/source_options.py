"""Options about the documents to read; their values are checked by `documents.wishes` before anything is opened."""

from typing import Annotated

import typer

_PANEL = "Documents"

Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Encoding of texts, such as cp1252; told from their bytes by default.",
        rich_help_panel=_PANEL,
    ),
]
Type = Annotated[
    str | None,
    typer.Option(
        "--type",
        metavar="NAME",
        help="What the sources are, such as text or pdf; told from their bytes by default.",
        rich_help_panel=_PANEL,
    ),
]
