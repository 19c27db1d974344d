"""A conversation over one reading, for `chat` and `ask -i`: a question is answered, a line with a slash is obeyed."""

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from infinipot_cli.commands.options.pots import split_pot
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.commands.runs.keeping import replaced
from infinipot_cli.commands.runs.remarks import warn_of_an_end
from infinipot_cli.commands.runs.remember import Told, remember
from infinipot_cli.commands.runs.reply import Reply
from infinipot_cli.commands.runs.verifying import places
from infinipot_cli.conversation import Conversation
from infinipot_cli.display.answer import AnswerWriter
from infinipot_cli.display.console import Console, error_console, say
from infinipot_cli.display.problem import show_problem, show_warning
from infinipot_cli.display.progress import ReadingBar
from infinipot_cli.display.safe import safe_line
from infinipot_cli.display.sources import lost_line, show_sources, source_lines, unheard_line, where
from infinipot_cli.display.summary import grouped, percent
from infinipot_cli.errors import InfinipotError, StandardOutputError, UsageError
from infinipot_cli.explain.citations import is_refusal
from infinipot_cli.explain.overlooked import is_among
from infinipot_cli.plan import Task
from infinipot_cli.pots.shelf import check_new_name, check_target
from infinipot_cli.reading import Reading
from infinipot_cli.resume import save
from infinipot_cli.session import Session
from infinipot_cli.sources import Input
from infinipot_cli.stopped import ASK
from infinipot_cli.stored_documents import document_of, original

_ANNOUNCED = 64  # tokens that a document's name may take
_COMMAND = re.compile(r"/\w*")

COMMANDS = {
    "/why": "what the last answer leans on",
    "/pages": "how much of each part is held; 40-44 [FILE]: read these again in full",
    "/save": "NAME: store the pot as it is now",
    "/help": "this list",
    "/exit": "leave, as Ctrl-D does",
}


