"""`infinipot bench needle`: does what was asked for survive the pot?"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import options
from infinipot_cli.commands.bench.shared import Book, parse_depths, print_json
from infinipot_cli.commands.distilling_options import DistillingOptions
from infinipot_cli.commands.groups import with_groups


class Kind(StrEnum):
    """What to hide."""

    PASSKEY = "passkey"
    FACT = "fact"
    BOTH = "both"


class Catalyst(StrEnum):
    """What judges the entries of a full pot."""

    QUESTION = "question"
    GENERAL = "general"


@with_groups
def needle(
    book: Book,
    trials: Annotated[
        int, typer.Option("--trials", metavar="N", min=1, help="Lines of each kind to hide.", rich_help_panel="Test")
    ] = 20,
    kind: Annotated[Kind, typer.Option("--kind", help="What to hide.", rich_help_panel="Test")] = Kind.BOTH,
    catalyst: Annotated[
        Catalyst, typer.Option("--catalyst", help="What judges the entries of a full pot.", rich_help_panel="Test")
    ] = Catalyst.QUESTION,
    tokens: Annotated[
        str | None,
        typer.Option(
            "--tokens",
            metavar="N,N",
            help="Cut or repeat the book to so many tokens, up to 1m; several make a grid. The whole book by default.",
            rich_help_panel="Test",
        ),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option(
            "--depths", metavar="D,D", help="Where lines are hidden, 0 to 1, in turn.", rich_help_panel="Test"
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of lines.", rich_help_panel="Test")] = 0,
    *,
    model: options.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    max_tokens: options.MaxTokens = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.ColorWhen = settings.Color.AUTO,
    debug: options.Debug = False,
) -> None:
    """Hide lines in a long text, one at a time, and ask for them.

    infinipot bench needle --book book.txt --trials 20
    """
    lengths = [settings.parse_size(word) for word in tokens.split(",")] if tokens else [0]
    places = parse_depths(depths) if depths else None
    request = distilling.request(max_tokens)
    from infinipot_cli.bench import haystack
    from infinipot_cli.bench import needle as bench
    from infinipot_cli.bench.record import NeedleResult, NeedleTrial
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.tables import needle_grid, needle_heading, needle_table, show_table
    from infinipot_cli.session import Session, ask

    console = error_console(color, quiet=quiet)
    text = haystack.read_book(book)
    chosen = bench.choose(kind.value, trials, seed, places or bench.DEPTHS)
    session = Session(model, request)
    plan = session.plan(ask("Who?"))
    n_all = len(chosen) * len(lengths)
    done: list[NeedleTrial] = []
    for trial in (
        trial
        for length in lengths
        for trial in bench.run(
            session,
            haystack.fit(text, session.tokenizer, length) if length else text,
            chosen,
            catalyst=catalyst.value,
            length=length,
        )
    ):
        done.append(trial)
        mark = "right" if trial.is_right else f"wrong ({trial.wanted})"
        say(
            console,
            f"{len(done)}/{n_all}  {trial.kind} at {trial.depth:.1f}  {mark}: {trial.given}"
            f"  [{trial.n_tokens} tokens, {trial.seconds:.1f} s]",
            style="dim",
        )
    result = NeedleResult(
        session.files.name, plan.capacity, plan.budget, catalyst.value, seed, done, request.choice.changed
    )
    if json:
        from infinipot_cli.bench.provenance import provenance

        print_json(
            result.to_record() | {"made_with": provenance(session, [path for path in [Path(book)] if path.is_file()])}
        )
    elif len(lengths) > 1:
        for number, name in enumerate(result.kinds):
            show_table(needle_grid(result, name), "" if number else needle_heading(result))
    else:
        show_table(needle_table(result), needle_heading(result))
