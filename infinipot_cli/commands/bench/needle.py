"""`infinipot bench needle`: does what was asked for survive the pot?"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Arms, Book, Record, Verbose, parse_depths, parse_lengths, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import CatalystOptions, DistillingOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.commands.options.loading import LoadingOptions
from infinipot_cli.errors import UsageError

if TYPE_CHECKING:
    from infinipot_cli.bench.needle_record import NeedleTrial
    from infinipot_cli.bench.plants import Plant

TEST = "Test"


class Kind(StrEnum):
    """What to hide."""

    PASSKEY = "passkey"
    FACT = "fact"
    BOTH = "both"
    KAMRADT = "kamradt"


@with_groups
def needle(
    *,
    book: Book,
    trials: Annotated[
        int,
        typer.Option(
            "--trials",
            metavar="N",
            min=1,
            help="Lines of each kind to hide in a text of each length.",
            rich_help_panel=TEST,
        ),
    ] = 20,
    kind: Annotated[
        Kind,
        typer.Option(
            "--kind",
            help="What to hide: pass keys, plain facts, both, or Kamradt's one sentence, once at every depth.",
            rich_help_panel=TEST,
        ),
    ] = Kind.BOTH,
    arms: Arms = "infinipot",
    tokens: Annotated[
        str | None,
        typer.Option(
            "--tokens",
            metavar="N,N",
            help="Cut or repeat the book to so many tokens, up to 1m; several make a grid. The whole book by default.",
            rich_help_panel=TEST,
        ),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option("--depths", metavar="D,D", help="Where lines are hidden, 0 to 1, in turn.", rich_help_panel=TEST),
    ] = None,
    sentence: Annotated[
        str | None,
        typer.Option(
            "--needle", metavar="TEXT", help="With --kind kamradt, another sentence to hide.", rich_help_panel=TEST
        ),
    ] = None,
    question: Annotated[
        str | None, typer.Option("--question", metavar="TEXT", help="What to ask for it.", rich_help_panel=TEST)
    ] = None,
    expected: Annotated[
        str | None,
        typer.Option(
            "--expected",
            metavar="WORDS",
            help="What should come; the score is the share of its words in the answer.",
            rich_help_panel=TEST,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of lines.", rich_help_panel=TEST)] = 0,
    record: Record = None,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    judging: CatalystOptions,
    loading: LoadingOptions,
    max_tokens: common.MaxTokens = None,
    json: common.Json = False,
    quiet: common.Quiet = False,
    verbose: Verbose = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Hide lines in a long text, one at a time, and ask for them.

    infinipot bench needle --book book.txt --tokens 4k,32k --depths 0.1,0.5,0.9

    The book may be a folder of essays: with --kind kamradt that is Kamradt's test, scored by the share of the expected
    words in the answer instead of by another model.
    """
    lengths = list(parse_lengths(tokens)) if tokens is not None else [0]
    places = parse_depths(depths) if depths else None
    request, catalyst = distilling.request(max_tokens), judging.catalyst or "question"
    plant = _plant(kind, sentence, question, expected)
    from infinipot_cli.bench import haystack, kamradt
    from infinipot_cli.bench import needle as bench
    from infinipot_cli.bench.arms import catalysts, parse_arms
    from infinipot_cli.bench.needle_record import NeedleResult, NeedleTrial
    from infinipot_cli.bench.provenance import provenance, run_settings, sha256
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.display.bench_progress import BenchProgress
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.needle_tables import fits_remark, needle_sections
    from infinipot_cli.display.tables import show_table
    from infinipot_cli.session import Session, ask

    chosen_arms, console = parse_arms(arms, request), error_console(color, quiet=quiet)
    text = haystack.read_book(book)
    chosen = bench.choose(kind.value, trials, seed, places, plant)
    session = Session(loading.named(model), request, loading=loading.loading())
    for length in lengths if tokens is not None and kind is Kind.KAMRADT else ():
        kamradt.room(plant.statement, session.tokenizer, length)
    plan = session.plan(judging.judge(ask("Who?"), request))
    files = haystack.files_of(book)
    setting = run_settings(session, plan) | {
        "kind": kind.value, "trials": trials, "arms": list(chosen_arms), "catalyst": catalyst, "lengths": lengths,
        "catalysts": catalysts(chosen_arms, judging.catalyst),
        "depths": list(places or ()), "needle": list(vars(plant).values()) if kind is Kind.KAMRADT else None,
        "seed": seed, "max_tokens": max_tokens, "data": {path.name: sha256(path) for path in files},
    }  # fmt: skip
    kept = RunFile(record, setting, NeedleTrial)
    known = {trial.key for trial in kept.done}
    wanted = [(arm, length, hidden) for arm in chosen_arms for length in lengths for hidden in chosen]
    todo = [one for one in wanted if (one[0], one[2].kind, one[1], one[2].number) not in known]
    with BenchProgress(console, len(wanted), done=len(wanted) - len(todo), kept=str(record or "")) as progress:
        for trial in bench.run(session, bench.Haystacks(text, session), todo, catalyst=catalyst):
            kept.add(trial)
            if verbose:
                say(console, _line(trial), style="dim")
            progress.step(f"{trial.arm} {trial.kind} {trial.length or ''}".strip())
    result = NeedleResult(
        session.files.name, plan.capacity, plan.budget, catalyst, seed, kept.done, request.choice.changed, setting
    )
    if remark := fits_remark(result):
        say(console, remark)
    if json:
        print_json(result.to_record() | {"made_with": provenance(session, files)})
    else:
        for heading, table in needle_sections(result):
            show_table(table, heading)


def _plant(kind: Kind, sentence: str | None, question: str | None, expected: str | None) -> "Plant":
    """The sentence of Kamradt's test, the original one or the user's own.

    Raises:
        UsageError: one's own needle without its question or answer, or for another kind.
    """
    from infinipot_cli.bench.kamradt import ORIGINAL
    from infinipot_cli.bench.metrics import answer_words
    from infinipot_cli.bench.plants import Plant

    own = (sentence, question, expected)
    if not any(own):
        return ORIGINAL
    if kind is not Kind.KAMRADT:
        raise UsageError("--needle, --question and --expected belong to --kind kamradt")
    if not (sentence and question and expected) or not answer_words(expected):
        raise UsageError("a needle of one's own needs all of --needle, --question and --expected")
    return Plant(sentence.strip(), question, expected)


def _line(trial: "NeedleTrial") -> str:
    mark = "right" if trial.is_right else f"wrong ({trial.wanted})"
    if trial.kind == "kamradt":
        mark = f"{100 * trial.score:.0f} %"
    return (
        f"{trial.arm}  {trial.kind} at {trial.depth:g}  {mark}: {trial.given}"
        f"  [{trial.n_tokens} tokens, {trial.seconds:.1f} s]"
    )
