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
Pages = Annotated[
    str | None,
    typer.Option(
        "--pages",
        metavar="LIST",
        help="Pages to read, such as 1-5,8,xii-xv: places counted from 1, or printed labels.",
        rich_help_panel=_PANEL,
    ),
]
Lines = Annotated[
    str | None,
    typer.Option(
        "--lines", metavar="LIST", help="Lines of a text to read, such as 1000-2000 or 1000-.", rich_help_panel=_PANEL
    ),
]
PasswordFile = Annotated[
    str | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="File whose first line opens an encrypted PDF.",
        rich_help_panel=_PANEL,
    ),
]
