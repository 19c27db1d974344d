"""One run of a command that reads: read, show how it goes, store, answer, and say what was kept."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

import typer

from infinipot_cli.commands.options.pots import split_pot
from infinipot_cli.commands.options.words import STDIN
from infinipot_cli.commands.runs import log_alone
from infinipot_cli.commands.runs.answering import Answering
from infinipot_cli.commands.runs.caching import Cache
from infinipot_cli.commands.runs.consent import fetched
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.commands.runs.keeping import Rhythm, store_stopped, store_whole
from infinipot_cli.commands.runs.page import Page
from infinipot_cli.commands.runs.record import Answered, counted_only, failed, reading_only, several_answers, stopped_in
from infinipot_cli.commands.runs.remarks import (
    LOW_RETENTION,
    allow_no_warnings,
    names_of,
    pot_line,
    say_details,
    say_passes,
    say_read_for,
    since_read,
    work_line,
)
from infinipot_cli.commands.runs.remember import Told, remember
from infinipot_cli.display.answer import use_utf8
from infinipot_cli.display.console import error_console, is_watched, say
from infinipot_cli.display.output_file import check_apart, check_different, output_file
from infinipot_cli.display.problem import show_problem, show_warning
from infinipot_cli.display.progress import ReadingBar
from infinipot_cli.display.silence import tell_if_silent
from infinipot_cli.display.summary import counted, counted_line, kept_line, larger_model_line
from infinipot_cli.documents import collect
from infinipot_cli.endings import Terminated
from infinipot_cli.errors import DocumentError, ModelError, OutputError, PartError, StandardOutputError, UsageError
from infinipot_cli.model.inventory import usable_name
from infinipot_cli.plan import Task
from infinipot_cli.policies import DEFAULT, distills
from infinipot_cli.pots.claim import Claim
from infinipot_cli.pots.shelf import LAST, path_of, place_of
from infinipot_cli.reading import Reading
from infinipot_cli.resume import resume
from infinipot_cli.session import Session
from infinipot_cli.speed import remember_speed
from infinipot_cli.stopped import ASK, READ, SUMMARIZE


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
        self._unmuted = error_console(form.color, plain=form.run.plain)
        self._cache = Cache(session, form, self._console)
        self._is_kept = self._was_stopped = self._has_read = False
        self._found: frozenset[str] = frozenset()
        self._unsaved: OutputError | None = None
        self._pot: str | None = None
        self._then: Callable[[Reading], None] | None = None
        self._n_failed = self._exit_code = self._n_warnings = 0
        self._among: tuple[int, int] | None = None

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
            raise StandardOutputError("standard output is closed", code="stdout_closed")
        self._pot, words = split_pot(words)
        request = self._session.request
        for is_wanted, what in ((self._form.save_pot, "a stored pot"), (self._form.pins, "what is pinned")):
            if is_wanted:
                request.check_distilling(what)
        sources: Sequence[str] = ()
        if words:
            collected = collect(words, self._session.wishes)
            sources, self._found = collected.sources, collected.found | self._form.found
            for note in collected.notes:
                say(self._console, note, style="dim")
        stored = [str(place_of(self._pot))] if self._pot is not None else []
        for output, option in ((self._form.output, "-o"), (self._form.html, "--html")):
            check_apart(output, [*sources, *self._form.inputs, *stored], option)
        check_different({"-o": self._form.output, "--html": self._form.html, "--save-pot": self._pot_file})
        if each and len(sources) > 1 and (self._pot or self._form.save_pot):
            raise UsageError("a stored pot holds all documents together", hint="--together reads them into one")
        if self._form.html is not None and (task.further or (each and len(sources) > 1)):
            raise UsageError("an HTML report is of one answer", hint="ask one question of all documents together")
        with contextlib.ExitStack() as stack:
            out: TextIO = sys.stdout
            if self._form.output is not None:
                out = stack.enter_context(output_file(self._form.output, by_line=self._form.jsonl))
            page = Page(out, self._form)
            if STDIN in sources:
                tell_if_silent(self._console)
            if each and len(sources) > 1:
                self._one_by_one(sources, task, page)
            else:
                self._reading(sources, task, page)
            page.close()
        self._end(len(sources))

    @property
    def _pot_file(self) -> str | None:
        """Where the pot will be stored, if it will be."""
        return None if self._form.save_pot is None else str(path_of(self._form.save_pot))

    def _end(self, n_sources: int) -> None:
        """Last words, and the exit code of a run that did not do all that was asked.

        Raises:
            KeyboardInterrupt: it was stopped.
            typer.Exit: a document could not be read, the pot could not be stored, or a warning under --strict.
        """
        if self._form.output is not None:
            say(self._console, f"written to {self._form.output}", style="dim")
        if self._has_read and not self._form.model_was_chosen and self._pot is None:
            say(self._console, larger_model_line(usable_name()), style="dim")
        if self._was_stopped:
            raise KeyboardInterrupt
        if self._unsaved is not None:
            show_problem(self._unmuted, self._unsaved.message, self._unsaved.hint)
            raise typer.Exit(self._unsaved.exit_code)
        if self._n_failed:
            say(self._console, f"done {n_sources - self._n_failed} of {n_sources} · {self._n_failed} failed")
            raise typer.Exit(self._exit_code)
        if self._form.strict:
            allow_no_warnings(self._n_warnings, self._form.color, plain=self._form.run.plain)

    def _one_by_one(self, sources: Sequence[str], task: Task, page: Page) -> None:
        """Give every source its own reading; one that cannot be read does not keep the others from it."""
        for number, source in enumerate(sources, start=1):
            if self._was_stopped:
                break
            self._among = (number, len(sources))
            try:
                self._reading([source], task, page, heading=source)
            except (DocumentError, PartError) as error:
                self._fail(error)
                page.record(failed(source, error))
            except (KeyboardInterrupt, Terminated) as end:
                page.record(stopped_in(source, end))
                raise

    def _fail(self, error: DocumentError | PartError) -> None:
        """Say that a document is missing from what was read; the run goes on and its exit code tells."""
        self._n_failed += 1
        self._exit_code = self._exit_code or error.exit_code
        show_problem(self._unmuted, error.message, error.hint)

    def _warn(self, message: str) -> None:
        """Show a warning about a document."""
        self._n_warnings += 1
        # one that makes the run fail is an error
        show_warning(self._unmuted if self._form.strict else self._console, message)

    def _reading(self, sources: Sequence[str], task: Task, page: Page, *, heading: str = "") -> None:
        with self._claimed() as claim, self._prepared(sources, task) as reading:
            reading.pins = self._form.pins
            if self._among is None:  # of sources that are read one by one another may have the page
                reading.check_pins()
            reading.announces |= self._form.announce
            if self._form.reports:
                reading.passes.watch_evictions()
            log_alone.watched(self._form, reading)
            if self._is_log_alone(reading):
                self._count(reading, page, heading)
                return
            self._has_read = True
            plan = reading.plan
            names, model = names_of(reading), self._session.files.name
            if self._pot is not None and not sources:
                names += since_read(self._pot)
            say(
                self._console,
                f"{names} → {pot_line(plan)} · {model}",
                style="dim",
            )
            if self._form.run.verbose:
                say_details(self._console, reading)
            self._cache.say_found(reading)
            shown = ReadingBar(self._console, waiting=f"loading {model}", among=self._among)
            rhythm = Rhythm(self._console, self._session, reading, self._form, claim)
            with reading.stop.on_signal(), shown as bar, rhythm.in_waits(self._warn):
                for progress in reading.read():
                    bar.update(progress)
                    if (problem := rhythm.look()) is not None:
                        self._warn(problem)
            if reading.stop.is_wanted:
                self._stopped(reading, bar, sources)
            if self._form.run.verbose > 1:
                say_passes(self._console, reading, self._session.load())
            self._say_state(reading)
            if not reading.stop.is_wanted:
                store_whole(self._console, self._session, reading, self._form)
                self._is_kept = self._cache.keep(reading)
                if self._is_kept and reading.saved_as is None:
                    reading.saved_as = f"@{LAST}"
                self._cache.rescue(reading, is_kept=self._is_kept)
                self._unsaved = reading.unsaved
                if self._unsaved is not None and not self._form.answers:
                    raise self._unsaved
            if self._then is not None:
                reading.count_kept()
                self._say_kept(reading, reading.kept_share, "/pages shows what")
                self._then(reading)
                return
            if not self._form.answers:
                page.record(reading_only(self._session, reading, self._form.save_pot))
                self._report(reading, [])
                return
            if heading:
                page.head(f"==> {heading} <==")
            page.digests(reading)
            answering = Answering(self._session, self._form, page, self._console, key=self._key)
            answers = [answering.answer(reading, number) for number in range(len(reading.task.questions))]
            if len(answers) > 1 and not self._form.jsonl:
                page.record(several_answers(self._session, reading, answers, self._key))
            self._report(reading, answers)
            self._remember(reading, answers)

    def _is_log_alone(self, reading: Reading) -> bool:
        """Whether lines that are counted are all that will be shown.

        Raises:
            Interrupted, Terminated: it was stopped before it was known that they are.
        """
        with reading.stop.on_signal():
            is_log_alone = self._then is None and log_alone.is_enough(self._form, reading)
        if reading.stop.is_wanted and not is_log_alone:  # no model need be loaded: it would be given nothing
            say(self._console, "stopped before anything was read")
            raise reading.stop.end()
        return is_log_alone

    @contextlib.contextmanager
    def _claimed(self) -> Iterator[Claim | None]:
        """Nobody else reads into the stored pot that what is read will replace."""
        if self._pot is None or self._pot_file != str(place_of(self._pot)):
            yield None
            return
        claim = Claim(place_of(self._pot), self._pot)
        try:
            yield claim
        finally:
            claim.close()

    def _say_state(self, reading: Reading) -> None:
        """What went wrong with the documents, and what was odd about them."""
        for entry in reading.inputs:
            if entry.document.failure is not None:
                self._fail(entry.document.failure)
        for warning in reading.warnings:
            self._warn(warning)

    def _count(self, reading: Reading, page: Page, heading: str) -> None:
        """Show what logs say of themselves, which is all that a small model would be read for."""
        names = names_of(reading)
        say(self._console, counted_line(names, len(reading.inputs)), style="dim")
        with reading.stop.on_signal(), ReadingBar(self._console, waiting=f"counting the lines of {names}"):
            n_lines = log_alone.count(reading)
        if reading.stop.is_wanted:
            say(self._console, f"stopped at {counted(n_lines, 'line')}")
            if reading.stop.ends_all or not self._shows_parts:  # half a count would look like a whole one
                raise reading.stop.end()
            self._was_stopped = True
        self._say_state(reading)
        if heading:
            page.head(f"==> {heading} <==")
        page.digests(reading, alone=True)
        page.record(counted_only(reading, self._key))

    def _remember(self, reading: Reading, answers: Sequence[Answered]) -> None:
        told = [Told(answered.question, answered.text, answered.kept_share) for answered in answers]
        command = SUMMARIZE if self._key == "summary" else ASK
        pot, model, no_log = self._form.save_pot or self._pot, self._session.files.name, self._form.run.no_log
        remember(self._console, reading, told, command=command, model=model, pot=pot, no_log=no_log)

    def _stopped(self, reading: Reading, bar: ReadingBar, sources: Sequence[str]) -> None:
        """Say how far it was read and keep that; only somebody who looks at the answer is given one from that much.

        Raises:
            Interrupted: nobody looks, or nothing was read.
            Terminated: it was no Ctrl-C.
        """
        hint = ""
        bar.say_stopped()
        if not reading.n_tokens:
            raise reading.stop.end()
        if distills(reading.plan.policy, reading.plan.policy_settings):
            what = self._console, self._session, reading, sources, self._found, self._form
            hint = store_stopped(*what, self._going_on)
        if reading.stop.ends_all or not self._shows_parts:
            raise reading.stop.end(hint)
        self._was_stopped = True
        say(self._console, "answering from what was read; Ctrl-C again ends it", style="dim")

    @property
    def _going_on(self) -> str:
        """The command that goes on where this run was stopped; a conversation begins anew with the pot."""
        if self._then is not None or not self._form.answers:
            return READ
        return SUMMARIZE if self._key == "summary" else ASK

    def _prepared(self, sources: Sequence[str], task: Task) -> Reading:
        """Open the documents; a model that is missing is offered to whoever can agree to fetch it."""
        if self._pot is not None:
            reading = resume(self._session, self._pot, task, sources, found=self._found)
            reading.saved_as = None if sources else f"@{self._pot.removeprefix('@')}"  # read on, it is another
            say_read_for(self._console, self._pot, task)
            return reading
        try:
            reading = self._session.prepare(sources, task, found=self._found)
        except ModelError as error:
            if STDIN in sources or not self._fetched(error):
                raise
            reading = self._session.prepare(sources, task, found=self._found)
        return self._cache.found(reading, sources, task)

    def _fetched(self, error: ModelError) -> bool:
        return fetched(error, self._session.model_name, self._form.consent, quiet=self._form.quiet)

    @property
    def _shows_parts(self) -> bool:
        """Whether somebody looks who is told that an answer is from a part; what is kept must be whole."""
        form = self._form
        is_kept = form.output is not None or form.is_json or not form.answers
        return not is_kept and is_watched() and not form.run.plain

    def _report(self, reading: Reading, answers: Sequence[Answered]) -> None:
        share = min((answered.kept_share for answered in answers), default=reading.kept_share)
        how = "--explain shows what" if self._form.answers else f"infinipot explain {reading.saved_as} shows what"
        self._say_kept(reading, share, "" if self._form.shows else how)
        n_answer = sum(answered.n_tokens for answered in answers)
        kept_as = f"@{LAST}" if self._is_kept else ""
        line = work_line(reading, n_answer, kept_as=kept_as, says_peak=bool(self._form.run.verbose))
        say(self._console, line, style="dim")

    def _say_kept(self, reading: Reading, share: float, how: str) -> None:
        """Say what was kept, with how to see it where that is little; remember how fast it was read."""
        plan = reading.plan
        kept = kept_line(reading.n_tokens, max(plan.capacity, reading.pot.peak), share)
        if share < LOW_RETENTION:
            self._warn(f"{kept} ({how})" if how else kept)
        else:
            say(self._console, kept)
        if reading.n_fresh and plan.policy == DEFAULT:  # others read at other speeds
            remember_speed(self._session.files.name, plan.capacity, reading.n_fresh, reading.timing.read_seconds)
