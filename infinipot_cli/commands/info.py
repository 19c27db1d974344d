"""`infinipot info SOURCE...`: what reading would take, before it is done."""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import SizeOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.commands.options.loading import LoadingOptions
from infinipot_cli.commands.options.pots import model_and_loading
from infinipot_cli.commands.options.read_already import check_still_holds
from infinipot_cli.commands.options.sources import SOURCE_HELP, SourceOptions
from infinipot_cli.commands.options.words import input_is_piped, sources_only


@with_groups
def info(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE...", help=f"{SOURCE_HELP} Or a stored pot, @NAME.", show_default=False),
    ] = None,
    *,
    documents: SourceOptions,
    loading: LoadingOptions,
    model: common.Model = settings.DEFAULT_MODEL,
    sizes: SizeOptions,
    json: common.Json = False,
    quiet: common.Quiet = False,
    plain: common.Plain = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Count what documents hold, without reading them into a pot.

    infinipot info report.pdf

    Tokens are counted by the model's own tokenizer. Time is estimated from the last reading with this model and pot.
    """
    chosen = sources_only(documents.words(sources), piped=input_is_piped(), example="infinipot info book.txt")
    check_still_holds(ctx, chosen)
    request = sizes.request()
    model, wanted = model_and_loading(ctx, chosen, loading.named(model), loading.loading())
    # Rich, the tokenizers and the session only once there is something to do: help stays fast.
    from infinipot_cli.commands.runs.counting import show_count
    from infinipot_cli.session import Session, ask

    # a question of usual length, so that the plan is that of a usual run
    usual = ask("What is the most important thing that is said here?")
    session = Session(model, request, documents.wishes(ctx.meta), loading=wanted)
    show_count(session, chosen, usual, json=json, quiet=quiet, plain=plain, strict=documents.strict, color=color)
