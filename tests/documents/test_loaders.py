"""Programs of the user's choice that turn other formats into text."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.documents import Wishes, open_document
from infinipot_cli.errors import DocumentError

PYTHON = shlex.quote(sys.executable)


def loading(ending: str, program: str) -> Wishes:
    return Wishes(loaders=((ending, f"{PYTHON} -c {shlex.quote(program)} $1"),))


def text_of(path: Path, wishes: Wishes) -> str:
    document = open_document(str(path), wishes=wishes)
    try:
        return "".join(piece.text for piece in document.pieces())
    finally:
        document.close()


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    path = tmp_path / "a b'$(touch owned).XYZ"
    path.write_bytes(b"\0\1\2 no text")
    return path


def test_what_the_program_prints_is_the_document(drawing: Path, tmp_path: Path) -> None:
    program = "import sys, pathlib; p = pathlib.Path(sys.argv[1]); print(p.name, len(p.read_bytes()), 'b\u00e4r' * 9)"
    expected = f"{drawing.name} {drawing.stat().st_size} " + "b\u00e4r" * 9
    assert text_of(drawing, loading("xyz", program)).strip() == expected
    assert not (tmp_path / "owned").exists(), "no shell has seen the name"
    with pytest.raises(DocumentError, match="binary"):
        text_of(drawing, loading("abc", program))


def test_a_page_that_a_program_makes_is_read_as_one(drawing: Path) -> None:
    page = "print('<!DOCTYPE html><html><body><p>Ann hid the <b>key</b>.</p><script>no()</script></body></html>')"
    assert text_of(drawing, loading("xyz", page)).strip() == "Ann hid the key."


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; print('half'); sys.exit('the file is broken')", "ended with 1: the file is broken"),
        ("import os; os.kill(os.getpid(), 9)", "ended with -9"),
        ("pass", "is empty"),
    ],
)
def test_a_program_that_fails_says_why(drawing: Path, program: str, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason) as caught:
        text_of(drawing, loading("xyz", program))
    assert caught.value.exit_code == 3


def test_a_program_that_is_not_there_is_named(drawing: Path) -> None:
    with pytest.raises(DocumentError, match="'no-such-program' cannot be started"):
        text_of(drawing, Wishes(loaders=(("xyz", "no-such-program $1"),)))


def test_an_endless_program_ends_with_the_reading(drawing: Path) -> None:
    document = open_document(str(drawing), wishes=loading("xyz", "while True: print('on and on')"))
    pieces = document.pieces()
    assert "and on" in "".join(next(pieces).text for _ in range(5))
    document.close()
    document.close()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_only_the_users_own_settings_name_programs(
    drawing: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    own = Path(run("config", "path").stdout.strip())
    own.parent.mkdir(parents=True, exist_ok=True)
    table = f"[loaders]\nxyz = {json.dumps(PYTHON + ' -c ' + shlex.quote('print(7 * str(7))') + ' $1')}\n"
    own.write_text(table)
    counted = run("info", str(drawing), "-m", str(tiny_model), "--json", "-q")
    assert counted.exit_code == 0, counted.output
    assert json.loads(counted.stdout)["input"][0]["tokens"] in (7, 8)
    asked = run("ask", str(drawing), "Which?", "-m", str(tiny_model), "-s", "300", "-n", "2", "--json", "-q")
    assert json.loads(asked.stdout)["input"][0]["tokens"] in (7, 8), asked.output
    own.write_text("")
    (tmp_path / "infinipot.toml").write_text(table)
    refused = run("info", str(drawing), "-m", str(tiny_model))
    assert refused.exit_code == 2 and "only your own settings may" in refused.stderr
    (tmp_path / "infinipot.toml").unlink()
    for wrong in ("xyz = 3", 'xyz = "cat"', 'xyz = "cat \'x $1"', 'xyz = ""'):
        own.write_text(f"[loaders]\n{wrong}\n")
        refused = run("info", str(drawing), "-m", str(tiny_model))
        assert refused.exit_code == 2 and "loaders.xyz" in refused.stderr, wrong


def test_a_password_file_that_is_not_there_is_said_at_once(tmp_path: Path, story: Path, tiny_model: Path) -> None:
    said = run("ask", str(story), "Who?", "-m", str(tiny_model), "-s", "300", "--password-file", str(tmp_path / "no"))
    assert said.exit_code == 3 and "does not exist" in said.stderr and "reading" not in said.stderr
