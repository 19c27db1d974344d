"""What of a run goes into the history: answers given at a terminal, unless the user has said otherwise."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from infinipot_cli import history
from infinipot_cli.commands.options.words import STDIN
from infinipot_cli.display.console import Console, say
from infinipot_cli.documents.source import STDIN_NAME
from infinipot_cli.reading import Reading


@dataclass(frozen=True)
class Told:
    """A question and the answer that was given."""

    question: str
    answer: str
    kept: float


def is_recorded(reading: Reading, *, no_log: bool) -> bool:
    """Whether the answers of a reading go into the history: not those of a pipe, into it or out of it."""
    piped_in = any(entry.document.name in (STDIN, STDIN_NAME) for entry in reading.inputs)
    shown = sys.stdout is not None and sys.stdout.isatty()
    return shown and not piped_in and not no_log and history.is_on()


def remember(
    console: Console, reading: Reading, told: Sequence[Told], *, command: str, model: str, pot: str | None, no_log: bool
) -> None:
    """Record answers; the first that ever is says where it went and how to keep the next from it.

    Args:
        console: on standard error.
        reading: that they were given from.
        told: the answers.
        command: that asked.
        model: that answered.
        pot: the stored pot that was asked or filled.
        no_log: the user wants nothing recorded of this run.
    """
    if not told or not is_recorded(reading, no_log=no_log):
        return
    for one in told:
        is_first = history.record(
            history.Entry(
                time=time.time(),
                command=command,
                documents=tuple(dict.fromkeys(entry.document.name for entry in reading.inputs)),
                pot=f"@{pot.removeprefix('@')}" if pot else "",
                model=model,
                question=one.question,
                answer=one.answer,
                n_read=reading.n_tokens,
                kept=one.kept,
            )
        )
        if is_first:
            say(
                console,
                "answers at a terminal are recorded here: infinipot history list · infinipot history off",
                style="dim",
            )
