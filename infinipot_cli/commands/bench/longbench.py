"""`infinipot bench longbench`: the paper's LongBench tables on any model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Arms, Paper, Record, check_paper, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import CatalystOptions, DistillingOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.commands.options.loading import LoadingOptions
from infinipot_cli.errors import UsageError
from infinipot_cli.policies import DEFAULT, label

if TYPE_CHECKING:
    from infinipot_cli.bench.longbench import Runner
    from infinipot_cli.bench.longbench_sets import Row
    from infinipot_cli.plan import Task
    from infinipot_cli.session import Session

TEST = "Test"


@with_groups
def longbench(
    *,
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Folder with hotpotqa.jsonl and the others, of data.zip from huggingface.co/datasets/THUDM/LongBench.",
            rich_help_panel=TEST,
        ),
    ],
    loading: LoadingOptions,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="A,B", help="Sets to run; all that DIR holds by default.", rich_help_panel=TEST),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n", metavar="N", min=1, help="Only so many rows of a set, from the first.", rich_help_panel=TEST
        ),
    ] = None,
    arms: Arms = "infinipot,truncation",
    pots: Annotated[
        str | None,
        typer.Option(
            "--pots", metavar="N,N", help="Several pot sizes (Figure 6), instead of -s.", rich_help_panel=TEST
        ),
    ] = None,
    paper: Paper = "L3",
    record: Record = None,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    judging: CatalystOptions,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Score LongBench's 21 sets with the official prompts and metrics, in groups, beside the paper's own numbers.

    infinipot bench longbench --data longbench/data --arms infinipot,truncation,full -s 4k -m NAME

    The question judges in sets of question answering and the general request elsewhere, as in the paper, unless
    --catalyst or an arm says otherwise; the arms full (PT) and truncation (TR) are given what fits, cut in the middle.
    The data are not part of infinipot: download data.zip from huggingface.co/datasets/THUDM/LongBench and unpack it.
    """
    request = distilling.request()
    from infinipot_cli.bench import longbench_sets as sets

    names = sets.choose([word.strip() for word in (only or "").split(",") if word.strip()], data)
    sets.check_libraries(names)
    from infinipot_cli.bench.arms import catalysts, parse_arms

    chosen_arms, sizes = parse_arms(arms, request), _sizes(pots)
    check_paper(paper)
    loaded_sets = {name: sets.rows(name, data, n) for name in names}
    from infinipot_cli.bench.longbench_record import LongTrial, to_record
    from infinipot_cli.bench.provenance import provenance, sha256
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.display.bench_progress import BenchProgress
    from infinipot_cli.display.console import error_console
    from infinipot_cli.display.longbench_tables import groups_table, sets_table
    from infinipot_cli.display.tables import show_table
    from infinipot_cli.session import Session, ask

    session = Session(loading.named(model), request, loading=loading.loading())
    task = judging.judge(ask("Who?"), request)
    capacities = tuple(_checked(session, size, task) for size in sizes) or (session.plan(task).capacity,)
    files = [data / f"{name}.jsonl" for name in names]
    run = _settings(session, capacities) | {
        "sets": names, "n": n, "arms": list(chosen_arms), "catalyst": judging.catalyst,
        "catalysts": catalysts(chosen_arms, judging.catalyst), "data": {path.name: sha256(path) for path in files},
    }  # fmt: skip
    wanted = [
        (row, arm, size)
        for size in capacities
        for name in names
        for row in loaded_sets[name][0]
        for arm in chosen_arms
        if not (arm == "full" and size != capacities[0])
    ]
    from infinipot_cli.bench.longbench import Runner

    runners = {size: Runner(session, size, judging.catalyst) for size in capacities}
    for runner in runners.values():
        runner.check(chosen_arms, names)
    _check_distills(runners, wanted, request)
    kept = RunFile(record, run, LongTrial)
    known = {trial.key for trial in kept.done}
    missing = [one for one in wanted if (one[0].set_name, one[0].number, one[1], one[2]) not in known]
    console, n_done = error_console(color, quiet=quiet), len(wanted) - len(missing)
    with BenchProgress(console, len(wanted), done=n_done, kept=str(record or "")) as progress:
        for row, arm, size in missing:
            kept.add(runners[size].run(row, arm, loaded_sets[row.set_name][1]))
            progress.step(f"{row.set_name} {arm}")
    if json:
        print_json(to_record(run, kept.done, provenance(session), paper))
    else:
        pot = ", ".join(map(str, capacities))
        show_table(sets_table(kept.done), f"{session.files.name}, pot {pot}; official scores and 95 % interval")
        show_table(groups_table(kept.done, paper), "means as the paper prints them")


def _sizes(text: str | None) -> tuple[int, ...]:
    return tuple(dict.fromkeys(settings.parse_size(word) for word in text.split(","))) if text else ()


def _checked(session: "Session", size: int, task: "Task") -> int:
    """A size of `--pots`, held to what -s is held to before anything is read.

    Raises:
        PotSizeError: it cannot work.
    """
    wished = session.request
    session.request = replace(wished, capacity=size, memory=None)
    try:
        return session.plan(task).capacity
    finally:
        session.request = wished


def _check_distills(
    runners: "dict[int, Runner]", wanted: Sequence[tuple["Row", str, int]], request: settings.PotRequest
) -> None:
    """Refuse a comparison in which the pot never has to distill, before hours go into it: it would show nothing.

    Raises:
        UsageError: every prompt fits the pot.
    """
    from infinipot_cli.bench.arms import arm as arm_of
    from infinipot_cli.policies import distills

    asked = {name: arm_of(name).request(request) for name in {arm for _, arm, _ in wanted}}
    emptied = {name for name, one in asked.items() if distills(one.policy or DEFAULT, one.policy_settings)}
    longest = 0
    for row, arm, size in (one for one in wanted if one[1] in emptied):
        n_tokens, n_cycles = runners[size].counts(row, arm)
        if n_cycles:
            return
        longest = max(longest, n_tokens)
    if longest:
        raise UsageError(
            f"nothing would be distilled: the longest prompt has {longest} tokens and fits the pot",
            hint="take a smaller pot with -s, or longer sets",
            code="nothing_distilled",
        )


def _settings(session: "Session", capacities: tuple[int, ...]) -> dict[str, object]:
    """What a run's numbers depend on besides its sets; a record of other settings is not gone on with."""
    from infinipot_cli.bench.provenance import weight_marks

    return {
        "model": session.files.name,
        "weights": weight_marks(session),
        "pots": list(capacities),
        "budget": session.request.budget,
        "novelty": session.request.novelty_ratio,
        "chunk": session.request.chunk,
        "set": session.request.choice.changed,
        "policy": label(session.request.policy or DEFAULT, session.request.policy_settings),
        "dtype": session.loading.dtype.value,
        "quantize": session.loading.quantize.value,
    }
