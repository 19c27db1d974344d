"""`infinipot bench memory`: does memory stay flat as the text grows?"""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Book, Record, parse_lengths, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import SizeOptions
from infinipot_cli.commands.options.groups import with_groups


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
    record: Record = None,
    *,
    model: common.Model = settings.DEFAULT_MODEL,
    sizes: SizeOptions,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Peak memory of `infinipot ask` for texts of different lengths, each read by a process of its own.

    infinipot bench memory --book book.txt --tokens 20k,200k
    """
    lengths = list(parse_lengths(tokens))
    from dataclasses import asdict

    from infinipot_cli.bench import haystack
    from infinipot_cli.bench.memory import COMMAND, measure
    from infinipot_cli.bench.provenance import provenance, run_settings, sha256
    from infinipot_cli.bench.record import MemoryRow
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.display.bench_progress import BenchProgress
    from infinipot_cli.display.console import error_console
    from infinipot_cli.display.tables import memory_table, show_table
    from infinipot_cli.session import Session, ask

    console = error_console(color, quiet=quiet)
    text, session = haystack.read_book(book), Session(model, sizes.request())
    named = [("-s", sizes.pot_size), ("--budget", sizes.budget), ("--memory", sizes.memory)]
    arguments = ["-m", model, *(word for name, value in named if value for word in (name, str(value)))]
    files = haystack.files_of(book)
    setting = run_settings(session, session.plan(ask("Who?"))) | {
        "command": COMMAND, "tokens": lengths, "data": {path.name: sha256(path) for path in files},
    }  # fmt: skip
    kept = RunFile(record, setting, MemoryRow)
    n_done = len(kept.done)
    with BenchProgress(console, sum(lengths), done=sum(lengths[:n_done]), kept=str(record or "")) as progress:
        for length in lengths[n_done:]:
            kept.add(measure(haystack.repeat(text, session.tokenizer, length), arguments))
            progress.step(f"{length} tokens", n=length)
    if json:
        # only this loads the model: a child would have begun with the memory of its parent
        made = {"settings": setting, "made_with": provenance(session, files)}
        print_json({"schema": 1, "bench": "memory", "model": model, "rows": [asdict(row) for row in kept.done], **made})
    else:
        show_table(memory_table(kept.done))
