"""Start-up time as a user waits for it: whole processes, medians of several runs, and the interpreter's own share."""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

COMMANDS = (("--version",), ("--help",), ("ask", "--help"))


@dataclass(frozen=True)
class StartRow:
    """How long a command takes from start to end.

    Attributes:
        command: its words; `python` for the interpreter alone.
        seconds: median.
        interpreter: share of it that the interpreter takes by itself.
    """

    command: str
    seconds: float
    interpreter: float


def run(n_runs: int) -> list[StartRow]:
    """Time the interpreter and the commands, one round after the other so that a busy moment meets all of them."""
    programs = {"python": ["-c", "pass"]}
    programs |= {f"infinipot {' '.join(words)}": ["-m", "infinipot_cli", *words] for words in COMMANDS}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(n_runs):
        for name, words in programs.items():
            times[name].append(_seconds(words))
    alone = statistics.median(times["python"])
    return [
        StartRow(name, round(median := statistics.median(taken), 4), alone / median) for name, taken in times.items()
    ]


def _seconds(words: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start
