"""A reading that cannot be stored where it should be: it is answered, kept elsewhere, and its exit code tells."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.pots import file

SMALL = ["-s", "400", "--budget", "200", "-n", "20"]
QUESTION = "What is the pass key?"


def run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a disk full: nothing can be written where a word stands in the path."""
    put = file.put

    def fill(word: str) -> None:
        def fail(path: Path, data: bytes | bytearray, *, over: bool = True) -> None:
            if word in str(path):
                raise OSError(errno.ENOSPC, "No space left on device")
            put(path, data, over=over)

        monkeypatch.setattr(file, "put", fail)

    return fill


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return [*SMALL, "-m", str(tiny_model)]


def test_the_answer_comes_all_the_same(
    story: Path, model: list[str], home: Path, tmp_path: Path, full: Callable[[str], None]
) -> None:
    words = ["ask", str(story), QUESTION, *model]
    right = json.loads(run(*words, "--json").stdout)["answer"]
    full("elsewhere")
    (tmp_path / "elsewhere").mkdir()
    target = str(tmp_path / "elsewhere" / "x.pot")
    text = run(*words, "--save-pot", target, "--rebuild")
    assert (text.exit_code, text.stdout.rstrip("\n")) == (7, right.rstrip("\n"))
    error = " ".join(text.stderr.split())
    assert error.count("error: ") == 1 and "No space left on device" in error
    assert error.endswith("hint: it is kept as @last: infinipot pots export last FILE")
    done = run(*words, "--save-pot", target, "--json", "-q")
    record = json.loads(done.stdout)
    assert done.exit_code == 7 and record["answer"] == right and record["pot"]["saved"] == "@last"
    assert [warning["code"] for warning in record["warnings"]] == ["output_failed"]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_reading_alone_is_kept_too(
    story: Path, model: list[str], home: Path, tmp_path: Path, full: Callable[[str], None], words: list[str]
) -> None:
    model = [word for word in model if word not in ("-n", "20")]
    assert run("read", str(story), "--save-pot", "right", *model).exit_code == 0
    right = json.loads(run("ask", "@right", QUESTION, "-n", "20", "--json").stdout)["answer"]
    full("elsewhere")
    (tmp_path / "elsewhere").mkdir()
    done = run("read", str(story), "--save-pot", str(tmp_path / "elsewhere" / "x.pot"), *model, *words)
    assert done.exit_code == 7
    if words:
        assert json.loads(done.stdout)["error"]["code"] == "output_failed"
    assert json.loads(run("ask", "@last", QUESTION, "-n", "20", "--json").stdout)["answer"] == right
    assert run("pots", "export", "last", str(tmp_path / "here.pot")).exit_code == 0


def test_nothing_is_kept_of_what_shall_leave_no_trace(
    story: Path, model: list[str], home: Path, tmp_path: Path, full: Callable[[str], None]
) -> None:
    full("elsewhere")
    (tmp_path / "elsewhere").mkdir()
    target = str(tmp_path / "elsewhere" / "x.pot")
    done = run("ask", str(story), QUESTION, *model, "--save-pot", target, "--no-log")
    assert done.exit_code == 7 and done.stdout and "@last" not in done.stderr
    assert not list((home / "cache").rglob("*.pot"))


def test_that_nothing_could_be_kept_is_said(
    story: Path, model: list[str], home: Path, full: Callable[[str], None]
) -> None:
    full("cache")
    done = run("ask", str(story), QUESTION, *model)
    said = " ".join(done.stderr.split())
    assert done.exit_code == 0 and done.stdout
    assert "warning: @last is not this reading, which could not be kept: No space left on device" in said
    assert " as @last" not in said


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another document than the story."""
    path = tmp_path / "other.txt"
    path.write_text("The wind rose. " * 20, "utf-8")
    return path


def test_what_takes_the_place_of_other_documents_says_so(
    story: Path, other: Path, tiny_model: Path, home: Path
) -> None:
    model = [*SMALL[:4], "-m", str(tiny_model)]

    def said(*words: str) -> str:
        done = run(*words)
        assert done.exit_code == 0, done.output
        return " ".join(line for line in done.stderr.splitlines() if line.startswith(("replaced", "saved")))

    assert "replaced" not in said("read", str(story), "--save-pot", "one", *model)
    assert "replaced" not in said("read", str(story), "--save-pot", "one", *model)
    assert "replaced" not in said("read", str(other), "--pot", "one")
    assert said("read", str(other), "--save-pot", "one", *model).startswith("replaced @one, which held ")
    told = CliRunner().invoke(app, ["chat", str(story), *model], input="/save one\n")
    assert f"replaced @one, which held {other}" in " ".join(told.stderr.split())


@pytest.mark.parametrize(("wanted", "held"), [([], "int8"), (["--pot-entries", "exact"], "exact")])
def test_a_pot_that_is_read_on_is_stored_as_it_was(
    story: Path, tiny_model: Path, home: Path, wanted: list[str], held: str
) -> None:
    model = [*SMALL[:4], "-m", str(tiny_model)]
    assert run("read", str(story), "--save-pot", "one", "--pot-entries", "int8", *model).exit_code == 0
    assert run("read", str(story), "--pot", "one", *wanted).exit_code == 0
    assert json.loads(run("pots", "show", "one", "--json").stdout)["pot"]["entries"] == held


def test_what_is_stored_while_it_is_read_says_once_what_it_replaced(
    story: Path, other: Path, tiny_model: Path, home: Path
) -> None:
    model = [*SMALL[:4], "-m", str(tiny_model)]
    assert run("read", str(other), "--save-pot", "one", *model).exit_code == 0
    done = run("read", str(story), "--save-pot", "one", "--every", "0.000001s", *model)
    assert done.exit_code == 0, done.output
    assert " ".join(done.stderr.split()).count(f"replaced @one, which held {other}") == 1


def test_a_folder_that_cannot_be_made_costs_the_reading_s_place_and_no_answer(
    story: Path, model: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    done = run("ask", str(story), QUESTION, *model)
    assert done.exit_code == 0 and done.stdout, done.output
    assert "warning: @last is not this reading" in " ".join(done.stderr.split())
