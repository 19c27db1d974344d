"""`infinipot bench ageing`: can an ordinary fact still enter a pot that has read a million tokens?"""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Book, Record, parse_lengths, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import SizeOptions
from infinipot_cli.commands.options.groups import with_groups
from infinipot_cli.commands.options.loading import LoadingOptions


@with_groups
def ageing(
    *,
    book: Book,
    facts: Annotated[
        int,
        typer.Option("--facts", metavar="N", min=1, help="Facts to put along the text.", rich_help_panel="Test"),
    ] = 48,
    tokens: Annotated[
        str,
        typer.Option(
            "--tokens",
            metavar="N,N",
            help="Cut or repeat the book to so many tokens, up to 1m.",
            rich_help_panel="Test",
        ),
    ] = "32k,100k",
    arms: Annotated[
        str,
        typer.Option(
            "--arms",
            metavar="A,B",
            help="Ways to choose, held against the first: paper, no-nuc (catalyst alone), or settings as for --set, "
            "joined by +.",
            rich_help_panel="Test",
        ),
    ] = "paper,no-nuc,decay=0.8,rank,fresh=0.5",
    seed: Annotated[int, typer.Option("--seed", help="Of the choice of facts.", rich_help_panel="Test")] = 0,
    record: Record = None,
    model: common.Model = settings.DEFAULT_MODEL,
    sizes: SizeOptions,
    loading: LoadingOptions,
    max_tokens: common.MaxTokens = None,
    json: common.Json = False,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Put facts along a long text, read it once, and look what a pot without a question kept of each.

    infinipot bench ageing --book book.txt --tokens 32k,1m

    A fact has a place for each of its tokens in every head of every layer. What share of them is held right after the
    first distillation says whether it entered: with novelty carried for ever that gets harder the longer the text.
    """
    lengths = list(parse_lengths(tokens))
    request = sizes.request(max_tokens)
    from infinipot_cli.bench import ageing as bench
    from infinipot_cli.bench import haystack
    from infinipot_cli.bench.ageing_record import AgeingReading, AgeingResult
    from infinipot_cli.bench.provenance import provenance, run_settings, sha256
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.display.ageing_table import ageing_sections
    from infinipot_cli.display.bench_progress import BenchProgress
    from infinipot_cli.display.console import error_console
    from infinipot_cli.display.tables import show_table
    from infinipot_cli.session import Session, ask

    chosen, ways = bench.choose(facts, seed), bench.parse_arms(arms, request)
    console = error_console(color, quiet=quiet)
    text = haystack.read_book(book)
    session = Session(loading.named(model), request, loading=loading.loading())
    plan = session.plan(ask("Who?", catalyst="general"))
    files = haystack.files_of(book)
    setting = run_settings(session, plan) | {
        "facts": facts, "lengths": lengths, "arms": list(ways), "seed": seed, "max_tokens": max_tokens,
        "data": {path.name: sha256(path) for path in files},
    }  # fmt: skip
    kept = RunFile(record, setting, AgeingReading.of)
    known, total = {reading.key for reading in kept.done}, len(ways) * len(lengths)
    texts = (
        (length, bench.strewn(haystack.fit(text, session.tokenizer, length), chosen, session))
        for length in lengths
        if any((arm, length) not in known for arm in ways)
    )
    with BenchProgress(console, total, done=len(kept.done), kept=str(record or "")) as progress:
        for reading in bench.readings(session, ways, texts, known):
            kept.add(reading)
            progress.step(f"{reading.arm} {reading.length}")
    result = AgeingResult(session.files.name, plan.capacity, plan.budget, seed, kept.done, setting)
    if json:
        print_json(result.to_record() | {"made_with": provenance(session, files)})
    else:
        for heading, table in ageing_sections(result):
            show_table(table, heading)
