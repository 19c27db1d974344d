"""`infinipot chat SOURCE...`: one question after the other."""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import complete
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import DistillingOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.commands.options.loading import LoadingOptions
from infinipot_cli.commands.options.pins import PinOptions
from infinipot_cli.commands.options.pots import ContinueOptions, model_and_loading
from infinipot_cli.commands.options.prompts import SamplingOptions, System
from infinipot_cli.commands.options.read_already import check_still_holds
from infinipot_cli.commands.options.run import RunOptions
from infinipot_cli.commands.options.sources import NAMED_HELP, NamedSources
from infinipot_cli.commands.options.words import ANY_QUESTION
from infinipot_cli.commands.runs.consent import ConsentOptions
from infinipot_cli.errors import UsageError


@with_groups
def chat(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help=f"{NAMED_HELP}. Or a stored pot, @NAME.",
            autocompletion=complete.sources,
            show_default=False,
        ),
    ] = None,
    history: Annotated[
        bool | None,
        typer.Option(
            "--history/--no-history",
            help="Remember earlier questions and answers; by default with every model but pocket.",
            show_default=False,
        ),
    ] = None,
    *,
    documents: NamedSources,
    going_on: ContinueOptions,
    pins: PinOptions,
    loading: LoadingOptions,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    sampling: SamplingOptions,
    max_tokens: common.MaxTokens = None,
    system: System = None,
    consent: ConsentOptions,
    no_log: common.NoLog = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Ask one question after the other about documents or a stored pot.

    infinipot chat @book

    infinipot chat report.pdf

    Standard input gives the questions, one a line; /help lists what else can be typed.
    """
    sources = going_on.words(sources or [])
    if not sources or "-" in sources:
        raise UsageError(
            "standard input is for the questions: name a document or a stored pot", hint="infinipot chat book.pdf"
        )
    model = loading.named(model)
    check_still_holds(ctx, sources, looks_again=True)
    model, wanted = model_and_loading(ctx, sources, model, loading.loading())
    request = distilling.request(max_tokens, usual=settings.usual_choices(model, knows_question=False))
    request.check_distilling("a conversation")
    from dataclasses import replace

    from infinipot_cli import session
    from infinipot_cli.commands.runs.form import Form
    from infinipot_cli.commands.runs.talk import talk_about

    made = session.Session(model, request, documents.wishes(ctx.meta), sampling.sampling(), wanted)
    usual = replace(session.ask(ANY_QUESTION, catalyst="general"), system=system or "")
    form = Form(
        quiet=quiet,
        color=color,
        strict=documents.strict,
        consent=consent,
        pins=pins.pins(),
        run=RunOptions(no_log=no_log),
    )
    keeps = history if history is not None else model != settings.DEFAULT_MODEL
    talk_about(made, form, sources, usual, (), keeps_history=keeps, command="chat")
