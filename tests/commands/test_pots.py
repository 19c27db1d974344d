"""Stored pots from the command line: asked without reading again, read on, listed, carried, refused."""

import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.commands.runs import keeping
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.display.console import error_console
from infinipot_cli.model.catalog import POCKET_FOLDER
from infinipot_cli.pots import file, shelf
from infinipot_cli.reading import Reading
from infinipot_cli.resume import resume
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import Color, PotRequest
from tests.conftest import save_tiny_model

SMALL = ["-s", "400", "--budget", "200", "-n", "20"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def answer(*words: str) -> str:
    result = run(*words, "--json", "-q")
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["answer"])


def test_a_stored_pot_answers_as_the_reading_did(story: Path, tiny_model: Path) -> None:
    question = "What is the pass key?"
    direct = answer("ask", str(story), question, *SMALL, "-m", str(tiny_model), "--save-pot", "story")
    assert answer("ask", "@story", question, "-n", "20") == direct
    assert answer("ask", "@story", question, "-n", "20", "-m", str(tiny_model)) == direct
    record = json.loads(run("ask", "@story", question, "-n", "20", "--json", "-q").stdout)
    assert [entry["path"] for entry in record["input"]] == [str(story)]
    assert record["retention"]["read"] > 400


def test_info_counts_a_stored_pot_by_the_model_that_filled_it(story: Path, tiny_model: Path) -> None:
    words = ["read", str(story), "--save-pot", "story", *SMALL[:4], "-m", str(tiny_model)]
    assert run(*words).exit_code == 0
    result = run("info", "@story", "--json", "-q")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["pot"]["size"] == 400
    assert json.loads(result.stdout)["model"] == tiny_model.name


