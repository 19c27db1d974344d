"""Steps that run side by side: none is lost or run twice, timed ones are alone, and none outlives its suite."""

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from infinipot_cli.bench import steps_run
from infinipot_cli.bench.steps_run import run_steps
from infinipot_cli.bench.suite import Step, StepDone
from infinipot_cli.errors import OutputError

# A step here is a script: it leaves a mark while it runs, waits for the marks that it names, and prints a record.
SCRIPT = """
import os, sys, time
from pathlib import Path
folder, name, *others = sys.argv[1:]
mark = folder + "/" + name
others_seen = [one.name for one in Path(folder).glob("*.here")]
open(mark + ".here", "w").close()
end = time.monotonic() + 20
while any(not Path(folder, one + ".seen").exists() and not Path(folder, one + ".here").exists() for one in others):
    assert time.monotonic() < end, "nobody came"
    time.sleep(0.01)
open(mark + ".seen", "w").write(" ".join(others_seen))
os.remove(mark + ".here")
print('{"bench": "x", "threads": "%s"}' % os.environ.get("OMP_NUM_THREADS"))
"""


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = subprocess.Popen

    def scripted(command: list[str], **kwargs: object) -> object:
        words = command[command.index("bench") + 1 : command.index("--json")]
        return real([sys.executable, "-c", SCRIPT, str(tmp_path), *words], **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(steps_run.subprocess, "Popen", scripted)
    monkeypatch.setattr(steps_run, "cores", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def step(name: str, *others: str, is_timed: bool = False) -> Step:
    return Step(name, (name, *others), is_resumed=False, is_timed=is_timed)


def test_two_run_at_once_and_timed_ones_alone(tmp_path: Path) -> None:
    # a waits until b is there, which only a second row can bring about; the timed one stands between the others
    chosen = [step("a", "b"), step("timed", is_timed=True), step("b", "a"), step("c"), step("d")]
    told = list(run_steps(chosen, tmp_path, is_quiet=True, is_wide=True))
    assert [one for one in told if isinstance(one, Step)][-1].name == "timed"
    ended = [one for one in told if isinstance(one, StepDone)]
    assert sorted(one.name for one in ended) == ["a", "b", "c", "d", "timed"]
    assert {one.status for one in ended} == {"done"}
    for one in ended:
        assert told.index(next(other for other in chosen if other.name == one.name)) < told.index(one)
    assert (tmp_path / "timed.seen").read_text() == ""
    # half of the cores each; the one that is alone may have them all
    assert '"threads": "2"' in (tmp_path / "a.json").read_text()
    assert '"threads": "2"' in (tmp_path / "b.json").read_text()
    assert '"threads": "None"' in (tmp_path / "timed.json").read_text()


def test_on_one_core_they_run_in_order(tmp_path: Path) -> None:
    chosen = [step("a"), step("b"), step("c")]
    told = list(run_steps(chosen, tmp_path, is_quiet=True, is_wide=False))
    assert [one.name for one in told] == ["a", "a", "b", "b", "c", "c"]
    assert all((tmp_path / f"{name}.seen").read_text() == "" for name in "abc")


def test_a_number_of_threads_of_the_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    list(run_steps([step("a"), step("b")], tmp_path, is_quiet=True, is_wide=True))
    assert (
        '"threads": "3"' in (tmp_path / "a.json").read_text() and '"threads": "3"' in (tmp_path / "b.json").read_text()
    )


def test_a_suite_that_is_stopped_leaves_none_running(tmp_path: Path) -> None:
    # nobody brings "never", so the step beside would go on for twenty seconds
    chosen = [step("a", "long"), step("long", "never"), step("next")]
    start = time.monotonic()
    with closing(run_steps(chosen, tmp_path, is_quiet=True, is_wide=True)) as running:
        assert any(isinstance(one, StepDone) for one in running)
    assert time.monotonic() - start < 15
    assert (tmp_path / "long.here").exists() and not (tmp_path / "long.seen").exists()
    assert not (tmp_path / "long.json").exists() and not (tmp_path / "next.seen").exists()


def test_what_fails_beside_is_said_in_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, record: dict[str, object]) -> None:
        if path.stem == "b":
            raise OutputError("no space")

    monkeypatch.setattr(steps_run, "keep", full)
    with pytest.raises(OutputError, match="no space"):
        list(run_steps([step("a", "b"), step("b", "a")], tmp_path, is_quiet=True, is_wide=True))
