"""`infinipot bench memory`: does memory stay flat as the text grows?"""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import options
from infinipot_cli.commands.bench.shared import Book, print_json
from infinipot_cli.commands.distilling_options import SizeOptions
from infinipot_cli.commands.groups import with_groups
from infinipot_cli.errors import UsageError


@with_groups
def memory(
    book: Book,
    tokens: Annotated[
        str,
        typer.Option(
            "--tokens",
            metavar="N,N",
            help="Lengths to read; the book is cut or repeated to each.",
            rich_help_panel="Test",
        ),
    ] = "20k,200k",
    *,
    model: options.Model = settings.DEFAULT_MODEL,
    sizes: SizeOptions,
    json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.ColorWhen = settings.Color.AUTO,
    debug: options.Debug = False,
) -> None:
    """Peak memory of `infinipot ask` for texts of different lengths, each read by a process of its own.

    infinipot bench memory --book book.txt --tokens 20k,200k
    """
    lengths = [settings.parse_size(word) for word in tokens.split(",")]
    if min(lengths) < 1:
        raise UsageError("a length must be at least 1 token")
    from dataclasses import asdict

    from infinipot_cli.bench import haystack
    from infinipot_cli.bench.memory import measure
    from infinipot_cli.display.bench_progress import BenchProgress
    from infinipot_cli.display.console import error_console
    from infinipot_cli.display.tables import memory_table, show_table
    from infinipot_cli.session import Session, ask

    console = error_console(color, quiet=quiet)
    text = haystack.read_book(book)
    tokenizer = Session(model).tokenizer
    named = [("-s", sizes.pot_size), ("--budget", sizes.budget)]
    arguments = ["-m", model, *(word for name, value in named if value for word in (name, str(value)))]
    rows = []
    with BenchProgress(console, sum(lengths)) as progress:
        for length in lengths:
            rows.append(measure(haystack.repeat(text, tokenizer, length), arguments))
            progress.step(f"{length} tokens", n=length)
    if json:
        # torch comes in only now: a child would have begun with the memory of its parent
        from infinipot_cli.bench.provenance import provenance, run_settings

        session = Session(model, sizes.request())
        made = {"settings": run_settings(session, session.plan(ask("Who?"))) | {"tokens": lengths},
                "made_with": provenance(session, haystack.files_of(book))}  # fmt: skip
        print_json({"schema": 1, "bench": "memory", "model": model, "rows": [asdict(row) for row in rows], **made})
    else:
        show_table(memory_table(rows))
