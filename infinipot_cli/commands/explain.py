"""`infinipot explain SOURCE... QUESTION`: what the pot kept, what the answer attended to, and what it cites."""

import os
from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import complete
from infinipot_cli.commands.options import citing, common
from infinipot_cli.commands.options.distilling import CatalystOptions, DistillingOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.commands.options.loading import LoadingOptions
from infinipot_cli.commands.options.pins import PinOptions
from infinipot_cli.commands.options.pots import model_and_loading
from infinipot_cli.commands.options.read_already import check_still_holds
from infinipot_cli.commands.options.sources import SOURCE_HELP, SourceOptions
from infinipot_cli.commands.options.words import input_is_piped, sources_and_questions
from infinipot_cli.errors import UsageError

_PANEL = "Report"


@with_groups
def explain(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE... QUESTION",
            autocompletion=complete.sources,
            help=f"{SOURCE_HELP} Or a stored pot, @NAME. The question last.",
            show_default=False,
        ),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option(
            "--page", metavar="N", help="Show the text of a page, or of lines: 203, xii, 10-12.", rich_help_panel=_PANEL
        ),
    ] = None,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Write the whole report as one HTML file.", rich_help_panel=_PANEL),
    ] = None,
    pager: Annotated[
        bool, typer.Option("--pager/--no-pager", help="Page what a terminal shows.", rich_help_panel=_PANEL)
    ] = True,
    *,
    verify: citing.Verify = False,
    documents: SourceOptions,
    pins: PinOptions,
    loading: LoadingOptions,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    judging: CatalystOptions,
    max_tokens: common.MaxTokens = None,
    json: common.Json = False,
    plain: common.Plain = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Answer a question and show where the answer came from.

    infinipot explain book.pdf "Why did the treaty fail?"

    infinipot explain book.pdf "Why did the treaty fail?" --page 203

    infinipot explain book.pdf "Why did the treaty fail?" --html report.html

    infinipot explain @book

    A stored pot needs no question: then only what it kept is shown.
    """
    words = documents.words(words)
    if pins.pin or pins.pin_pages:
        distilling.request(max_tokens).check_distilling("what is pinned")
    is_pot_alone = len(words) == 1 and words[0].startswith("@") and not os.path.exists(words[0])
    sources, asked = words, list[str]()
    if not is_pot_alone:
        sources, asked = sources_and_questions(words, [], None, piped=input_is_piped(), command="explain")
    if verify and not asked:
        raise UsageError("--verify asks again, and nothing was asked", hint="give the question last")
    model = loading.named(model)
    check_still_holds(ctx, sources, looks_again=verify)
    model, wanted = model_and_loading(ctx, sources, model, loading.loading())
    request = distilling.request(max_tokens, usual=settings.usual_choices(model, knows_question=True))
    # Rich, the tokenizers and the session only once there is something to do: help stays fast.
    from infinipot_cli import session
    from infinipot_cli.commands.runs.explaining import explained, say_failures, show
    from infinipot_cli.commands.runs.form import files_besides
    from infinipot_cli.commands.runs.remarks import allow_no_warnings
    from infinipot_cli.display.output_file import check_named, check_output

    if html is not None:
        check_named(html, "--html")
        check_output(html)

    made = session.Session(model, request, documents.wishes(ctx.meta), loading=wanted)
    task = judging.judge(session.ask_all(asked), request) if asked else None
    told = explained(
        made, sources, task, color=color, quiet=quiet, plain=plain, pins=pins.pins(), verify=verify, html=html,
        inputs=files_besides(model, prompts=(judging.catalyst,), others=(documents.password_file,)),
        strict=documents.strict,
    )  # fmt: skip
    show(told, page=page, html=html, json=json, pager=pager, color=color, quiet=quiet, plain=plain)
    say_failures(told, color=color, quiet=quiet, plain=plain)
    if told.failures:
        raise typer.Exit(told.failures[0].exit_code)
    if documents.strict:
        allow_no_warnings(told.n_warnings, color, plain=plain)
