"""Long lists, the history among them, in the pager of a real terminal, and in a pipe."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from infinipot_cli import history
from tests.commands.terminals import Terminal
from tests.commands.test_environments import ESCAPE, clean

PROGRAM = [sys.executable, "-m", "infinipot_cli"]
N_ANSWERS = 22
# More than a pipe holds, so that whoever leaves it early is missed.
LONG_ANSWER = "The sea was calm. " * 2000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history of many answers, the latest of which is long."""
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    for number in range(1, N_ANSWERS + 1):
        answer = LONG_ANSWER if number == N_ANSWERS else f"answer {number}"
        history.record(history.Entry(0.0, "ask", ("b.txt",), "", "pocket", f"Who is {number}?", answer, 10, 1.0))
    return tmp_path / "home"


@pytest.fixture
def pager(tmp_path: Path) -> str:
    """A pager that keeps its words and what it was given."""
    script = tmp_path / "my pager"
    script.write_text(
        f"#!/bin/sh\necho \"$@\" > '{tmp_path}/flags'\ncat > '{tmp_path}/paged'\necho paged by mine\n", "utf-8"
    )
    script.chmod(0o755)
    return f"'{script}' -x"


def on_a_terminal(words: Sequence[str], *, rows: int = 10, **changes: str | None) -> str:
    with Terminal([*PROGRAM, *words], clean(**changes), rows=rows) as terminal:
        assert terminal.end() == 0, terminal.shown
        assert terminal.modes == terminal.modes_before
        assert "Traceback" not in terminal.shown
        return terminal.shown.replace("\r\n", "\n")


@pytest.mark.parametrize("words", [["history", "list"], ["templates", "list"]])
def test_a_list_longer_than_the_screen_is_given_to_the_users_own_pager(
    words: list[str], home: Path, pager: str, tmp_path: Path
) -> None:
    flags, paged = tmp_path / "flags", tmp_path / "paged"
    printed = on_a_terminal([*words, "--no-pager"], PAGER=pager)
    assert not flags.exists() and len(printed.splitlines()) > 10
    assert on_a_terminal(words, rows=500, PAGER=pager) == printed and not flags.exists(), "it fits the screen"
    shown = on_a_terminal(words, PAGER=pager)
    assert shown == "paged by mine\n"
    assert (flags.read_text(), paged.read_text()) == ("-x\n", printed)
    flags.unlink()
    piped = subprocess.run([*PROGRAM, *words], capture_output=True, env=clean(PAGER=pager), text=True, check=True)
    assert not flags.exists() and ESCAPE not in piped.stdout and piped.stderr == ""


def test_without_a_pager_that_can_be_run_the_list_is_printed(home: Path) -> None:
    shown = on_a_terminal(["history", "list"], PAGER="no-such-pager -x")
    assert re.findall(r"Who is (\d+)\?", shown) == [str(number) for number in range(3, N_ANSWERS + 1)]


@pytest.mark.skipif(shutil.which("less") is None, reason="less is not installed")
def test_less_itself_shows_a_screen_obeys_keys_and_leaves_the_terminal_as_it_was(home: Path) -> None:
    with Terminal([*PROGRAM, "history", "list"], clean(PAGER=None, LESS=None), rows=10) as terminal:
        place = terminal.wait_for(r"Who is 3\?")
        terminal.wait_for(r"\x1b\[K", place)  # its own line, below the text
        assert f"Who is {N_ANSWERS}?" not in terminal.shown
        terminal.type("\x03")  # the pager's key, not ours
        place = len(terminal.shown)
        for _ in range(20):  # less forgets what was typed before it has drawn the screen anew
            terminal.type("G")
            with suppress(AssertionError):
                terminal.wait_for(rf"Who is {N_ANSWERS}\?", place, patience=3)
                break
        assert f"Who is {N_ANSWERS}?" in terminal.shown[place:]
        assert terminal.child.poll() is None, "it waits for whoever reads"
        terminal.type("q")
        assert terminal.end() == 0 and "Traceback" not in terminal.shown
        assert terminal.modes == terminal.modes_before


def test_the_history_is_columns_on_a_terminal_and_whole_answers_in_a_pipe(home: Path) -> None:
    shown = on_a_terminal(["history", "list", "-n", "3", "--no-pager"])
    heading, *rows = shown.splitlines()
    heading = re.sub(rf"{ESCAPE}\[[0-9;]*m", "", heading)
    assert heading.split() == ["ID", "TIME", "ASKED", "QUESTION", "ANSWER"]
    places = [heading.index(name) for name in ("TIME", "ASKED", "QUESTION", "ANSWER")]
    begun = [row for row in rows if re.match(r" *\d+ ", row)]
    assert [row.split()[0] for row in begun] == ["20", "21", "22"]
    for row in rows:
        assert all(row[place - 1 : place] in ("", " ") for place in places), "every column begins below its name"
    assert max(map(len, rows)) <= 80 and "…" in rows[-1], "a long answer is cut"
    command = [*PROGRAM, "history", "list", "-n", "3"]
    piped = subprocess.run(command, capture_output=True, env=clean(), text=True, check=True).stdout
    cells = [line.split("\t") for line in piped.splitlines()]
    assert [(cell[0], cell[2], cell[3]) for cell in cells] == [(f"{n}", "b.txt", f"Who is {n}?") for n in (20, 21, 22)]
    assert [cell[4] for cell in cells] == ["answer 20", "answer 21", LONG_ANSWER.strip()]
    record = json.loads(subprocess.run([*command, "--json"], capture_output=True, env=clean(), check=True).stdout)
    assert [row["answer"] for row in record["rows"]] == ["answer 20", "answer 21", LONG_ANSWER]


@pytest.mark.parametrize("flag", [[], ["--json"]])
def test_a_reader_that_wants_one_line_gets_it_and_ends_a_long_list_quietly(home: Path, flag: list[str]) -> None:
    for _ in range(4):
        history.record(history.Entry(0.0, "ask", ("b.txt",), "", "pocket", "Who?", LONG_ANSWER, 10, 1.0))
    line = '"$@" | head -1 | cut -c 1-20; echo ${PIPESTATUS[0]}'
    words = [*PROGRAM, "history", "list", *flag]
    done = subprocess.run(["bash", "-c", line, "bash", *words], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    first, code = done.stdout.splitlines()
    assert first.startswith("{" if flag else "7\t") and code == "141"


def test_a_plain_report_is_on_a_terminal_what_it_is_in_a_pipe(
    home: Path, pager: str, tmp_path: Path, story: Path, tiny_model: Path
) -> None:
    words = ["explain", str(story), "Who?", "-s", "400", "-n", "8", "-m", str(tiny_model)]
    piped = subprocess.run([*PROGRAM, *words], capture_output=True, check=True, env=clean()).stdout.decode()
    assert max(map(len, piped.splitlines())) > 80, "a terminal would fold it"
    shown = on_a_terminal([*words, "--plain"], PAGER=pager)
    assert shown.endswith(piped) and not re.search(ESCAPE, shown)
    assert not (tmp_path / "flags").exists()
