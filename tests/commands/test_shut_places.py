"""Names that no file can have and folders that nobody may look into are one clear line, or no reason to fail."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app

LONG = "x" * 300
SMALL = ["-s", "400", "-n", "4", "-q"]


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Shuts a folder, to root too: what is in it can neither be looked at nor opened."""

    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)

        def refuse(plain: Callable[..., Any]) -> Callable[..., Any]:
            def refused(path: Any, *words: Any, **named: Any) -> Any:
                if not isinstance(path, int) and os.fsdecode(path).startswith(f"{folder}/"):
                    raise PermissionError(errno.EACCES, "Permission denied", path)
                return plain(path, *words, **named)

            return refused

        for name in ("stat", "lstat", "open", "mkdir", "unlink", "utime"):
            monkeypatch.setattr(os, name, refuse(getattr(os, name)))
        access = os.access
        monkeypatch.setattr(
            os, "access", lambda path, mode: not str(path).startswith(str(folder)) and access(path, mode)
        )

    return make


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["ask", "story.txt", "Who?", "--save-pot", f"./{LONG}.pot"], 7, "cannot be written: File name too long"),
        (["ask", "story.txt", "Who?", "--save-pot", f"./{LONG}/a.pot"], 7, "cannot be written: File name too long"),
        (["ask", f"@{LONG}", "Who?"], 2, "cannot be the name of a pot"),
        (["explain", f"@{LONG}"], 2, "cannot be the name of a pot"),
        (["pots", "import", LONG], 3, "cannot be read: File name too long"),
        (["pots", "export", "one", LONG], 7, "cannot be written: File name too long"),
        (["pots", "export", "one", f"{LONG}/a.pot"], 7, "cannot be written: File name too long"),
    ],
)
def test_a_name_that_is_too_long_is_one_line(
    words: list[str], code: int, problem: str, story: Path, tiny_model: Path
) -> None:
    if words[:2] == ["pots", "export"]:
        assert run("read", story.name, "--save-pot", "one", *SMALL[:2], "-m", str(tiny_model)).exit_code == 0
    done = run(*words)
    assert (done.exit_code, problem in done.stderr) == (code, True), done.output


def test_doctor_and_the_default_model_take_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("models", "alias", "long", f"./{LONG}").exit_code == 0
    monkeypatch.setenv("INFINIPOT_HOME", f"/tmp/{LONG}")
    told = run("doctor")
    assert "settings" in told.stdout and "a bug" not in told.output


def test_what_is_kept_unasked_is_no_reason_to_fail(
    story: Path, tiny_model: Path, home: Path, shut: Callable[[Path], None]
) -> None:
    words = ["ask", story.name, "Who?", *SMALL, "-m", str(tiny_model)]
    first = run(*words)
    assert first.exit_code == 0 and run("history", "status").stdout.startswith("on")
    shut(home / "cache")
    assert (run(*words).exit_code, run(*words).stdout) == (0, first.stdout)
    shut(home / "state")
    assert (run(*words).exit_code, run(*words).stdout) == (0, first.stdout)
    for command in ("list", "show", "status"):
        told = run("history", command)
        assert (told.exit_code, "cannot be read: Permission denied" in told.stderr) == (3, True), told.output


def test_pots_that_nobody_may_look_at(story: Path, tiny_model: Path, home: Path, shut: Callable[[Path], None]) -> None:
    model = ["-m", str(tiny_model)]
    assert run("read", story.name, "--save-pot", "one", *SMALL[:2], *model).exit_code == 0
    shut(home / "pots")
    for words, code in (
        (["read", story.name, "--save-pot", "one", *SMALL[:2], *model], 7), (["ask", "@one", "Who?"], 6),
        (["pots", "show", "one"], 6), (["pots", "import", str(home / "pots" / "one.pot")], 3),
    ):  # fmt: skip
        done = run(*words)
        assert (done.exit_code, "Permission denied" in done.stderr) == (code, True), done.output
    for quiet in (["pots", "list"], ["pots", "prune", "--days", "0"]):
        assert run(*quiet).exit_code == 0
