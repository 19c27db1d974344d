"""Storing what was read: now and then, at the end of a reading, or when Ctrl-C has ended it early."""

import time
from collections.abc import Sequence

from infinipot_cli import stopped
from infinipot_cli.commands.runs.caching import why_private
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.commands.runs.remarks import few_of
from infinipot_cli.display.console import Console, say
from infinipot_cli.display.problem import show_warning
from infinipot_cli.display.summary import size
from infinipot_cli.errors import OutputError, PotError
from infinipot_cli.pots.claim import Claim
from infinipot_cli.pots.file import read_header
from infinipot_cli.pots.shelf import STOPPED, path_of
from infinipot_cli.reading import Reading
from infinipot_cli.resume import save
from infinipot_cli.session import Session


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

    def look(self) -> str | None:
        """Store if it is time; what kept it from being stored, if anything did. Reading goes on either way."""
        form, now = self._form, time.monotonic()
        if form.save_pot is None or form.every is None or now - self._stored < form.every:
            return None
        try:
            gone = replaced(self._reading, form.save_pot)
            save(self._session, self._reading, form.save_pot, form.entries)
            if gone:
                say(self._console, gone)
            if self._claim is not None:
                self._claim.renew()
        except OutputError as error:
            return error.message
        finally:
            self._stored = time.monotonic()
        return None


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
        line = f"what was read is not kept ({why}); --save-pot NAME would keep it"
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
