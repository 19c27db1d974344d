"""Storing what was read: at the end of a reading, or when Ctrl-C has ended it early."""

import contextlib
from collections.abc import Sequence

from infinipot_cli import stopped
from infinipot_cli.commands.form import Form
from infinipot_cli.display.console import Console, say
from infinipot_cli.display.summary import size
from infinipot_cli.errors import OutputError
from infinipot_cli.pots.shelf import LAST
from infinipot_cli.reading import Reading
from infinipot_cli.resume import save
from infinipot_cli.session import Session


def store(console: Console, session: Session, reading: Reading, name: str, form: Form) -> None:
    """Store the pot; how large it will be is said before it is written."""
    plain = f"@{name.removeprefix('@')}"

    def tell(n_bytes: int) -> None:
        say(console, f"saving {plain}, {size(n_bytes)}", style="dim")

    save(session, reading, name, form.entries, tell=tell)
    say(console, f'saved {plain} → infinipot ask {plain} "…"', style="dim")


def store_whole(console: Console, session: Session, reading: Reading, form: Form) -> None:
    """Store a reading that came to its end, where that was asked for."""
    if form.save_pot is not None:
        store(console, session, reading, form.save_pot, form)
        stopped.forget(form.save_pot)


def store_stopped(
    console: Console, session: Session, reading: Reading, sources: Sequence[str], found: frozenset[str], form: Form
) -> None:
    """Store a reading that was stopped, and say how to go on; a pot that cannot be kept loses nothing else."""
    name = form.save_pot or LAST
    with contextlib.suppress(OutputError):
        store(console, session, reading, name, form)
        if stopped.note(name, session, reading, sources, found):
            command = "summarize" if reading.task.template.startswith("summarize") else "ask"
            say(console, f"the rest: infinipot {command if form.answers else 'read'} --resume", style="dim")
