"""`infinipot bench citations`: do citations name the page that the answer stands on?"""

from typing import Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands import options
from infinipot_cli.commands.bench.shared import Book, print_json
from infinipot_cli.commands.distilling_options import DistillingOptions
from infinipot_cli.commands.groups import with_groups


@with_groups
def citations(
    book: Book,
    books: Annotated[
        int, typer.Option("--books", metavar="N", min=1, help="Books to make.", rich_help_panel="Test")
    ] = 50,
    pages: Annotated[
        int, typer.Option("--pages", metavar="N", min=6, help="Pages of each.", rich_help_panel="Test")
    ] = 30,
    seed: Annotated[int, typer.Option("--seed", help="Of the books.", rich_help_panel="Test")] = 0,
    *,
    model: options.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    max_tokens: options.MaxTokens = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    color: options.ColorWhen = settings.Color.AUTO,
    debug: options.Debug = False,
) -> None:
    """Make books with facts on known pages, ask for them, and look which pages are cited.

    infinipot bench citations --book book.txt --books 50
    """
    request = distilling.request(max_tokens)
    from infinipot_cli.bench import citations as bench
    from infinipot_cli.bench import haystack
    from infinipot_cli.bench.citation_record import CitationResult
    from infinipot_cli.display.citation_table import citation_heading, citation_table
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.tables import show_table
    from infinipot_cli.explain.citations import MOST_CITED, THRESHOLD
    from infinipot_cli.session import Session, ask

    console = error_console(color, quiet=quiet)
    text = haystack.read_book(book)
    session = Session(model, request)
    plan = session.plan(ask("Who?"))
    done = []
    for trial in bench.run(session, text, n_books=books, n_pages=pages, seed=seed):
        done.append(trial)
        mark = "right" if trial.is_right else f"wrong ({trial.wanted})"
        cited = ", ".join(map(str, trial.cited)) or "nothing"
        say(
            console,
            f"{trial.book + 1}/{books}  {trial.kind} on page {trial.page}  {mark}: {trial.given}  [cited {cited}]",
            style="dim",
        )
    result = CitationResult(session.files.name, plan.capacity, pages, seed, THRESHOLD, MOST_CITED, done)
    if json:
        print_json(result.to_record())
    else:
        show_table(citation_table(result), citation_heading(result))
