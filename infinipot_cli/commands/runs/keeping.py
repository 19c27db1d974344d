"""Storing what was read: now and then, at the end of a reading, or when Ctrl-C has ended it early."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from infinipot_cli import stopped
from infinipot_cli.commands.runs.caching import why_private
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.display.console import Console, say
from infinipot_cli.display.problem import show_warning
from infinipot_cli.display.summary import few_of, size
from infinipot_cli.documents.source import WAITS_IN
from infinipot_cli.errors import OutputError, PotError
from infinipot_cli.pots.claim import Claim
from infinipot_cli.pots.file import read_header
from infinipot_cli.pots.shelf import STOPPED, path_of
from infinipot_cli.reading import Reading
from infinipot_cli.resume import save
from infinipot_cli.session import Session

_TICK_SECONDS = 1.0


def store(console: Console, session: Session, reading: Reading, name: str, form: Form) -> None:
    """Store the pot; how large it will be is said before it is written."""
    plain = f"@{name.removeprefix('@')}"

    def tell(n_bytes: int) -> None:
        say(console, f"saving {plain}, {size(n_bytes)}", style="dim")

    gone = replaced(reading, name)
    save(session, reading, name, form.entries, tell=tell)
    reading.saved_as = plain
    if gone:
        say(console, gone)
    say(console, f'saved {plain} → infinipot ask {plain} "…"', style="dim")


def replaced(reading: Reading, name: str) -> str:
    """What storing a reading under this name takes from the shelf: empty if that is nothing but the reading itself."""
    if name == STOPPED:  # each reading that is stopped takes the place of the one before
        return ""
    try:
        held = [source.name for source in read_header(path_of(name), name).sources]
    except PotError:  # there is none, or a damaged one that nobody could ask
        return ""
    here = {entry.document.name for entry in reading.inputs}
    lost = [source for source in dict.fromkeys(held) if source not in here]
    return f"replaced @{name.removeprefix('@')}, which held {few_of(lost)}" if lost else ""


class Rhythm:
    """Stores a reading again and again while it goes on, so that an endless one can be asked from elsewhere.

    Args:
        console: takes what is said of it.
        session: that reads.
        reading: what is stored.
        form: under which name, and how often.
        claim: on the pot that is replaced, if there is one.
    """

    def __init__(
        self, console: Console, session: Session, reading: Reading, form: Form, claim: Claim | None = None
    ) -> None:
        self._console = console
        self._session, self._reading, self._form, self._claim = session, reading, form, claim
        self._stored = time.monotonic()
        self._n_stored = 0

    def look(self) -> str | None:
        """Store if it is time and more was read; what kept it from being stored, if anything did.

        Reading goes on either way.
        """
        form, now = self._form, time.monotonic()
        if form.save_pot is None or form.every is None or now - self._stored < form.every:
            return None
        if self._reading.n_tokens == self._n_stored:
            return None
        try:
            gone = replaced(self._reading, form.save_pot)
            save(self._session, self._reading, form.save_pot, form.entries)
            self._n_stored = self._reading.n_tokens
            if gone:
                say(self._console, gone)
            if self._claim is not None:
                self._claim.renew()
        except OutputError as error:
            return error.message
        finally:
            self._stored = time.monotonic()
        return None

    @contextmanager
    def in_waits(self, warn: Callable[[str], None]) -> Iterator[None]:
        """Look while nothing comes out of a pipe, too, where the system has timers: in the main thread on POSIX.

        Args:
            warn: is told what kept the reading from being stored.
        """
        is_endless = any(entry.document.n_bytes is None and not entry.was_read for entry in self._reading.inputs)
        is_main = threading.current_thread() is threading.main_thread()
        if self._form.every is None or not is_endless or not is_main or not hasattr(signal, "setitimer"):
            yield
            return

        def look() -> None:
            if (problem := self.look()) is not None:
                warn(problem)

        def ring(number: int, frame: FrameType | None) -> None:
            # only there is nothing half done on the way from the text to the pot
            if frame is not None and frame.f_code is WAITS_IN:
                self._reading.stop.in_wait(look)

        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, _TICK_SECONDS, _TICK_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, before if before is not None else signal.SIG_DFL)


def store_whole(console: Console, session: Session, reading: Reading, form: Form) -> None:
    """Store a reading that came to its end, where that was asked for; `Reading.unsaved` says why it was not."""
    if form.save_pot is None:
        return
    try:
        store(console, session, reading, form.save_pot, form)
        stopped.forget(form.save_pot)
    except OutputError as error:
        reading.unsaved = error


def store_stopped(
    console: Console, session: Session, reading: Reading, sources: Sequence[str], found: frozenset[str], form: Form,
    command: str,
) -> str:  # fmt: skip
    """Store a reading that was stopped, and say how to go on, or that it is not kept; nothing else is lost.

    Args:
        console: takes what is said.
        session: that made the reading.
        reading: the stopped one.
        sources: its documents, as they were opened.
        found: those that nobody had named.
        form: under which name it is stored.
        command: that goes on with it.

    Returns:
        The same as a hint; empty where it cannot be kept.
    """
    name = form.save_pot or STOPPED
    if name == STOPPED and (why := why_private(session, form)):
        how = "infinipot read --save-pot NAME" if command == stopped.READ else "--save-pot NAME"  # which chat lacks
        line = f"what was read is not kept ({why}); {how} would keep it"
        say(console, line, style="dim")
        return line
    try:
        store(console, session, reading, name, form)
        if stopped.note(name, session, reading, sources, found, command=command):
            rest = f"infinipot {command} --resume"
            say(console, f"the rest: {rest}", style="dim")
            return f"{rest} reads the rest"
    except OutputError as error:
        show_warning(console, error.message)
        return ""
    plain = f"@{name.removeprefix('@')}"
    return f'what was read is kept: infinipot ask {plain} "…"'