def test_reading_on_equals_reading_at_once(tmp_path: Path, story: Path, tiny_model: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("The wind rose. " * 80, "utf-8")
    model = ["-m", str(tiny_model)]
    assert run("read", str(story), "--save-pot", "one", *SMALL[:4], *model).exit_code == 0
    before = (tmp_path / "home" / "pots" / "one.pot").read_bytes()
    result = run("read", str(more), "--pot", "one", "--json", "-q")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert [entry["path"] for entry in record["input"]] == [str(story), str(more)]
    assert record["stored"] == "@one"
    assert (tmp_path / "home" / "pots" / "one.pot").read_bytes() != before
    listed = json.loads(run("pots", "list", "--json").stdout)["rows"]
    assert [(row["name"], row["tokens"], row["state"]) for row in listed] == [
        ("@one", record["retention"]["read"], "ok")
    ]
    shown = json.loads(run("pots", "show", "@one", "--json").stdout)["pot"]
    assert [source["first_token"] for source in shown["sources"]] == [0, shown["sources"][0]["n_tokens"]]


def test_a_document_that_changed_since_is_said(
    tmp_path: Path, story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def state() -> str:
        (row,) = json.loads(run("pots", "list", "--json").stdout)["rows"]
        return str(row["state"])

    monkeypatch.chdir(story.parent)
    assert run("read", story.name, "--save-pot", "one", *SMALL[:4], "-m", str(tiny_model)).exit_code == 0
    monkeypatch.chdir("/")  # a name that was given from another folder is still found
    assert state() == "ok" and "was changed" not in run("ask", "@one", "Who?", "-n", "4").stderr
    assert ", changed since" not in run("pots", "show", "one").stdout
    with story.open("a") as file:
        file.write("One line more.\n")
    assert state() == "source changed"
    assert "tokens, changed since" in run("pots", "show", "one").stdout
    asked = run("ask", "@one", "Who?", "-n", "4")
    assert asked.exit_code == 0
    line = f"warning: {story.name} was changed after it was read; what is asked is answered from what it was then"
    assert asked.stderr.count(" ".join(line.split())) == 1
    # and it is not stored with the pot, which may be older than the next change
    assert run("read", str(story), "--pot", "one", "-q").exit_code == 0
    shown = json.loads(run("pots", "show", "one", "--json").stdout)["pot"]["sources"]
    assert [source["size"] for source in shown] == [story.stat().st_size - 15, story.stat().st_size]
    story.unlink()
    assert state() == "source gone"
    for command in (["ask", "@one", "Who?", "-n", "4"], ["chat", "@one"]):
        done = run(*command)
        assert done.exit_code == 0
        assert re.match(rf"{story.name}, {story}, read \d+ s ago, gone since → pot of", done.stderr), done.stderr


def test_a_stored_pot_says_its_age_and_how_many_of_its_documents_are_gone(
    tmp_path: Path, story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("The wind rose.", "utf-8")
    stored = ["--save-pot", "two", *SMALL[:4], "-m", str(tiny_model)]
    assert run("read", str(story), str(other), *stored).exit_code == 0
    at = time.time()
    monkeypatch.setattr(time, "time", lambda: at + 3 * 86_400 + 60)
    line = f"{story}, {other}, read 3 days ago"
    assert run("ask", "@two", "Who?", "-n", "4").stderr.startswith(f"{line} → pot of")
    other.unlink()
    assert run("ask", "@two", "Who?", "-n", "4").stderr.startswith(f"{line}, 1 of 2 gone since → pot of")
    # what is read on makes a new reading, whose age says nothing
    story.with_name("more.txt").write_text("And fell.", "utf-8")
    assert "days ago" not in run("read", str(story.with_name("more.txt")), "--pot", "two").stderr


def test_another_model_damage_and_absence_end_with_6(tmp_path: Path, story: Path, tiny_model: Path) -> None:
    assert run("read", str(story), "--save-pot", "one", *SMALL[:4], "-m", str(tiny_model)).exit_code == 0
    save_tiny_model(tmp_path / "other", context_length=500)
    for words, reason in (
        (["@one", "Who?", "-m", str(tmp_path / "other")], "cannot be used with other"),
        (["@one", "Who?", "--dtype", "float16"], "number format"),
        (["@one", "Who?", "--dtype", "float16"], "leave --dtype out"),
        (["@two", "Who?"], "no pot @two"),
        (["@one", "Who?", "--system", "Be brief."], "leave --system out"),
    ):
        result = run("ask", *words, "-q")
        assert result.exit_code == 6, result.output
        assert reason in result.output
        assert result.stdout == ""
    path = tmp_path / "home" / "pots" / "one.pot"
    path.write_bytes(path.read_bytes()[:-1])
    result = run("ask", "@one", "Who?", "-q")
    assert (result.exit_code, "damaged" in result.output) == (6, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["ask", "x.txt", "@a", "@b", "Who?"], "one stored pot"),
        (["read", "x.txt"], "needs a name"),
        (["read", "x.txt", "--save-pot", "../x"], "it must end in .pot"),
        (["ask", "x.txt", "Who?", "--save-pot", "a b"], "cannot be the name"),
        (["pots", "prune"], "say what may go"),
        (["pots", "prune", "--keep", "much"], "no size"),
        (["ask", "@one"], "no question about @one"),
    ],
)
def test_mistakes_are_answered_before_anything_is_read(words: list[str], reason: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert reason in result.output


@pytest.mark.parametrize(
    ("name", "reason"), [("last", "@last is what was read last"), ("stopped", "@stopped is what Ctrl-C leaves")]
)
def test_names_that_a_pot_has_by_itself_are_refused(name: str, reason: str, story: Path, tiny_model: Path) -> None:
    assert run("read", str(story), "--save-pot", "one", *SMALL[:4], "-m", str(tiny_model)).exit_code == 0
    done = run("ask", "@one", "Who?", "--save-pot", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert reason in " ".join(done.stderr.split())


def test_a_default_of_the_settings_is_no_model_for_a_stored_pot(
    tmp_path: Path, story: Path, tiny_model: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("read", str(story), "--save-pot", "one", *SMALL[:4], "-m", str(tiny_model)).exit_code == 0
    assert run("models", "default", "pocket").exit_code == 0
    assert run("ask", "@one", "Who?", "-n", "4").exit_code == 0
    assert run("ask", "@one", "Who?", "-n", "4", "-m", "pocket").exit_code == 6
    monkeypatch.chdir(tiny_model.parent)
    assert run("models", "alias", "mine", tiny_model.name).exit_code == 0
    assert run("models", "default", tiny_model.name).exit_code == 0
    monkeypatch.chdir(tmp_path)
    for model in (["-m", "mine"], []):
        done = run("ask", str(story), "Who?", *SMALL[:4], "-n", "4", "--json", *model)
        assert json.loads(done.stdout)["model"]["id"] == tiny_model.name, "it is found from another folder"


def test_sizes_of_a_pot_are_those_it_has(story: Path, tiny_model: Path) -> None:
    assert run("read", str(story), "--save-pot", "one", *SMALL[:4], "-m", str(tiny_model)).exit_code == 0
    result = run("ask", "@one", "Who?", "-s", "300")
    assert result.exit_code == 2
    assert "has capacity 400" in result.output


def test_eight_bits_take_less_room_and_answer(story: Path, tiny_model: Path, home: Path) -> None:
    for name, more in (("exact", []), ("small", ["--pot-entries", "int8"])):
        result = run("read", str(story), "--save-pot", name, *SMALL[:4], "-m", str(tiny_model), *more)
        assert result.exit_code == 0
        assert f"saving @{name}" in result.output
    assert answer("ask", "@small", "Who?", "-n", "5") is not None
    sizes = [(home / "pots" / f"{name}.pot").stat().st_size for name in ("exact", "small")]
    assert sizes[1] < sizes[0]
    shown = run("pots", "show", "small").stdout
    assert "int8" in shown
    exported = run("pots", "export", "small", str(home))
    assert exported.exit_code == 0
    gone = run("pots", "rm", "small", "exact", "@small")
    assert (gone.exit_code, gone.stdout) == (0, "")
    assert re.findall(r"deleted @(\w+) \(\S+story.txt\), [\d.]+ \w+", " ".join(gone.stderr.split())) == [
        "small",
        "exact",
    ]
    assert run("pots", "import", exported.stdout.strip(), "--name", "again").stdout.strip() == "@again"
    assert run("pots", "list", "-q").stdout.split() == ["@again"]
    other = str(home / "small.bin")
    shutil.copy(exported.stdout.strip(), other)
    for pot in (f"@{other}", other):
        assert json.loads(run("pots", "show", pot, "--json").stdout)["pot"]["entries"] == "int8"
    assert answer("ask", f"@{other}", "Who?", "-n", "5") == answer("ask", "@again", "Who?", "-n", "5")
    assert run("ask", f"@{story}", "Who?").exit_code == 6
    kept = run("pots", "rm", str(story))
    assert (kept.exit_code, story.exists()) == (6, True), "what is no pot is not deleted"
    missing = run("pots", "import", str(home / "missing.pot"))
    assert (missing.exit_code, missing.stdout) == (3, "")
    assert missing.stderr.splitlines()[0] == f"error: {home / 'missing.pot'} does not exist"


def test_what_is_asked_later_is_cited_as_it_was_then(story: Path, tiny_model: Path) -> None:
    question = "What is the pass key?"
    direct = run("ask", str(story), question, *SMALL, "-m", str(tiny_model), "--save-pot", "story", "--json", "-q")
    later = run("ask", "@story", question, "-n", "20", "--json", "-q")
    assert json.loads(direct.stdout)["sources"] == json.loads(later.stdout)["sources"]


def test_a_pot_is_stored_while_it_is_read_and_reading_goes_on(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[tuple[int, int, int]] = []
    plain = keeping.save

    def watched(session: Session, reading: Reading, name: str, *args: Any, **options: Any) -> int:
        n_bytes = plain(session, reading, name, *args, **options)
        header, state = file.read(shelf.path_of(name), name)
        with resume(session, name, ask("What is the pass key?")) as asked:
            stored.append((header.n_tokens, state.numbers["n_seen"], asked.trail.n_seen))
        return n_bytes

    monkeypatch.setattr(keeping, "save", watched)
    often = run("read", str(story), "--save-pot", "often", "--every", "0.000001s", *SMALL[:4], "-m", str(tiny_model))
    assert often.exit_code == 0, often.output
    assert len(set(stored)) > 3 and stored == sorted(stored)
    n_prefix = stored[-1][1] - stored[-1][0]
    assert all(n_seen - n_tokens == n_prefix and n_seen == n_trail for n_tokens, n_seen, n_trail in stored)
    monkeypatch.setattr(keeping, "save", plain)
    assert run("read", str(story), "--save-pot", "once", *SMALL[:4], "-m", str(tiny_model)).exit_code == 0
    question = "What is the pass key?"
    assert answer("ask", "@often", question, "-n", "20") == answer("ask", "@once", question, "-n", "20")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timers")
def test_what_came_out_of_a_pipe_that_is_quiet_now_is_stored(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_TICK_SECONDS", 0.05)
    ours, theirs = os.pipe()
    quiet = os.fdopen(theirs, "wb")
    quiet.write(b"The night was dark and the sea was calm. " * 40)
    quiet.flush()

    def press_once_stored() -> None:
        end = time.monotonic() + 60
        while not shelf.path_of("quiet").exists() and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGINT)
    session = Session(str(tiny_model), PotRequest(capacity=400, max_tokens=8, chunk=40))
    form = Form(save_pot="quiet", every=0.3, answers=False)
    with os.fdopen(ours) as stdin, quiet:
        monkeypatch.setattr(sys, "stdin", stdin)
        with session.prepare(["-"], ask("Who?")) as reading:
            rhythm, problems = keeping.Rhythm(error_console(Color.NEVER), session, reading, form), list[str]()
            thread = threading.Thread(target=press_once_stored)
            thread.start()
            with reading.stop.on_signal(), rhythm.in_waits(problems.append):
                for _ in reading.read():
                    pass
            thread.join()
            assert reading.stop.is_wanted and not problems
    header, _ = file.read(shelf.path_of("quiet"), "quiet")
    assert 400 < header.n_tokens <= reading.n_tokens
    assert before == (signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGINT))


def test_a_time_between_storings_must_be_one() -> None:
    for wrong in ("0", "-1s", "soon", "10 days"):
        result = run("read", "x.txt", "--save-pot", "x", "--every", wrong)
        assert result.exit_code == 2 and "is no time" in result.output


def test_a_pot_of_pocket_is_refused_once_pocket_has_other_weights(
    tmp_path: Path, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("read", str(story), "--save-pot", "one", "-q").exit_code == 0
    assert run("ask", str(story), "Who?", "-n", "2", "-q").exit_code == 0  # is kept unasked
    newer = tmp_path / "pocket"
    shutil.copytree(POCKET_FOLDER, newer)
    weights = load_file(newer / "model.safetensors")
    weights["model.norm.weight"][0] += 0.5
    save_file(weights, newer / "model.safetensors", metadata={"format": "pt"})
    monkeypatch.setattr("infinipot_cli.model.catalog.POCKET_FOLDER", newer)
    for words in (["ask", "@one", "Who?"], ["ask", "@last", "Who?"], ["read", str(story), "--pot", "one"]):
        result = run(*words)
        assert (result.exit_code, result.stdout) == (6, "")
        error, hint = result.stderr.splitlines()
        assert re.fullmatch(r"error: pot @?(one|last) was read by pocket with other weights than it has now", error)
        assert "read its documents again" in hint
    again = run("ask", str(story), "Who?", "-n", "2")
    assert again.exit_code == 0
    assert "not read again" not in again.stderr and "tok/s" in again.stderr, "what an older pocket read is not asked"


def test_a_reading_that_kept_little_names_the_command_that_shows_what(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infinipot_cli.commands.runs.reply.LOW_RETENTION", 1.0)
    done = run("read", str(story), "--save-pot", "one", *SMALL[:4], "-m", str(tiny_model))
    assert "(infinipot explain @one shows what)" in " ".join(done.stderr.split())
    assert run("explain", "@one").exit_code == 0


def test_warnings_are_those_of_their_documents_where_another_could_not_be_read(
    tmp_path: Path, tiny_model: Path
) -> None:
    folder = tmp_path / "papers"
    folder.mkdir()
    for name, content in (("a.pdf", b"%PDF-1.4 no"), ("b.txt", b"The wind rose\xff. " * 9)):
        (folder / name).write_bytes(content)
    read = run("read", str(folder), "--save-pot", "one", "--json", *SMALL[:4], "-m", str(tiny_model))
    assert read.exit_code == 3
    (warning,) = json.loads(read.stdout)["warnings"]
    asked = run("ask", "@one", "Who?", "-n", "4", "--json")
    assert json.loads(asked.stdout)["warnings"] == [warning]


@pytest.mark.parametrize("n_before", [0, 20])
def test_a_document_that_changes_while_it_is_read_is_not_what_the_pot_has_read(
    story: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_before: int
) -> None:
    before = [tmp_path / f"{number}.txt" for number in range(n_before)]  # of many, the last are opened in their turn
    for path in before:
        path.write_text("Short.", "utf-8")
    plain = keeping.save

    def late(*words: Any, **options: Any) -> int:
        with story.open("a") as file:
            file.write("One line more.\n")
        return plain(*words, **options)

    monkeypatch.setattr(keeping, "save", late)
    read = ["read", *map(str, before), str(story), "--save-pot", "one", *SMALL[:4], "-m", str(tiny_model)]
    assert run(*read).exit_code == 0
    assert "story.txt was changed after it was read" in " ".join(run("ask", "@one", "Who?", "-n", "4").stderr.split())


def test_what_is_read_into_the_latest_reading_is_stored_where_it_can_be_found(
    story: Path, tiny_model: Path, home: Path
) -> None:
    more = story.with_name("more.txt")
    more.write_text("The wind rose. " * 20, "utf-8")
    assert run("ask", str(story), "Who?", *SMALL, "-m", str(tiny_model)).exit_code == 0
    for last in ("last", "@last"):
        refused = run("read", str(more), "--pot", last)
        assert (refused.exit_code, "--save-pot NAME" in refused.stderr) == (2, True), refused.output
    assert not (home / "pots" / "last.pot").exists()
    assert run("read", str(more), "--pot", "last", "--save-pot", "mine").exit_code == 0
    shutil.copy(home / "pots" / "mine.pot", home / "pots" / "stopped.pot")
    done = run("read", str(more), "--pot", "last", "--json", "-q")
    assert json.loads(done.stdout)["stored"] == "@stopped", done.output
    assert len(json.loads(run("pots", "show", "stopped", "--json").stdout)["pot"]["sources"]) == 3


def test_a_prompt_that_a_pot_was_not_read_behind_is_told_by_what_it_lacks(
    tmp_path: Path, story: Path, tiny_model: Path
) -> None:
    prompt = tmp_path / "my.md"
    prompt.write_text("Text:\n{document}\n\nQuestion: {question}\nAnswer:")
    own, system = ["-t", str(prompt)], ["--system", "Be brief."]
    model = [*SMALL, "-m", str(tiny_model)]
    assert run("read", str(story), "--save-pot", "plain", *SMALL[:4], *model[-2:]).exit_code == 0
    assert run("ask", str(story), "Who?", *model, *own, "--save-pot", "own").exit_code == 0
    assert run("ask", str(story), "Who?", *model, *own, *system, "--save-pot", "both").exit_code == 0
    text = f"the text that {prompt} puts before the document"
    for words, told in (
        (["ask", "@plain", "Who?", *own], f"without {text} hint: leave -t out"),
        (["ask", "@plain", "Who?", *system], "without a system prompt hint: leave --system out"),
        (
            ["ask", "@plain", "Who?", *own, *system],
            f"without a system prompt and {text} hint: leave --system and -t out",
        ),
        (["ask", "@own", "Who?", *own, *system], "without a system prompt hint: leave --system out"),
        (["ask", "@own", "Who?"], "behind another prompt hint: give --system or -t as it was then"),
        (["read", str(story), "--pot", "own"], "behind another prompt hint: give --system or -t as it was then"),
        (["ask", "@both", "Who?", *own], "behind another prompt hint: give --system or -t as it was then"),
    ):
        done = run(*words)
        pot = next(word for word in words if word in ("@plain", "@own", "@both") or word == "own").removeprefix("@")
        assert (done.exit_code, done.stdout) == (6, "")
        assert " ".join(done.stderr.split()) == f"error: pot @{pot} was read {told}"
    assert run("ask", "@both", "Who?", "-n", "4", *own, *system).exit_code == 0


def test_what_a_pot_was_distilled_for_is_said_once_more_was_read(tmp_path: Path, story: Path, tiny_model: Path) -> None:
    def asked(pot: str) -> str:
        return next(line for line in run("pots", "show", pot).stdout.splitlines() if line.startswith("asked"))[11:]

    captain, model = "Who is the captain?", [*SMALL[:4], "-m", str(tiny_model)]
    assert run("read", str(story), "-Q", captain, "--save-pot", "one", *model).exit_code == 0
    assert run("read", str(story), "--pot", "one").exit_code == 0
    assert asked("one") == captain
    other = run("ask", "@one", "Where?", "-n", "4", "--save-pot", "two")
    assert f"was read for “{captain}”" in " ".join(other.stderr.split())
    assert asked("two") == captain, "what is only asked distils nothing"
    assert "was read for" not in run("ask", "@one", captain, "-n", "4").stderr
    (tmp_path / "my.md").write_text("Name all ships.")
    judged = ["--catalyst", str(tmp_path / "my.md"), "--save-pot", "three"]
    assert run("ask", str(story), "Where?", "-n", "4", *model, *judged).exit_code == 0
    assert asked("three") == f"what {tmp_path / 'my.md'} asks"
    assert run("read", str(story), "--save-pot", "four", *model).exit_code == 0
    assert asked("four") == "nothing yet; any question may follow"


def test_a_model_of_the_same_name_elsewhere_is_another_one_and_not_changed(
    tmp_path: Path, story: Path, tiny_model: Path
) -> None:
    first, second = tmp_path / "a" / "llama", tmp_path / "b" / "llama"
    for folder in (first, second):
        shutil.copytree(tiny_model, folder)
    weights = load_file(second / "model.safetensors")
    weights["model.norm.weight"][0] += 0.5
    save_file(weights, second / "model.safetensors", metadata={"format": "pt"})
    assert run("read", str(story), "--save-pot", "one", *SMALL[:4], "-m", str(first)).exit_code == 0
    done = run("ask", "@one", "Who?", "-n", "4", "-m", str(second))
    assert done.exit_code == 6 and "than it has now" not in done.stderr
    assert f"read by {first} (fp32); it cannot be used with {second} (fp32)" in " ".join(done.stderr.split())
    hint = " ".join(done.stderr.split()).partition("hint: ")[2]
    assert run("ask", "@one", "Who?", "-n", "4", *hint.partition(",")[0].split()).exit_code == 0, "the advice helps"
    shutil.copy(second / "model.safetensors", first)
    assert "with other weights than it has now" in run("ask", "@one", "Who?").stderr


def test_a_pot_whose_model_has_moved_says_what_names_it(
    tmp_path: Path, story: Path, tiny_model: Path, home: Path
) -> None:
    folder = tmp_path / "llama"
    shutil.copytree(tiny_model, folder)
    assert run("models", "default", str(folder)).exit_code == 0
    assert run("read", str(story), "--save-pot", "one", *SMALL[:4]).exit_code == 0
    folder.rename(tmp_path / "moved")
    for words in (["ask", "@one", "Who?"], ["info", "@one"], ["explain", "@one"], ["read", str(story), "--pot", "one"]):
        done = run(*words)
        assert (done.exit_code, done.stdout) == (4, "")
        told = f"error: pot @one was read by {folder}, which is not there hint: where it is now: -m FOLDER"
        assert " ".join(done.stderr.split()) == told, "neither another model nor the settings"
    assert run("ask", "@one", "Who?", "-n", "4", "-m", str(tmp_path / "moved")).exit_code == 0
