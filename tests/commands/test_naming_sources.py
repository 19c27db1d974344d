"""Other ways to name what is read: a list on standard input, the pot of before, a revision of a model."""

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.commands.runs.consent import ConsentOptions, fetched
from infinipot_cli.errors import ModelError
from infinipot_cli.model.catalog import find, with_revision
from infinipot_cli.pots.shelf import check_new_name, path_of

SMALL = ["-s", "400", "-n", "8"]


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model)]


def test_standard_input_may_name_the_sources(tmp_path: Path, model: list[str]) -> None:
    names = [tmp_path / name for name in ("plain.txt", "with\nnewline.txt", "-dash é.txt")]
    for path in names:
        path.write_text(f"This is {path.stem}.")
    listed = b"\0".join(os.fsencode(path) for path in names) + b"\0"
    for words in (["ask", "-0", "Who?"], ["ask", "--null", "-Q", "Who?"], ["summarize", "-0", "--together"]):
        result = run(*words, *SMALL, *model, "--json", stdin=listed)
        assert result.exit_code == 0, result.output
        assert [row["path"] for row in json.loads(result.stdout)["input"]] == [str(path) for path in names]
    assert json.loads(run("info", "-0", *model, "--json", stdin=listed).stdout)["tokens"] > 0


@pytest.mark.parametrize(
    ("words", "stdin", "code", "message"),
    [
        (["ask", "-0", "Who?"], b"", 3, "names no sources"),
        (["ask", "-0", "Who?"], b"\0\0", 3, "names no sources"),
        (["ask", "-", "-0", "Who?"], b"a\0", 2, "both the document and the list"),
        (["ask", "-0", "Who?"], b"/no/such/file\0", 3, "/no/such/file does not exist"),
        (["ask", "-0", "-i"], b"a\0", 2, "goes with no -0"),
        (["ask", "-0", "--questions", "-"], b"a\0", 2, "both the questions and the list"),
    ],
)
def test_lists_that_make_no_sense(words: list[str], stdin: bytes, code: int, message: str) -> None:
    result = run(*words, stdin=stdin)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output


def test_the_pot_of_before_is_asked_without_its_name(story: Path, model: list[str], home: Path) -> None:
    assert "no stored pot yet" in run("ask", "-c", "Who?").stderr
    for name, age in (("new", 100), ("old", 200)):
        assert run("read", str(story), "--save-pot", name, *SMALL[:2], *model).exit_code == 0
        os.utime(home / "pots" / f"{name}.pot", (1e9 - age, 1e9 - age))
    assert run("pots", "list").exit_code == 0, "a list is no use"
    named = run("ask", "@new", "Who?", "-n", "8", "--json")
    os.utime(home / "pots" / "new.pot", (1e9 - 100, 1e9 - 100))
    latest = run("ask", "--continue", "Who?", "-n", "8", "--json")
    assert json.loads(latest.stdout)["answer"] == json.loads(named.stdout)["answer"]
    assert (home / "pots" / "new.pot").stat().st_mtime > 1e9, "asking a pot is a use of it"
    assert run("ask", "@old", "Who?", "-n", "8").exit_code == 0
    record = json.loads(run("ask", "-c", str(story), "Who?", "-n", "8", "--dry-run", "--json").stdout)
    assert record["input"][0]["type"] == "in @old"


def test_a_pot_that_a_question_filled_says_so_to_another(story: Path, model: list[str]) -> None:
    assert run("ask", str(story), "Who?", "--save-pot", "who", *SMALL, *model).exit_code == 0
    assert "tok/s" not in run("ask", "@who", "Who?", "-n", "8").stderr, "nothing was read"
    line = "@who was read for “Who?”: what only another question needs may be gone"
    assert line in run("ask", "@who", "When?", "-n", "8").stderr
    assert line not in run("ask", "@who", "Who?", "-n", "8").stderr
    assert line not in run("ask", "@who", "When?", "-n", "8", "-q").stderr
    assert run("read", str(story), "--save-pot", "any", *SMALL[:2], *model).exit_code == 0
    assert "was read for" not in run("ask", "@any", "When?", "-n", "8").stderr
    short = story.with_name("short.txt")
    short.write_text("The sea was calm.")
    assert run("ask", str(short), "Who?", "--save-pot", "short", *SMALL, *model).exit_code == 0
    assert "was read for" not in run("ask", "@short", "When?", "-n", "8").stderr, "a pot that lost nothing"


