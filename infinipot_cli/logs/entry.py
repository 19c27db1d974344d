"""What a line of a log comes to."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from infinipot_cli.logs.level import Level


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that begins an entry.

    Attributes:
        stamp: its time as the log writes it, empty without one.
        time: the same, None if it cannot be told; a time without zone counts as UTC, one without year as of 1904.
        level: how bad it is.
        message: what it says.
        is_guess: whether the level was told from the words of the message.
    """

    stamp: str
    time: datetime | None
    level: Level
    message: str
    is_guess: bool = False


# Takes the lines of one format apart; None for a line of any other.
Way = Callable[[str], Entry | None]
