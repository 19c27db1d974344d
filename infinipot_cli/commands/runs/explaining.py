"""Make the report on an answer and hand it to the display."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from infinipot_cli.commands.options.pots import split_pot
from infinipot_cli.commands.runs.lacking import Lacking, lacking, say_lacking
from infinipot_cli.commands.runs.record import input_rows, warning_rows
from infinipot_cli.commands.runs.remarks import LOW_RETENTION
from infinipot_cli.commands.runs.verifying import SecondLook, look_again, reading_again, tell_of
from infinipot_cli.display.answer import AnswerWriter, use_utf8
from infinipot_cli.display.console import error_console, say
from infinipot_cli.display.explain import overview, text_of
from infinipot_cli.display.explain_html import html_report
from infinipot_cli.display.fold import folded
from infinipot_cli.display.output_file import check_apart, output_file
from infinipot_cli.display.pager import paged
from infinipot_cli.display.problem import show_problem, show_warning
from infinipot_cli.display.progress import ReadingBar
from infinipot_cli.display.safe import safe, safe_json
from infinipot_cli.display.summary import kept_line
from infinipot_cli.documents import Collected, collect
from infinipot_cli.errors import DocumentError, PartError
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.record import Report
from infinipot_cli.pins import Pins
from infinipot_cli.plan import Task
from infinipot_cli.pots.shelf import place_of
from infinipot_cli.reading import Reading
from infinipot_cli.resume import resume
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import Color

# Tokens of a text that is read once more with everything in memory, to compare.
MOST_CHECKED = 8192


@dataclass(frozen=True)
class Explained:
    """What there is to say.

    Attributes:
        report: on the answer, or on the pot alone.
        look: what a second look at its sources gave, if there was one.
        lacking: what the answer lacks.
        command: reads in full what it overlooks, as words.
        n_sources: documents that were to be read.
        failures: why some of them could not be.
        n_warnings: about the documents, and how little was kept.
        record: of the documents and their warnings, for JSON.
    """

    report: Report
    look: SecondLook | None = None
    lacking: Lacking = Lacking()  # noqa: RUF009  (frozen)
    command: Sequence[str] = ()
    n_sources: int = 0
    failures: Sequence[DocumentError | PartError] = ()
    n_warnings: int = 0
    record: dict[str, object] = field(default_factory=dict)


def explained(
    session: Session,
    words: Sequence[str],
    task: Task | None,
    *,
    color: Color,
    quiet: bool,
    plain: bool,
    pins: Pins,
    verify: bool = False,
    html: str | None = None,
    inputs: Sequence[str] = (),
    strict: bool = False,
) -> Explained:
    """Read the documents, answer, and make the report.

    Args:
        session: model and pot.
        words: the sources as the user typed them, a stored pot first.
        task: one question; of several, the first; None reports on the pot alone.
        color: when to use colour.
        quiet: say nothing meanwhile.
        plain: on a terminal too, say it as into a pipe.
        pins: what no distillation may drop.
        verify: whether the sources are read again and asked again.
        html: a file that will be written, and must be none of those that are read.
        inputs: files that are read besides the documents.
        strict: whether a warning makes the run fail, so that it is said whatever is quiet.

    Raises:
        UsageError: it is one.
    """
    use_utf8()
    console = error_console(color, quiet=quiet, plain=plain)
    pot, words = split_pot(words)
    collected = collect(words, session.wishes) if words else None
    for note in collected.notes if collected else ():
        say(console, note, style="dim")
    stored = [str(place_of(pot))] if pot is not None else []
    check_apart(html, [*(collected.sources if collected else ()), *inputs, *stored], "--html")
    with _opened(session, pot, collected, task or usual_task()) as reading:
        reading.passes.watch_evictions()
        reading.pins = pins
        reading.check_pins()
        with ReadingBar(console, waiting=f"loading {session.files.name}") as bar:
            for progress in reading.read():
                bar.update(progress)
        loud = error_console(color, plain=plain) if strict else console
        for warning in reading.warnings:
            show_warning(loud, warning)
        look, lacks, command = None, Lacking(), list[str]()
        if task is None:
            report = report_on(reading, "", "")
            reading.count_kept()
        else:
            answer = safe("".join(reading.answer(watch=True))).strip()
            report = replace(report_on(reading, task.question, answer), agreement=_agreement(session, reading))
            lacks = lacking(reading, answer)
            if lacks.overlooked is not None:
                command = reading_again(session, reading.inputs, task, lacks.overlooked, names_model=False)
            look = look_again(session, reading, task.question, lacks.overlooked) if verify else None
        is_low = report.kept_share < LOW_RETENTION
        if is_low:
            room = max(reading.plan.capacity, reading.pot.peak)
            show_warning(loud, kept_line(reading.n_tokens, room, report.kept_share))
        return Explained(
            report,
            look,
            lacks,
            command,
            n_sources=len(collected.sources) if collected else 0,
            failures=[entry.document.failure for entry in reading.inputs if entry.document.failure is not None],
            n_warnings=len(reading.warnings) + is_low,
            record={"input": input_rows(reading), "warnings": warning_rows(reading)},
        )


def _agreement(session: Session, reading: Reading) -> tuple[float, ...] | None:
    """How well the pot did beside full attention, where the text is short enough to see and all of it is known."""
    ids = reading.all_ids()
    room = min(session.files.context_length or MOST_CHECKED, MOST_CHECKED)
    n_prompt = len(reading.plan.prompt.prefix_ids) + len(reading.plan.prompt.suffix_ids)
    if not ids or not reading.pot.n_cycles or len(ids) + n_prompt > room:
        return None
    from infinipot_cli.bench.hitrate import agreement

    assert reading.attended is not None
    origins = reading.attended.origins if reading.held is None else reading.held.origins
    return agreement(session.load().model, reading.plan, ids, origins)


def _opened(session: Session, pot: str | None, collected: Collected | None, task: Task) -> Reading:
    """The documents, or a stored pot and what is read into it besides."""
    sources, found = (collected.sources, collected.found) if collected else ((), frozenset())
    if pot is not None:
        return resume(session, pot, task, sources, found=found)
    return session.prepare(sources, task, found=found)


def usual_task() -> Task:
    """What stands for a question where there is none."""
    return ask("What is the most important thing that is said here?", catalyst="general")


def report_on(reading: Reading, question: str, answer: str, picked: Sequence[Passage] = ()) -> Report:
    """The report on the latest answer of a reading, which was watched, or on what was picked instead of it.

    Without an answer it is on the pot.
    """
    # torch is here by now: the model has read
    from infinipot_cli.explain.held import unasked
    from infinipot_cli.explain.report import make_report

    report = make_report(
        reading.trail,
        reading.pot,
        reading.attended or unasked(reading.pot),
        reading.passes.all,
        question=question,
        answer=answer,
        n_tokens=reading.n_tokens,
        ranges=reading.ranges,
        evictions=reading.passes.evictions,
        held=reading.held,
        picked=picked,
    )
    return replace(report, silent_pages=reading.silent_pages())


def write_html(report: Report, target: str) -> None:
    """Write a report as one HTML file.

    Raises:
        OutputError: the file cannot be written.
    """
    with output_file(target) as out:
        out.write(html_report(report))


def page_lines(report: Report, page: str) -> list[str]:
    """The text of pages, or of lines, with what was kept of it.

    Raises:
        UsageError: there is no such page.
    """
    return list(text_of(report, page))


def paged_record(report: Report, page: str | None) -> dict[str, object]:
    """A report for JSON, with the text of pages, or of lines, where some are named.

    Raises:
        UsageError: there is no such page.
    """
    return report.to_record() | ({"page": "\n".join(page_lines(report, page))} if page is not None else {})


def say_failures(made: Explained, *, color: Color, quiet: bool, plain: bool) -> None:
    """Say which documents the report is without."""
    for failure in made.failures:
        show_problem(error_console(color, plain=plain), failure.message, failure.hint)
    if n_failed := len(made.failures):
        done = f"done {made.n_sources - n_failed} of {made.n_sources} · {n_failed} failed"
        say(error_console(color, quiet=quiet, plain=plain), done)


def show(
    made: Explained,
    *,
    page: str | None,
    html: str | None,
    json: bool,
    pager: bool,
    color: Color,
    quiet: bool,
    plain: bool,
) -> None:
    """Show a report, or write it, and say what a second look at its sources gave; plain ones as into a pipe.

    Raises:
        UsageError: there is no such page.
        OutputError: the file cannot be written.
    """
    report, look, console = made.report, made.look, error_console(color, quiet=quiet, plain=plain)
    text_of_page = page_lines(report, page) if page is not None else []
    on_terminal = not (json or plain) and sys.stdout is not None and sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns
    if html is not None:
        write_html(report, html)
        say(console, f"written to {html}", style="dim")
    if not json:
        say_lacking(made.lacking, console, made.command)
    if look is not None:
        tell_of(look, console)
    if json:
        verified = {"verified": look.to_record()} if look is not None else {}
        lines = [safe_json(paged_record(report, page) | made.record | made.lacking.to_record() | verified)]
    elif text_of_page:
        lines = text_of_page
    elif html is None:
        answer = [f"answer    {report.answer}"] if report.is_answered else []
        lines = [*answer, *(overview(report, columns) if on_terminal else overview(report))]
    else:
        return
    if on_terminal:
        paged("\n".join(lines if text_of_page else folded(lines, columns)), wanted=pager)
        return
    writer = AnswerWriter()
    writer.write("\n".join(lines))
    writer.close()
