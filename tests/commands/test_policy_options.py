"""`--policy` and `--catalyst` on the command line: what they change, and what is refused in one line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.choice import IN_SHORT, NAMES
from infinipot_cli.policies import POLICIES, POLICY_NAMES


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_every_policy_answers(policy: str, story: Path, tiny_model: Path, home: Path) -> None:
    story.write_text(story.read_text(encoding="utf-8")[:600], "utf-8")  # some decide token by token
    done = run(
        "ask", str(story), "Which key?", "--policy", policy, "-m", str(tiny_model), "-s", "256", "-n", "2", "--json"
    )
    assert done.exit_code == 0, done.output
    pot = json.loads(done.stdout)["pot"]
    assert pot["policy"] == policy
    assert (pot["peak"] <= 256) == POLICIES[policy].is_bounded
    assert ("its memory grows with the document" in done.stderr) != POLICIES[policy].is_bounded


@pytest.mark.parametrize(
    ("words", "exit_code", "reason"),
    [
        (["ask", "STORY", "x?", "--policy", "h3o"], 2, "there is no policy 'h3o'"),
        (["ask", "STORY", "x?", "--policy", "h2o", "--set", "pool=3"], 2, "pool means nothing to the policy h2o"),
        (["ask", "STORY", "x?", "--policy", "h2o", "--budget", "100"], 2, "the policy h2o has no budget"),
        (["ask", "STORY", "x?", "--policy", "h2o", "--pin", "key"], 2, "what is pinned needs a pot that is"),
        (
            ["ask", "STORY", "x?", "--policy", "full", "--save-pot", "a"],
            2,
            "a stored pot needs a pot that is",
        ),
        (["read", "STORY", "--policy", "snapkv", "--save-pot", "a"], 2, "a stored pot needs a pot that is"),
        (["chat", "STORY", "--policy", "truncation"], 2, "a conversation needs a pot that is distilled"),
        (["ask", "STORY", "x?", "--policy", "tova", "--catalyst", "G"], 2, "the policy tova listens to no catalyst"),
        (["ask", "STORY", "x?", "--novelty", "0", "--set", "decay=0.5"], 2, "--novelty 0 leaves it no places"),
        (["ask", "STORY", "x?", "--novelty", "1", "--set", "pool=3"], 2, "--novelty 1 leaves it no places"),
        (["ask", "STORY", "x?", "--set", "cap=off", "--catalyst", "G"], 2, "cap=off listens to no catalyst"),
        (["ask", "STORY", "x?", "--catalyst", "G3"], 2, "there is no prompt named G3"),
        (["summarize", "STORY", "--catalyst", "Q"], 2, "wants a question"),
        (["ask", "STORY", "-i", "--catalyst", "Q"], 2, "wants a question"),
        (["ask", "STORY", "-i", "--catalyst", "G3"], 2, "there is no prompt named G3"),
    ],
)
def test_what_a_policy_cannot_do_is_said(
    words: list[str], exit_code: int, reason: str, story: Path, tiny_model: Path, home: Path
) -> None:
    done = run(*(str(story) if word == "STORY" else word for word in words), "-m", str(tiny_model), "-s", "256")
    assert done.exit_code == exit_code
    assert reason in " ".join(done.stderr.split())


def test_a_stored_pot_stays_with_its_policy(story: Path, tiny_model: Path, home: Path) -> None:
    model = ("-m", str(tiny_model))
    assert run("read", str(story), "--policy", "keydiff", "-s", "256", "--save-pot", "kept", *model).exit_code == 0
    other = run("ask", "@kept", "Which key?", "--policy", "tova", *model)
    assert other.exit_code == 6
    assert "read under the policy keydiff and cannot go on under --policy tova" in " ".join(other.stderr.split())
    assert run("ask", "@kept", "Which key?", "--policy", "infinipot", *model).exit_code == 6
    same = run("ask", "@kept", str(story), "Which key?", "-n", "2", "--json", *model)
    assert json.loads(same.stdout)["pot"]["policy"] == "keydiff"


@pytest.mark.parametrize(
    ("word", "name"),
    [("g", "catalyst-general"), ("Q", "catalyst-question"), ("U", "catalyst-u"), ("G1", "catalyst-g1"), (None, None)],
)
def test_a_catalyst_judges_by_name_or_from_a_file(
    word: str | None, name: str | None, story: Path, tiny_model: Path, home: Path
) -> None:
    if word is None:
        path = home / "mine.txt"
        path.write_text("Which words name a number?\n", "utf-8")
        word = name = str(path)
    done = run(
        "ask", str(story), "Which key?", "--catalyst", word, "-m", str(tiny_model), "-s", "256", "-n", "2", "--json"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pot"]["catalyst"] == name


def test_set_help_says_what_each_setting_does() -> None:
    result = run("ask", "--set", "help")
    assert result.exit_code == 0
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == list(NAMES) == list(IN_SHORT)
    assert all(row[1] and row[2] and row[3] for row in rows)
    assert "words=" in result.stderr and "reread=" in result.stderr
