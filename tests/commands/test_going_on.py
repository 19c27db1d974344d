"""After Ctrl-C one command reads the rest: the same documents, the same question, from where it stopped."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from infinipot_cli import stopped
from infinipot_cli.app import app
from infinipot_cli.commands.runs import reply
from infinipot_cli.documents import Wishes
from infinipot_cli.documents.ranges import parse_lines
from infinipot_cli.endings import Terminated
from infinipot_cli.progress import Progress
from infinipot_cli.reading import Reading
from tests.documents.small_pdf import pdf
from tests.test_stop import press

SMALL = ["-s", "400", "-n", "8", "--chunk", "40"]


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def answered(*words: str) -> dict[str, Any]:
    result = run(*words, "--json", "-q")
    assert result.exit_code == 0, result.output
    record: dict[str, Any] = json.loads(result.stdout)
    return record


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def pages(tmp_path: Path) -> list[str]:
    """Three documents of numbered lines."""
    names = []
    for name in ("one", "two", "three"):
        path = tmp_path / f"{name}.txt"
        path.write_text("".join(f"Line {number} of {name}.\n" for number in range(1, 60)))
        names.append(path.name)
    return names


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, number: int = signal.SIGINT) -> None:
    """Send a signal once, Ctrl-C unless told, at this step of the next reading."""
    read = Reading.read

    def pressed(self: Reading) -> Iterator[Progress]:
        monkeypatch.setattr(Reading, "read", read)
        for at, progress in enumerate(read(self), start=1):
            if at == step:
                press(number)
            yield progress

    monkeypatch.setattr(Reading, "read", pressed)


@pytest.mark.parametrize("step", [1, 40])
def test_the_rest_is_read_and_the_question_answered(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch, home: Path, step: int
) -> None:
    stop_at(monkeypatch, step)
    first = run("ask", *pages, "Who?", *SMALL, "-m", str(tiny_model))
    assert first.exit_code == 130
    assert first.stderr.splitlines()[-1] == "the rest: infinipot ask --resume"
    monkeypatch.chdir("/")
    for option, value in (("--lines", "2-"), ("--pin", "map"), ("--encoding", "latin-1")):
        refused = run("ask", "--resume", option, value)
        assert (refused.exit_code, f"error: {option} " in refused.stderr) == (2, True), "not ignored"
    rest = answered("ask", "--resume", "-n", "8")
    assert rest["question"] == "Who?"
    assert [Path(row["path"]).name for row in rest["input"]][-1] == "three.txt"
    whole = sum(len(Path(home.parent, name).read_bytes()) for name in pages)
    names = {Path(row["path"]).name: row["path"] for row in rest["input"]}
    assert len(rest["input"]) > len(names) == 3, "one of them came in two parts"
    n_announced = sum(len(f"\n\nDocument: {path}\n\n") for path in names.values())
    n_read = rest["retention"]["read"]
    assert whole < n_read <= whole + n_announced + 20, "all of it once, but for a line, and each name once"
    again = run("ask", "--resume")
    assert (again.exit_code, "no reading was stopped" in again.stderr) == (2, True)
    assert answered("ask", "@last", "When?", "-n", "8")["retention"]["read"] == n_read, "the whole was stored"


@pytest.mark.parametrize("words", [["--save-pot", "mine"], []])
def test_what_sigterm_stops_is_kept_and_not_answered(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    def end(came: int, _: object) -> None:
        raise Terminated(came)

    before = signal.signal(signal.SIGTERM, end)
    try:
        stop_at(monkeypatch, 10, signal.SIGTERM)
        monkeypatch.setattr(reply, "is_watched", lambda: True)
        first = run("ask", *pages, "Who?", *words, *SMALL, "-m", str(tiny_model))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (first.exit_code, first.stdout) == (143, ""), first.output
    assert "the rest: infinipot ask --resume" in first.stderr
    rest = answered("ask", "--resume", "-n", "8")
    assert Path(rest["input"][-1]["path"]).name == "three.txt" and rest["question"] == "Who?"


def test_it_can_be_stopped_again_and_again(pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(monkeypatch, 10)
    model = ["-m", str(tiny_model)]
    assert run("read", *pages, "--save-pot", "mine", "-s", "400", "--chunk", "40", *model).exit_code == 130
    for _ in range(2):
        stop_at(monkeypatch, 10)
        done = run("read", "--resume", "--chunk", "40")
        assert done.exit_code == 130, done.output
        assert done.stderr.splitlines()[-1] == "the rest: infinipot read --resume"
    assert run("read", "--resume").exit_code == 0
    sources = json.loads(run("pots", "show", "mine", "--json").stdout)["pot"]["sources"]
    assert [Path(source["name"]).name for source in sources][-1] == "three.txt"
    text = sum(source["n_tokens"] for source in sources)
    assert text > sum(len(Path(name).read_bytes()) for name in pages)


@pytest.mark.parametrize(("n_named", "expected"), [(1, {(1, 1)}), (3, {(1, 3), (2, 3), (3, 3)})])
def test_a_document_in_parts_is_one_document(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch, n_named: int, expected: set[tuple[int, int]]
) -> None:
    for words in (["ask", *pages[:n_named], "Who?", *SMALL, "-m", str(tiny_model)], ["ask", "--resume"]):
        stop_at(monkeypatch, 5)
        assert run(*words).exit_code == 130
    read, seen = Reading.read, set()

    def watched(self: Reading) -> Iterator[Progress]:
        for progress in read(self):
            seen.add((progress.number, progress.n_documents))
            yield progress

    monkeypatch.setattr(Reading, "read", watched)
    assert run("ask", "--resume", "-n", "8").exit_code == 0
    assert seen == expected


def test_another_question_may_follow_and_the_range_is_kept(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, 12)
    words = [*SMALL, "-m", str(tiny_model), "--system", "Be brief."]
    assert run("ask", pages[0], "Who?", "--lines", "3-50", *words).exit_code == 130
    went_on = run("ask", "--resume", "When?", "-n", "8", "--json")
    assert "@stopped was read for “Who?”" in went_on.stderr
    rest = json.loads(went_on.stdout)
    assert rest["question"] == "When?"
    wanted = len("".join(f"Line {number} of one.\n" for number in range(3, 51)))
    assert wanted <= rest["retention"]["read"] <= wanted + 20, "no name comes between the parts of a document"


def test_a_second_look_at_the_rest_is_at_what_was_cited(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, 12)
    model = ["-m", str(tiny_model)]
    assert run("ask", pages[0], "Who?", *SMALL, *model).exit_code == 130
    look = answered("ask", "--resume", "--verify", "-n", "8")["verified"]
    alone = answered("ask", pages[0], "Who?", *look["option"].split(), *SMALL, *model)
    assert look["answer"] == alone["answer"].strip()


def test_what_was_pinned_stays_pinned_and_what_was_found_is_not_missed(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def n_pinned() -> int:
        numbers = json.loads(run("pots", "show", "mine", "--json").stdout)["pot"]["numbers"]
        return sum(end - start for start, end in numbers["pinned"])

    stop_at(monkeypatch, 10)
    read = ["read", *pages, "--save-pot", "mine", "-s", "400", "--chunk", "40", "-m", str(tiny_model)]
    assert run(*read, "--pin", "Line 3 of", "--pin", "Line 50 of three", "--pin", "never").exit_code == 130
    assert n_pinned() >= len("Line 3 of")
    done = run("read", "--resume", "--json")
    assert done.exit_code == 0, done.output
    assert n_pinned() >= 3 * len("Line 3 of") + len("Line 50 of three")
    missed = [warning["message"] for warning in json.loads(done.stdout)["warnings"]]
    assert missed == ["nothing was pinned for 'never': no document says it"]


def test_a_pinned_page_that_was_read_is_not_looked_for_in_the_rest(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "book.pdf"
    path.write_bytes(pdf(*[f"Page {number}. " + "Words and words. " * 6 for number in range(1, 9)]))
    stop_at(monkeypatch, 10)
    read = ["read", path.name, "--save-pot", "mine", "-s", "400", "--chunk", "40", "-m", str(tiny_model)]
    assert run(*read, "--pin-pages", "1,8").exit_code == 130
    done = run("read", "--resume", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["warnings"] == []


def test_how_to_go_on_outlives_a_disk_that_takes_nothing(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    stop_at(monkeypatch, 10)
    words = ["read", "--save-pot", "mine", "-s", "400", "--chunk", "40", "-m", str(tiny_model)]
    assert run(*words, *pages).exit_code == 130
    file = home / "state" / "stopped.json"
    before = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        stopped._write({"more": "than fits"})
    assert file.read_bytes() == before and [path.name for path in file.parent.iterdir()] == [file.name]


def test_documents_are_no_questions_about_the_rest(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, 12)
    assert run("ask", pages[0], "Who?", *SMALL, "-m", str(tiny_model)).exit_code == 130
    for words in ([pages[1]], ["@stopped"], ["-"], ["missing.pdf"], ["--pot", "stopped"], ["Who?", "When?"]):
        refused = run("ask", "--resume", *words)
        assert (refused.exit_code, "name no others" in refused.stderr) == (2, True), refused.output
    assert run("ask", "--resume", "--each", "When?").exit_code == 2
    Path("questions").write_text("When?\nWhere?\n", encoding="utf-8")
    rest = answered("ask", "--resume", "Who?", "--questions", "questions", "-n", "8")
    assert [one["question"] for one in rest["answers"]] == ["Who?", "When?", "Where?"]


def test_what_is_said_beside_the_question_holds_for_the_rest(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped_one() -> None:
        stop_at(monkeypatch, 12)
        words = ["ask", pages[0], "Who?", *SMALL, "-m", str(tiny_model), "--system", "Be brief."]
        assert run(*words).exit_code == 130

    stopped_one()
    refused = run("ask", "--resume", "--system", "Be long.")
    assert (refused.exit_code, "--system" in refused.stderr) == (6, True), refused.output
    assert answered("ask", "--resume", "--catalyst", "G1", "-n", "8")["pot"]["catalyst"] == "catalyst-g1"
    stopped_one()
    Path("mine.md").write_text("{document}\n\nIn one word: {question}", encoding="utf-8")
    rest = answered("ask", "--resume", "-t", "mine.md", "-n", "8")
    assert (rest["question"], rest["pot"]["catalyst"]) == ("Who?", "mine.md")
    stopped_one()
    assert run("read", "--resume", "-Q", "When?", "--system", "Be brief.").exit_code == 0
    assert json.loads(run("pots", "show", "stopped", "--json").stdout)["pot"]["questions"] == ["Who?", "When?"]


def test_what_a_template_asks_goes_on_from_any_folder(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("mine.md").write_text("{document}\n\nWhich {what}?", encoding="utf-8")
    for words in ([], ["-p", "what=year"], ["Who?"]):
        stop_at(monkeypatch, 12)
        model = ["-m", str(tiny_model)]
        stopped_one = run("ask", pages[0], "-t", "mine.md", "-p", "what=day", *SMALL, *model)
        assert stopped_one.stderr.splitlines()[-1] == "the rest: infinipot ask --resume"
        monkeypatch.chdir("/")
        if words == ["Who?"]:
            assert run("ask", "--resume", *words, "-t", str(tmp_path / "mine.md")).exit_code == 2, "it has its own"
        rest = answered("ask", "--resume", *words, "-n", "8")
        assert rest.get("question", "") == "".join(words[:1]).removeprefix("-p")
        monkeypatch.chdir(tmp_path)


def test_a_conversation_that_was_stopped_is_begun_anew_with_the_pot(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["chat", pages[0]], ["ask", pages[0], "-i"]):
        stop_at(monkeypatch, 12)
        done = run(*words, *SMALL, "-m", str(tiny_model))
        assert done.stderr.splitlines()[-1] == "the rest: infinipot read --resume", done.output
        assert run("ask", "--resume").exit_code == 2, "nothing was asked"
    assert run("read", "--resume").exit_code == 0


def test_a_conversation_about_what_was_read_until_then_reads_on(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infinipot_cli.commands.runs.reply.is_watched", lambda: True)
    stop_at(monkeypatch, 12)
    words = ["chat", pages[0], *SMALL, "-m", str(tiny_model)]
    done = CliRunner().invoke(app, words, input="/pages 50-52\n")
    assert done.exit_code == 130
    assert f"read again: {pages[0]}, lines 50-52: " in done.stderr and "52: 0 tokens" not in done.stderr, done.stderr


def test_json_says_how_to_go_on(pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ["-m", str(tiny_model)]
    stop_at(monkeypatch, 12)
    for words in (["ask", pages[0], "Who?", *SMALL, *model], ["ask", "--resume", "--chunk", "40"]):
        told = run(*words, "--json")
        error = json.loads(told.stdout)["error"]
        assert (told.exit_code, error["exit_code"], error["code"]) == (130, 130, "interrupted")
        assert error["hint"] == "infinipot ask --resume reads the rest"
        stop_at(monkeypatch, 12)
    piped = CliRunner().invoke(app, ["ask", "Who?", *SMALL, *model, "--json"], input=Path(pages[0]).read_bytes())
    assert json.loads(piped.stdout)["error"]["hint"] == 'what was read is kept: infinipot ask @stopped "…"'
    stop_at(monkeypatch, 12)
    mine = run("read", pages[0], "--save-pot", "mine", *SMALL[:2], *SMALL[4:], *model, "--json")
    assert json.loads(mine.stdout)["error"]["hint"] == "infinipot read --resume reads the rest"


@pytest.mark.parametrize("to_file", [False, True])
def test_each_document_has_its_line_the_stopped_one_too(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch, to_file: bool
) -> None:
    read, n_readings = Reading.read, iter(range(9))

    def second(self: Reading) -> Iterator[Progress]:
        is_second = next(n_readings) == 1
        for number, progress in enumerate(read(self)):
            if is_second and number == 5:
                press()
            yield progress

    monkeypatch.setattr(Reading, "read", second)
    out = ["-o", "out.jsonl"] if to_file else []
    done = run("ask", *pages, "Who?", *SMALL, "-m", str(tiny_model), "--jsonl", *out)
    assert done.exit_code == 130
    text = Path("out.jsonl").read_text(encoding="utf-8") + done.stdout if to_file else done.stdout
    first, stopped_one, end = map(json.loads, text.splitlines())
    assert "answer" in first and first["input"][0]["path"] == pages[0]
    assert [row["path"] for row in stopped_one["input"]] == [pages[1]] and "answer" not in stopped_one
    assert stopped_one["error"] == end["error"] and "input" not in end
    assert end["error"]["hint"] == "infinipot ask --resume reads the rest"


def test_a_summary_goes_on_as_a_summary(pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_at(monkeypatch, 12)
    stopped_one = run("summarize", pages[0], "--length", "short", *SMALL, "-m", str(tiny_model))
    assert stopped_one.stderr.splitlines()[-1] == "the rest: infinipot summarize --resume"
    assert run("ask", "--resume").exit_code == 2, "there was no question"
    rest = answered("summarize", "--resume", "-n", "8")
    assert "summary" in rest and rest["pot"]["catalyst"] == "catalyst-general"


@pytest.mark.parametrize(("more", "n_picked"), [([], 2), (["--length", "medium"], 4)])
def test_a_summary_has_the_length_of_then(
    story: Path, monkeypatch: pytest.MonkeyPatch, more: list[str], n_picked: int
) -> None:
    story.write_text("".join(f"The {word} was found by the keeper.\n" for word in "abcdefghijklmnop" * 40), "utf-8")
    stop_at(monkeypatch, 1)
    assert run("summarize", str(story), "--length", "short").exit_code == 130
    picked = answered("summarize", "--resume", *more)["summary"].splitlines()
    assert len(picked) == n_picked


@pytest.mark.parametrize("why", ["--no-log", "history off", "--password-file"])
def test_what_shall_leave_no_trace_is_kept_only_under_a_name(
    pages: list[str], tiny_model: Path, home: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    Path("password").write_text("secret\n", encoding="utf-8")
    more = {"--no-log": [why], "history off": [], "--password-file": [why, "password"]}[why]
    if why == "history off":
        assert run(*why.split()).exit_code == 0
    words = ["ask", pages[0], "Who?", *SMALL, "-m", str(tiny_model), *more]
    line = f"what was read is not kept ({why}); --save-pot NAME would keep it"
    stop_at(monkeypatch, 12)
    done = run(*words)
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (130, line)
    stop_at(monkeypatch, 12)
    assert json.loads(run(*words, "--json").stdout)["error"]["hint"] == line
    assert not (home / "pots").exists() and not (home / "state" / "stopped.json").exists()
    stop_at(monkeypatch, 12)
    assert "the rest: infinipot ask --resume" in run(*words, "--save-pot", "mine").stderr
    assert answered("ask", "--resume", "-n", "8")["question"] == "Who?"


@pytest.mark.parametrize("name", ["stopped", "mine"])
def test_what_was_asked_is_forgotten_with_the_history(
    pages: list[str], tiny_model: Path, home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With the pot that was read for it, unless the user has given that a name: its rest can still be read."""
    stop_at(monkeypatch, 12)
    words = [pages[0], "-Q", "Who was it?", "-Q", "And when?", *SMALL, "-m", str(tiny_model)]
    assert run("ask", *words, *(["--save-pot", name] if name == "mine" else [])).exit_code == 130
    file, pot = home / "state" / "stopped.json", home / "pots" / f"{name}.pot"
    assert "Who was it?" in file.read_text() and b"Who was it?" in pot.read_bytes()
    assert run("history", "clear", "--yes").exit_code == 0
    assert file.exists() == pot.exists() == (name == "mine")
    assert run("ask", "--resume").exit_code == 2
    if name == "mine":
        assert "Who was it?" not in file.read_text() and "And when?" not in file.read_text()
        assert "infinipot ask --resume" in run("ask", "--resume").stderr
        assert run("read", "--resume").exit_code == 0
    file.write_text("{}")
    assert run("history", "clear", "--yes").exit_code == 0 and not file.exists()


