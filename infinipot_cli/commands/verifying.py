"""A second look: read the cited pages or lines again, alone and in full, and ask once more."""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infinipot_cli.display.console import Console, say
from infinipot_cli.display.problem import show_warning
from infinipot_cli.display.safe import safe
from infinipot_cli.explain.citations import Passage
from infinipot_cli.plan import Task
from infinipot_cli.session import Session

# Lines read before and behind a cited one.
AROUND = 3
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class SecondLook:
    """What came of it.

    Attributes:
        option: which part was read, as an option of `ask`.
        answer: what came; empty if there was nothing to read again, and `reason` says why.
        is_whole: whether all of the part was in the pot.
        agrees: whether the answer is the first one.
        reason: why there was no second look.
    """

    option: str = ""
    answer: str = ""
    is_whole: bool = False
    agrees: bool = False
    reason: str = ""

    def to_record(self) -> dict[str, object]:
        """For JSON."""
        return {
            "option": self.option,
            "answer": self.answer,
            "is_whole": self.is_whole,
            "agrees": self.agrees,
            "reason": self.reason,
        }

    @property
    def line(self) -> str:
        """What the user is told."""
        if self.reason:
            return f"not verified: {self.reason}"
        part = self.option if self.is_whole else f"{self.option}, which did not fit the pot as a whole,"
        if self.agrees:
            return f"verified: reading {part} again gives the same answer"
        return f"the answers differ: reading {part} again gives “{self.answer or 'no answer'}”"


def look_again(session: Session, task: Task, question: str, answer: str, cited: Sequence[Passage]) -> SecondLook:
    """Read what was cited again and ask again.

    Args:
        session: what the first reading was made with.
        task: of the first reading.
        question: what was asked.
        answer: what came.
        cited: its sources, the best first; those of the best one's document are read.
    """
    if not cited:
        return SecondLook(reason="the answer has no sources")
    path = cited[0].path
    if not Path(path).is_file():
        return SecondLook(reason=f"{path} cannot be read a second time; save it to a file")
    pages, lines = places([passage for passage in cited if passage.path == path])
    option = f"--pages {pages}" if pages else f"--lines {lines}"
    wishes = replace(session.wishes, pages=pages) if pages else replace(session.wishes, lines=lines)
    again = copy.copy(session)  # shares the model that is loaded
    again.wishes = wishes
    with again.prepare([path], replace(task, question=question, further=())) as reading:
        for _ in reading.read():
            pass
        second = safe("".join(reading.answer())).strip()
        return SecondLook(option, second, not reading.pot.n_cycles, _words(second) == _words(answer))


def places(passages: Sequence[Passage]) -> tuple[str, str]:
    """Where passages of one document stand, as the values of `--pages` and `--lines`; one of the two is empty."""
    pages = sorted({passage.page for passage in passages if passage.page is not None})
    if pages:
        return ",".join(map(str, pages)), ""
    lines = sorted({passage.line for passage in passages if passage.line is not None})
    return "", ",".join(f"{max(1, line - AROUND)}-{line + AROUND}" for line in lines)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def tell_of(look: SecondLook, console: Console) -> None:
    """Say whether a second look gave the same answer."""
    if look.agrees:
        say(console, look.line)
    else:
        show_warning(console, look.line)
