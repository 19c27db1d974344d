"""`summarize` on a log: what the log says of itself stands in front of the summary."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.commands.runs import log_alone
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.documents import TextPiece
from infinipot_cli.session import SUMMARIZE, Session

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


def test_a_hundred_logs_take_one_open_file(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    for number in range(100):
        (tmp_path / f"app-{number}.log").write_text("2024-05-03 12:00:00 INFO served\n" * 250)
    code = (
        "import resource, sys\nfrom infinipot_cli.__main__ import main\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\nsys.argv = ['infinipot', *sys.argv[1:]]\nmain()\n"
    )
    for words in (["-q"], ["--dry-run"]):
        command = [sys.executable, "-c", code, "summarize", str(tmp_path), "--together", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("app-") == 100 and done.stdout.count("250 lines") == (100 if words == ["-q"] else 0)
    assert "100 documents" in done.stderr and "counted and read into no pot" in done.stderr


def test_what_came_before_ctrl_c_while_it_was_looked_at_is_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Nothing happened. " * 20)
    with Session("pocket").prepare([str(path)], SUMMARIZE) as reading:

        def stopped_behind(pieces: Iterator[TextPiece]) -> Iterator[TextPiece]:
            yield from pieces
            reading.stop.is_wanted = True
            yield TextPiece("too late", None, 360, None)

        reading.inputs[0].pieces = stopped_behind(reading.inputs[0].pieces)
        form = Form(picked=3, digest=True)
        assert not log_alone.is_enough(form, log_alone.watched(form, reading))
        assert not reading.stop.is_wanted
        tokens = list(reading.stop.guard(reading.inputs[0].pieces))
        assert reading.stop.is_wanted and "".join(piece.text for piece in tokens).startswith(path.read_text())
