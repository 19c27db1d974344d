"""Readings kept unasked: found for exactly what they were made of, left out where privacy asks for it, bounded."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.documents.wishes import Wishes
from tests.conftest import save_tiny_model

QUESTION = "What is the pass key?"
SMALL = ["-s", "400", "--budget", "200", "-n", "20"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


def kept(home: Path) -> list[Path]:
    return sorted((home / "cache" / "pots").glob("*"))


def asked(*words: str) -> dict[str, object]:
    """The record of an answer."""
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    record: dict[str, object] = json.loads(result.stdout)
    return record


def was_read(record: dict[str, object]) -> bool:
    pot = record["pot"]
    assert isinstance(pot, dict)
    return bool(pot["was_read"])


def test_the_second_time_nothing_is_read_and_all_is_said_alike(story: Path, tiny_model: Path, home: Path) -> None:
    with story.open("ab") as file:
        file.write(b"The end\xff.")  # what a document says of itself must be said again
    words = ["ask", str(story), "-Q", QUESTION, "-Q", "How was the sea?", *SMALL, "-m", str(tiny_model)]
    first, second = asked(*words), asked(*words)
    assert (was_read(first), was_read(second)) == (False, True)
    for field in ("answers", "retention", "warnings"):
        first_held, second_held = (
            json.loads(json.dumps(record[field]).replace("answer_s", "")) for record in (first, second)
        )
        for one in (first_held, second_held):
            for answer in one if field == "answers" else []:
                answer.pop("")
        assert first_held == second_held, field
    assert first["warnings"]
    assert run(*words, "--strict").exit_code == 3
    said = run(*words)
    assert "not read again" in said.stderr
    assert "as @last" in said.stderr
    assert run("ask", "@last", QUESTION, "-n", "20", "-q").exit_code == 0
    assert [path.stat().st_mode & 0o777 for path in kept(home)] == [0o600]


def test_whatever_differs_is_read(story: Path, tiny_model: Path, tmp_path: Path) -> None:
    words = ["ask", str(story), QUESTION, *SMALL, "-m", str(tiny_model)]
    asked(*words)
    state = story.stat()
    other = tmp_path / "other"
    save_tiny_model(other, context_length=500)
    for changed in (
        ["ask", str(story), "Who?", *words[3:]],
        [*words, "--system", "Be brief."],
        [*words, "--novelty", "0.25"],
        [*words, "--lines", "1-2"],
        [*words, "--set", "sinks=2"],
        [*words, "--rebuild"],
        [*words, "--no-cache"],
        ["ask", str(story), QUESTION, *SMALL, "-m", str(other)],
    ):
        assert not was_read(asked(*changed)), changed
    assert was_read(asked(*words))
    text = story.read_bytes()
    story.write_bytes(text.replace(b"71432", b"71433"))  # same size, same time
    os.utime(story, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert not was_read(asked(*words))


def test_each_of_many_documents_is_kept_by_itself(story: Path, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("Short.")
    words = ["ask", str(story), str(tmp_path / "other.txt"), QUESTION, *SMALL, "-m", str(tiny_model), "--jsonl"]
    for expected in (False, True):
        lines = run(*words).stdout.splitlines()
        assert [was_read(json.loads(line)) for line in lines] == [expected, expected]


def test_a_damaged_one_is_read_again(story: Path, tiny_model: Path, home: Path) -> None:
    words = ["ask", str(story), QUESTION, *SMALL, "-m", str(tiny_model)]
    first = asked(*words)
    (path,) = kept(home)
    path.write_bytes(path.read_bytes()[:-100] + bytes(100))
    again = asked(*words)
    assert not was_read(again)
    assert again["answer"] == first["answer"]
    assert was_read(asked(*words))


def test_nothing_is_kept_where_nothing_should_be(story: Path, tiny_model: Path, home: Path) -> None:
    model = ["-m", str(tiny_model)]
    piped = run("ask", "-", QUESTION, *SMALL, *model, stdin=story.read_text())
    assert piped.exit_code == 0
    for words in (["--no-log"], ["--no-cache"], ["--cache-limit", "0"], ["--pin", "71432"], ["--explain"]):
        assert not was_read(asked("ask", str(story), QUESTION, *SMALL, *model, *words))
    run("history", "off")
    asked("ask", str(story), QUESTION, *SMALL, *model)
    assert kept(home) == []


def test_a_document_that_changes_while_it_is_read_is_not_kept(story: Path, tiny_model: Path) -> None:
    from infinipot_cli.cached import keep, recipe
    from infinipot_cli.session import Session, ask
    from infinipot_cli.settings import PotRequest

    session = Session(str(tiny_model), PotRequest(400, 200, max_tokens=20))
    with session.prepare([str(story)], ask(QUESTION)) as reading:
        made = recipe(session, reading, session.loading, Wishes())
        assert made is not None
        for _ in reading.read():
            pass
        story.write_text("another text")
        assert not keep(session, reading, made, limit=2**30, seconds=9.0)
        assert not made.path.exists()


def test_they_take_no_more_room_than_they_may(story: Path, tiny_model: Path, home: Path) -> None:
    model = ["-m", str(tiny_model)]
    asked("ask", str(story), "One?", *SMALL, *model)
    (first,) = kept(home)
    os.utime(first, (1, 1))
    asked("ask", str(story), "Two?", *SMALL, *model, "--cache-limit", str(first.stat().st_size * 3 // 2))
    (second,) = kept(home)
    assert second != first
    assert "1 reading deleted" in run("pots", "prune", "--cached").output
    assert kept(home) == []


def test_what_was_stopped_goes_on_after_other_questions(story: Path, tiny_model: Path, home: Path) -> None:
    """A newer `@last` does not take the place of the pot that Ctrl-C left."""
    from infinipot_cli import stopped
    from infinipot_cli.resume import save
    from infinipot_cli.session import Session, ask
    from infinipot_cli.settings import PotRequest

    session = Session(str(tiny_model), PotRequest(400, 200, max_tokens=20))
    with session.prepare([str(story)], ask(QUESTION)) as reading:
        for number, _ in enumerate(reading.read()):
            if number == 2:
                reading.stop.is_wanted = True
        save(session, reading, "stopped")
        reading.rest = (str(story), "--lines 2-")
        assert stopped.note("stopped", session, reading, [str(story)], frozenset(), command="ask")
    asked("ask", str(story), "Two?", *SMALL, "-m", str(tiny_model))
    assert stopped.load().words[0] == "@stopped"


@pytest.mark.parametrize("words", [["@{folder}/one.pot"], ["--pot", "{folder}/one.pot"]])
def test_a_pot_may_be_a_file_anywhere(story: Path, tiny_model: Path, tmp_path: Path, words: list[str]) -> None:
    model = ["-m", str(tiny_model)]
    saved = run("ask", str(story), QUESTION, *SMALL, *model, "--save-pot", f"{tmp_path}/one.pot")
    assert saved.exit_code == 0, saved.output
    assert f"saved @{tmp_path}/one.pot" in saved.stderr.replace("\n", "")
    later = run("ask", *(word.format(folder=tmp_path) for word in words), QUESTION, "-n", "20", "-q")
    assert (later.exit_code, later.stdout) == (0, saved.stdout)


def test_a_place_that_no_pot_can_have_is_refused_before_anything_is_read(story: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.pot").mkdir()
    for place, code in ((f"{tmp_path}/nowhere/x.pot", 7), (f"{tmp_path}/folder.pot", 7), ("a b", 2)):
        result = run("ask", str(story), QUESTION, "--save-pot", place, "-m", "no-such-model")
        assert result.exit_code == code, result.output
    missing = run("ask", f"@{tmp_path}/none.pot", QUESTION)
    assert (missing.exit_code, "none.pot" in missing.output) == (6, True)


def test_a_document_that_was_written_anew_as_it_was_is_unchanged(story: Path, tiny_model: Path) -> None:
    words = ["ask", str(story), QUESTION, *SMALL, "-m", str(tiny_model), "--no-cite"]
    assert not was_read(asked(*words))
    os.utime(story, (1, 1))
    again = run(*words)
    assert again.exit_code == 0 and "not read again" in again.stderr
    assert "was changed" not in again.stderr


def test_what_is_found_again_is_the_file_that_is_there_now(
    story: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["ask", story.name, QUESTION, *SMALL, "-m", str(tiny_model)]
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.chdir(tmp_path)
    first = asked(*words, "--verify")
    assert not was_read(first)
    os.utime(story, (1, 1))
    for folder in (tmp_path, there):
        if folder == there:
            story.rename(there / story.name)
            monkeypatch.chdir(there)
        again = asked(*words, "--verify", "--save-pot", "mine")
        assert was_read(again) and again["verified"] == first["verified"]
        (source,) = json.loads(run("pots", "show", "mine", "--json").stdout)["pot"]["sources"]
        assert (source["path"], source["modified"]) == (str(folder / story.name), 10**9)


def test_under_strict_the_warning_is_said_however_quiet(story: Path, tiny_model: Path) -> None:
    story.write_bytes(story.read_bytes() + b"The end\xff.")
    done = run("ask", str(story), QUESTION, *SMALL, "-m", str(tiny_model), "-q", "--strict")
    assert done.exit_code == 3
    assert "is not UTF-8" in " ".join(done.stderr.split())