@pytest.mark.parametrize(
    ("file", "name"),
    [("my notes.2", "my-notes-2"), ("größe", "groe"), ("été_1", "ete-1"), ("日本", "notes"), ("last", "notes"),
     ("-x", "x"), ("a" * 200, "a" * 40)],
)  # fmt: skip
def test_a_pot_without_a_name_is_offered_that_of_its_document(tmp_path: Path, file: str, name: str) -> None:
    path = tmp_path / f"{file}.txt"
    path.write_text("The sea was calm.")
    hint = " ".join(run("read", str(path)).stderr.splitlines()[1:])
    assert hint.endswith(f"infinipot read {shlex.quote(str(path))} --save-pot {name}")
    path_of(name)
    check_new_name(name)


@pytest.fixture
def revisions(tiny_model: Path) -> Iterator[str]:
    """A model in the Hugging Face cache in two revisions, one of them damaged."""
    from huggingface_hub import constants

    repository = Path(constants.HF_HUB_CACHE) / "models--acme--two"
    (repository / "refs").mkdir(parents=True)
    for name, commit in (("main", "a" * 40), ("small", "b" * 40)):
        shutil.copytree(tiny_model, repository / "snapshots" / commit)
        (repository / "refs" / name).write_text(commit)
    (repository / "snapshots" / ("a" * 40) / "model.safetensors").unlink()
    yield "acme/two"
    shutil.rmtree(repository)


def test_a_revision_of_a_model_is_found(revisions: str, story: Path) -> None:
    with pytest.raises(ModelError, match="no weights"):
        find(revisions)
    assert find(f"{revisions}@small").folder == find(f"{revisions}@{'b' * 40}").folder
    with pytest.raises(ModelError, match="not on this machine") as caught:
        find(f"{revisions}@large")
    assert f"models pull {revisions}@large" in caught.value.hint
    result = run("info", str(story), "-m", revisions, "--revision", "small", "--json")
    assert json.loads(result.stdout)["model"] == f"{revisions}@small"
    asked = run("ask", str(story), "Who?", *SMALL, "-m", f"{revisions}@small", "--json", "-q")
    assert json.loads(asked.stdout)["model"]["revision"] == "b" * 40
    assert run("models", "path", f"{revisions}@small").stdout.strip().endswith("b" * 40)


@pytest.mark.parametrize("words", [[], ["-m", "pocket"], ["-m", "acme/two@small"], ["-m", "."]])
def test_only_models_of_the_hub_have_revisions(story: Path, words: list[str]) -> None:
    result = run("ask", str(story), "Who?", *words, "--revision", "small")
    assert (result.exit_code, "--revision is for models of the hub" in result.stderr) == (2, True)


def test_names_and_revisions_are_told_apart() -> None:
    assert with_revision("a/b") == ("a/b", None)
    assert with_revision("a/b@refs/pr/1") == ("a/b", "refs/pr/1")
    assert with_revision("a/b@") == ("a/b@", None)
    assert with_revision("a/b@x y") == ("a/b@x y", None)


def test_yes_agrees_to_a_download_and_offline_forbids_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    class Done:
        returncode = 0

    def pull(command: list[str], **_: object) -> Done:
        asked.append(command[3:])
        return Done()

    monkeypatch.setattr("infinipot_cli.commands.runs.consent.subprocess.run", pull)
    monkeypatch.setattr("infinipot_cli.commands.runs.consent._WAS_OFFLINE", "0")
    missing = ModelError("not here", code="model_not_found")
    assert not fetched(missing, "acme/tiny", ConsentOptions())
    with pytest.raises(ModelError, match=r"offline \(--offline\) and 'acme/tiny'"):
        fetched(missing, "acme/tiny", ConsentOptions(yes=True, offline=True))
    assert fetched(missing, "acme/tiny@small", ConsentOptions(yes=True, no_input=True))
    monkeypatch.setattr("infinipot_cli.commands.runs.consent._WAS_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"offline \(HF_HUB_OFFLINE=1\)"):
        fetched(missing, "acme/tiny", ConsentOptions(yes=True))
    assert asked == [["models", "pull", "acme/tiny@small", "--yes"]]
