"""The file of a long run: whatever stops the run, and wherever, it goes on from there and ends the same."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.longbench_record import LongTrial
from infinipot_cli.bench.run_file import RunFile
from infinipot_cli.errors import OutputError, UsageError


def test_a_record_keeps_characters_that_end_lines_elsewhere(tmp_path: Path) -> None:
    trial = LongTrial("lcc", 0, "pot", 9, "a\u2028b\x85c\x0cd\r\ne", 0.5, 1, 1, 0.0)
    path = tmp_path / "run.jsonl"
    RunFile(path, {"n": 1}, LongTrial).add(trial)
    assert RunFile(path, {"n": 1}, LongTrial).done == [trial]
    path.write_text("nonsense\n")
    with pytest.raises(UsageError, match="no record"):
        RunFile(path, {"n": 1}, LongTrial)
    with pytest.raises(OutputError):
        RunFile(tmp_path / "no" / "run.jsonl", {}, LongTrial)


def test_a_run_that_was_stopped_at_its_first_line_starts_again_and_another_versions_is_refused(tmp_path: Path) -> None:
    path, settings = tmp_path / "run.jsonl", {"n": 1, "arms": ["infinipot"]}
    trial = LongTrial("lcc", 0, "infinipot", 9, "a", 0.5, 1, 1, 0.0)
    RunFile(path, settings, LongTrial).add(trial)
    whole = path.read_text()
    for n_chars in range(1, whole.index("\n") + 1):
        path.write_text(whole[:n_chars])
        assert RunFile(path, settings, LongTrial).done == [], n_chars
        assert path.read_text() == whole[: whole.index("\n") + 1]
    path.write_text(whole.replace("capacity", "places"))
    with pytest.raises(UsageError, match="another version"):
        RunFile(path, settings, LongTrial)
    path.write_text('{"x')
    with pytest.raises(UsageError, match="no record"):
        RunFile(path, settings, LongTrial)


def test_a_folder_and_a_file_that_cannot_be_read_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="is a folder, and a record is a file"):
        RunFile(tmp_path, {}, LongTrial)
    path = tmp_path / "run.jsonl"
    path.write_text('{"n": 1}\n')

    def closed(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(OutputError, match="cannot be read: Permission denied"):
        RunFile(path, {"n": 1}, LongTrial)


def test_a_line_that_was_cut_anywhere_is_run_again_and_no_other_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    trials = [LongTrial("lcc", number, "pot", 9, "a\u00e4\u2028", 0.5, 1, 1, 0.0) for number in range(3)]
    kept = RunFile(path, {"n": 1}, LongTrial)
    for trial in trials:
        kept.add(trial)
    whole = path.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        again = RunFile(path, {"n": 1}, LongTrial)
        assert again.done == trials[:2] and path.read_bytes() == whole[:last], end
    again.add(trials[2])
    assert path.read_bytes() == whole


@pytest.mark.slow
def test_a_run_that_is_killed_ends_as_one_that_was_not(
    story: Path, tiny_model: Path, begun: list[str], tmp_path: Path
) -> None:
    """The real command, killed with signal 9 as soon as another result or two are there."""
    record = tmp_path / "run.jsonl"
    words = [
        "bench", "needle", "--book", str(story), "--kind", "passkey", "--trials", "16", "-m", str(tiny_model),
        "-s", "400", "-n", "4", "--json", "-q",
    ]  # fmt: skip
    command = [*begun, *words, "--record", str(record)]
    environment = {**os.environ, "INFINIPOT_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}

    def n_lines() -> int:
        return record.read_bytes().count(b"\n") if record.exists() else 0

    whole: dict[str, Any] = json.loads(CliRunner().invoke(app, words).stdout)
    rng, n_before = random.Random(0), 0
    for _ in range(3):
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as run:
            deadline = time.monotonic() + 60
            while n_lines() < n_before + 4 and run.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(rng.random() * 0.05)
            run.send_signal(signal.SIGKILL)
        assert n_lines() >= n_before, "a result was lost"
        n_before = n_lines()
    with record.open("ab") as file:
        file.write(b'{"kind": "passk')
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120, check=True)
    ended: dict[str, Any] = json.loads(done.stdout)
    for found in (whole, ended):
        for trial in found["trials"]:
            del trial["seconds"]
    assert ended["trials"] == whole["trials"] and ended["totals"] == whole["totals"]