class Talk:
    """One conversation on a terminal or through a pipe.

    Args:
        session: that made the reading.
        reading: a finished one.
        keeps_history: whether answers are remembered.
        form: how to answer.
        command: that it was begun by; under answers of `ask` stand their sources, `/why` says them otherwise.
        pot: the stored pot that is asked or filled, if there is one.
    """

    def __init__(
        self, session: Session, reading: Reading, *, keeps_history: bool, form: Form, command: str, pot: str | None
    ) -> None:
        self._session, self._reading, self._form, self._command, self._pot = session, reading, form, command, pot
        self._cites = command == ASK and form.cite and not form.quiet
        self._conversation = Conversation(session, reading, keeps_history=keeps_history)
        self._console = error_console(form.color, quiet=form.quiet, plain=form.run.plain)
        self._loud = error_console(form.color, plain=form.run.plain)  # for what was typed for
        remembers = (
            "earlier questions are remembered" if self._conversation.keeps_history else "each question by itself"
        )
        say(self._console, f"{remembers} · /help lists what else can be typed", style="dim")

    def run(self, lines: Iterable[str]) -> None:
        """Go through the lines until they end or one says /exit."""
        for line in lines:
            word, *after = line.split(maxsplit=1)[:2] or [""]
            rest = "".join(after)
            if word in ("/exit", "/quit", "/bye"):
                return
            try:
                if _COMMAND.fullmatch(word):  # a path in front of a question is none
                    self._obey(word, rest.strip())
                elif line.strip():
                    self._answer(line.strip())
            except StandardOutputError:  # the next answer could not be written either
                raise
            except InfinipotError as error:  # a mistake in one line does not end the conversation
                show_problem(self._loud, error.message, error.hint)

    def _answer(self, question: str) -> None:
        writer = AnswerWriter(sys.stdout)
        try:
            for piece in self._conversation.ask(question):
                writer.write(piece)
        except KeyboardInterrupt:
            writer.close()
            say(self._console, "stopped", style="dim")
            return
        writer.close()
        if writer.text and self._cites:
            self._show_sources(self._console)
        self._say_lost()
        if self._reading.unheard and not is_refusal(writer.text):
            show_warning(self._console, unheard_line(self._reading.unheard))
        warn_of_an_end(self._console, self._reading, writer.text)
        if writer.text and sys.stdin is not None and sys.stdin.isatty():
            told = [Told(question, writer.text, self._reading.kept_share)]
            remember(
                self._console, self._reading, told, command=self._command, model=self._session.files.name,
                pot=self._pot, no_log=self._form.run.no_log,
            )  # fmt: skip

    def _obey(self, word: str, rest: str) -> None:
        if word not in COMMANDS:
            raise UsageError(f"there is no {word}", hint=f"there are {', '.join(COMMANDS)}")
        if rest and word not in ("/pages", "/save"):
            raise UsageError(f"{word} stands alone, without {rest!r}")
        if word == "/help":
            for name, what in COMMANDS.items():
                say(self._loud, f"{name:8} {what}")
        elif word == "/why":
            self._why()
        elif word == "/pages":
            self._read_again(rest) if rest else self._pages()
        elif word == "/save":
            self._save(rest)

    def _save(self, name: str) -> None:
        if not name:
            raise UsageError("/save wants a name", hint="/save book")
        check_new_name(name)
        check_target(name)
        gone = replaced(self._reading, name)
        save(self._session, self._reading, name)
        if gone:
            say(self._loud, gone)
        say(self._loud, f"saved @{name.removeprefix('@')}", style="dim")

    def _why(self) -> None:
        if not self._conversation.n_turns:
            raise UsageError("nothing was answered yet")
        if not self._show_sources(self._loud):
            say(self._loud, "the answer leans on no passage that is still held")

    def _show_sources(self, console: Console) -> bool:
        """The sources of the latest answer; whether it has any."""
        cited = {(one.path, where(one), one.quote): one for one in self._reading.cited()}  # some was read twice
        lines = source_lines([*cited.values()], named=len(self._names) > 1)
        if lines:
            show_sources(lines, console, sys.stdout, quiet=False, plain=self._form.run.plain)
        return bool(lines)

    @property
    def _names(self) -> set[str]:
        """The documents, each once."""
        return {entry.document.name for entry in self._reading.inputs}

    def _say_lost(self) -> None:
        """Say that the passage which matches the question best is gone, and what to type to read it again."""
        lost = self._reading.overlooked
        if lost is None or is_among(lost, self._reading.cited()):
            return
        show_warning(self._console, lost_line(lost))
        inputs = self._reading.inputs
        if path := original(document_of(inputs, lost))[0]:
            several = {original(entry.document)[0] for entry in inputs}  # of one name, it may be
            file = f" {path}" if len(several) > 1 else ""
            line = safe_line(f"/pages {''.join(places([lost]))}{file}")
            say(self._console, f"to read it in full: {line}", style="dim")

    def _pages(self) -> None:
        self._reading.count_kept()
        for entry in self._reading.inputs:
            share = entry.n_kept / entry.n_tokens if entry.n_tokens else 0.0
            say(self._loud, f"{entry.document.name}: {grouped(entry.n_tokens)} tokens, {100 * share:.1f} % held")
            numbers = self._chapters(entry)
            for place, (label, held) in enumerate(self._reading.held_by_page(entry)):
                page = f"ch. {numbers[place]:<3} {label}" if place < len(numbers) else f"p. {label:6}"
                say(self._loud, f"  {page} {'█' * round(20 * held):20} {100 * held:.0f} %")

    def _chapters(self, entry: Input) -> list[int]:
        """The numbers that `/pages` takes of what is listed by its title, an EPUB's chapters."""
        read = [one for one in self._reading.inputs if one.n_tokens]
        documents = self._reading.trail.documents
        for one, document in zip(read, documents, strict=False):
            if one is entry and (document.name, document.kind) == (entry.document.name, "epub"):
                return [start.page for start in document.pages]
        return []

    def _read_again(self, wanted: str) -> None:
        """Read pages or lines of a document once more, so that all of them are at hand for what is asked next."""
        part, *words = wanted.split(maxsplit=1)
        entry = self._named("".join(words))
        name, has_pages = entry.document.name, bool(entry.pages)
        path, reason = original(entry.document)
        if reason:
            raise UsageError(reason)
        pages, lines = (part, None) if has_pages else (None, part)
        again = self._session.with_wishes(replace(self._session.wishes, pages=pages, lines=lines))
        new, counted = again.open([path])[0], again.open([path])[0]
        try:
            try:
                n_tokens = sum(len(again.tokenizer.encode(piece.text)) for piece in counted.pieces)
            except KeyboardInterrupt:  # nothing has come near the pot
                say(self._console, "stopped before anything was read", style="dim")
                return
            progress = self._conversation.read_more([new], n_tokens + _ANNOUNCED)
            with self._reading.stop.on_signal(), ReadingBar(self._console, waiting=f"reading {name}") as bar:
                for reached in progress:
                    bar.update(reached)
            if self._reading.stop.is_wanted:
                bar.say_stopped()
                if self._reading.stop.ends_all:
                    raise self._reading.stop.end()
        finally:
            new.document.close()
            counted.document.close()
        self._reading.count_kept()
        share = percent(new.n_kept / new.n_tokens if new.n_tokens else 0.0)
        what = f"{name}, {'pages' if has_pages else 'lines'} {part}"
        say(self._loud, f"read again: {what}: {grouped(new.n_tokens)} tokens, {share} held", style="dim")

    def _named(self, name: str) -> Input:
        """The document that a user means; without a name, the only one.

        Raises:
            UsageError: there is none of this name, or more than one.
        """
        inputs = self._reading.inputs
        known = {original(entry.document)[0] or entry.document.name: entry for entry in reversed(inputs)}
        found = [entry for path, entry in known.items() if name in ("", path)] or [
            entry for entry in known.values() if name in (entry.document.name, Path(entry.document.name).name)
        ]
        if len(found) != 1:
            problem = f"no document here is called {name!r}" if name else "there are several documents here"
            if found and name:
                problem = f"{len(found)} documents here are called {name!r}"
            named = next((path for path, entry in known.items() if entry in found[:1]), next(reversed(known)))
            raise UsageError(problem, hint=f"/pages 1-3 {named}")
        return found[0]


