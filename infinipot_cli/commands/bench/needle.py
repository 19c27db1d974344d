"""`infinipot bench needle`: does what was asked for survive the pot?"""

from enum import StrEnum
from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.choice import parse_choice
from infinipot_cli.commands import options
from infinipot_cli.commands.bench.shared import Book, print_json


class Kind(StrEnum):
    """What to hide."""

    PASSKEY = "passkey"
    FACT = "fact"
    BOTH = "both"


class Catalyst(StrEnum):
    """What judges the entries of a full pot."""

    QUESTION = "question"
    GENERAL = "general"


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
        int | None,
        typer.Option(
            "--tokens",
            metavar="N",
            parser=settings.parse_size,
            help="Cut the book to so many tokens; the whole book by default.",
            rich_help_panel="Test",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of lines.", rich_help_panel="Test")] = 0,
    model: options.Model = settings.DEFAULT_MODEL,
    pot_size: options.PotSize = None,
    budget: options.Budget = None,
    novelty: options.Novelty = settings.NOVELTY_RATIO,
    chunk: options.Chunk = settings.CHUNK,
    choices: options.Settings = None,
    max_tokens: options.MaxTokens = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.ColorWhen = settings.Color.AUTO,
    debug: options.Debug = False,
) -> None:
    """Hide lines in a long text, one at a time, and ask for them.

    infinipot bench needle --book book.txt --trials 20
    """
    request = settings.PotRequest(pot_size, budget, novelty, chunk, max_tokens, parse_choice(choices or ()))
    from infinipot_cli.bench import haystack
    from infinipot_cli.bench import needle as bench
    from infinipot_cli.bench.record import NeedleResult
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.tables import needle_heading, needle_table, show_table
    from infinipot_cli.session import Session, ask

    console = error_console(color, quiet=quiet)
    text = haystack.read_book(book)
    session = Session(model, request)
    if tokens is not None:
        text = haystack.cut(text, session.tokenizer, tokens)
    plan = session.plan(ask("Who?"))
    chosen = bench.choose(kind.value, trials, seed)
    done = []
    for trial in bench.run(session, text, chosen, catalyst=catalyst.value):
        done.append(trial)
        mark = "right" if trial.is_right else f"wrong ({trial.wanted})"
        say(
            console,
            f"{len(done)}/{len(chosen)}  {trial.kind} at {trial.depth:.1f}  {mark}: {trial.given}"
            f"  [{trial.n_tokens} tokens, {trial.seconds:.1f} s]",
            style="dim",
        )
    result = NeedleResult(
        session.files.name, plan.capacity, plan.budget, catalyst.value, seed, done, request.choice.changed
    )
    if json:
        print_json(result.to_record())
    else:
        show_table(needle_table(result), needle_heading(result))
