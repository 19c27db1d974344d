"""`infinipot bench pots`: what storing a pot costs in answers, bytes and time."""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Book, check_length, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import DistillingOptions
from infinipot_cli.commands.options.groups import with_groups


@with_groups
def pots(
    book: Book,
    questions: Annotated[
        int, typer.Option("--questions", metavar="N", min=1, help="Facts to hide and ask for.", rich_help_panel="Test")
    ] = 20,
    starts: Annotated[
        int,
        typer.Option(
            "--starts", metavar="N", min=0, help="Processes to time the first word with.", rich_help_panel="Test"
        ),
    ] = 3,
    tokens: Annotated[
        int | None,
        typer.Option(
            "--tokens",
            metavar="N",
            parser=settings.parse_size,
            help="Cut or repeat the book to so many; the whole book by default.",
            rich_help_panel="Test",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of facts.", rich_help_panel="Test")] = 0,
    *,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Read a book once, store its pot exactly and in 8 bits, and ask both what the pot in memory is asked.

    infinipot bench pots --book book.txt
    """
    if tokens is not None:
        check_length(tokens)
    import random
    from dataclasses import asdict

    from infinipot_cli.bench import haystack
    from infinipot_cli.bench.plants import facts
    from infinipot_cli.bench.pots import measure
    from infinipot_cli.bench.provenance import provenance, run_settings
    from infinipot_cli.display.console import error_console, waiting
    from infinipot_cli.display.tables import show_table, stored_table
    from infinipot_cli.session import Session, ask

    console = error_console(color, quiet=quiet)
    usual = settings.usual_choices(model, knows_question=False)  # as `ask @NAME` has it
    session = Session(model, distilling.request(usual=usual))
    text = haystack.read_book(book)
    if tokens is not None:
        text = haystack.fit(text, session.tokenizer, tokens)
    chosen = facts(questions, random.Random(f"{seed} stored"))
    with waiting(console, "reading and asking"):
        rows = list(measure(session, text, chosen, n_starts=starts, arguments=["-m", model]))
    plan = session.plan(ask("Who?"))
    if json:
        made = {"settings": run_settings(session, plan) | {"questions": questions, "seed": seed},
                "made_with": provenance(session, haystack.files_of(book))}  # fmt: skip
        print_json({"schema": 1, "bench": "pots", "model": model, "rows": [asdict(row) for row in rows], **made})
    else:
        show_table(stored_table(rows), f"{session.files.name}, pot {plan.capacity}, {rows[0].n_tokens} tokens read")
