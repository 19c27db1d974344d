"""Stored pots: do they answer as the pot that was never stored, what do 8 bits cost, and how soon does a word come?"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from statistics import median
from tempfile import TemporaryDirectory

from infinipot_cli.bench.plants import Plant, hide, is_right
from infinipot_cli.bench.record import StoredRow
from infinipot_cli.documents import Document, TextPiece
from infinipot_cli.errors import InfinipotError
from infinipot_cli.places import HOME_VARIABLE
from infinipot_cli.plan import Task
from infinipot_cli.reading import Reading
from infinipot_cli.resume import resume, save
from infinipot_cli.session import Session, ask_all
from infinipot_cli.settings import Entries

NEVER = "never stored"


class _Book(Document):
    """A text that is in memory."""

    def __init__(self, text: str) -> None:
        self.name, self.kind = "book", "text"
        self.n_pages, self.n_bytes = None, len(text)
        self.warnings: list[str] = []
        self._text = text

    def pieces(self) -> Iterator[TextPiece]:
        yield TextPiece(self._text, None, 0, None)

    def close(self) -> None:
        """Nothing is open."""


def measure(
    session: Session, text: str, plants: Sequence[Plant], *, n_starts: int, arguments: Sequence[str] = ()
) -> Iterator[StoredRow]:
    """Read once with the general catalyst, store in both forms, and ask the same questions of each.

    Args:
        session: model and pot.
        text: the book.
        plants: lines to hide, at even depths, and to ask for.
        n_starts: processes started for each form, to time the first word of an answer.
        arguments: further words for `infinipot ask`.

    Raises:
        InfinipotError: a process failed; what it said has been shown.
    """
    for number, plant in enumerate(plants):
        text = hide(text, plant.statement, (number + 1) / (len(plants) + 1))
    task = ask_all([plant.question for plant in plants], catalyst="general")
    before = os.environ.get(HOME_VARIABLE)
    with TemporaryDirectory(prefix="infinipot-") as home:
        os.environ[HOME_VARIABLE] = home
        try:
            yield from _rows(session, text, task, plants, n_starts, arguments)
        finally:
            os.environ.pop(HOME_VARIABLE)
            if before is not None:
                os.environ[HOME_VARIABLE] = before


def _rows(
    session: Session, text: str, task: Task, plants: Sequence[Plant], n_starts: int, arguments: Sequence[str]
) -> Iterator[StoredRow]:
    with session.reading_of([_Book(text)], task) as reading:
        for _ in reading.read():
            pass
        n_tokens = reading.n_tokens
        sizes = {form: save(session, reading, form.value, form) for form in Entries}
        truth = _answers(reading)
    yield StoredRow(NEVER, n_tokens, 0, _n_right(truth, plants), len(plants), len(plants), None)
    for form in Entries:
        with resume(session, form.value, task) as again:
            for _ in again.read():
                pass
            given = _answers(again)
        first = [_first_word(form.value, plants[0].question, arguments) for _ in range(n_starts)]
        n_equal = sum(one == other for one, other in zip(given, truth, strict=True))
        seconds = round(median(first), 2) if first else None
        yield StoredRow(form.value, n_tokens, sizes[form], _n_right(given, plants), n_equal, len(plants), seconds)


def _answers(reading: Reading) -> list[str]:
    return ["".join(reading.answer(number)).strip() for number in range(len(reading.task.questions))]


def _n_right(answers: Sequence[str], plants: Sequence[Plant]) -> int:
    return sum(is_right(given, plant.answer) for given, plant in zip(answers, plants, strict=True))


def _first_word(name: str, question: str, arguments: Sequence[str]) -> float:
    """Seconds from the start of a process to the first byte of its answer."""
    command = [sys.executable, "-m", "infinipot_cli", "ask", f"@{name}", question, "-q", *arguments]
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read(1)
        seconds = time.perf_counter() - start
        child.stdout.read()
    if child.returncode:
        raise InfinipotError(f"the measured command failed with exit code {child.returncode}")
    return seconds
