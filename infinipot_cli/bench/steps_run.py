"""Run the steps of a suite, two side by side where cores allow it, and those whose figures are times alone.

Steps are processes of their own, so that peaks of memory are theirs. This module is light: a child begins with the
memory of its parent. One row of steps is in front and shows its progress; the other runs beside it and is told of
when a step in front has ended, so that no line lands in the middle of a bar that is being drawn.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from infinipot_cli.bench.suite import Step, StepDone
from infinipot_cli.errors import OutputError


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_steps(steps: Sequence[Step], folder: Path, *, is_quiet: bool, is_wide: bool) -> Generator[Step | StepDone]:
    """Run steps, each told of twice: as it is when it starts, as done when it has ended.

    Args:
        steps: the commands. Timed ones run last and alone, on every core.
        folder: of the records.
        is_quiet: whether the commands shall say nothing but errors.
        is_wide: whether two may run side by side, each on half of the cores.

    Raises:
        OutputError: a record cannot be written.
    """
    waiting = deque(step for step in steps if not step.is_timed)
    timed = [step for step in steps if step.is_timed]
    if is_wide and len(waiting) > 1:
        n_threads = max(1, cores() // 2)
        in_front = _next(waiting)
        with Beside(waiting, folder, n_threads) as beside:
            while in_front is not None:
                yield in_front
                yield run(in_front, folder, is_quiet=is_quiet, n_threads=n_threads)
                yield from beside.news()
                in_front = _next(waiting)
            beside.wait()
            yield from beside.news()
    for step in (*waiting, *timed):
        yield step
        yield run(step, folder, is_quiet=is_quiet)


def run(step: Step, folder: Path, *, is_quiet: bool, n_threads: int | None = None) -> StepDone:
    """Run a command and keep its record; what it says of itself goes to standard error as ever.

    Args:
        step: the command.
        folder: of the records.
        is_quiet: whether it shall say nothing but errors.
        n_threads: threads to compute with, unless the environment has its own number; None for the library's choice.

    Raises:
        OutputError: the record cannot be written.
    """
    start = time.perf_counter()
    with _start(step, folder, is_quiet=is_quiet, n_threads=n_threads) as process:
        try:
            text, _ = process.communicate()
        except BaseException:  # Ctrl-C too: a command must not go on when nobody waits for it any more
            process.terminate()
            raise
    return _ended(step, folder, text, process.returncode, time.perf_counter() - start)


class Beside:
    """The second row: takes steps from the same queue as the row in front, until none is left.

    Args:
        waiting: steps that nobody has started; taken from its left end.
        folder: of the records.
        n_threads: threads of each command.
    """

    def __init__(self, waiting: deque[Step], folder: Path, n_threads: int) -> None:
        self._waiting = waiting
        self._folder = folder
        self._n_threads = n_threads
        self._news: deque[Step | StepDone | Exception] = deque()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._is_stopped = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Beside":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                self._process.terminate()
        self._thread.join()

    def news(self) -> Iterator[Step | StepDone]:
        """What has started and ended since the last call.

        Raises:
            OutputError: a record could not be written.
        """
        while self._news:
            one = self._news.popleft()
            if isinstance(one, Exception):
                raise one
            yield one

    def wait(self) -> None:
        """Return when the queue is empty and its last step has ended."""
        while self._thread.is_alive():
            # in slices, because a wait without end holds up Ctrl-C on some systems
            self._thread.join(0.2)

    def _work(self) -> None:
        try:
            while (step := _next(self._waiting)) is not None and self._run(step):
                pass
        except Exception as error:  # shown by the row in front, which a thread cannot stop by raising
            self._news.append(error)

    def _run(self, step: Step) -> bool:
        """Run a step; whether the next one may follow."""
        start = time.perf_counter()
        with self._lock:
            if self._is_stopped:
                return False
            process = self._process = _start(step, self._folder, is_quiet=True, n_threads=self._n_threads)
        self._news.append(step)
        with process:
            text, _ = process.communicate()
        if self._was_stopped():
            return False
        self._news.append(_ended(step, self._folder, text, process.returncode, time.perf_counter() - start))
        return True

    def _was_stopped(self) -> bool:
        with self._lock:
            return self._is_stopped


def keep(path: Path, record: dict[str, object]) -> None:
    """Write a record, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _next(waiting: deque[Step]) -> Step | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _start(step: Step, folder: Path, *, is_quiet: bool, n_threads: int | None) -> "subprocess.Popen[str]":
    words = [*step.words, "--json", *(["-q"] if is_quiet else [])]
    if step.is_resumed:
        words += ["--record", str(folder / f"{step.name}.jsonl")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    if n_threads is not None:
        environment.setdefault("OMP_NUM_THREADS", str(n_threads))
    command = [sys.executable, "-m", "infinipot_cli", "bench", *words]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment)


def _ended(step: Step, folder: Path, text: str, code: int, seconds: float) -> StepDone:
    record = _record(text)
    if record is None or "bench" not in record:
        status = f"failed with exit code {code}"
    else:
        # a broken promise ends in code 1 with a whole record, which says so itself
        status = "done" if not code else f"done, exit code {code}"
        keep(folder / f"{step.name}.json", record)
    return StepDone(step.name, step.command, round(seconds, 1), status)


def _record(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
