"""The digest of a log: its span, its levels, its first and last errors, what it says again and again.

It is computed from the log itself as the text streams past on its way to the model, so it is true whatever the model
makes of the log, and takes the same memory for a kilobyte and a terabyte.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from infinipot_cli.documents.piece import ALL_LINES, LineNumbers, TextPiece
from infinipot_cli.logs.clock import Clock
from infinipot_cli.logs.entry import Entry
from infinipot_cli.logs.level import Level
from infinipot_cli.logs.line import LineReader, bare_line, cut_line
from infinipot_cli.logs.repeated import Count, Repetitions
from infinipot_cli.logs.trace import CAUSE, CHAINED, TRACEBACK, exception_in, goes_on

_MESSAGE_CHARS = 300
# By this many lines most texts have shown whether they are logs; ten times as many, or many characters, end all doubt.
_TRIAL_LINES = 200
_MOST_TRIAL_LINES = 10 * _TRIAL_LINES
_MOST_TRIAL_CHARS = 1 << 20
_LEAST_SHARE = 0.3
_LEAST_ENTRIES = 5


@dataclass(frozen=True)
class Mark:
    """One entry worth naming.

    Attributes:
        line: its number, counted from 1.
        stamp: its time as the log writes it.
        level: how bad it is.
        message: what it says, with the exception that follows it.
    """

    line: int
    stamp: str
    level: Level
    message: str


@dataclass(frozen=True)
class Repeated:
    """A message that came more than once; `…` stands for what differs."""

    message: str
    n: int
    first: int
    last: int
    is_exact: bool


class Digest:
    """Reads a text as a log, line by line, until it turns out to be none.

    Args:
        lines: which lines of its file will come.

    Attributes:
        n_lines: lines so far.
        n_entries: those that begin an entry.
        levels: entries of each level.
        has_levels: whether levels were written in the log; if not, they were told from words.
        first_error, last_error: entries of level error or worse.
    """

    def __init__(self, lines: LineNumbers = ALL_LINES) -> None:
        self.n_lines = self.n_entries = 0
        self.levels: Counter[Level] = Counter()
        self.has_levels = False
        self.first_error: Mark | None = None
        self.last_error: Mark | None = None
        self.first_warning: Mark | None = None
        self._reader = LineReader()
        self._errors, self._messages = Repetitions(), Repetitions()
        self._numbers = lines
        self._clock = Clock()
        self._rest = ""
        self._gave_up = self._has_shown = False
        self._open: Mark | None = None  # an error that lines behind it may explain
        self._exception = self._cause = ""  # of that error
        self._is_traced = self._is_chained = False  # its traceback has begun; the next one belongs to the same error
        self._is_behind = False  # the line above is an entry, or goes on with one
        self._n_aside = self._n_chars = 0  # lines that are blank or go on with an entry, and characters

    def watch(self, pieces: Iterable[TextPiece]) -> Iterator[TextPiece]:
        """Pass a document's pieces on and read them as a log on the way; pages are no log."""
        for piece in pieces:
            if piece.page is not None:
                self._gave_up = True
            self.push(piece.text)
            yield piece
        self.close()

    def push(self, text: str) -> None:
        """Read some more text."""
        if self._gave_up:
            return
        self._n_chars += len(text)
        *lines, rest = (self._rest + text).split("\n")
        for line in lines:
            self._line(line)
        self._rest = cut_line(rest)  # of a line without end only the beginning is kept
        if self._n_chars >= _MOST_TRIAL_CHARS:
            self._end_trial()

    def close(self) -> None:
        """The text has ended."""
        if self._rest:
            self._line(self._rest)
            self._rest = ""
        self._explain()

    @property
    def is_log(self) -> bool:
        """Whether what was read is a log."""
        return not self._gave_up and (self._has_shown or self._looks_like_a_log)

    @property
    def is_settled(self) -> bool:
        """Whether nothing that may come would change that."""
        return self._gave_up or self._has_shown

    @property
    def span(self) -> timedelta | None:
        """Time between the earliest and the latest entry."""
        return self._clock.span

    @property
    def silence(self) -> tuple[timedelta, int]:
        """The longest time without an entry, and the line that ended it."""
        return self._clock.silence

    @property
    def first_stamp(self) -> str:
        """The time of the first entry that has one, as the log writes it."""
        return self._clock.first_stamp

    @property
    def last_stamp(self) -> str:
        """The time of the last entry that has one."""
        return self._clock.last_stamp

    @property
    def n_errors(self) -> int:
        """Entries of level error or worse."""
        return self.levels[Level.ERROR] + self.levels[Level.FATAL]

    def frequent_errors(self, n: int = 5) -> list[Repeated]:
        """The errors that came most often."""
        return [_repeated(what, count) for what, count in self._errors.most_frequent(n)]

    def frequent_messages(self, n: int = 5) -> list[Repeated]:
        """The other messages that came most often, more than once."""
        return [_repeated(what, count) for what, count in self._messages.most_frequent(n, at_least=2)]

    @property
    def _looks_like_a_log(self) -> bool:
        return self.n_entries >= _LEAST_ENTRIES and self._share >= _LEAST_SHARE

    @property
    def _share(self) -> float:
        return self.n_entries / max(1, self.n_lines - self._n_aside)

    def _line(self, line: str) -> None:
        self.n_lines += 1
        if not self._gave_up:
            self._read(bare_line(cut_line(line)))
        if self.n_lines == _TRIAL_LINES:
            self._has_shown = self._looks_like_a_log
            self._gave_up = self._gave_up or self._share < _LEAST_SHARE / 3
        elif self.n_lines == _MOST_TRIAL_LINES:
            self._end_trial()

    def _read(self, line: str) -> None:
        if not line.strip():
            self._n_aside += 1
            return
        number = self._numbers.of(self._numbers.first + self.n_lines - 1)
        entry = self._reader.read(line)
        if entry is not None:
            self._entry(entry, number)
            self._is_behind = True
        else:
            self._is_behind = self.n_entries > 0 and goes_on(line, is_behind=self._is_behind, is_traced=self._is_traced)
            self._n_aside += self._is_behind
            self._go_on(line, number)

    def _end_trial(self) -> None:
        """Whoever waits to know whether this is a log need not read on."""
        if not self.is_settled:
            self._has_shown = self._looks_like_a_log
            self._gave_up = not self._has_shown

    def _go_on(self, line: str, number: int) -> None:
        """A line that begins no entry: it may say more of an error."""
        if line == TRACEBACK:
            if (self._open is None or self._exception) and not self._is_chained:
                self._entry(Entry("", None, Level.ERROR, line), number, counts=False)
            self._is_traced, self._is_chained = True, False
        elif line in CHAINED:
            self._is_chained = True
        elif line.startswith(CAUSE) and self._exception:
            self._cause = line
        elif self._open is not None and not self._exception:
            self._exception = exception_in(line, is_traced=self._is_traced)

    def _entry(self, entry: Entry, number: int, *, counts: bool = True) -> None:
        self._explain()
        self._is_traced = self._is_chained = False
        self.n_entries += counts
        self.levels[entry.level] += 1
        self.has_levels = self.has_levels or (bool(entry.level) and not entry.is_guess)
        self._clock.note(entry.stamp, entry.time, number)
        message = _cut(entry.message.strip(), _MESSAGE_CHARS)
        if entry.level >= Level.ERROR:
            self._open = Mark(number, entry.stamp, entry.level, message)
            return
        self._messages.add(message, number)
        if entry.level is Level.WARNING and self.first_warning is None:
            self.first_warning = Mark(number, entry.stamp, entry.level, message)

    def _explain(self) -> None:
        """An error is complete: with the exception behind it and what caused that in the end, or as it stands."""
        mark, exception, cause = self._open, self._exception, self._cause
        self._open, self._exception, self._cause = None, "", ""
        if mark is None:
            return
        said = "" if exception and mark.message == TRACEBACK else mark.message
        shown = [said, *(one for one in (exception, cause) if one not in said)]
        if cause:  # which matters most, and comes last
            shown = [*(_cut(one, _MESSAGE_CHARS // 3) for one in shown[:-1]), shown[-1]]
        message = _cut(" — ".join(filter(None, shown)), _MESSAGE_CHARS)
        mark = Mark(mark.line, mark.stamp, mark.level, message)
        self._errors.add(mark.message, mark.line)
        self.first_error = self.first_error or mark
        self.last_error = mark


def _cut(text: str, most: int) -> str:
    """A text in at most so many characters, the last of which says that there were more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _repeated(what: str, count: Count) -> Repeated:
    return Repeated(what, count.n, count.first, count.last, count.is_exact)
