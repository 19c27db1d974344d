"""How far a long measurement is: a bar with the time left on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infinipot_cli.display.console import say
from infinipot_cli.display.safe import safe_line
from infinipot_cli.display.summary import duration

LINE_SECONDS = 20.0


class BenchProgress:
    """Counts the steps of a run; use it in a `with` block.

    Args:
        console: on standard error.
        total: steps of the whole run.
        done: those of an earlier run that need not be repeated.
        kept: file that keeps the results; empty for none.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        *,
        done: int = 0,
        kept: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._console, self._total, self._clock = console, total, clock
        self._first = self._done = done
        self._kept = f"; the same command goes on with what {kept} holds" if kept else ""
        self._started = self._told = clock()
        self._bar: Progress | None = None

    def __enter__(self) -> "BenchProgress":
        if self._console.is_terminal and self._console.is_interactive and not self._console.quiet:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._bar.add_task("", total=self._total, completed=self._done)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if isinstance(error, KeyboardInterrupt):
            say(self._console, f"stopped at {self._done}/{self._total}{self._kept}")

    def step(self, name: str, n: int = 1) -> None:
        """More of the run is done.

        Args:
            name: what it belongs to.
            n: so many steps.
        """
        self._done += n
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, description=safe_line(name))
        elif self._clock() - self._told >= LINE_SECONDS or self._done == self._total:
            self._told = self._clock()
            say(self._console, f"{name}  {self._done}/{self._total}  {self._left()}", style="dim")

    def _left(self) -> str:
        spent, new = self._clock() - self._started, self._done - self._first
        if self._done == self._total or not new:
            return duration(spent)
        return f"about {duration(spent / new * (self._total - self._done))} left"