def test_what_was_read_without_a_question_goes_on_after_the_history_was_cleared(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, 12)
    assert run("summarize", pages[0], *SMALL, "-m", str(tiny_model)).exit_code == 130
    assert run("history", "clear", "--yes").exit_code == 0
    assert run("summarize", "--resume").exit_code == 0


def test_what_cannot_be_kept_is_said(
    pages: list[str], tiny_model: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "pots").write_text("a file in the place of the folder")
    stop_at(monkeypatch, 12)
    result = run("ask", pages[0], "Which?", *SMALL, "-m", str(tiny_model))
    assert result.exit_code == 130
    assert "warning: the pot cannot be written" in result.stderr and "--resume" not in result.stderr


def test_what_cannot_go_on_says_why(
    pages: list[str], story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    stop_at(monkeypatch, 12)
    piped = CliRunner().invoke(app, ["ask", "Who?", *SMALL, "-m", str(tiny_model)], input=story.read_bytes())
    assert piped.exit_code == 130 and "--resume" not in piped.stderr, "the rest of a pipe is gone"
    stop_at(monkeypatch, 12)
    run("ask", pages[0], "Who?", *SMALL, "-m", str(tiny_model))
    assert "name no others" in run("read", pages[1], "--resume").stderr
    run("read", pages[1], "--save-pot", "other", *SMALL[:2], "-m", str(tiny_model))
    shutil.copy(home / "pots" / "other.pot", home / "pots" / "stopped.pot")
    stale = run("ask", "--resume")
    assert (stale.exit_code, stale.stderr.count("\n") <= 2) in ((2, True), (6, True)), stale.stderr
    (home / "state" / "stopped.json").write_text("{")
    assert run("ask", "--resume").exit_code == 2


def test_what_was_changed_meanwhile_is_not_gone_on_with(
    pages: list[str], tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, 12)
    run("read", pages[0], "--save-pot", "mine", *SMALL[:2], "--chunk", "40", "-m", str(tiny_model))
    with Path(pages[0]).open("a") as file:
        file.write("One line more.\n")
    refused = run("read", "--resume")
    assert refused.exit_code == 6, refused.output
    assert "was changed since its reading was stopped" in refused.stderr
    hint = refused.stderr.split("hint:", 1)[1]
    words = " ".join(hint.split()).split("all the same: infinipot ")[1].split()
    assert run(*words).exit_code == 0, "what is offered works"


@given(first=st.integers(1, 99), more=st.integers(0, 99), at=st.integers(1, 99), is_open=st.booleans())
def test_what_is_left_of_a_range_is_what_is_left(first: int, more: int, at: int, is_open: bool) -> None:
    last = None if is_open else first + more
    at = first + (at if is_open else at % (more + 1))
    left = stopped.narrowed(Wishes(lines=f"{first}-{'' if last is None else last}"), f"--lines {at}-")
    assert left is not None and left.lines is not None
    assert parse_lines(left.lines) == [(at, last)]


def test_what_is_left_of_several_ranges_is_what_is_left_and_labels_are_not_guessed_at() -> None:
    for at, left in ((3, "3-5,9-20,30-"), (9, "9-20,30-"), (10, "10-20,30-"), (99, "99-")):
        assert stopped.narrowed(Wishes(lines="9-20,1-5,30-"), f"--lines {at}-") == Wishes(lines=left)
    assert stopped.narrowed(Wishes(lines="1-5,9-20"), "--lines 21-") == Wishes(lines="20-20"), "its last line once more"
    assert stopped.narrowed(Wishes(pages="xii-xv"), "--pages 13-") is None
    assert stopped.narrowed(Wishes(pages="3-"), "--pages 13-") == Wishes(pages="13-")
    assert stopped.narrowed(Wishes(), "") == Wishes()
