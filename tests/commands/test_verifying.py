"""`--verify`: the sources are read again, and a different answer is said."""

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app

SMALL = ["-s", "400", "-n", "8"]
# To be read once more in front of the question, in a pot of 400 bytes.
TOO_LONG = ", after the sea had taken her father from the rocks below"


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model)]


def test_a_document_that_fits_is_read_the_same_twice(tmp_path: Path, model: list[str]) -> None:
    path = tmp_path / "short.txt"
    path.write_text("The pass key is 71432.")
    words = ["ask", str(path), "Which?", *SMALL, *model, "--verify"]
    record = json.loads(run(*words, "--json").stdout)["verified"]
    first = json.loads(run(*words, "--json").stdout)["answer"]
    assert record == {"option": "--lines 1-4", "answer": first, "is_whole": True, "agrees": True, "reason": ""}
    shown = run(*words)
    assert "verified: reading --lines 1-4 again gives the same answer" in shown.stderr
    assert shown.stdout == first + "\n"


def test_the_second_answer_is_that_of_the_cited_lines_alone(story: Path, model: list[str]) -> None:
    words = ["ask", str(story), "Which?", *SMALL, *model]
    told = json.loads(run(*words, "--verify", "--json").stdout)
    option, lines = told["verified"]["option"].split()
    alone = json.loads(run(*words, option, lines, "--json").stdout)
    assert told["verified"]["answer"] == alone["answer"]
    assert told["verified"]["is_whole"] == (alone["pot"]["distillations"] == 0)
    shown = " ".join(run(*words, "--verify").stderr.split())
    assert ("the answers differ" in shown) != told["verified"]["agrees"]


def test_a_pipe_cannot_be_read_twice_and_that_is_said(story: Path, model: list[str]) -> None:
    done = run("ask", "-", "Which?", *SMALL, *model, "--verify", stdin=story.read_bytes())
    assert done.exit_code == 0
    assert "not verified: standard input cannot be read a second time" in " ".join(done.stderr.split())


def test_a_lost_passage_is_named_with_the_command_that_reads_it(tmp_path: Path, model: list[str]) -> None:
    lines = ["The night was dark."] * 120
    lines.insert(3, f"Maren Holt was appointed lighthouse keeper of Skerry in 1873{TOO_LONG}.")
    path = tmp_path / "a story.txt"
    path.write_text("\n".join(lines))
    words = ["ask", str(path), "When was Maren Holt made lighthouse keeper of Skerry?", *SMALL, *model, "--no-cite"]
    told = json.loads(run(*words, "--json").stdout)["overlooked"]
    assert told["line"] == 4
    assert told["kept"] < 0.2
    assert "Maren Holt was appointed" in told["quote"]
    shown = run(*words)
    assert "l. 4 matches the question best" in " ".join(shown.stderr.split())
    command = shlex.split(shown.stderr.split("to read it in full: ")[1].replace("\n", " ").split(" warning")[0])
    assert command[:2] == ["infinipot", "ask"]
    assert command[command.index("--lines") + 1] == "1-7"
    assert run(*command[1 : command.index("--lines") + 4], *SMALL).exit_code == 0


def test_a_conversation_names_it_with_the_line_that_reads_it(
    tmp_path: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("infinipot_cli.answers.Answers.cited", lambda _: [])  # a model of random numbers cites anything
    lines = ["The night was dark."] * 120
    lines.insert(3, f"Maren Holt was appointed lighthouse keeper of Skerry in 1873{TOO_LONG}.")
    path, other = tmp_path / "a story.txt", tmp_path / "other.txt"
    path.write_text("\n".join(lines))
    other.write_text("The day was bright.")
    question = "When was Maren Holt made lighthouse keeper of Skerry?"
    assert run("read", str(path), "--save-pot", "one", *SMALL[:2], *model).exit_code == 0
    for words, more in ((["@one"], ""), ([str(path), *SMALL[:2], *model], f" {path}")):
        words = ["chat", *words, *([str(other)] if more else []), "-n", "5"]
        said = " ".join(run(*words, stdin=f"How was the night?\n{question}\n".encode()).stderr.split())
        assert said.count("l. 4 matches the question best") == 1
        assert said.split("to read it in full: ")[1] == f"/pages 1-7{more}"
        again = " ".join(run(*words, stdin=f"/pages 1-7{more}\n".encode()).stderr.split())
        assert "lines 1-7: " in again.split("read again: ")[1], "it is a line that can be typed"
