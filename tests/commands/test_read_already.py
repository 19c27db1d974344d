"""What is typed for a stored pot holds, or is refused by the name of its option; nothing is ignored."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app

SMALL = ["-s", "400", "--budget", "200", "-q"]
QUESTION = "What is the pass key?"
# What the pot of these tests was read with, and so may be said again.
READ_WITH = [
    *("--novelty", "0.4", "--keep-first", "4", "--keep-last", "8", "--set", "pool=3", "--set", "words=0.2"),
    *("--set", "fresh=0.25", "--policy", "infinipot", "--system", "Be brief."),
]


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def pots(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A home with three stored pots: as usual, with settings of its own, and under a policy without catalyst."""
    folder = tmp_path_factory.mktemp("pots")
    text = folder / "story.txt"
    text.write_text("The wind rose and the pass key was 71432, said Ann. " * 40, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFINIPOT_HOME", str(folder))
        for name, more in (("one", []), ("own", READ_WITH), ("key", ["--policy", "keydiff"])):
            done = run("read", str(text), "--save-pot", name, *SMALL, "-m", str(tiny_model), *more)
            assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(autouse=True)
def home(pots: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(pots))
    return pots


OF_DOCUMENTS = [
    ["--pages", "1-3"], ["--lines", "2"], ["--pin", "the"], ["--pin-pages", "2"], ["--ext", "md"], ["--ignore", "*.x"],
    ["--hidden"], ["--no-ignore"], ["--encoding", "cp1252"], ["--type", "pdf"],
]  # fmt: skip
OF_READING = [
    ["--novelty", "0.2"], ["--keep-first", "4"], ["--keep-last", "4"], ["--set", "words=0.5"], ["--set", "sinks=2"],
    ["--set", "fill"], ["--set", "cap=off"], ["-s", "300"], ["--budget", "100"], ["--memory", "1MiB"],
]  # fmt: skip
OF_ANOTHER_KIND = [["--policy", "keydiff"], ["--dtype", "fp16"], ["--quantize", "int8"], ["--system", "Be long."]]
OF_KEEPING = [["--rebuild"], ["--pot-entries", "int8"]]


@pytest.mark.parametrize("words", [*OF_DOCUMENTS, *OF_READING, *OF_KEEPING, *OF_ANOTHER_KIND])
def test_what_cannot_hold_any_more_is_refused_by_name(words: list[str]) -> None:
    for command in ("ask", "explain"):
        if command == "explain" and words in (*OF_KEEPING, OF_ANOTHER_KIND[-1]):
            continue  # has no such option
        done = run(command, "@one", QUESTION, "-n", "4", *words)
        assert (done.exit_code, done.stdout) == (6 if words in OF_ANOTHER_KIND else 2, ""), done.output
        error, hint = " ".join(done.stderr.split()).split(" hint: ")
        assert error.startswith("error: ") and (words[0] in error or words in OF_ANOTHER_KIND)
        assert words[0] in hint


@pytest.mark.parametrize("words", OF_READING)
def test_how_a_pot_was_read_holds_for_what_is_read_into_it_too(words: list[str], tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("The wind fell. " * 40, "utf-8")
    for command in (["ask", "@one", str(more), QUESTION], ["read", str(more), "--pot", "one"]):
        done = run(*command, *words)
        assert (done.exit_code, done.stdout) == (2, ""), done.output


def test_what_a_pot_was_read_with_may_be_said_again() -> None:
    done = run("ask", "@own", QUESTION, "-n", "4", *SMALL, *READ_WITH, "--quantize", "none", "--dtype", "auto")
    assert done.exit_code == 0, done.output
    done = run("ask", "@own", QUESTION, "-n", "4", "--dtype", "fp32", "--pot-entries", "exact", *READ_WITH[-2:])
    assert done.exit_code == 0, done.output
    for option, value in zip(READ_WITH[:-4:2], READ_WITH[1:-4:2], strict=True):
        other = f"{value.split('=')[0]}=5" if "=" in value else "1"
        done = run("ask", "@own", QUESTION, "-n", "4", *READ_WITH[-2:], option, other)
        assert done.exit_code == 2, f"{option} {other}: {done.output}"


def test_what_is_about_documents_holds_where_they_are_opened(tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("The key is 5.\nThe wind fell.\n" * 40, "utf-8")
    words = ["--lines", "1-4", "--encoding", "cp1252", "--pin", "The key is 5", "--hidden", "--type", "text"]
    done = run("ask", "@one", str(more), QUESTION, "-n", "4", "--json", "-q", *words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["input"][1]["tokens"] < 200
    assert run("ask", "@one", QUESTION, "-n", "4", "--verify", "--encoding", "cp1252").exit_code == 0
    stored = run("ask", "@one", QUESTION, "-n", "4", "--save-pot", "small", "--pot-entries", "int8")
    assert stored.exit_code == 0, stored.output
    assert json.loads(run("pots", "show", "small", "--json").stdout)["pot"]["entries"] == "int8"


def test_what_is_a_matter_of_the_question_is_honoured() -> None:
    def told(*words: str) -> dict[str, object]:
        done = run("explain", "@one", QUESTION, "-n", "150", "--json", "-q", *words)
        assert done.exit_code == 0, done.output
        record: dict[str, object] = json.loads(done.stdout)
        return record

    plain = told()
    for words in (["--set", "reread=0"], ["--set", "rest=0.1"], ["--set", "reread=0", "--catalyst", "G1"]):
        assert told(*words)["parts"] != plain["parts"], words
    assert told("--set", "reread=0", "--catalyst", "G1")["parts"] != told("--set", "reread=0")["parts"]
    assert told("--chunk", "7")["question"] == QUESTION


def test_the_answer_is_a_phrase_of_what_is_read_again_where_the_question_wants_one(tmp_path: Path) -> None:
    text = "The wind rose. " * 20 + "Ann hid the brass key under the mat. " + "The sea was calm. " * 20
    path = tmp_path / "key.txt"
    path.write_text(text, "utf-8")
    assert run("read", str(path), "--save-pot", "mat", "-q").exit_code == 0  # by pocket, without a question

    def weighed(*words: str) -> bool:
        with pytest.MonkeyPatch.context() as patch:
            asked: list[object] = []
            patch.setattr("infinipot_cli.explain.phrases.best_phrase", lambda *words: asked.append(words) or [])
            done = run("ask", "@mat", "Where is the brass key?", "-q", *words)
            assert done.exit_code == 0, done.output
            return bool(asked)

    assert weighed() and weighed("--set", "span=on") and not weighed("--set", "span=off")


def test_a_pot_whose_policy_listens_to_no_catalyst_takes_none(home: Path) -> None:
    done = run("ask", "@key", QUESTION, "--catalyst", "general")
    assert (done.exit_code, "keydiff listens to no catalyst" in done.stderr) == (2, True)


def test_settings_refuse_nothing_and_give_way(home: Path) -> None:
    plain = {name: run("ask", f"@{name}", QUESTION, "-n", "8").stdout for name in ("one", "key")}
    (home / "config.toml").write_text("[pot]\nnovelty = 0.1\nsize = 300\nbudget = 100\ncache_limit = '1MiB'\n")
    try:
        for name, answer in plain.items():
            done = run("ask", f"@{name}", QUESTION, "-n", "8")
            assert (done.exit_code, done.stdout) == (0, answer), done.output
    finally:
        (home / "config.toml").unlink()