def talk_about(
    session: Session, form: Form, words: Sequence[str], task: Task, questions: Iterable[str], *, keeps_history: bool,
    command: str,
) -> None:  # fmt: skip
    """Read documents, answer what was asked of them, and go on with what is typed.

    Args:
        session: model and wishes.
        form: how to answer.
        words: the sources as the user typed them.
        task: what they are read for.
        questions: asked before anything is typed.
        keeps_history: whether answers are remembered.
        command: that it is begun by.
    """
    pot = form.save_pot or split_pot(words)[0]

    def talk(reading: Reading) -> None:
        talk = Talk(session, reading, keeps_history=keeps_history, form=form, command=command, pot=pot)
        talk.run(chain(questions, typed()))

    Reply(session, form, key="answer").run(words, task, then=talk)


_PROMPT = "› "


def _prompted_apart() -> Iterator[str]:
    """Lines of a terminal, prompted on standard error."""
    while True:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(_PROMPT)
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        yield line


def typed() -> Iterator[str]:
    """Lines of standard input; a terminal is prompted and can edit them."""
    if sys.stdin is None:
        return
    if not sys.stdin.isatty():
        for line in sys.stdin.buffer:  # whatever the locale, and one bad byte spoils no more than its letter
            yield line.decode("utf-8-sig", "replace")
        return
    with contextlib.suppress(AttributeError, ValueError):  # here too
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    if not sys.stdout.isatty():  # the prompt is not part of the answers
        yield from _prompted_apart()
        return
    with contextlib.suppress(ImportError):  # a Python without it can do without line editing
        import readline  # noqa: F401  (being imported is what makes input() edit lines)
    while True:
        try:
            yield input(_PROMPT)
        except (EOFError, KeyboardInterrupt) as end:
            sys.stdout.write("\n")  # Ctrl-D and Ctrl-C leave the cursor behind the prompt
            if isinstance(end, KeyboardInterrupt):
                raise
            return
