"""Conversations at a real terminal: what is typed, what is shown, every way to leave, and the terminal afterwards."""

import json
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from tests.commands.terminals import Screen, Terminal
from tests.commands.test_environments import clean

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "infinipot_cli"]
SMALL = ["-s", "400", "--budget", "200"]
PROMPT = r"\n› "
QUESTION = "What is the pass key?"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_what_is_typed_is_answered_obeyed_and_remembered_in_the_history(story: Path, tiny_model: Path) -> None:
    words = [*PROGRAM, "chat", str(story), *SMALL, "-n", "20", "-m", str(tiny_model), "--no-history"]
    with Terminal(words, clean(), columns=200) as terminal:
        begin = terminal.wait_for(PROMPT)
        ends = [begin]
        for line in (QUESTION, "/pages", "/why", QUESTION):
            terminal.type(f"{line}\r")
            ends.append(terminal.wait_for(PROMPT, terminal.wait_for(re.escape(line), ends[-1])))
        terminal.type("/quit\r")
        assert terminal.end() == 0, terminal.shown
        assert terminal.modes == terminal.modes_before
        shown = terminal.shown
        assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
        assert "Traceback" not in shown
    first, pages, why, second = (Screen().feed(shown[start:end]).rows[1:-1] for start, end in pairwise(ends))
    alone = CliRunner().invoke(app, [*words[3:], "-q"], input=QUESTION).stdout
    *second, cut = second
    assert cut == "warning: the answer was cut at 20 tokens; -n gives it more room"
    assert second == [line.rstrip() for line in alone.removesuffix("\n").split("\n")] == first[: len(second)]
    assert "infinipot history off" in " ".join(first), "the first answer that is recorded says so"
    assert re.fullmatch(rf"{re.escape(str(story))}: {story.stat().st_size} tokens, [\d.]+ % held", "".join(pages))
    assert why[0].startswith("Sources  l. ")
    listed = subprocess.run([*PROGRAM, "history", "list", "--json"], capture_output=True, check=True).stdout
    rows = json.loads(listed)["rows"]
    assert [(row["question"], row["asked"]) for row in rows] == [(QUESTION, str(story))] * 2
    assert [row["answer"] + "\n" for row in rows] == [alone] * 2


def test_ctrl_c_ends_one_answer_and_at_the_prompt_the_talk(story: Path, endless_model: Path) -> None:
    words = [*PROGRAM, "ask", str(story), "-i", *SMALL, "-n", "100000", "-m", str(endless_model), "--no-cite"]
    with Terminal(words, clean()) as terminal:
        place = terminal.wait_for(PROMPT)
        terminal.type(f"{QUESTION}\r")
        place = terminal.wait_for(r"\n.", terminal.wait_for(re.escape(QUESTION), place))
        terminal.type("\x03")
        place = terminal.wait_for(r"stopped", place)
        place = terminal.wait_for(PROMPT, place)
        assert terminal.child.poll() is None
        terminal.type("/pages\r")
        place = terminal.wait_for(PROMPT, terminal.wait_for("% held", place))
        terminal.type("half a quest")
        terminal.wait_for("half a quest", place)
        time.sleep(0.5)  # Python looks for signals when it waits for a key, not while it shows one
        terminal.type("\x03")
        assert terminal.end() == 130, terminal.shown
        assert terminal.modes == terminal.modes_before
        assert terminal.shown.endswith("\n"), "the shell's prompt stands at the beginning of a line"
        assert "Traceback" not in terminal.shown


def test_ctrl_d_ends_a_talk_well_and_answers_that_are_piped_on_hold_no_prompt(
    begun: list[str], story: Path, tiny_model: Path
) -> None:
    words = [*begun, "ask", str(story), QUESTION, "-i", *SMALL, "-n", "20", "-m", str(tiny_model), "--no-cite"]
    with Terminal(words, clean(), stdout=subprocess.PIPE) as terminal:
        place = terminal.wait_for("› ")
        terminal.type(f"{QUESTION}\r")
        terminal.wait_for("› ", place)
        terminal.type("\x04")
        assert terminal.end() == 0, terminal.shown
        assert terminal.modes == terminal.modes_before
        assert terminal.child.stdout is not None
        answers = terminal.child.stdout.read().decode()
        assert "Traceback" not in terminal.shown and terminal.shown.count("› ") == 2
    half = len(answers) // 2
    assert answers[:half] == answers[half:] != "" and "›" not in answers
