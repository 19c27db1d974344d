"""`infinipot ask SOURCE... QUESTION`."""

from dataclasses import replace
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
from infinipot_cli.commands.options.slips import check_no_question
from infinipot_cli.commands.options.sources import SOURCE_HELP, SourceOptions
from infinipot_cli.commands.options.words import (
    ANY_QUESTION,
    STDIN,
    check_interactive,
    input_is_piped,
    listed_questions,
    names_a_source,
    sources_and_questions,
    sources_only,
)
from infinipot_cli.commands.runs.caching import CacheOptions
from infinipot_cli.commands.runs.consent import ConsentOptions
from infinipot_cli.commands.runs.going_on import ResumeOptions
from infinipot_cli.commands.runs.prompting import Wording
from infinipot_cli.errors import UsageError

if TYPE_CHECKING:  # help must stay fast
    from infinipot_cli.stopped import Stopped


@with_groups
def ask(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE... QUESTION",
            autocompletion=complete.sources,
            help=f"{SOURCE_HELP} Or a stored pot, @NAME. The question last, unless -Q or --questions gives it.",
            show_default=False,
        ),
    ] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(
            "-Q",
            "--question",
            metavar="TEXT",
            help="A question; give it again for more of them over one reading.",
            rich_help_panel="Questions",
            show_default=False,
        ),
    ] = None,
    questions: Annotated[
        str | None,
        typer.Option(
            "--questions",
            metavar="FILE",
            help="A file with one question a line, or - for standard input.",
            rich_help_panel="Questions",
        ),
    ] = None,
    each: Annotated[
        bool | None,
        typer.Option(
            "--each/--together",
            help="Read every source by itself, or all into one pot; together unless --jsonl is given.",
            rich_help_panel="Questions",
            show_default=False,
        ),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option(
            "-i",
            "--interactive",
            help="Then go on asking, one question a line, over the same reading.",
            rich_help_panel="Questions",
        ),
    ] = False,
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
    verify: citing.Verify = False,
    prompt: PromptOptions,
    sampling: SamplingOptions,
    stored: PotOptions,
    caching: CacheOptions,
    resuming: ResumeOptions,
    going_on: ContinueOptions,
    loading: LoadingOptions,
    consent: ConsentOptions,
) -> None:
    """Answer questions from documents of any length.

    infinipot ask book.pdf "Why did the treaty fail?"

    cat log.txt | infinipot ask "Which error came first?" --json

    infinipot ask book.pdf -Q "Who signed?" -Q "When?"

    infinipot ask papers/ -e pdf "What was the sample size?" --each

    infinipot ask @book "When?"

    infinipot ask book.pdf "Who signed?" -i

    Documents longer than the pot are distilled as they are read; how much of them was kept is said at the end.
    """
    words = going_on.words(documents.words(words, questions=questions))
    wording = prompt.wording(ctx.meta.get(common.TEMPLATES, {}))
    asked: list[str] = []
    stopped = resuming.stopped(ctx, has_sources=names_a_source(words))
    if interactive:
        from_stdin = questions == STDIN
        options = {
            "--json": json, "--jsonl": jsonl, "-o": output, "--each": each, "--questions -": from_stdin,
            "-t": prompt.template, "--resume": stopped, "--dry-run": run.dry_run, "--explain": explain, "--html": html,
            "--page": page, "--verify": verify, "-0": documents.null,
        }  # fmt: skip
        check_interactive(words, taken=options)
    if wording.brings_its_question and (question or questions is not None or (stopped and words)):
        raise UsageError(f"the template {prompt.template} brings its own question", hint="leave -Q out, or -t")
    if stopped is not None:
        listed = listed_questions(questions) if questions is not None else []
        sources, asked = stopped.words, _asked_of_the_rest(stopped, wording, [*words, *(question or []), *listed])
    elif wording.brings_its_question:
        check_no_question(words, str(prompt.template))
        sources = sources_only(words, piped=input_is_piped(), example=f"infinipot ask book.txt -t {prompt.template}")
    else:
        sources, asked = sources_and_questions(
            words, question or [], questions, piped=input_is_piped(), interactive=interactive
        )
    was_chosen = bool(ctx.meta[common.MODEL_WAS_CHOSEN])
    model = loading.named(model)
    check_still_holds(ctx, sources, looks_again=verify or interactive, is_stored=bool(stored.save_pot))
    model, wanted = model_and_loading(ctx, sources, model, loading.loading())
    knows_question = bool(asked or not interactive)
    if wording.brings_its_length and not common.is_typed(ctx, "max_tokens"):
        max_tokens = None  # the template's own comes before that of all answers
    request = distilling.request(max_tokens, usual=settings.usual_choices(model, knows_question=knows_question))
    # Rich, the tokenizers and the session only once there is something to do: help stays fast.
    from infinipot_cli import session
    from infinipot_cli.commands.runs.carry_out import carry_out
    from infinipot_cli.commands.runs.form import Form, files_besides

    form = Form(
        json,
        jsonl,
        quiet,
        color,
        output,
        was_chosen,
        documents.strict,
        consent=consent,
        save_pot=stored.save_pot or (stopped.pot if stopped else None),
        found=stopped.found if stopped else frozenset(),
        entries=stored.entries,
        cite=cite,
        pins=stopped.pins if stopped else pins.pins(),
        run=run,
        explain=explain,
        html=html,
        page=page,
        verify=verify,
        cache=None if stopped else caching,
        inputs=files_besides(
            model, prompts=(prompt.template, judging.catalyst), others=(questions, documents.password_file)
        ),
    )
    made = session.Session(model, request, documents.wishes(ctx.meta), sampling.sampling(), wanted)
    if interactive:
        from infinipot_cli.commands.runs.talk import talk_about

        first = wording.ask(asked or [ANY_QUESTION])
        first = first if asked else replace(first, catalyst="catalyst-general")
        task = judging.judge(first, request, has_question=bool(asked))
        keeps = model != settings.DEFAULT_MODEL
        talk_about(made, form, sources, task, asked, keeps_history=keeps, command="ask")
        return
    is_asked_now = bool(asked or wording.template)
    task = wording.again(stopped.task) if stopped and not is_asked_now else wording.ask(asked)
    task = judging.judge(task, request)
    task = stopped.resume(made, task) if stopped else task
    carry_out(made, form, sources, task, each=bool(jsonl if each is None else each) and not stopped)


def _asked_of_the_rest(stopped: "Stopped", wording: Wording, asked: list[str]) -> list[str]:
    """The questions where a reading goes on; none where nothing is asked but what was asked then.

    Raises:
        UsageError: nothing was asked then.
    """
    if asked or wording.brings_its_question:
        return asked
    if not stopped.has_question:
        raise UsageError("what was stopped was no question", hint='infinipot ask --resume "…"', code="no_question")
    return [] if wording.template is None else [one for one in stopped.task.questions if one]
