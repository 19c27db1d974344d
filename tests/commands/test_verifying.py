"""`--verify`: the sources are read again, and a different answer is said."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.commands.runs.verifying import _words, reading_again
from infinipot_cli.documents import Wishes, open_document
from infinipot_cli.errors import DocumentError
from infinipot_cli.explain.citations import Passage
from infinipot_cli.plan import Task
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import Loading, Quantization
from infinipot_cli.sources import Input

SMALL = ["-s", "400", "-n", "8"]

# To be read once more in front of the question, in a pot of 400 bytes.
TOO_LONG = ", after the sea had taken her father from the rocks below"


def again(session: Session, task: Task, name: str, *, names_model: bool = False) -> list[str]:
    """The command that reads the first line of a file again."""
    passage = Passage(0, name, "text", None, None, 1, (0, 9), "Something.", 0.0, last_line=1)
    with open_document(name) as document:
        inputs = [Input(document, iter(()), n_tokens=1)]
        return reading_again(session, inputs, task, passage, names_model=names_model)


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model)]


def test_a_document_that_fits_is_read_the_same_twice(tmp_path: Path, model: list[str]) -> None:
    path = tmp_path / "short.txt"
    path.write_text("The pass key is 71432.")
    words = ["ask", str(path), "Which?", *SMALL, *model, "--verify"]
    record = json.loads(run(*words, "--json").stdout)["verified"]
    first = json.loads(run(*words, "--json").stdout)["answer"]
    read = {"path": str(path), "option": "--lines 1-4"}
    assert record == {**read, "answer": first, "is_whole": True, "agrees": True, "reason": ""}
    shown = run(*words)
    assert "verified: reading --lines 1-4 again gives the same answer" in shown.stderr
    assert shown.stdout == first + "\n"


def test_the_second_answer_is_that_of_the_cited_lines_alone(story: Path, model: list[str]) -> None:
    words = ["ask", str(story), "Which?", *SMALL, *model]
    told = json.loads(run(*words, "--verify", "--json").stdout)
    option, lines = told["verified"]["option"].split()
    alone = json.loads(run(*words, option, lines, "--json").stdout)
    assert told["verified"]["answer"] == alone["answer"]
    assert told["verified"]["is_whole"] == (alone["pot"]["distillations"] == 0)
    shown = " ".join(run(*words, "--verify").stderr.split())
    assert ("the answers differ" in shown) != told["verified"]["agrees"]


def test_a_passage_of_several_lines_is_read_to_its_end(tmp_path: Path, model: list[str]) -> None:
    wrapped = "\n".join(f"and line {number} of one sentence goes on" for number in range(4, 10))
    path = tmp_path / "text.txt"
    path.write_text(f"Before.\nMore before.\nThe sentence begins here\n{wrapped}\nand ends. Behind.")
    told = json.loads(run("ask", str(path), "Which?", "-s", "480", "-n", "8", *model, "--verify", "--json").stdout)
    (source, *_) = told["sources"]
    text = path.read_text()
    first, last = (text.count("\n", 0, place) + 1 for place in source["char"])
    low, high = map(int, told["verified"]["option"].split()[1].split(",")[0].split("-"))
    assert low <= first and high >= last


def test_a_stored_pot_is_verified_where_its_document_was(
    tmp_path: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, text in ((here, "The pass key is 71432."), (there, "Another text of the same name.")):
        folder.mkdir()
        (folder / "short.txt").write_text(text)
    monkeypatch.chdir(here)
    assert run("read", "short.txt", "--save-pot", "one", *SMALL[:2], *model).exit_code == 0
    words = ["ask", "@one", "Which?", "-n", "8", "--verify", "--json"]
    at_home = json.loads(run(*words).stdout)["verified"]
    assert at_home["answer"] and not at_home["reason"] and at_home["path"] == "short.txt"
    monkeypatch.chdir(there)
    assert json.loads(run(*words).stdout)["verified"] == {**at_home, "path": str(here / "short.txt")}
    (here / "short.txt").write_text("Now it says something else, and more of it.")
    is_gone = f"there is no file {here / 'short.txt'} any more"
    for wanted, change in (("was changed after it was read", None), (is_gone, "gone")):
        if change:
            (here / "short.txt").unlink()
            (there / "short.txt").unlink()
        done = run(*words)
        assert done.exit_code == 0
        told = json.loads(done.stdout)
        assert told["answer"] and wanted in told["verified"]["reason"]


def test_a_pot_of_standard_input_is_not_verified_and_no_file_is_missed(
    tmp_path: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    read = run("read", "-", "--save-pot", "one", *SMALL[:2], *model, stdin=b"The pass key is 71432.")
    assert read.exit_code == 0, read.output
    told = json.loads(run("ask", "@one", "Which?", "-n", "8", "--verify", "--json").stdout)
    assert told["verified"]["reason"].endswith("cannot be read a second time; save it to a file")


def test_a_second_look_that_fails_leaves_the_answer(
    tmp_path: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "short.txt"
    path.write_text("The pass key is 71432.")

    def reading_of(*_: object, **__: object) -> None:
        path.unlink(missing_ok=True)
        raise DocumentError("it cannot be opened now")

    first = run("ask", str(path), "Which?", *SMALL, *model, "--json")
    monkeypatch.setattr(Session, "reading_of", reading_of)
    done = run("ask", str(path), "Which?", *SMALL, *model, "--verify", "--json", "--no-cache")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["answer"]) == (0, json.loads(first.stdout)["answer"])
    assert told["verified"]["reason"] == "it cannot be opened now"


@pytest.mark.parametrize(
    ("name", "question", "command"),
    [
        ("text.txt", "Who?", "infinipot ask text.txt Who? --lines 1-4 --encoding cp1252"),
        ("-text.txt", "Who?", "infinipot ask --lines 1-4 --encoding cp1252 -- -text.txt Who?"),
        ("text.txt", "-Who?", "infinipot ask --lines 1-4 --encoding cp1252 -- text.txt -Who?"),
    ],
)
def test_the_command_that_reads_again_says_how_it_was_read(
    name: str, question: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("Something.")
    session = Session("pocket", wishes=Wishes(encoding="cp1252"))
    assert " ".join(again(session, ask(question), name)) == command
    with_model = " ".join(again(session, ask(question), name, names_model=True))
    assert with_model == command.replace("cp1252", "cp1252 -m pocket")


@pytest.mark.parametrize(
    ("loading", "more"),
    [
        (Loading(), ""),
        (Loading("cpu", quantize=Quantization.INT8, allow_pickle=True), " --device cpu --quantize int8 --allow-pickle"),
        (Loading(trust_remote_code=True, think=True), " --trust-remote-code --think"),
        (Loading(text_only=True), ""),  # this model has no other part
    ],
)
def test_the_command_that_reads_again_loads_the_same_model(
    loading: Loading, more: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("Something.")
    session = Session(str(tiny_model), loading=loading)
    command = " ".join(again(session, ask("Who?"), "text.txt"))
    assert command == f"infinipot ask text.txt Who? --lines 1-4 -m {tiny_model}{more}"


def test_the_command_that_reads_again_names_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("Something.")
    task = replace(ask("?"), question="", template="own.md", parameters=(("name", "Maren Holt"),))
    command = again(Session("pocket"), task, "text.txt")
    assert shlex.join(command) == "infinipot ask text.txt --lines 1-4 -t own.md -p 'name=Maren Holt'"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("71432.", "71432", True), ("The Key", "the key", True), ("\u22125", "-5", True), ("3 - 5", "3-5", True),
        ("-5", "5", False), ("C++", "C#", False), ("C", "C++", False),
    ],
)  # fmt: skip
def test_signs_make_another_answer(one: str, other: str, is_same: bool) -> None:
    assert (_words(one) == _words(other)) == is_same


def lost_among(*others: str) -> list[str]:
    """Documents of which the first holds a passage that a small pot loses, and the question on it."""
    lines = ["The night was dark."] * 120
    lines.insert(3, f"Maren Holt was appointed lighthouse keeper of Skerry in 1873{TOO_LONG}.")
    Path("story.txt").write_text("\n".join(lines))
    for name in others:
        Path(name).write_text("The day was bright.\n" * 9)
    return ["story.txt", *others, "When was Maren Holt made lighthouse keeper of Skerry?"]


def test_what_is_cited_is_read_beside_what_was_overlooked(
    home: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cited = Passage(1, "other.txt", "text", None, None, 1, (0, 19), "The day was bright.", 1.0, last_line=1)
    monkeypatch.setattr("infinipot_cli.answers.Answers.cited", lambda _: [cited])
    words = ["ask", *lost_among("other.txt"), *SMALL, *model, "--verify"]
    look = json.loads(run(*words, "--json").stdout)["verified"]
    assert (look["path"], look["option"]) == ("story.txt", "--lines 1-7")
    assert look["others"] == [{"path": "other.txt", "option": "--lines 1-4"}]
    said = " ".join(run(*words).stderr.split())
    assert "reading story.txt --lines 1-7 and other.txt --lines 1-4" in said


def test_a_second_look_says_which_question_it_was_of(story: Path, model: list[str]) -> None:
    words = ["ask", str(story), "-Q", "Who sang?", "-Q", "Who fell?", *SMALL, *model, "--verify", "--no-cite"]
    for more in ([], ["--jsonl"], ["--json"]):
        lines = run(*words, *more).stderr.splitlines()
        for question in ("Who sang?", "Who fell?"):
            assert "reading --lines" in " ".join(lines[lines.index(question) + 1 :][:4]), more


def test_documents_of_one_name_are_told_apart(
    home: Path, model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infinipot_cli.answers.Answers.cited", lambda _: [])  # a model of random numbers cites anything
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    monkeypatch.chdir(first)
    Path("story.txt").write_text("The day was bright.\n" * 9)
    assert run("read", "story.txt", "--save-pot", "one", *SMALL[:2], *model).exit_code == 0
    monkeypatch.chdir(second)
    *_, question = lost_among()
    assert run("read", "story.txt", "--pot", "one", "--save-pot", "one", *model).exit_code == 0
    for folder, path in ((first, second / "story.txt"), (second, Path("story.txt"))):
        monkeypatch.chdir(folder)
        done = run("ask", "@one", question, "-n", "8", "--verify", "--json")
        assert json.loads(done.stdout)["verified"]["path"] == str(path)
        said = " ".join(run("ask", "@one", question, "-n", "8").stderr.split())
        assert shlex.split(said.split("to read it in full: ")[1])[:4] == ["infinipot", "ask", str(path), question]
        said = " ".join(run("chat", "@one", "-n", "5", stdin=f"{question}\n".encode()).stderr.split())
        line = f"/pages 1-7 {path}"
        assert said.split("to read it in full: ")[1].startswith(f"{line} ")
        said = " ".join(run("chat", "@one", "-n", "5", stdin=f"{line}\n".encode()).stderr.split())
        assert "read again: story.txt, lines 1-7: " in said


def test_explain_warns_as_ask_does(home: Path, model: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infinipot_cli.answers.Answers.cited", lambda _: [])  # a model of random numbers cites anything
    words = [*lost_among(), *SMALL, *model]
    asked, told = (json.loads(run(command, *words, "--json", "--verify").stdout) for command in ("ask", "explain"))
    assert told["overlooked"] == asked["overlooked"] and told["verified"] == asked["verified"]
    said = " ".join(run("explain", *words).stderr.split())
    assert "l. 4 matches the question best" in said and "to read it in full: infinipot ask story.txt" in said
    words = ["story.txt", "Where does Zanzibar's parliament convene?", *SMALL, *model]
    asked, told = (json.loads(run(command, *words, "--json").stdout) for command in ("ask", "explain"))
    assert told["unheard"] == asked["unheard"] != []


def test_a_pipe_cannot_be_read_twice_and_that_is_said(story: Path, model: list[str]) -> None:
    done = run("ask", "-", "Which?", *SMALL, *model, "--verify", stdin=story.read_bytes())
    assert done.exit_code == 0
    assert "not verified: standard input cannot be read a second time" in " ".join(done.stderr.split())


def test_a_lost_passage_is_named_with_the_command_that_reads_it(tmp_path: Path, model: list[str]) -> None:
    lines = ["The night was dark."] * 120
    lines.insert(3, f"Maren Holt was appointed lighthouse keeper of Skerry in 1873{TOO_LONG}.")
    path = tmp_path / "a story.txt"
    path.write_text("\n".join(lines))
    words = ["ask", str(path), "When was Maren Holt made lighthouse keeper of Skerry?", *SMALL, *model, "--no-cite"]
    told = json.loads(run(*words, "--json").stdout)["overlooked"]
    assert told["line"] == 4
    assert told["kept"] < 0.2
    assert "Maren Holt was appointed" in told["quote"]
    shown = run(*words)
    assert "l. 4 matches the question best" in " ".join(shown.stderr.split())
    command = shlex.split(shown.stderr.split("to read it in full: ")[1].replace("\n", " ").split(" warning")[0])
    assert command[:2] == ["infinipot", "ask"]
    assert command[command.index("--lines") + 1] == "1-7"
    assert run(*command[1 : command.index("--lines") + 4], *SMALL).exit_code == 0


def test_a_conversation_names_it_with_the_line_that_reads_it(
    tmp_path: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("infinipot_cli.answers.Answers.cited", lambda _: [])  # a model of random numbers cites anything
    lines = ["The night was dark."] * 120
    lines.insert(3, f"Maren Holt was appointed lighthouse keeper of Skerry in 1873{TOO_LONG}.")
    path, other = tmp_path / "a story.txt", tmp_path / "other.txt"
    path.write_text("\n".join(lines))
    other.write_text("The day was bright.")
    question = "When was Maren Holt made lighthouse keeper of Skerry?"
    assert run("read", str(path), "--save-pot", "one", *SMALL[:2], *model).exit_code == 0
    for words, more in ((["@one"], ""), ([str(path), *SMALL[:2], *model], f" {path}")):
        words = ["chat", *words, *([str(other)] if more else []), "-n", "5"]
        said = " ".join(run(*words, stdin=f"How was the night?\n{question}\n".encode()).stderr.split())
        assert said.count("l. 4 matches the question best") == 1
        assert said.split("to read it in full: ")[1].split(" warning: ")[0] == f"/pages 1-7{more}"
        again = " ".join(run(*words, stdin=f"/pages 1-7{more}\n".encode()).stderr.split())
        assert "lines 1-7: " in again.split("read again: ")[1], "it is a line that can be typed"
