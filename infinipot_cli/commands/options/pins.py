"""Options about parts of documents that are kept for ever."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # help must stay fast
    from infinipot_cli.pins import Pins

_PANEL = "Documents"


@dataclass(frozen=True)
class PinOptions:
    """What no distillation may drop."""

    pin: Annotated[
        list[str] | None,
        typer.Option(
            "--pin", metavar="TEXT", help="Keep this text of a document for ever.", rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None  # fmt: skip
    pin_pages: Annotated[
        str | None,
        typer.Option(
            "--pin-pages", metavar="LIST", help="Keep these pages for ever, such as 1-3,xii.", rich_help_panel=_PANEL
        ),
    ] = None

    def pins(self) -> "Pins":
        """The same as a reading takes it.

        Raises:
            UsageError: a value makes no sense.
        """
        from infinipot_cli.pins import Pins

        return Pins(self.pin or (), self.pin_pages)
