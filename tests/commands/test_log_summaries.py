"""`summarize` on a log: what the log says of itself stands in front of the summary."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app

SMALL = ["-s", "400", "-n", "20"]
LINES = [
    "2024-05-03 12:00:00 INFO started",
    "2024-05-03 12:00:01 ERROR db: connection refused",
    *[f"2024-05-03 12:00:{second:02} INFO request {second} served" for second in range(2, 20)],
    "2024-05-03 12:30:00 CRITICAL ledger: does not balance \x1b[31m",
]


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text("\n".join(LINES) + "\n")
    return path


def test_the_digest_names_first_and_last_errors(log: Path, tiny_model: Path) -> None:
    words = [*SMALL, "-m", str(tiny_model)]
    shown = run("summarize", str(log), *words, "-q")
    plain = run("summarize", str(log), *words, "-q", "--no-digest")
    head, summary = shown.stdout.split("\n\n", 1)
    assert summary == plain.stdout
    assert head.splitlines()[:4] == [
        "Log: 21 lines, 2024-05-03 12:00:00 to 2024-05-03 12:30:00 (0:30:00)",
        "Levels: fatal 1, error 1, info 19",
        "First error: line 2 at 2024-05-03 12:00:01: db: connection refused",
        "Last error:  line 21 at 2024-05-03 12:30:00: ledger: does not balance",
    ]
    assert "  18 × request … served  (lines 3 to 20)" in head
    assert head.endswith("Longest silence: 0:29:41 before line 21")
    assert run("summarize", *words, "-q", stdin=log.read_bytes()).stdout == shown.stdout
    assert "line 1002 " not in shown.stdout
    record = json.loads(run("summarize", str(log), *words, "--json").stdout)
    assert record["input"][0]["log"]["first_error"]["line"] == 2
    assert record["input"][0]["log"]["levels"] == {"fatal": 1, "error": 1, "info": 19}


def test_a_dry_run_says_which_logs_no_model_would_read(log: Path, tiny_model: Path, tmp_path: Path) -> None:
    def planned(*words: str) -> str:
        told = run("summarize", *words, "--dry-run")
        assert told.exit_code == 0 and str(log) in told.stdout
        return told.stderr

    alone = planned(str(log))
    assert "counted and read into no pot" in alone and "distillation" not in alone and "to read" not in alone
    for words in ([], ["--write"], ["--no-digest"], ["--save-pot", "x"], ["-m", str(tiny_model)]):
        assert ("read into no pot" in planned(str(log), *words)) is (words == []), words
    notes = tmp_path / "notes.txt"
    notes.write_text("Nothing happened. " * 20)
    assert "read into no pot" not in planned(str(log), str(notes), "--together")


def test_lines_keep_their_numbers_when_some_are_chosen(log: Path, tiny_model: Path) -> None:
    for lines in ("3-", "3,5-7,9,12-"):
        shown = run("summarize", str(log), *SMALL, "-m", str(tiny_model), "-q", "--lines", lines)
        assert "First error: line 21 " in shown.stdout


def test_several_logs_have_a_digest_each(log: Path, tiny_model: Path, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("Nothing happened. " * 20)
    words = [str(log), str(other), *SMALL, "-m", str(tiny_model), "-q"]
    assert run("summarize", *words).stdout.count("First error") == 1
    together = run("summarize", *words, "--together").stdout
    assert f"Log {log}: 21 lines" in together
