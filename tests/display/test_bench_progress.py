"""How far a measurement is: few lines without a terminal, a bar on one, and where it was stopped."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from infinipot_cli.display.bench_progress import LINE_SECONDS, BenchProgress

Consoles = Callable[..., tuple[Console, io.StringIO]]


def test_lines_come_now_and_then_and_at_the_end_with_an_honest_estimate(recording_console: Consoles) -> None:
    console, out = recording_console()
    now = 0.0
    with BenchProgress(console, 100, done=20, clock=lambda: now) as progress:
        for _ in range(80):
            now += LINE_SECONDS / 4
            progress.step("squad")
    lines = out.getvalue().splitlines()
    assert len(lines) == 20
    assert lines[0].split("  ") == ["squad", "24/100", "about 6:20 left"]  # 76 more at 5 s
    assert lines[-1].split("  ") == ["squad", "100/100", "6:40"]


def test_a_terminal_has_a_bar_that_goes_away(recording_console: Consoles) -> None:
    console, out = recording_console(terminal=True)
    with BenchProgress(console, 4) as progress:
        progress.step("facts [bold]4k[/bold]\x1b[31m")
    assert "facts [bold]4k[/bold]" in out.getvalue()
    assert "\x1b[31m" not in out.getvalue().replace("\x1b[31m━", "")


def test_a_stop_says_where_it_was_and_how_to_go_on(recording_console: Consoles) -> None:
    console, out = recording_console(width=200)

    def stopped() -> None:
        with BenchProgress(console, 4, kept="run.jsonl") as progress:
            progress.step("squad")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert out.getvalue().splitlines()[-1] == "stopped at 1/4; the same command goes on with what run.jsonl holds"
