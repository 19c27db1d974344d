"""Make the report on an answer and hand it to the display."""

import sys
from collections.abc import Sequence

from infinipot_cli.display.answer import AnswerWriter, use_utf8
from infinipot_cli.display.console import error_console, say
from infinipot_cli.display.explain import overview, page_view, parts_named
from infinipot_cli.display.explain_html import html_report
from infinipot_cli.display.output_file import output_file
from infinipot_cli.display.pager import paged
from infinipot_cli.display.problem import show_warning
from infinipot_cli.display.progress import ReadingBar
from infinipot_cli.display.safe import safe, safe_json
from infinipot_cli.documents import collect
from infinipot_cli.explain.record import Report
from infinipot_cli.plan import Task
from infinipot_cli.reading import Reading
from infinipot_cli.session import Session
from infinipot_cli.settings import Color


def explained(session: Session, words: Sequence[str], task: Task, *, color: Color, quiet: bool) -> Report:
    """Read the documents, answer, and make the report.

    Args:
        session: model and pot.
        words: the sources as the user typed them.
        task: one question; of several, the first.
        color: when to use colour.
        quiet: say nothing meanwhile.
    """
    use_utf8()
    console = error_console(color, quiet=quiet)
    collected = collect(words, session.wishes)
    with session.prepare(collected.sources, task, found=collected.found) as reading:
        with ReadingBar(console, waiting=f"loading {session.files.name}") as bar:
            for progress in reading.read():
                bar.update(progress)
        for warning in reading.warnings:
            show_warning(console, warning)
        answer = safe("".join(reading.answer(watch=True))).strip()
        return report_on(reading, task.question, answer)


def report_on(reading: Reading, question: str, answer: str) -> Report:
    """The report on the latest answer of a reading, which was watched."""
    # torch is here by now: the answer was computed with it
    from infinipot_cli.explain.report import make_report

    assert reading.attended is not None
    return make_report(
        reading.trail,
        reading.pot,
        reading.attended,
        reading.passes,
        question=question,
        answer=answer,
        n_tokens=reading.n_tokens,
    )


def show(report: Report, *, page: str | None, html: str | None, json: bool, pager: bool, quiet: bool) -> None:
    """Show a report, or write it.

    Raises:
        UsageError: there is no such page.
        OutputError: the file cannot be written.
    """
    parts = parts_named(report, page) if page is not None else []
    if html is not None:
        with output_file(html) as out:
            out.write(html_report(report))
        say(error_console(quiet=quiet), f"written to {html}", style="dim")
    if json:
        lines = [safe_json(report.to_record())]
    elif parts:
        lines = [line for part in parts for line in (*page_view(part), "")][:-1]
    elif html is None:
        lines = [f"answer    {report.answer}", *overview(report)]
    else:
        return
    text = "\n".join(lines)
    if not json and sys.stdout is not None and sys.stdout.isatty():
        paged(text, wanted=pager)
        return
    writer = AnswerWriter()
    writer.write(text)
    writer.close()
