"""`infinipot help`: what `--help` prints, as a command of its own, and the manual, which needs no network."""

from typing import Annotated

import typer

from infinipot_cli.commands import complete
from infinipot_cli.commands.options import common

MANUAL = "manual"


def help(  # noqa: A001  # as it is typed
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND]...",
            help="The command, as infinipot help pots show; or manual, for all of the README.",
            show_default=False,
            autocompletion=complete.commands,
        ),
    ] = None,
    no_pager: common.NoPager = False,
    plain: common.Plain = False,
    debug: common.Debug = False,
) -> None:
    """Show the help of a command, or the whole manual.

    infinipot help ask

    infinipot help manual
    """
    if words == [MANUAL]:
        from infinipot_cli.display.manual import show_manual

        show_manual(pager=not no_pager, plain=plain)
        return
    root = ctx.find_root()
    code = root.command.main([*(words or ()), "--help"], prog_name=root.info_name, standalone_mode=False)
    raise typer.Exit(code or 0)
