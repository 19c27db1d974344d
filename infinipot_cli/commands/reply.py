"""What `ask` and `summarize` share: read, show how it goes, answer, and say what was kept."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TextIO

import typer

from infinipot_cli.commands.consent import fetched
from infinipot_cli.commands.explaining import report_on
from infinipot_cli.commands.form import Form
from infinipot_cli.commands.keeping import store_stopped, store_whole
from infinipot_cli.commands.pot_options import split_pot
from infinipot_cli.commands.record import SCHEMA, Answered, failed, one_answer, reading_only, several_answers
from infinipot_cli.commands.remarks import names_of, say_details, say_passes, say_read_for
from infinipot_cli.commands.remember import Told, remember
from infinipot_cli.commands.verifying import look_again
from infinipot_cli.commands.words import STDIN
from infinipot_cli.display.answer import AnswerWriter, use_utf8
from infinipot_cli.display.console import error_console, is_watched, say
from infinipot_cli.display.digest import digest_lines
from infinipot_cli.display.explain import overview
from infinipot_cli.display.output_file import output_file
from infinipot_cli.display.problem import show_problem, show_warning
from infinipot_cli.display.progress import ReadingBar
from infinipot_cli.display.safe import safe, safe_json
from infinipot_cli.display.silence import tell_if_silent
from infinipot_cli.display.sources import show_sources, source_lines
from infinipot_cli.display.summary import duration, kept_line, larger_model_line, size
from infinipot_cli.documents import collect
from infinipot_cli.errors import DocumentError, ModelError, OutputError, UsageError
from infinipot_cli.explain.citations import cite
from infinipot_cli.logs import Digest
from infinipot_cli.model.inventory import cached_names
from infinipot_cli.plan import Task
from infinipot_cli.reading import Reading
from infinipot_cli.resume import resume
from infinipot_cli.session import Session
from infinipot_cli.speed import remember_speed

# Less than this of a document's tokens kept is worth a warning.
LOW_RETENTION = 0.01


class Reply:
    """One run of a command that reads documents and answers.

    Args:
        session: the model and the wishes about the pot.
        form: how to answer.
        key: what an answer is called in JSON.
    """

    def __init__(self, session: Session, form: Form, *, key: str) -> None:
        use_utf8()
        self._session = session
        self._form = form
        self._key = key
        self._console = error_console(form.color, quiet=form.quiet, plain=form.run.plain)
        self._results: list[dict[str, object]] = []
        self._headed = self._was_stopped = False
        self._found: frozenset[str] = frozenset()
        self._pot: str | None = None
        self._then: Callable[[Reading], None] | None = None
        self._n_failed = self._exit_code = self._n_warnings = 0

    def run(
        self, words: Sequence[str], task: Task, *, each: bool = False, then: Callable[[Reading], None] | None = None
    ) -> None:
        """Read the sources and answer.

        Args:
            words: files, folders, globs, or `-` for standard input.
            task: what they are read for.
            each: read every source by itself instead of all into one pot.
            then: what to do with the reading instead of answering its task.
        """
        self._then = then
        if sys.stdout is None and self._form.output is None:
            raise OutputError("standard output is closed", code="stdout_closed")
        self._pot, words = split_pot(words)
        sources: Sequence[str] = ()
        if words:
            collected = collect(words, self._session.wishes)
            sources, self._found = collected.sources, collected.found | self._form.found
            for note in collected.notes:
                say(self._console, note, style="dim")
        if each and len(sources) > 1 and (self._pot or self._form.save_pot):
            raise UsageError("a stored pot holds all documents together", hint="leave --each out")
        with contextlib.ExitStack() as stack:
            out: TextIO = sys.stdout
            if self._form.output is not None:
                out = stack.enter_context(output_file(self._form.output, by_line=self._form.jsonl))
            if STDIN in sources:
                tell_if_silent(self._console)
            if each and len(sources) > 1:
                self._one_by_one(sources, task, out)
            else:
                self._reading(sources, task, out)
            self._close(out)
        if self._form.output is not None:
            say(self._console, f"written to {self._form.output}", style="dim")
        if not self._form.model_was_chosen:
            say(self._console, larger_model_line(cached_names()), style="dim")
        if self._was_stopped:
            raise KeyboardInterrupt
        if self._n_failed:
            say(self._console, f"done {len(sources) - self._n_failed} of {len(sources)} · {self._n_failed} failed")
            raise typer.Exit(self._exit_code)
        if self._form.strict and self._n_warnings:
            plural = "s" if self._n_warnings > 1 else ""
            message = f"{self._n_warnings} warning{plural}, and --strict allows none"
            show_problem(error_console(self._form.color), message)
            raise typer.Exit(DocumentError.exit_code)

    def _one_by_one(self, sources: Sequence[str], task: Task, out: TextIO) -> None:
        """Give every source its own reading; one that cannot be read does not keep the others from it."""
        for source in sources:
            if self._was_stopped:
                break
            try:
                self._reading([source], task, out, heading=source)
            except DocumentError as error:
                self._fail(error)
                self._put_record(failed(source, error), out)

    def _fail(self, error: DocumentError) -> None:
        """Say that a document is missing from what was read; the run goes on and its exit code tells."""
        self._n_failed += 1
        self._exit_code = self._exit_code or error.exit_code
        show_problem(error_console(self._form.color), error.message, error.hint)

    def _warn(self, message: str) -> None:
        """Show a warning about a document."""
        self._n_warnings += 1
        show_warning(self._console, message)

    def _reading(self, sources: Sequence[str], task: Task, out: TextIO, *, heading: str = "") -> None:
        with self._prepared(sources, task) as reading:
            reading.pins = self._form.pins
            if self._form.digest:
                for entry in reading.inputs:
                    entry.log = Digest(entry.first_line)
                    entry.pieces = entry.log.watch(entry.pieces)
            plan = reading.plan
            names, model = names_of(reading), self._session.files.name
            say(
                self._console,
                f"{names} → pot of {plan.capacity} places, {plan.budget} kept when it is full · {model}",
                style="dim",
            )
            if self._form.run.verbose:
                say_details(self._console, reading)
            with reading.stop.on_interrupt(), ReadingBar(self._console, waiting=f"loading {model}") as bar:
                for progress in reading.read():
                    bar.update(progress)
            if reading.stop.is_wanted:
                self._stopped(reading, bar, sources)
            if self._form.run.verbose > 1:
                say_passes(self._console, reading, self._session.load())
            for entry in reading.inputs:
                if entry.document.failure is not None:
                    self._fail(entry.document.failure)
            for warning in reading.warnings:
                self._warn(warning)
            if not reading.stop.is_wanted:
                store_whole(self._console, self._session, reading, self._form)
            if self._then is not None:
                self._then(reading)
                return
            if not self._form.answers:
                self._put_record(reading_only(self._session, reading, self._form.save_pot), out)
                self._report(reading, [])
                return
            if heading and not self._is_json:
                self._head(out, f"==> {heading} <==")
            self._digests(reading, out)
            answers = [self._answer(reading, number, out) for number in range(len(reading.task.questions))]
            if len(answers) > 1 and not self._form.jsonl:
                self._put_record(several_answers(self._session, reading, answers, self._key), out)
            self._report(reading, answers)
            self._remember(reading, answers)

    def _remember(self, reading: Reading, answers: Sequence[Answered]) -> None:
        told = [Told(answered.question, answered.text, answered.kept_share) for answered in answers]
        command = "summarize" if self._key == "summary" else "ask"
        pot, model, no_log = self._form.save_pot or self._pot, self._session.files.name, self._form.run.no_log
        remember(self._console, reading, told, command=command, model=model, pot=pot, no_log=no_log)

    def _stopped(self, reading: Reading, bar: ReadingBar, sources: Sequence[str]) -> None:
        """Say how far it was read and keep that; only somebody who looks at the answer is given one from that much.

        Raises:
            KeyboardInterrupt: nobody looks, or nothing was read.
        """
        bar.say_stopped()
        if not reading.n_tokens:
            raise KeyboardInterrupt
        store_stopped(self._console, self._session, reading, sources, self._found, self._form)
        if self._form.output is not None or self._is_json or not self._form.answers or not self._is_watched:
            raise KeyboardInterrupt
        self._was_stopped = True
        say(self._console, "answering from what was read; Ctrl-C again ends it", style="dim")

    def _prepared(self, sources: Sequence[str], task: Task) -> Reading:
        """Open the documents; a model that is missing is offered to whoever can agree to fetch it."""
        if self._pot is not None:
            reading = resume(self._session, self._pot, task, sources, found=self._found)
            say_read_for(self._console, self._pot, task)
            return reading
        try:
            return self._session.prepare(sources, task, found=self._found)
        except ModelError as error:
            if STDIN in sources or not fetched(error, self._session.model_name, self._form.consent):
                raise
        return self._session.prepare(sources, task, found=self._found)

    def _digests(self, reading: Reading, out: TextIO) -> None:
        """What the logs among the documents say of themselves, and an empty line."""
        logs = [entry for entry in reading.inputs if entry.log is not None and entry.log.is_log]
        if self._is_json:
            return
        for entry in logs:
            assert entry.log is not None
            entry.log.close()
            name = entry.document.name if len(reading.inputs) > 1 else ""
            self._put_line("\n".join(digest_lines(entry.log, name)), out)
            AnswerWriter(out).close()

    @property
    def _is_watched(self) -> bool:
        return is_watched() and not self._form.run.plain

    @property
    def _is_json(self) -> bool:
        return self._form.json or self._form.jsonl

    def _answer(self, reading: Reading, number: int, out: TextIO) -> Answered:
        question, before = reading.task.questions[number], reading.timing.answer_seconds
        if self._is_json:
            text = safe("".join(reading.answer(number, watch=self._form.watch))).strip()
        else:
            if reading.task.further:
                self._head(out, question)
            writer = AnswerWriter(out)
            try:
                for piece in reading.answer(number, watch=self._form.watch):
                    writer.write(piece)
            except KeyboardInterrupt:
                writer.close()
                say(self._console, f"stopped at {reading.n_answer} tokens of the answer")
                raise
            writer.close()
            text = writer.text
        answered = Answered(
            question,
            text,
            reading.n_answer,
            reading.is_cut,
            reading.n_kept,
            reading.kept_share,
            reading.timing.answer_seconds - before,
            tuple(cite(reading.passages())) if self._form.cite else None,
            report_on(reading, question, text).to_record() if self._form.explain and self._is_json else None,
        )
        if answered.sources and not self._is_json:
            lines = source_lines(answered.sources, named=len(reading.inputs) > 1)
            show_sources(lines, self._console, out, quiet=self._form.quiet, plain=self._form.run.plain)
        if self._form.explain and not self._is_json:
            for line in overview(report_on(reading, question, text)):
                say(self._console, line)
        if self._form.verify:
            cited = cite(reading.passages())
            answered = replace(answered, verified=look_again(self._session, reading.task, question, text, cited))
            self._tell_verified(answered)
        if self._form.jsonl or not reading.task.further:
            self._put_record(one_answer(self._session, reading, answered, self._key), out)
        if reading.is_reasoning and not text:
            room = f"the model was still reasoning after {reading.n_answer} tokens; -n gives it more room"
            show_warning(self._console, room)
        elif not text:
            show_warning(self._console, "the model gave no answer")
        elif reading.is_cut:
            show_warning(self._console, f"the answer was cut at {reading.n_answer} tokens; -n gives it more room")
        return answered

    def _tell_verified(self, answered: Answered) -> None:
        look = answered.verified
        if look is not None and look.agrees:
            say(self._console, look.line)
        elif look is not None:
            show_warning(self._console, look.line)

    def _head(self, out: TextIO, text: str) -> None:
        """A line above an answer that is not the only one, behind an empty line unless it is the first."""
        if self._headed:
            AnswerWriter(out).close()
        self._headed = True
        self._put_line(text, out)

    def _put_record(self, record: dict[str, object], out: TextIO) -> None:
        if self._form.jsonl:
            self._put_line(safe_json(record, one_line=True), out)
        elif self._form.json:
            self._results.append(record)

    def _close(self, out: TextIO) -> None:
        if not self._form.json:
            return
        only = self._results[0] if len(self._results) == 1 else {"schema": SCHEMA, "results": self._results}
        self._put_line(safe_json(only), out)

    def _put_line(self, text: str, out: TextIO) -> None:
        writer = AnswerWriter(out)
        writer.write(text)
        writer.close()

    def _report(self, reading: Reading, answers: Sequence[Answered]) -> None:
        plan, timing = reading.plan, reading.timing
        share = min((answered.kept_share for answered in answers), default=reading.kept_share)
        kept = kept_line(reading.n_tokens, plan.capacity, share)
        if share < LOW_RETENTION:
            self._warn(kept)
        else:
            say(self._console, kept)
        n_read = sum(entry.n_tokens for entry in reading.inputs if not entry.was_read)
        speed = n_read / timing.read_seconds if timing.read_seconds else 0.0
        if n_read:
            remember_speed(self._session.files.name, plan.capacity, n_read, timing.read_seconds)
        say(
            self._console,
            f"reading {duration(timing.read_seconds)} ({speed:.0f} tok/s), {reading.pot.n_cycles} distillations"
            f" · answer {sum(answered.n_tokens for answered in answers)} tokens, {duration(timing.answer_seconds)}"
            f" · pot {size(reading.pot.nbytes)}, peak {reading.pot.peak} entries",
            style="dim",
        )
