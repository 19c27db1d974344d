"""`infinipot bench citations`: do citations name the page that the answer stands on?"""

from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli import settings
from infinipot_cli.commands.bench.shared import Book, Record, Verbose, print_json
from infinipot_cli.commands.options import common
from infinipot_cli.commands.options.distilling import DistillingOptions
from infinipot_cli.commands.options.groups import with_groups

if TYPE_CHECKING:
    from infinipot_cli.bench.citation_record import CitationTrial


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
    record: Record = None,
    *,
    model: common.Model = settings.DEFAULT_MODEL,
    distilling: DistillingOptions,
    max_tokens: common.MaxTokens = None,
    json: common.Json = False,
    quiet: common.Quiet = False,
    verbose: Verbose = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Make books with facts on known pages, ask for them, and look which pages are cited.

    infinipot bench citations --book book.txt --books 50
    """
    usual = settings.usual_choices(model, knows_question=True)  # as `ask` has it
    request = distilling.request(max_tokens, usual=usual)
    from infinipot_cli.bench import citations as bench
    from infinipot_cli.bench import haystack
    from infinipot_cli.bench.citation_record import CitationResult, CitationTrial
    from infinipot_cli.bench.provenance import provenance, run_settings, sha256
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.display.bench_progress import BenchProgress
    from infinipot_cli.display.citation_table import citation_heading, citation_table
    from infinipot_cli.display.console import error_console, say
    from infinipot_cli.display.tables import show_table
    from infinipot_cli.explain.citations import MOST_CITED, THRESHOLD
    from infinipot_cli.session import Session, ask

    console = error_console(color, quiet=quiet)
    text = haystack.read_book(book)
    session = Session(model, request)
    plan = session.plan(ask("Who?"))
    files = haystack.files_of(book)
    setting = run_settings(session, plan) | {
        "books": books, "pages": pages, "seed": seed, "data": {path.name: sha256(path) for path in files},
    }  # fmt: skip
    kept = RunFile(record, setting, CitationTrial)
    known = {trial.key for trial in kept.done}
    todo = [number for number in range(books) if not {(number, kind) for kind in bench.KINDS} <= known]
    with BenchProgress(console, books, done=books - len(todo), kept=str(record or "")) as progress:
        for number in todo:
            for trial in bench.run(session, text, [number], n_pages=pages, seed=seed):
                if trial.key not in known:
                    kept.add(trial)
                if verbose:
                    say(console, _line(trial), style="dim")
            progress.step("books")
    result = CitationResult(session.files.name, plan.capacity, pages, seed, THRESHOLD, MOST_CITED, kept.done)
    if json:
        print_json(result.to_record() | {"settings": setting, "made_with": provenance(session, files)})
    else:
        show_table(citation_table(result), citation_heading(result))


def _line(trial: "CitationTrial") -> str:
    mark = "right" if trial.is_right else f"wrong ({trial.wanted})"
    cited = ", ".join(map(str, trial.cited)) or "nothing"
    return f"book {trial.book + 1}  {trial.kind} on page {trial.page}  {mark}: {trial.given}  [cited {cited}]"
