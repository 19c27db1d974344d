"""`infinipot bench all`: every benchmark, one record each, and the report of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infinipot_cli import __version__, settings
from infinipot_cli.commands.bench.shared import Paper, check_paper
from infinipot_cli.commands.options import common
from infinipot_cli.errors import OutputError, UsageError

if TYPE_CHECKING:
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.bench.suite import Step, StepDone, Subject
    from infinipot_cli.display.console import Console

TEST = "Test"
FOLDER = "infinipot-bench"
SMALL = "longbench-small"
SMALL_CHARS = 4000
# Where a checkout has a book to measure with; an installed package brings none.
BOOK = Path(__file__).parents[3] / "tests" / "data" / "treasure-island.txt"


def run_all(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of records and report.")] = Path(
        FOLDER
    ),
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Small sizes, for pocket on two cores; without it the paper's.", rich_help_panel=TEST
        ),
    ] = False,
    book: Annotated[
        Path | None,
        typer.Option(
            "--book", metavar="FILE", help="The long text to read; a checkout has one of its own.", rich_help_panel=TEST
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="LongBench's data, of data.zip from huggingface.co/datasets/THUDM/LongBench; --quick does with "
            "a small stand-in, and says so.",
            rich_help_panel=TEST,
        ),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option("--questions", metavar="DIR", help="Question sets of RULER's qa tasks.", rich_help_panel=TEST),
    ] = None,
    paper: Paper = "L3",
    model: common.Model = settings.DEFAULT_MODEL,
    quiet: common.Quiet = False,
    color: common.ColorWhen = settings.Color.AUTO,
    debug: common.Debug = False,
) -> None:
    """Run every benchmark, one record each, then write the report; a stopped run goes on where it was.

    infinipot bench all --quick -o runs
    """
    check_paper(paper)
    from infinipot_cli.bench import steps_run, suite
    from infinipot_cli.commands.bench.report import NAME, write
    from infinipot_cli.display.answer import AnswerWriter
    from infinipot_cli.display.console import error_console, say

    console = error_console(color, quiet=quiet)
    subject, notes = _subject(model, book, data, questions, output, is_quick=quick)
    setting = _settings(subject, is_small=data is None)
    kept = _kept(output, setting)
    done = {one.name: one for one in kept.done if one.status.startswith("done")}
    chosen = suite.steps(subject)
    _run(chosen, done, kept, output, console, is_quick=quick)
    ran = [_ran(step, done, kept.done) for step in chosen]
    steps_run.keep(output / "all.json", _record(setting, ran, notes))
    for name in (NAME, "report.html"):
        write(output, output / name, paper, say=lambda line: say(console, line))
    writer = AnswerWriter()
    writer.write(str(output / NAME))
    writer.close()
    suite.check(ran)


def _run(
    chosen: list["Step"],
    done: dict[str, "StepDone"],
    kept: "RunFile[StepDone]",
    output: Path,
    console: "Console",
    *,
    is_quick: bool,
) -> None:
    """Run the steps that have no record yet, and keep what each came to in `done` and `kept`."""
    import time
    from contextlib import closing

    from infinipot_cli.bench import steps_run
    from infinipot_cli.bench.suite import Step
    from infinipot_cli.display.console import say
    from infinipot_cli.display.summary import duration

    start = time.perf_counter()
    missing = [step for step in chosen if step.name not in done or not (output / f"{step.name}.json").is_file()]
    if n_before := len(chosen) - len(missing):
        say(console, f"{n_before} of {len(chosen)} done before", style="dim")
    is_wide = is_quick and steps_run.cores() > 1
    try:
        # closed at once when stopped, so that no command goes on beside
        with closing(steps_run.run_steps(missing, output, is_quiet=console.quiet, is_wide=is_wide)) as running:
            for one in running:
                if isinstance(one, Step):
                    say(console, f"{chosen.index(one) + 1}/{len(chosen)}  {one.command}")
                    continue
                kept.add(one)
                done[one.name] = one
                say(console, f"{one.name}: {one.status}, {duration(one.seconds)}", style="dim")
    except KeyboardInterrupt:
        say(console, f"stopped; the same command goes on with what {output} holds")
        raise
    if missing:
        say(console, f"{len(missing)} benchmarks in {duration(time.perf_counter() - start)}")


def _subject(
    model: str, book: Path | None, data: Path | None, questions: Path | None, output: Path, *, is_quick: bool
) -> tuple["Subject", list[str]]:
    """What is measured, with the small sets written where the real ones are missing, and what must be said of it."""
    from infinipot_cli.bench import haystack, longbench_small
    from infinipot_cli.bench.longbench_sets import HOW_TO_GET, choose
    from infinipot_cli.bench.suite import Subject

    if book is None and not BOOK.is_file():
        raise UsageError("this installation has no book of its own", hint="name a long text with --book FILE")
    text = haystack.read_book(str(book or BOOK))
    notes = []
    if data is not None:
        choose([], data)
    elif is_quick:
        longbench_small.write(output / SMALL, text, n=1, n_chars=SMALL_CHARS)
        notes.append(longbench_small.NOTE)
    else:
        raise UsageError("the paper's sizes need LongBench's data: --data DIR", hint=HOW_TO_GET)
    if questions is None:
        notes.append("RULER's qa_1 and qa_2 were left out: --questions DIR takes their sets.")
    return Subject(model, book or BOOK, data or output / SMALL, questions, is_quick), notes


def _settings(subject: "Subject", *, is_small: bool) -> dict[str, object]:
    """What the numbers of all steps depend on; a folder of others is not gone on with."""
    from infinipot_cli.bench.haystack import files_of
    from infinipot_cli.bench.provenance import sha256, weight_marks
    from infinipot_cli.session import Session

    # the settings may say of a model with encoders that its language part alone is loaded
    session = Session(subject.model, loading=settings.Loading(text_only=True))
    return {
        "suite": "quick" if subject.is_quick else "full",
        "version": __version__,
        "model": subject.model,
        "weights": weight_marks(session),
        "book": {path.name: sha256(path) for path in files_of(str(subject.book))},
        "longbench": "small" if is_small else str(subject.longbench),
        "questions": str(subject.questions or ""),
        "data": {path.name: sha256(path) for path in _data(subject)},
    }


def _data(subject: "Subject") -> list[Path]:
    """The files of LongBench and of RULER's question sets that the steps read."""
    from infinipot_cli.bench.longbench_sets import choose
    from infinipot_cli.bench.ruler.questions import FILES, find

    sets = [subject.longbench / f"{name}.jsonl" for name in choose([], subject.longbench)]
    return [*sets, *(path for task in FILES if (path := find(task, subject.questions)))]


def _kept(output: Path, setting: dict[str, object]) -> "RunFile[StepDone]":
    from infinipot_cli.bench.run_file import RunFile
    from infinipot_cli.bench.suite import StepDone

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {output} cannot be made: {error.strerror or error}") from error
    return RunFile(output / "all.jsonl", setting, StepDone)


def _ran(step: "Step", done: dict[str, "StepDone"], tries: list["StepDone"]) -> "StepDone":
    """A step with the time of all its tries."""
    from dataclasses import replace

    return replace(done[step.name], seconds=round(sum(one.seconds for one in tries if one.name == step.name), 1))


def _record(setting: dict[str, object], ran: list["StepDone"], notes: list[str]) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "schema": 1,
        "bench": "all",
        "settings": setting,
        "notes": notes,
        "seconds": round(sum(one.seconds for one in ran), 1),
        "steps": [asdict(one) for one in ran],
    }
