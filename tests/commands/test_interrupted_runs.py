"""Ctrl-C and readers that leave, in real processes: the exit code, one JSON document at most, and the terminal after.

What a pipe and a reading on a terminal make of them stands in `test_process.py`.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.commands.terminals import Terminal
from tests.commands.test_environments import clean
from tests.commands.test_process import CTRL_C_AT

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "infinipot_cli"]
SMALL = ["-s", "400", "-n", "20"]
# The first press comes while the weights are loaded, the second while the document that tells of it is made.
TWICE = """
import os, signal
from infinipot_cli.display import problem
problem_record = problem.problem_record
def press(*words, **options):
    os.kill(os.getpid(), signal.SIGINT)
    return problem_record(*words, **options)
problem.problem_record = press
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def long_story(tmp_path: Path) -> Path:
    path = tmp_path / "long.txt"
    path.write_text("The night was dark and the sea was calm. " * 20_000)
    return path


def ended(terminal: Terminal) -> tuple[int, dict[str, Any]]:
    """The exit code and the one JSON document of a program whose standard output is a pipe."""
    code = terminal.end()
    shown = terminal.shown
    assert "Traceback" not in shown and "error: " not in shown, shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is there again"
    assert terminal.modes == terminal.modes_before
    assert terminal.child.stdout is not None
    record: dict[str, Any] = json.loads(terminal.child.stdout.read())
    return code, record


STOPPED = ("interrupted", 130)


def test_ctrl_c_while_a_model_is_loading_is_one_json_document_though_pressed_again(story: Path) -> None:
    words = [sys.executable, "-c", TWICE + CTRL_C_AT, "weights", "ask", str(story), "Who?", "--json"]
    with Terminal(words, clean(), stdout=subprocess.PIPE) as terminal:
        code, record = ended(terminal)
    assert code == 130
    assert (record["error"]["code"], record["error"]["exit_code"]) == STOPPED


def test_two_presses_at_once_in_a_reading_are_one_json_document_and_leave_no_half_of_a_pot(
    tiny_model: Path, long_story: Path, home: Path
) -> None:
    words = [*PROGRAM, "ask", str(long_story), "Who?", *SMALL, "-m", str(tiny_model), "--json"]
    with Terminal(words, clean(), stdout=subprocess.PIPE) as terminal:
        terminal.wait_for("[1-9] %")
        terminal.type("\x03")
        time.sleep(0.002)  # two that come together are one
        terminal.type("\x03")
        code, record = ended(terminal)
    # where all was said already, Python was ending, and no handler of ours is left by then
    assert code in (130, -signal.SIGINT)
    assert (record["error"]["code"], record["error"]["exit_code"]) == STOPPED
    assert [path for path in (home / "pots").glob("*") if path.suffix != ".pot"] == []


def test_ctrl_c_in_an_answer_is_one_json_document_without_the_half_of_it(
    begun: list[str], story: Path, endless_model: Path
) -> None:
    words = [*begun, "ask", str(story), "Who?", "-s", "400", "-n", "100000", "-m", str(endless_model), "--json"]
    with Terminal(words, clean(), stdout=subprocess.PIPE) as terminal:
        terminal.wait_for(r"\x1b\[\?25h[^\n]*$", terminal.wait_for("reading"))  # the gauge has gone
        assert terminal.child.stdout is not None
        assert not select.select([terminal.child.stdout], [], [], 0.5)[0], "nothing is written before all is there"
        terminal.type("\x03")
        code, record = ended(terminal)
    assert code == 130
    assert set(record) == {"schema", "error"}
    assert (record["error"]["code"], record["error"]["exit_code"]) == STOPPED


def test_whoever_reads_one_line_gets_it_and_ends_the_rest_with_141(
    begun: list[str], story: Path, tiny_model: Path
) -> None:
    words = [*begun, "ask", str(story), "-", "-Q", "Who?", *SMALL, "-m", str(tiny_model), "--jsonl"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        assert json.loads(child.stdout.readline())["input"][0]["path"] == str(story)
        child.stdout.close()
        child.stdin.write(b"Another story.")
        child.stdin.close()
        said = child.stderr.read()
        assert child.wait(timeout=60) == 141, said
    assert b"Traceback" not in said and b"error: " not in said and b"\x1b" not in said


def test_a_reader_that_is_gone_costs_a_terminal_neither_its_cursor_nor_its_keys(
    begun: list[str], story: Path, tiny_model: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = [*begun, "ask", str(story), "Who?", *SMALL, "-m", str(tiny_model), "--json"]
    with Terminal(words, clean(), stdout=writer) as terminal:
        os.close(writer)
        assert terminal.end() == 141, terminal.shown
        assert terminal.modes == terminal.modes_before
        shown = terminal.shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "Traceback" not in shown and "error: " not in shown
