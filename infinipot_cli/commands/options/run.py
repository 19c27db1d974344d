"""Options about a run as a whole: whether it is real, whether it is remembered, and how plain it looks."""

from dataclasses import dataclass
from typing import Annotated

import typer

from infinipot_cli.commands.options.common import NoLog, remember_plain

_PANEL = "Output"


@dataclass(frozen=True)
class RunOptions:
    """What of a run is done, recorded and drawn."""

    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Count what would be read, and how long it would take; load no model.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    no_log: NoLog = False
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", help="As in a pipe: no colour, no bar, no sources in the answer.", callback=remember_plain,
            is_eager=True, rich_help_panel=_PANEL,
        ),
    ] = False  # fmt: skip
    verbose: Annotated[
        int,
        typer.Option(
            "-v", "--verbose", count=True, help="Say more about what is done; -vv still more.", rich_help_panel=_PANEL,
            show_default=False, metavar="",
        ),
    ] = 0  # fmt: skip
