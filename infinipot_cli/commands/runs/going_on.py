"""`--resume`: go on reading where Ctrl-C stopped."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli.commands.options.read_already import check_goes_on
from infinipot_cli.errors import UsageError

if TYPE_CHECKING:  # help must stay fast
    from infinipot_cli.stopped import Stopped


@dataclass(frozen=True)
class ResumeOptions:
    """Whether the run goes on where another was stopped."""

    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on reading where Ctrl-C stopped it; the documents and the question are those of then.",
            rich_help_panel="Stored pots",
        ),
    ] = False

    def stopped(self, ctx: typer.Context, *, has_sources: bool) -> "Stopped | None":
        """How to go on, None unless that is wanted.

        Args:
            ctx: of the command.
            has_sources: the user named documents too, or where to store.

        Raises:
            UsageError: nothing was stopped, or documents are named, or options about them.
            PotError: what was read is gone.
        """
        if not self.resume:
            return None
        if has_sources:
            raise UsageError("--resume goes on with the documents of then: name no others", hint="leave them out")
        check_goes_on(ctx)
        from infinipot_cli.stopped import load

        return load()
