"""A second look: read the cited pages or lines again, alone and in full, and ask once more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from infinipot_cli.display.console import Console, say
from infinipot_cli.display.problem import show_warning
from infinipot_cli.display.safe import safe
from infinipot_cli.errors import InfinipotError
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.lookout import merged
from infinipot_cli.reading import Reading
from infinipot_cli.session import Session
from infinipot_cli.sources import Input
from infinipot_cli.stored_documents import original

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


def look_again(session: Session, reading: Reading, question: str, cited: Sequence[Passage]) -> SecondLook:
    """Read what was cited again and ask again.

    Args:
        session: what the first reading was made with.
        reading: the first one, whose latest answer it was.
        question: what was asked.
        cited: its sources, the best first; those of the best one's document are read.
    """
    if not cited:
        return SecondLook(reason="the answer has no sources")
    name = cited[0].path
    path, reason = original(reading.inputs, name)
    if reason:
        return SecondLook(reason=reason)
    pages, lines = places([passage for passage in cited if passage.path == name])
    option = f"--pages {pages}" if pages else f"--lines {lines}"
    wishes = replace(session.wishes, pages=pages) if pages else replace(session.wishes, lines=lines)
    again = session.with_wishes(wishes)
    try:
        with again.prepare([path], replace(reading.task, question=question, further=())) as second:
            for _ in second.read():
                pass
            for _ in second.answer():
                pass
            said = safe(second.reply).strip()
            agrees = _words(said) == _words(safe(reading.reply))
            return SecondLook(option, said, not second.pot.n_cycles, agrees)
    except InfinipotError as error:  # the answer is there already, and stands
        return SecondLook(option, reason=error.message)


def places(passages: Sequence[Passage]) -> tuple[str, str]:
    """Where passages of one document stand, as the values of `--pages` and `--lines`; one of the two is empty."""
    pages = sorted({passage.page for passage in passages if passage.page is not None})
    if pages:
        return ",".join(map(str, pages)), ""
    ranges = ((one.line, one.last_line or one.line) for one in passages if one.line is not None)
    around = merged((max(1, first - AROUND), last + AROUND + 1) for first, last in ranges)
    return "", ",".join(f"{first}-{end - 1}" for first, end in around)


def reading_again(
    session: Session, inputs: Sequence[Input], question: str, passage: Passage, model: str | None
) -> list[str]:
    """The command that asks a passage's place alone, as words; none where it cannot be read again.

    Args:
        session: what the first reading was made with.
        inputs: of that reading.
        question: what was asked.
        passage: that shall be read.
        model: as the user named it; None where nobody did.
    """
    path, reason = original(inputs, passage.path)
    if reason:
        return []
    pages, lines = places([passage])
    options = ["--pages", pages] if pages else ["--lines", lines]
    wishes = session.wishes
    for option, value in (
        ("--type", wishes.type), ("--encoding", wishes.encoding), ("--password-file", wishes.password_file),
        ("-m", model),
    ):  # fmt: skip
        options += [option, value] if value is not None else []
    if any(word.startswith("-") for word in (path, question)):
        return ["infinipot", "ask", *options, "--", path, question]
    return ["infinipot", "ask", path, question, *options]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def tell_of(look: SecondLook, console: Console) -> None:
    """Say whether a second look gave the same answer."""
    if look.agrees:
        say(console, look.line)
    else:
        show_warning(console, look.line)
