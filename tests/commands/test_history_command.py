"""What goes into the history, what never does, and the commands around it."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli import history
from infinipot_cli.app import app

SMALL = ["-s", "400", "-n", "5"]


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner's streams, which are made for each run, say that they are terminals."""
    for kind in {type(sys.stdout), type(sys.stderr)}:
        monkeypatch.setattr(kind, "isatty", lambda _: True, raising=False)
    import typer.testing

    wrapper = typer.testing._NamedTextIOWrapper  # type: ignore[attr-defined]
    monkeypatch.setattr(wrapper, "isatty", lambda self: self.name == "<stdout>")


@pytest.mark.usefixtures("at_a_terminal")
def test_answers_at_a_terminal_are_recorded_without_their_documents(story: Path, tiny_model: Path) -> None:
    words = [str(story), *SMALL, "-m", str(tiny_model)]
    first = run("ask", *words, "-Q", "Who?", "-Q", "When?", "--save-pot", "story")
    assert first.exit_code == 0, first.output
    assert "infinipot history off" in first.stderr, "the first time it is said"
    second = run("summarize", *words)
    assert "infinipot history off" not in second.stderr
    rows = json.loads(run("history", "list", "--json").stdout)["rows"]
    assert [row["question"] for row in rows] == ["Who?", "When?", "(summarize)"]
    assert [row["asked"] for row in rows] == ["@story", "@story", str(story)]
    shown = json.loads(run("history", "show", "1", "--json").stdout)
    assert (shown["question"], shown["documents"], shown["model"]) == ("Who?", [str(story)], "tiny-llama")
    assert shown["answer"] in first.stdout
    assert shown["n_read"] == story.stat().st_size
    assert b"The night was dark" not in history.history_file().read_bytes()


@pytest.mark.usefixtures("at_a_terminal")
def test_what_comes_from_a_pipe_or_is_not_wanted_is_not_recorded(story: Path, tiny_model: Path) -> None:
    words = ["Who?", *SMALL, "-m", str(tiny_model)]
    assert run("ask", *words, stdin=story.read_bytes()).exit_code == 0
    assert run("ask", str(story), *words, "--no-log").exit_code == 0
    assert run("ask", str(story), *words, "--dry-run").exit_code == 0
    assert run("history", "off").exit_code == 0
    assert run("ask", str(story), *words).exit_code == 0
    assert history.count() == 0
    run("history", "on")
    assert run("ask", str(story), *words).exit_code == 0
    assert history.count() == 1


@pytest.mark.usefixtures("at_a_terminal")
def test_a_conversation_is_recorded_with_its_command_its_pot_and_each_document_once(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def typed() -> list[str]:
        sys.stdin = SimpleNamespace(isatty=lambda: True)  # type: ignore[assignment]  # the runner takes it back
        return ["Who?", "/pages 2", "/pages 2", "When?"]

    monkeypatch.setattr("infinipot_cli.commands.runs.talk.typed", typed)
    small = ["-s", "500", "--budget", "200", "-m", str(tiny_model)]
    assert run("read", str(story), "--save-pot", "book", *small).exit_code == 0
    assert run("chat", "@book", "-n", "5").exit_code == 0
    assert run("ask", str(story), "-i", "-n", "5", *small).exit_code == 0
    entries = [(one.command, one.pot, one.question) for one in history.entries()]
    assert entries == [("chat", "@book", "Who?"), ("chat", "@book", "When?"), ("ask", "", "Who?"), ("ask", "", "When?")]
    assert {one.documents for one in history.entries()} == {(str(story),)}


@pytest.mark.usefixtures("at_a_terminal")
def test_many_documents_take_one_row_of_a_terminal() -> None:
    history.record(history.Entry(0.0, "ask", tuple(f"{n}.txt" for n in range(60)), "", "pocket", "Who?", "He.", 9, 1.0))
    assert "0.txt and 59 more documents" in " ".join(run("history", "list").stdout.split())
    assert "59.txt" in run("history", "list", "--plain").stdout


def test_what_goes_into_a_pipe_is_not_recorded(story: Path, tiny_model: Path) -> None:
    assert run("ask", str(story), "Who?", *SMALL, "-m", str(tiny_model)).exit_code == 0
    assert history.count() == 0


def test_the_commands_around_it(home: Path) -> None:
    for number in range(30):
        one = history.Entry(0.0, "ask", (f"{number}.txt",), "", "pocket", f"Who\n{number}?", "\x1b[31mred", 10, 1.0)
        history.record(one)
    listed = run("history", "list")
    assert len(listed.stdout.splitlines()) == 20
    assert "\x1b" not in listed.output
    assert run("history", "list", "-n", "2", "-q").stdout == "29\n30\n"
    assert run("history", "list", "7.txt", "-q").stdout == "8\n18\n28\n"
    assert "Who\n29?" in run("history", "show").stdout
    assert "\x1b" not in run("history", "show").output
    assert run("history", "show", "99").exit_code == 3
    assert run("history", "path").stdout == f"{home}/state/history.db\n"
    assert run("history", "status").stdout.startswith("on, 30 entries, ")
    assert run("history", "off").exit_code == 0
    assert json.loads(run("history", "status", "--json").stdout)["on"] is False
    refused = run("history", "clear")
    assert (refused.exit_code, "--yes agrees" in refused.stderr, history.count()) == (2, True, 30)
    assert run("history", "clear", "-y").exit_code == 0
    assert history.count() == 0
