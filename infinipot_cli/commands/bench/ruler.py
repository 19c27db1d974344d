"""`infinipot bench ruler`: RULER's thirteen tasks at any length."""

from pathlib import Path
from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Arms, Book, Record, parse_lengths, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import CatalystOptions, DistillingOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.commands.options.loading import LoadingOptions

TEST = "Test"


@with_groups
def ruler(
    *,
    book: Book,
    tokens: Annotated[
        str,
        typer.Option(
            "--tokens", metavar="N,N", help="Lengths, 2k to 1m, chat format and answer included.", rich_help_panel=TEST
        ),
    ] = "4k,8k",
    n: Annotated[
        int, typer.Option("--n", metavar="N", min=1, help="Samples of each task and length.", rich_help_panel=TEST)
    ] = 5,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="A,B", help="Tasks to run; all that can be made.", rich_help_panel=TEST),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Folder with SQuAD's dev-v2.0.json (qa_1) and HotpotQA's hotpot_dev_distractor_v1.json (qa_2).",
            rich_help_panel=TEST,
        ),
    ] = None,
    arms: Arms = "infinipot",
    record: Record = None,
    seed: Annotated[int, typer.Option("--seed", help="Of all that is made.", rich_help_panel=TEST)] = 0,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    judging: CatalystOptions,
    loading: LoadingOptions,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """RULER's thirteen tasks, made on the spot with its prompts and scores; the prose among them is the book's.

    infinipot bench ruler --book book.txt --tokens 4k,32k --n 20

    The two tasks of questions on documents need their sets: without --data they are left out, which is said.
    """
    lengths = list(parse_lengths(tokens))
    request = distilling.request()
    from infinipot_cli.bench.arms import catalysts, parse_arms
    from infinipot_cli.bench.ruler import questions, tasks
    from infinipot_cli.display.console import error_console, say

    console, chosen_arms = error_console(color, quiet=quiet), parse_arms(arms, request)
    chosen = tasks.choose([word.strip() for word in (only or "").split(",") if word.strip()], data)
    if not only and (absent := [task for task in tasks.OF_DATA if task not in chosen]):
        say(console, f"left out: {', '.join(absent)}; {questions.HOW_TO_GET}")
    from infinipot_cli.bench import haystack
    from infinipot_cli.bench.provenance import provenance, run_settings, sha256
    from infinipot_cli.bench.ruler.record import RulerTrial, to_record
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.display.bench_progress import BenchProgress
    from infinipot_cli.display.ruler_table import ruler_heading, ruler_sections
    from infinipot_cli.display.tables import show_table
    from infinipot_cli.session import Session, ask

    source = tasks.Source(haystack.read_book(book).split(), data, seed)
    session = Session(loading.named(model), request, loading=loading.loading())
    files = [*haystack.files_of(book), *(path for task in chosen if (path := _set_of(task, data)))]
    setting = run_settings(session, session.plan(judging.judge(ask("Who?"), request))) | {
        "tasks": chosen, "lengths": lengths, "n": n, "arms": list(chosen_arms), "seed": seed,
        "catalyst": judging.catalyst, "catalysts": catalysts(chosen_arms, judging.catalyst),
        "data": {path.name: sha256(path) for path in files},
    }  # fmt: skip
    kept = RunFile(record, setting, RulerTrial)
    known = {trial.key for trial in kept.done}
    wanted = [(arm, task, length, number) for length in lengths for task in chosen for number in range(n)
              for arm in chosen_arms]  # fmt: skip
    todo = [one for one in wanted if one not in known]
    from infinipot_cli.bench.ruler.runner import Runner

    runner = Runner(session, source, judging.catalyst)
    with BenchProgress(console, len(wanted), done=len(wanted) - len(todo), kept=str(record or "")) as progress:
        for arm, task, length, number in todo:
            kept.add(runner.run(task, length, number, arm))
            progress.step(f"{task} {length}")
    if json:
        print_json(to_record(setting, kept.done, provenance(session, files)))
    else:
        for arm, table in ruler_sections(kept.done):
            show_table(table, f"{ruler_heading(setting)}, {arm}; percent and 95 % interval")


def _set_of(task: str, data: Path | None) -> Path | None:
    from infinipot_cli.bench.ruler import questions, tasks

    return questions.find(task, data) if task in tasks.OF_DATA else None
