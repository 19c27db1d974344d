"""`infinipot bench pocket`: what the embedded model can do, through the pot and without it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Record, parse_depths, parse_lengths, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import DistillingOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.errors import UsageError

if TYPE_CHECKING:
    from infinipot_cli.bench.pocket_sets import Amounts
    from infinipot_cli.session import Session

TEST = "Test"


@with_groups
def pocket(
    data: Annotated[
        Path,
        typer.Option(
            "--data", metavar="DIR", help="Folder with documents/, evaluation/ and summaries/.", rich_help_panel=TEST
        ),
    ],
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="A,B",
            help="Sets to run, of passkey, facts, squad, squad-articles, absent, fairytale, perplexity, scitldr, peps, "
            "rfcs; all that DIR holds by default.",
            rich_help_panel=TEST,
        ),
    ] = None,
    n: Annotated[
        int,
        typer.Option(
            "--n", metavar="N", min=1, help="Items of a set, or of each length and depth.", rich_help_panel=TEST
        ),
    ] = 20,
    lengths: Annotated[
        str,
        typer.Option("--lengths", metavar="N,N", help="Tokens of the long texts, 4k to 1m.", rich_help_panel=TEST),
    ] = "4k,32k",
    depths: Annotated[
        str,
        typer.Option("--depths", metavar="D,D", help="Where lines are hidden, 0 to 1.", rich_help_panel=TEST),
    ] = "0.1,0.5,0.9",
    arms: Annotated[
        str,
        typer.Option(
            "--arms",
            metavar="A,B",
            help="What answers: pot, ask (as commands read, and pick), full (whole text in context), truncated, lead "
            "(first sentences), and the paper's general (CaP-G), cap (no novelty), nuc (no catalyst); or all.",
            rich_help_panel=TEST,
        ),
    ] = "pot,full,truncated,lead",
    full_up_to: Annotated[
        int,
        typer.Option(
            "--full-up-to",
            metavar="N",
            parser=settings.parse_size,
            help="Longest text for the arm full, whose time grows with the square.",
            rich_help_panel=TEST,
        ),
    ] = 16384,
    record: Record = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of items.", rich_help_panel=TEST)] = 0,
    *,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Score a small reader on sets that it was never trained on, with 95 % intervals and baselines beside the pot.

    infinipot bench pocket --data DIR --only passkey,squad --n 50
    """
    request = distilling.request()
    request.check_distilling("this benchmark")
    from infinipot_cli.bench.pocket_sets import Amounts, Sets

    amounts = Amounts(n, parse_lengths(lengths), parse_depths(depths), seed)
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.session import Session

    session = Session(model, request)
    sets = Sets(data, session.tokenizer, amounts)
    names = sets.check([word.strip() for word in (only or "").split(",") if word.strip()])
    chosen_arms, files = _arms(arms), sets.files(names)
    from infinipot_cli.bench.pocket import Runner, command_choice
    from infinipot_cli.bench.pocket_record import PocketTrial, differences, missing, to_record
    from infinipot_cli.bench.provenance import provenance, sha256
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.display.bench_progress import BenchProgress
    from infinipot_cli.display.pocket_tables import orderings_table, pocket_heading, scores_table
    from infinipot_cli.display.tables import show_table

    setting = _settings(session, amounts) | {
        "sets": names, "arms": list(chosen_arms), "full_up_to": full_up_to,
        "set_of_ask": command_choice(session, distilling.typed, is_asked=True).changed,
        "data": {path.name: sha256(path) for path in files},
    }  # fmt: skip
    kept = RunFile(record, setting, PocketTrial)
    items = [item for name in names for item in sets.items(name)]
    todo = missing([(item, arm) for item in items for arm in chosen_arms], kept.done)
    runner = Runner(session, full_up_to=full_up_to, typed=distilling.typed)
    total = len(items) * len(chosen_arms)
    console, n_too_long = error_console(color, quiet=quiet), 0
    with BenchProgress(console, total, done=total - len(todo), kept=str(record or "")) as progress:
        for item, arm in todo:
            found = list(runner.run(item, [arm]))
            n_too_long += arm == "full" and not found
            for trial in found:
                kept.add(trial)
            progress.step(f"{item.set_name} {item.group}".strip())
    if n_too_long:
        say(console, f"full was not given {n_too_long} texts longer than {full_up_to} tokens (--full-up-to)")
    if not kept.done and not n_too_long:
        raise UsageError(
            f"there is nothing to measure: no text of {', '.join(names)} that {', '.join(chosen_arms)} answers",
            hint="the arm lead summarizes, and of peps and rfcs every tenth proposal is asked about",
        )
    if json:
        print_json(to_record(setting, kept.done) | {"made_with": provenance(session, files)})
    else:
        show_table(scores_table(kept.done), pocket_heading(setting))
        if differences(kept.done):
            show_table(orderings_table(kept.done))


def _arms(text: str) -> tuple[str, ...]:
    from infinipot_cli.bench.pocket_record import ARMS

    words = (word.strip() for word in text.split(","))
    found = tuple(ARMS) if text.strip() == "all" else tuple(dict.fromkeys(words))
    for arm in found:
        if arm not in ARMS:
            raise UsageError(f"{arm!r} is no way to answer", hint="one of " + ", ".join(ARMS) + ", or all")
    return found


def _settings(session: "Session", amounts: "Amounts") -> dict[str, object]:
    """What any run's numbers depend on, and how much of the sets is run."""
    from infinipot_cli.bench.provenance import run_settings
    from infinipot_cli.session import ask

    return run_settings(session, session.plan(ask("Who?"))) | {
        "n": amounts.n, "lengths": list(amounts.lengths), "depths": list(amounts.depths), "seed": amounts.seed,
    }  # fmt: skip
