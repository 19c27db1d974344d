"""`infinipot bench`: measurements that anyone can repeat."""

from enum import StrEnum
from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import options
from infinipot_cli.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Measure what the pot finds again and what it costs.")

Book = Annotated[
    str,
    typer.Option("--book", metavar="FILE", help="The long text to read, a text file or a PDF.", rich_help_panel="Test"),
]


class Kind(StrEnum):
    """What to hide."""

    PASSKEY = "passkey"
    FACT = "fact"
    BOTH = "both"


class Catalyst(StrEnum):
    """What judges the entries of a full pot."""

    QUESTION = "question"
    GENERAL = "general"


@app.command()
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
    max_tokens: options.MaxTokens = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.ColorWhen = settings.Color.AUTO,
    debug: options.Debug = False,
) -> None:
    """Hide lines in a long text, one at a time, and ask for them.

    infinipot bench needle --book book.txt --trials 20
    """
    request = settings.PotRequest(pot_size, budget, novelty, chunk, max_tokens)
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
    result = NeedleResult(session.files.name, plan.capacity, plan.budget, catalyst.value, seed, done)
    if json:
        _print_json(result.to_record())
    else:
        show_table(needle_table(result), needle_heading(result))


@app.command()
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
    model: options.Model = settings.DEFAULT_MODEL,
    pot_size: options.PotSize = None,
    budget: options.Budget = None,
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
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.tables import memory_table, show_table
    from infinipot_cli.session import Session

    console = error_console(color, quiet=quiet)
    text = haystack.read_book(book)
    tokenizer = Session(model).tokenizer
    sizes = [("-s", pot_size), ("--budget", budget)]
    arguments = ["-m", model, *(word for name, value in sizes if value for word in (name, str(value)))]
    rows = []
    for length in lengths:
        say(console, f"reading {length} tokens", style="dim")
        rows.append(measure(haystack.repeat(text, tokenizer, length), arguments))
    if json:
        _print_json({"schema": 1, "bench": "memory", "model": model, "rows": [asdict(row) for row in rows]})
    else:
        show_table(memory_table(rows))


@app.command()
def families(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[FAMILY]...", help="Only these, by name or type; all by default.")
    ] = None,
    cycles: Annotated[
        int,
        typer.Option(
            "--cycles", metavar="N", min=1, help="Distillations before keys are checked.", rich_help_panel="Test"
        ),
    ] = 250,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of the README.", rich_help_panel="Output")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.ColorWhen = settings.Color.AUTO,
    debug: options.Debug = False,
) -> None:
    """Hold the engine to every family of models, on tiny random ones made on the spot.

    A document that fits must read as plain transformers reads it; kept sets and answers must equal a slow reference's;
    stored keys must equal fresh ones after hundreds of distillations.

    infinipot bench families llama qwen3
    """
    settings.prepare_environment()
    from infinipot_cli.bench import families as bench
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.tables import families_markdown, families_table, show_table

    console = error_console(color, quiet=quiet)
    rows = []
    for row in bench.run(frozenset(names or ()), cycles):
        rows.append(row)
        say(console, f"{row.family}  {'right' if all(row.verdicts) else 'WRONG'}", style="dim")
    if json:
        _print_json({"schema": 1, "bench": "families", "rows": [row.to_record() for row in rows]})
    elif markdown:
        from infinipot_cli.display.answer import AnswerWriter

        writer = AnswerWriter()
        writer.write(families_markdown(rows))
        writer.close()
    else:
        show_table(families_table(rows))
    if not all(all(row.verdicts) for row in rows):
        raise typer.Exit(1)


def _print_json(record: dict[str, object]) -> None:
    from infinipot_cli.display.answer import AnswerWriter
    from infinipot_cli.display.safe import safe_json

    writer = AnswerWriter()
    writer.write(safe_json(record))
    writer.close()
