"""`infinipot info SOURCE...`: what reading would take, before it is done."""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import options
from infinipot_cli.commands.distilling_options import SizeOptions
from infinipot_cli.commands.groups import with_groups
from infinipot_cli.commands.loading_options import LoadingOptions
from infinipot_cli.commands.source_options import SOURCE_HELP, SourceOptions
from infinipot_cli.commands.words import input_is_piped, sources_only


@with_groups
def info(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE...", help=SOURCE_HELP, show_default=False),
    ] = None,
    *,
    documents: SourceOptions,
    loading: LoadingOptions,
    model: options.Model = settings.DEFAULT_MODEL,
    sizes: SizeOptions,
    json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.ColorWhen = settings.Color.AUTO,
    debug: options.Debug = False,
) -> None:
    """Count what documents hold, without reading them into a pot.

    infinipot info report.pdf

    Tokens are counted by the model's own tokenizer. Time is estimated from the last reading with this model and pot.
    """
    chosen = sources_only(sources or [], piped=input_is_piped(), example="infinipot info book.txt")
    request = sizes.request()
    from infinipot_cli.display.console import error_console, say, waiting
    from infinipot_cli.display.listing import put, show_rows
    from infinipot_cli.display.problem import show_warning
    from infinipot_cli.display.safe import safe_json
    from infinipot_cli.display.summary import duration
    from infinipot_cli.documents import collect
    from infinipot_cli.session import Session, ask
    from infinipot_cli.speed import last_speed

    console = error_console(color, quiet=quiet)
    session = Session(model, request, documents.wishes(), loading=loading.loading())
    collected = collect(chosen, session.wishes)
    for note in collected.notes:
        say(console, note, style="dim")
    # a question of usual length, so that the plan is that of a usual run
    usual = ask("What is the most important thing that is said here?")
    with session.prepare(collected.sources, usual, found=collected.found) as reading:
        with waiting(console, "counting"):
            reading.count()
        plan, n_tokens = reading.plan, reading.n_tokens
        speed = last_speed(session.files.name, plan.capacity)
        seconds = n_tokens / speed if speed else None
        rows = [
            {
                "source": entry.document.name,
                "type": entry.document.kind,
                "pages": entry.document.n_pages,
                "bytes": entry.document.n_bytes,
                "tokens": entry.n_tokens,
                **({"error": entry.document.failure.message} if entry.document.failure else {}),
            }
            for entry in reading.inputs
        ]
        n_cycles, fits = plan.n_cycles(n_tokens), plan.n_cycles(n_tokens) == 0
        if json:
            record = {
                "schema": 1,
                "input": rows,
                "tokens": n_tokens,
                "model": session.files.name,
                "pot": {"size": plan.capacity, "budget": plan.budget, "distillations": n_cycles},
                "seconds": round(seconds, 1) if seconds is not None else None,
            }
            put(safe_json(record))
        else:
            show_rows(rows)
        for warning in reading.warnings:
            show_warning(console, warning)
        passes = "fits, nothing is dropped" if fits else f"{n_cycles} distillations, 1 : {n_tokens / plan.capacity:.0f}"
        time = f"about {duration(seconds)} to read" if seconds is not None else "no reading yet to estimate time from"
        say(
            console,
            f"{n_tokens} tokens → pot of {plan.capacity} places · {passes} · {session.files.name} · {time}",
            style="dim",
        )
