"""The reading bar: what has been read, how fast, how long it will take, and how full the pot is.

On a terminal it is one or two lines that are redrawn and then gone. Elsewhere it is a tick now and then: at most one
for every tenth of the document or, where its length is unknown, every half minute.
"""

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from infinipot_cli.display.console import say, wheel
from infinipot_cli.display.safe import safe_line
from infinipot_cli.display.summary import grouped, percent
from infinipot_cli.progress import Progress

TICK_SECONDS = 30.0
QUICK_SECONDS = 2.0
NARROW = 60
_SHORTEST_BAR = 4
# Left free behind the last line: a terminal writes ^C there, and a line that it wrapped could not be taken back.
_FREE = 3
WIDE_ENOUGH = 80
ROOMY = 95
COLUMNS = " ▁▂▃▄▅▆▇█"


class ReadingBar:
    """Shows a reading on a console; use it in a `with` block that ends before the answer starts.

    Args:
        console: on standard error.
        waiting: what to say until the first token has been read.
        among: of documents that are read each by itself, which one this is, from 1, and how many there are.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        console: Console,
        *,
        waiting: str = "",
        among: tuple[int, int] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.reached: Progress | None = None
        self._console = console
        self._spinner = Spinner(wheel(console), Text(f" {safe_line(waiting)}", style="dim"))  # one that is kept turns
        self._among = among
        self._clock = clock
        self._started: float | None = None
        self._n_before = 0
        self._ticked_at = 0.0
        self._next_share = 0.1
        self._live: Live | None = None

    def __enter__(self) -> "ReadingBar":
        # is_interactive is false for a dumb terminal, which cannot move its cursor
        if self._console.is_terminal and self._console.is_interactive and not self._console.quiet:
            # Live would move what anyone prints to standard output over to this console: it must not.
            self._live = Live(
                console=self._console,
                get_renderable=self.picture,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        if isinstance(error, KeyboardInterrupt):
            self.say_stopped()

    def say_stopped(self) -> None:
        """Say how far a reading got that was stopped."""
        where = "before anything was read" if self.reached is None else f"at {self._where(self.reached)}"
        say(self._console, f"stopped {where}")

    def update(self, reached: Progress) -> None:
        """Show a new state; cheap enough to be called after every forward pass."""
        if self._started is None:
            self._started = self._ticked_at = self._clock()
            self._n_before = reached.n_tokens
        self.reached = reached
        if self._live is None:
            self._tick(reached)

    def _tick(self, reached: Progress) -> None:
        now = self._clock()
        waited = now - self._ticked_at
        passed = reached.done is not None and self._next_share <= reached.done < 1.0
        if waited < QUICK_SECONDS or not (passed or waited >= TICK_SECONDS):
            return
        self._ticked_at = now
        if reached.done is not None:
            self._next_share = (int(reached.done * 10) + 1) / 10
        speed = self._speed(reached)
        say(self._console, f"read {self._where(reached)}, {reached.source}" + (f", {speed}" if speed else ""))

    def _where(self, reached: Progress) -> str:
        share = "" if reached.done is None else f"{reached.done:.0%}, ".replace("%", " %")
        return f"{share}{grouped(reached.n_tokens)} tokens"

    def _seconds(self) -> float:
        return 0.0 if self._started is None else self._clock() - self._started

    def _speed(self, reached: Progress) -> str:
        seconds = self._seconds()
        n_read = reached.n_tokens - self._n_before  # a stored pot that is read on has tokens of other days
        return f"{grouped(round(n_read / seconds))} tok/s" if seconds > 0.5 and n_read else ""

    def _left(self, reached: Progress) -> str:
        seconds = self._seconds()
        if not reached.done or reached.done >= 1.0 or seconds < 1.0:
            return ""
        left = round(seconds * (1 - reached.done) / reached.done)
        hours, rest = divmod(left, 3600)
        clock = f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
        return f"{clock} left"

    def picture(self) -> RenderableType:
        """Where the reading stands, as it is drawn."""
        drawn = self._spinner if self.reached is None else self._rows(self.reached)
        return Constrain(drawn, self._console.width - _FREE)

    def _rows(self, reached: Progress) -> RenderableType:
        number = (safe_line(reached.label) if reached.label else str(reached.page)) if reached.page is not None else ""
        pages = f"/{reached.n_pages}" if reached.n_pages else ""
        place = f"p. {number}{pages}" if number else ""
        if self._console.width < NARROW:
            return self._narrow(reached, place)
        tokens, left = f"{grouped(reached.n_tokens)} tok", self._left(reached)
        choices = ([place, tokens, self._speed(reached), left], [place, tokens, left], [place or tokens, left])
        facts, for_reading = self._fitting(*choices)
        share = "" if reached.done is None else f"{reached.done * 100:3.0f} %"
        filled, for_pot = self._fitting(*_filled(reached, says_dropped=self._console.width >= WIDE_ENOUGH))
        room = min(for_reading, for_pot)  # bars of one length
        reading = _row("reading", _bar(reached.done, 1.0, self._console.width, room), share, facts)
        pot = _row(
            "pot",
            _bar(reached.n_held, reached.capacity, self._console.width, room),
            f"{100 * reached.n_held / reached.capacity:3.0f} %",
            filled,
        )
        return Group(*self._document(reached), reading, pot, *self._kept(reached))

    def _room(self, facts: str) -> int:
        """The columns that facts leave to the bar of their row."""
        return self._console.width - _FREE - len("reading") - 5 - 3 - cell_len(facts)

    def _fitting(self, *choices: Sequence[str]) -> tuple[str, int]:
        """The first facts that leave room for a bar, and that room; of the last choice the first fact is cut."""
        for choice in choices:
            facts = "  ".join(fact for fact in choice if fact)
            if (room := self._room(facts)) >= _SHORTEST_BAR:
                return facts, room
        first = Text(choice[0])
        first.truncate(max(1, first.cell_len + room - _SHORTEST_BAR), overflow="ellipsis")
        return "  ".join(fact for fact in (first.plain, *choice[1:]) if fact), _SHORTEST_BAR

    def _document(self, reached: Progress) -> list[RenderableType]:
        """Which of several documents is being read."""
        number, n_documents = self._among or (reached.number, reached.n_documents)
        if n_documents < 2:
            return []
        name = Text(f"{number}/{n_documents} documents  {safe_line(reached.source)}", no_wrap=True, overflow="ellipsis")
        name.truncate(self._console.width - _FREE, overflow="ellipsis")
        return [name]

    def _narrow(self, reached: Progress, place: str) -> RenderableType:
        """The one line for which there is room: share and time left stay, the bar takes what they leave."""
        facts = "  ".join(fact for fact in (place or f"{short(reached.n_tokens)} tok", self._left(reached)) if fact)
        share = "" if reached.done is None else f"{reached.done * 100:3.0f} %"
        room = self._room(facts)
        if room < _SHORTEST_BAR:
            return Text(f"{share}  {facts}".strip(), style="dim", no_wrap=True, overflow="crop")
        return _row("reading", _bar(reached.done, 1.0, self._console.width, room), share, facts)

    def _kept(self, reached: Progress) -> list[RenderableType]:
        """What the latest distillation left of each page or part, the tallest column for the best kept one."""
        if not reached.kept or not self._console.encoding.startswith("utf"):
            return []
        line = Text.assemble((f"{'kept':<8}", "dim"), (sparkline(reached.kept), "cyan"), ("·" * reached.n_ahead, "dim"))
        if self._console.width >= WIDE_ENOUGH:
            line.append(f"  by {reached.kept_by}, up to {percent(max(reached.kept))}", "dim")
        line.no_wrap, line.overflow = True, "crop"
        return [line]


def _filled(reached: Progress, *, says_dropped: bool) -> list[list[str]]:
    """How full the pot is, in fewer and fewer words."""
    n_dropped = max(0, reached.n_tokens - reached.n_held)
    distilled = f"distilled {reached.n_cycles} ×"
    places = f"{grouped(reached.n_held)} / {grouped(reached.capacity)} places"
    dropped = [f"dropped {short(n_dropped)}"] if says_dropped and n_dropped else []
    return [[places, distilled, *dropped], [places, distilled], [places]]


def sparkline(shares: Sequence[float]) -> str:
    """A column for each share, relative to the largest; only what is really nothing looks like nothing."""
    most = max(shares, default=0.0)
    if most <= 0:
        return " " * len(shares)
    return "".join(COLUMNS[math.ceil(share / most * (len(COLUMNS) - 1))] for share in shares)


def short(n: int) -> str:
    """A number in few letters, rounded down."""
    if n < 10_000:
        return str(n)
    return f"{n // 1000}k" if n < 10_000_000 else f"{n // 1_000_000}M"


def _bar(completed: float | None, total: float, width: int, most: int = 24) -> ProgressBar:
    # named colours, which follow the user's theme; a bar without end pulses
    return ProgressBar(
        total=total,
        completed=completed or 0.0,
        pulse=completed is None,
        width=min(most, 24 if width >= ROOMY else 14),
        style="bright_black",
        complete_style="cyan",
        finished_style="cyan",
        pulse_style="cyan",
    )


def _row(name: str, bar: ProgressBar, share: str, facts: str) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=7)
    grid.add_column()
    grid.add_column(width=5, no_wrap=True)
    grid.add_column(no_wrap=True, overflow="crop")
    grid.add_row(Text(name, style="dim"), bar, Text(share), Text(facts, style="dim"))
    return grid
