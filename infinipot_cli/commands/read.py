"""`infinipot read SOURCE... --save-pot NAME`: read once, to ask later."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import complete
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import CatalystOptions, DistillingOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.commands.options.loading import LoadingOptions
from infinipot_cli.commands.options.pins import PinOptions
from infinipot_cli.commands.options.pots import PotOptions, model_and_loading
from infinipot_cli.commands.options.prompts import System
from infinipot_cli.commands.options.read_already import check_still_holds
from infinipot_cli.commands.options.run import RunOptions
from infinipot_cli.commands.options.sources import SOURCE_HELP, SourceOptions
from infinipot_cli.commands.options.words import input_is_piped, sources_only
from infinipot_cli.commands.runs.consent import ConsentOptions
from infinipot_cli.commands.runs.going_on import ResumeOptions
from infinipot_cli.errors import UsageError

USUAL_QUESTION = "What is the most important thing that is said here?"


@with_groups
def read(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE...", help=SOURCE_HELP, show_default=False)
    ] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(
            "-Q", "--question", metavar="TEXT", help="Keep what matters to this question.", show_default=False,
            rich_help_panel="Questions",
        ),
    ] = None,
    pot: Annotated[
        str | None,
        typer.Option(
            "--pot", metavar="NAME|FILE", help="Read into this stored pot.", autocompletion=complete.pots,
            rich_help_panel="Stored pots",
        ),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(
            "--every", metavar="TIME", parser=settings.parse_seconds, rich_help_panel="Stored pots",
            help="Store it again and again while an endless source is read, such as every 30s or 10m.",
            show_default=False,
        ),
    ] = None,
    announce: Annotated[
        bool,
        typer.Option(
            "--announce", rich_help_panel="Stored pots",
            help="Tell the model a document's name even if it is alone: for one that others follow, by --pot.",
        ),
    ] = False,
    *,
    documents: SourceOptions,
    pins: PinOptions,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    judging: CatalystOptions,
    json: common.Json = False,
    quiet: common.Quiet = False,
    run: RunOptions,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
    system: System = None,
    stored: PotOptions,
    resuming: ResumeOptions,
    loading: LoadingOptions,
    consent: ConsentOptions,
) -> None:  # fmt: skip
    """Read documents into a pot and store it, to ask it later.

    infinipot read book.pdf --save-pot book

    infinipot read appendix.pdf --pot book

    tail -n +1 -F app.log | infinipot read - --save-pot app --every 10m

    Several documents are announced by name, one alone only with --announce: then reading the others into its pot later
    leaves the pot that reading all at once would have left.

    Without -Q the pot keeps what matters in general, so that any question may follow.
    """
    sources = documents.words(sources)
    stopped = resuming.stopped(ctx, has_sources=bool(sources or pot))
    example = "infinipot read book.pdf --save-pot book"
    chosen = stopped.words if stopped else sources_only(sources, piped=input_is_piped(), example=example)
    name = stored.save_pot or (stopped.pot if stopped else None)
    if name is None and pot is not None:
        from infinipot_cli.pots.shelf import name_to_replace

        name = name_to_replace(pot)
    if name is None:
        raise UsageError("the pot needs a name", hint=_with_a_name(chosen), code="no_name")
    words = [f"@{pot.removeprefix('@')}", *chosen] if pot and not stopped else chosen
    model = loading.named(model)
    check_still_holds(ctx, words, is_stored=True)
    model, wanted = model_and_loading(ctx, words, model, loading.loading())
    request = distilling.request(usual=settings.usual_choices(model, knows_question=True) if question else ())
    from dataclasses import replace

    from infinipot_cli import session
    from infinipot_cli.commands.runs.carry_out import carry_out
    from infinipot_cli.commands.runs.form import Form

    catalyst = "question" if question else "general"
    task = replace(session.ask_all(question or [USUAL_QUESTION], catalyst=catalyst), system=system or "")
    if stopped is not None and not question and stopped.is_known:
        task = stopped.task if system is None else replace(stopped.task, system=system)
    has_question = bool(question) or (stopped is not None and stopped.has_question)
    task = judging.judge(task, request, has_question=has_question)
    form = Form(
        json=json, quiet=quiet, color=color, strict=documents.strict, consent=consent,
        save_pot=name, every=every, entries=stored.entries, answers=False, run=run, announce=announce,
        pins=stopped.pins if stopped else pins.pins(), found=stopped.found if stopped else frozenset(),
    )  # fmt: skip
    made = session.Session(model, request, documents.wishes(ctx.meta), loading=wanted)
    carry_out(made, form, words, stopped.resume(made, task) if stopped else task)


def _with_a_name(sources: Sequence[str]) -> str:
    """The command with a pot that is called like its first document."""
    from shlex import join  # seldom needed, and help must stay fast

    from infinipot_cli.pots.transfer import name_like

    return join(["infinipot", "read", *sources, "--save-pot", name_like(Path(sources[0]).stem)])
