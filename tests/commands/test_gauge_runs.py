"""The gauge of a real reading: redrawn in place on a terminal and gone before the answer, ticks in a pipe."""

import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.commands.terminals import Screen, Terminal
from tests.commands.test_environments import ESCAPE, clean

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "infinipot_cli"]
SMALL = ["-s", "400", "-n", "20", "--no-cite", "--no-cache", "--no-log"]
COLUMNS = "▁▂▃▄▅▆▇█"


@pytest.fixture
def long_story(tmp_path: Path) -> Path:
    path = tmp_path / "long.txt"
    path.write_text("The night was dark and the sea was calm. " * 1000)
    return path


def test_the_gauge_is_redrawn_in_place_and_gone_when_the_answer_comes(long_story: Path, tiny_model: Path) -> None:
    words = [*PROGRAM, "ask", str(long_story), "Who?", *SMALL, "-m", str(tiny_model)]
    with Terminal(words, clean(), columns=100) as terminal:
        assert terminal.end() == 0, terminal.shown
        assert terminal.modes == terminal.modes_before
        shown = terminal.shown
    begin, end = shown.index("\x1b[?25l"), shown.rindex("\x1b[?25h")
    screen = Screen().feed(shown[:begin])
    heading = screen.rows
    states: list[list[str]] = []
    for drawn in re.split(r"(?=\r\x1b\[2K)", shown[begin:end]):
        screen.feed(drawn)
        assert screen.rows[: len(heading)] == heading, "nothing else is drawn over"
        states.append(screen.rows[len(heading) :])
    states = [state for state in states if state]
    assert max(map(len, states)) == 3
    wheels = {state[0][0] for state in states if "loading tiny-llama" in state[0]}
    assert len(wheels) > 3, "it turns while nothing can be counted yet"
    whole = [state for state in states if len(state) == 3]
    shares = [int(found[1]) for state in whole if (found := re.match(r"reading +[━╸╺]+ +(\d+) %  ?", state[0]))]
    assert len(set(shares)) > 4 and shares == sorted(shares) and shares[-1] == 100
    assert all(re.match(r"pot +[━╸╺]+ +\d+ % +\d+ / 400 places", state[1]) for state in whole)
    lines = [re.fullmatch(rf"kept +([ {COLUMNS}]+)(·*)  by part, up to [\d.]+ %", state[2]) for state in whole]
    kept = [line for line in lines if line is not None]
    assert len(kept) == len(whole)
    assert len({line[1] for line in kept}) > 4, "and so is what was kept of each part"
    assert {len(line[1]) + len(line[2]) for line in kept} == {len(kept[0][1]) + len(kept[0][2])}
    assert all(len(one[1]) <= len(next_one[1]) for one, next_one in pairwise(kept)) and kept[-1][2] == ""
    screen.feed(shown[end:])
    last = "\n".join(screen.rows[len(heading) :])
    assert not re.search(r"reading +[━╸╺]|^pot |^kept |loading", last, re.MULTILINE)
    assert "41,000 tokens into 400 places" in last


def test_a_pipe_gets_a_whole_line_for_a_tenth_at_most(begun: list[str], long_story: Path, tiny_model: Path) -> None:
    long_story.write_text(long_story.read_text() * 6)
    words = [*begun, "ask", str(long_story), "Who?", *SMALL, "-m", str(tiny_model)]
    ticks: list[tuple[float, str]] = []
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        for line in child.stderr:
            assert ESCAPE.encode() not in line and b"\r" not in line
            if re.match(rb"read \d+ %, ", line):
                ticks.append((time.monotonic(), line.decode()))
            if len(ticks) == 2:
                child.terminate()
        assert child.stdout.read() == b""
        assert child.wait(timeout=60) == 143
    for _, line in ticks:
        assert re.fullmatch(rf"read \d+ %, [\d,]+ tokens, {re.escape(str(long_story))}, [\d,]+ tok/s\n", line)
    (sooner, first), (later, second) = ticks
    tenths = [int(line.split()[1]) // 10 for line in (first, second)]
    assert 1 <= tenths[0] < tenths[1] or later - sooner > 29
    assert later - sooner > 1.5
