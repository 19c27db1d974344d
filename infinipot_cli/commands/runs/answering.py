"""One question: answer it, say what the answer stands on, and record it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from infinipot_cli.commands.runs.explaining import page_lines, paged_record, report_on, write_html
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.commands.runs.lacking import lacking, say_lacking
from infinipot_cli.commands.runs.page import Page
from infinipot_cli.commands.runs.record import Answered, one_answer
from infinipot_cli.commands.runs.remarks import warn_of_an_end
from infinipot_cli.commands.runs.verifying import look_again, reading_again, tell_of
from infinipot_cli.display.answer import AnswerWriter
from infinipot_cli.display.console import say
from infinipot_cli.display.explain import overview
from infinipot_cli.display.fold import folded
from infinipot_cli.display.problem import show_warning
from infinipot_cli.display.safe import safe
from infinipot_cli.display.sources import places_line, sentence_lines, show_sources, source_lines
from infinipot_cli.display.summary import counted
from infinipot_cli.errors import UsageError
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.record import Report
from infinipot_cli.reading import Reading
from infinipot_cli.session import Session

if TYPE_CHECKING:
    from infinipot_cli.display.console import Console


class Answering:
    """Answers the questions of a run.

    Args:
        session: the model.
        form: how to answer.
        page: takes the answers.
        console: takes what is said about them.
        key: what an answer is called in JSON.
    """

    def __init__(self, session: Session, form: Form, page: Page, console: "Console", *, key: str) -> None:
        self._session = session
        self._form = form
        self._page = page
        self._console = console
        self._key = key

    def answer(self, reading: Reading, number: int) -> Answered:
        """Answer one of the task's questions, counted from 0."""
        question, before = reading.task.questions[number], reading.timing.answer_seconds
        picked: list[Passage] = []
        if self._form.picked:
            text, picked = self._picked(reading, number)
        else:
            text = self._quietly(reading, number) if self._form.is_json else self._aloud(reading, number)
        made = partial(report_on, reading, question, text, picked)
        answered = Answered(
            question,
            text,
            0 if self._form.picked else reading.n_answer,
            reading.is_cut and not self._form.picked,
            reading.n_kept,
            reading.kept_share,
            reading.timing.answer_seconds - before,
            tuple(picked or reading.cited()) if self._form.cite else None,
            self._explained(made()) if self._form.shows and self._form.is_json else None,
        )
        answered = replace(answered, lacking=lacking(reading, text))
        if not self._form.is_json:
            self._say_grounds(reading, answered, made)
        if self._form.page is not None and not self._form.is_json:
            self._say_page(made(), self._form.page)
        if self._form.html is not None:
            write_html(made(), self._form.html)
            say(self._console, f"written to {self._form.html}", style="dim")
        if self._form.verify:
            answered = self._verified(reading, answered)
        if self._form.jsonl or not reading.task.further:
            self._page.record(one_answer(self._session, reading, answered, self._key))
        self._warn_of_an_end(reading, text)
        return answered

    def _quietly(self, reading: Reading, number: int) -> str:
        return safe("".join(reading.answer(number, watch=self._form.watch))).strip()

    def _picked(self, reading: Reading, number: int) -> tuple[str, list[Passage]]:
        """Print the sentences of the text that the model leans on as it begins to answer, instead of its own words."""
        if not self._form.is_json and all(entry.log is not None and entry.log.is_log for entry in reading.inputs):
            reading.count_kept()
            return "", []  # under a log's own digest a few of its ordinary lines say nothing more
        sentences = reading.pick(self._form.picked, number)
        text = safe("\n".join(sentence.quote for sentence in sentences))
        if not self._form.is_json:
            writer = AnswerWriter(self._page.out)
            writer.write("\n".join(self._with_places(reading, sentences)) if self._shows_places else text)
            writer.close()
        return text, sentences

    def _with_places(self, reading: Reading, sentences: list[Passage]) -> Iterator[str]:
        width = shutil.get_terminal_size().columns
        return sentence_lines(sentences, named=len(reading.inputs) > 1, width=width)

    @property
    def _shows_places(self) -> bool:
        """Whether the places of picked sentences stand beside them: where they are read, and not piped on."""
        return self._form.cite and not (self._is_apart or self._form.quiet)

    @property
    def _is_apart(self) -> bool:
        """Whether answers go elsewhere than what is said about them."""
        return self._page.out is not sys.stdout or not self._page.out.isatty() or self._form.run.plain

    def _aloud(self, reading: Reading, number: int) -> str:
        """Print the answer while it is being found."""
        if reading.task.further:
            self._page.head(reading.task.questions[number])
        writer = AnswerWriter(self._page.out)
        try:
            for piece in reading.answer(number, watch=self._form.watch):
                writer.write(piece)
        except KeyboardInterrupt:
            writer.close()
            say(self._console, f"stopped at {counted(reading.n_answer, 'token')} of the answer")
            raise
        writer.close()
        return writer.text

    def _say_grounds(self, reading: Reading, answered: Answered, made: Callable[[], Report]) -> None:
        """Under the answer: its sources, and the report where it was asked for."""
        what = answered.lacking
        says_more = answered.sources or what.to_record() or self._form.reports or self._form.verify
        if reading.task.further and self._is_apart and says_more:
            say(self._console, answered.question)  # the answers stand elsewhere
        if answered.sources and not (self._form.picked and self._shows_places):
            named = len(reading.inputs) > 1
            lines = source_lines(answered.sources, named=named)
            if self._form.picked:  # their words stand above already
                lines = [places_line(answered.sources, named=named)]
            show_sources(lines, self._console, self._page.out, quiet=self._form.quiet, plain=self._form.run.plain)
        say_lacking(what, self._console, self._command(reading, answered))
        if self._form.explain:
            width, report = self._console.width, made()
            for line in folded(overview(report, width), width) if self._console.is_terminal else overview(report):
                say(self._console, line)

    def _explained(self, report: Report) -> dict[str, object]:
        try:
            return paged_record(report, self._form.page)
        except UsageError as error:
            self._say_no_page(error)
            return report.to_record()

    def _say_page(self, report: Report, wanted: str) -> None:
        """Show the text of pages or lines, and warn where there are none such."""
        try:
            lines = page_lines(report, wanted)
        except UsageError as error:
            self._say_no_page(error)
            return
        for line in "\n".join(lines).split("\n"):
            say(self._console, line)

    def _say_no_page(self, error: UsageError) -> None:
        """The answer is there already, and is given all the same."""
        show_warning(self._console, f"{error.message} ({error.hint})")

    def _command(self, reading: Reading, answered: Answered) -> list[str]:
        """What reads the passage in full that an answer overlooks."""
        lost, task = answered.lacking.overlooked, replace(reading.task, question=answered.question, further=())
        if lost is None:
            return []
        return reading_again(self._session, reading.inputs, task, lost, names_model=self._form.model_was_chosen)

    def _verified(self, reading: Reading, answered: Answered) -> Answered:
        """Ask the cited places alone, and what was overlooked, and say whether the answer is the same."""
        if self._form.is_json and reading.task.further:  # the record is of all of them
            say(self._console, answered.question)
        look = look_again(self._session, reading, answered.question, answered.lacking.overlooked)
        tell_of(look, self._console)
        return replace(answered, verified=look)

    def _warn_of_an_end(self, reading: Reading, text: str) -> None:
        """Say it where an answer is missing or broke off; what was written only to pick sentences may break off."""
        if self._form.picked:
            if not text and not any(entry.log is not None and entry.log.is_log for entry in reading.inputs):
                show_warning(self._console, "the pot holds no whole sentence of the text; --write gives other words")
        else:
            warn_of_an_end(self._console, reading, text)
