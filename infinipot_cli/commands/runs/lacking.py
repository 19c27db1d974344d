"""What an answer lacks: a passage that should have answered and is lost, or any word of the question in the text."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from infinipot_cli.display.console import Console, say
from infinipot_cli.display.problem import show_warning
from infinipot_cli.display.sources import lost_line, unheard_line
from infinipot_cli.explain.citations import Passage, is_refusal
from infinipot_cli.explain.overlooked import is_among, record_of
from infinipot_cli.reading import Reading


@dataclass(frozen=True)
class Lacking:
    """What the latest answer of a reading lacks.

    Attributes:
        overlooked: the passage that matches the question best, if the pot has lost most of it and nothing cites it.
        unheard: the question's words, if none of them stands in what was read and the answer does not say so.
    """

    overlooked: Passage | None = None
    unheard: tuple[str, ...] = ()

    def to_record(self) -> dict[str, object]:
        """For JSON; what is not there is left out."""
        lost = {"overlooked": record_of(self.overlooked)} if self.overlooked is not None else {}
        return {**lost, **({"unheard": list(self.unheard)} if self.unheard else {})}


def lacking(reading: Reading, answer: str) -> Lacking:
    """What the latest answer of a reading lacks, as far as can be told.

    Args:
        reading: whose answer was watched.
        answer: its text.
    """
    lost = reading.overlooked
    if lost is not None and is_among(lost, reading.cited()):
        lost = None
    return Lacking(lost, () if is_refusal(answer) else reading.unheard)


def say_lacking(what: Lacking, console: Console, command: Sequence[str]) -> None:
    """Warn of what an answer lacks.

    Args:
        what: it lacks.
        console: takes the warnings.
        command: reads the passage that was overlooked in full, as words; none where nothing can.
    """
    if what.overlooked is not None:
        show_warning(console, lost_line(what.overlooked))
        if command:
            say(console, f"to read it in full: {shlex.join(command)}", style="dim")
    if what.unheard:
        show_warning(console, unheard_line(what.unheard))
