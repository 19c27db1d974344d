"""Models, templates and pots of one's own: found, edited and deleted, and never without being asked."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app

NAME = "acme/tiny"


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def cached(tiny_model: Path) -> Iterator[Path]:
    """A model in the Hugging Face cache of the tests."""
    import shutil

    from huggingface_hub import constants

    repository = Path(constants.HF_HUB_CACHE) / f"models--{NAME.replace('/', '--')}"
    shutil.copytree(tiny_model, repository / "snapshots" / ("a" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    yield repository
    shutil.rmtree(repository, ignore_errors=True)


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends of a conversation are terminals."""
    monkeypatch.setattr("infinipot_cli.commands.runs.consent.can_ask", lambda *, no_input=False: not no_input)
    monkeypatch.setattr("infinipot_cli.commands.editing.can_ask", lambda *, no_input=False: not no_input)


def test_a_cached_model_is_deleted_once_somebody_agrees(cached: Path, somebody: None) -> None:
    assert NAME in run("models", "list", "-q").stdout.split()
    for words, answer in (([], b"n\n"), ([], b"\n"), (["--no-input"], b"y\n")):
        refused = run("models", "rm", NAME, *words, stdin=answer)
        assert (refused.exit_code, cached.exists()) == (2, True), refused.output
    done = run("models", "rm", NAME, stdin=b"y\n")
    assert (done.exit_code, cached.exists()) == (0, False), done.output
    assert f"Delete {NAME} (" in done.stderr and "KiB)?" in done.stderr
    assert NAME not in run("models", "list", "-q").stdout.split()


def test_without_a_terminal_only_yes_deletes(cached: Path) -> None:
    assert run("models", "rm", NAME).exit_code == 2
    assert run("models", "rm", NAME, "acme/missing", "-y").exit_code == 4
    assert cached.exists(), "all of them are there, or none goes"
    assert run("models", "rm", NAME, "-y").exit_code == 0
    assert not cached.exists()


def test_pocket_and_folders_stay_and_an_alias_only_loses_its_name(home: Path, tiny_model: Path) -> None:
    assert run("models", "rm", "pocket", "-y").exit_code == 4
    assert run("models", "rm", str(tiny_model), "-y").exit_code == 4
    assert (tiny_model / "config.json").exists()
    home.mkdir()
    (home / "config.toml").write_text('# mine\n[model.aliases]\nbig = "a/b"  # large\ntiny = "c"\n[pot]\nsize = 400\n')
    assert run("models", "rm", "big").exit_code == 0
    assert (home / "config.toml").read_text() == '# mine\n[model.aliases]\ntiny = "c"\n[pot]\nsize = 400\n'
    (home / "config.toml").write_text('model.aliases = { big = "a/b" }\n')
    assert run("models", "rm", "big").exit_code == 0
    assert (home / "config.toml").read_text() == "model.aliases = {}\n"


def test_a_template_is_written_in_the_users_editor(home: Path, somebody: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def editor(change: str) -> None:
        code = f"import sys, pathlib; p = pathlib.Path(sys.argv[1]); t = p.read_text(); p.write_text({change})"
        monkeypatch.setenv("EDITOR", f'{sys.executable} -c "{code}"')
        monkeypatch.delenv("VISUAL", raising=False)

    editor("t + 'In French.'")
    made = run("templates", "edit", "french")
    assert made.exit_code == 0, made.output
    text = (home / "templates" / "french.md").read_text()
    assert text.startswith("{document}") and text.endswith("In French.") and "{question}" in text
    assert "french" in run("templates", "list", "-q").stdout.split()
    assert run("templates", "edit", "french").exit_code == 0, "an old one is opened as it is"
    assert (home / "templates" / "french.md").read_text() == text + "In French."
    assert run("templates", "edit", "brief", "--from", "summarize-short").exit_code == 0
    assert run("templates", "show", "summarize-short").stdout.strip() in (home / "templates" / "brief.md").read_text()
    editor("'no place'")
    wrong = run("templates", "edit", "french")
    assert (wrong.exit_code, "{document}" in wrong.stderr) == (2, True)


def test_no_template_of_the_settings_hides_a_file_or_what_comes_with_infinipot(
    home: Path, somebody: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.delenv("VISUAL", raising=False)
    assert run("templates", "edit", "minutes").exit_code == 0
    settings = home / "config.toml"
    settings.write_text('[templates.minutes]\nquestion = "What was decided?"\n[templates.ask]\nquestion = "Why?"\n')
    refused = run("templates", "edit", "minutes")
    assert (refused.exit_code, str(settings) in refused.stderr.replace("\n", "")) == (2, True)
    rows = {row.split("\t")[0]: row.split("\t")[3] for row in run("templates", "list").stdout.splitlines()}
    assert rows["minutes"] == f"settings, before {home / 'templates'}" and rows["ask"] == "built in"
    assert "{document}" in run("templates", "show", "ask").stdout
    taken = run("ask", "x.txt", "Who?", "-t", "ask")
    assert (taken.exit_code, "comes with infinipot" in taken.stderr) == (2, True)
    assert run("templates", "edit", "brief", "--from", "minutes").exit_code == 0
    assert "Question: What was decided?" in (home / "templates" / "brief.md").read_text()
    settings.write_text("[templates.minutes]\n")
    empty = run("templates", "list")
    assert (empty.exit_code, "templates.minutes" in empty.stderr) == (2, True)


def test_the_length_that_a_template_brings_comes_before_that_of_all_answers(
    home: Path, story: Path, tiny_model: Path
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(
        '[answer]\nmax_tokens = 7\n[templates.minutes]\nquestion = "What was decided?"\nmax_tokens = 3\n'
    )
    words = ["ask", str(story), "-s", "400", "-m", str(tiny_model), "--json"]
    for more, n in ((["Who?"], 7), (["-t", "minutes"], 3), (["-t", "minutes", "-n", "5"], 5)):
        assert json.loads(run(*words, *more).stdout)["timing"]["answer_tokens"] == n


def test_templates_that_cannot_be_edited_are_refused_in_a_line(
    home: Path, somebody: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, hint in ((["ask"], "edit my-ask --from ask"), (["../x"], "letters"), (["new", "--from", "nix"], "list")):
        result = run("templates", "edit", *words)
        assert (result.exit_code, hint in result.stderr) == (2, True), result.output
    assert not (home / "templates" / "new.md").exists()
    for name, value in (("EDITOR", "false"), ("EDITOR", "/no/such/editor"), ("VISUAL", "'")):
        monkeypatch.setenv(name, value)
        assert run("templates", "edit", "new").exit_code == 2
    assert run("templates", "edit", "other", "--no-input").exit_code == 2
    assert not (home / "templates" / "other.md").exists()


def test_the_file_of_a_pot_is_named(home: Path) -> None:
    assert run("pots", "path", "@book").exit_code == 6
    (home / "pots").mkdir(parents=True)
    (home / "pots" / "book.pot").touch()
    assert run("pots", "path", "@book").stdout == f"{home}/pots/book.pot\n" == run("pots", "path", "book").stdout
