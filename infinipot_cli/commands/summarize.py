"""`infinipot summarize SOURCE...`."""

from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import complete
from infinipot_cli.commands.options import citing, common
from infinipot_cli.commands.options.distilling import CatalystOptions, DistillingOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.commands.options.loading import LoadingOptions
from infinipot_cli.commands.options.pins import PinOptions
from infinipot_cli.commands.options.pots import ContinueOptions, PotOptions, model_and_loading
from infinipot_cli.commands.options.prompts import PromptOptions, SamplingOptions
from infinipot_cli.commands.options.read_already import check_still_holds
from infinipot_cli.commands.options.run import RunOptions
from infinipot_cli.commands.options.sources import SOURCE_HELP, SourceOptions
from infinipot_cli.commands.options.words import input_is_piped, sources_only
from infinipot_cli.commands.runs.caching import CacheOptions
from infinipot_cli.commands.runs.consent import ConsentOptions
from infinipot_cli.commands.runs.going_on import ResumeOptions
from infinipot_cli.commands.runs.prompting import Wording

if TYPE_CHECKING:  # help must stay fast
    from infinipot_cli.plan import Task
    from infinipot_cli.stopped import Stopped


@with_groups
def summarize(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help=f"{SOURCE_HELP} Or a stored pot, @NAME.",
            autocompletion=complete.sources,
            show_default=False,
        ),
    ] = None,
    length: Annotated[
        settings.Length, typer.Option("--length", help="How much to say.", rich_help_panel="Summary")
    ] = settings.Length.MEDIUM,
    each: Annotated[
        bool,
        typer.Option(
            "--each/--together", help="One summary for every source, or one for all of them.", rich_help_panel="Summary"
        ),
    ] = True,
    pick: Annotated[
        bool | None,
        typer.Option(
            "--pick/--write",
            help="Pick sentences of the text, or let the model write; pocket picks, larger models write.",
            rich_help_panel="Summary",
            show_default=False,
        ),
    ] = None,
    digest: Annotated[
        bool,
        typer.Option(
            "--digest/--no-digest",
            help="In front of a log's summary, what the log says of itself: its span, levels, first and last errors.",
            rich_help_panel="Summary",
        ),
    ] = True,
    *,
    documents: SourceOptions,
    pins: PinOptions,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    judging: CatalystOptions,
    max_tokens: common.MaxTokens = None,
    output: common.Output = None,
    json: common.Json = False,
    jsonl: common.Jsonl = False,
    quiet: common.Quiet = False,
    run: RunOptions,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
    cite: citing.Cite = True,
    explain: citing.Explain = False,
    html: citing.Html = None,
    page: citing.PageText = None,
    prompt: PromptOptions,
    sampling: SamplingOptions,
    stored: PotOptions,
    caching: CacheOptions,
    resuming: ResumeOptions,
    going_on: ContinueOptions,
    loading: LoadingOptions,
    consent: ConsentOptions,
) -> None:
    """Summarize documents of any length.

    infinipot summarize report.pdf

    cat log.txt | infinipot summarize

    infinipot summarize contract.pdf --pick

    infinipot summarize chapters/*.txt --together

    infinipot summarize app.log --length short

    Documents longer than the pot are distilled as they are read; how much of them was kept is said at the end.
    """
    sources = going_on.words(documents.words(sources))
    stopped = resuming.stopped(ctx, has_sources=bool(sources))
    chosen = stopped.words if stopped else sources_only(sources, piped=input_is_piped())
    wording = prompt.wording(ctx.meta.get(common.TEMPLATES, {}))
    then, lengths = _of_then(ctx, stopped, wording), {named: one for one, (_, named) in settings.SUMMARIES.items()}
    length = lengths.get(then.template, length) if then else length
    request = distilling.request(max_tokens)
    was_chosen = bool(ctx.meta[common.MODEL_WAS_CHOSEN])
    model = loading.named(model)
    check_still_holds(ctx, chosen, is_stored=bool(stored.save_pot))
    model, wanted = model_and_loading(ctx, chosen, model, loading.loading())
    if pick is None:  # the small model finds what matters and cannot word it; whoever words the request wants words
        is_worded = prompt.template is not None or (then is not None and then.template not in lengths)
        pick = model == settings.DEFAULT_MODEL and not is_worded
    # Rich, the tokenizers and the session only once there is something to do: help stays fast.
    from infinipot_cli import session
    from infinipot_cli.commands.runs.carry_out import carry_out
    from infinipot_cli.commands.runs.form import Form, files_besides

    form = Form(
        json, jsonl, quiet, color, output, was_chosen, documents.strict, digest, consent,
        save_pot=stored.save_pot or (stopped.pot if stopped else None), entries=stored.entries, cite=cite,
        pins=stopped.pins if stopped else pins.pins(), run=run, explain=explain, html=html, page=page,
        found=stopped.found if stopped else frozenset(), cache=None if stopped else caching,
        picked=settings.PICKED[length] if pick else 0,
        inputs=files_besides(model, prompts=(prompt.template, judging.catalyst), others=(documents.password_file,)),
    )  # fmt: skip
    made = session.Session(model, request, documents.wishes(ctx.meta), sampling.sampling(), wanted)
    task = judging.judge(then or wording.summarize(length), request)
    task = stopped.resume(made, task) if stopped else task
    carry_out(made, form, chosen, task, key="summary", each=each and not stopped)


def _of_then(ctx: typer.Context, stopped: "Stopped | None", wording: Wording) -> "Task | None":
    """The summary that was stopped, unless one of another kind is wanted now."""
    if stopped is None or not stopped.is_summary or wording.template is not None or common.is_typed(ctx, "length"):
        return None
    return wording.again(stopped.task)
