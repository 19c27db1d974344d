"""Several questions, several documents, and where the answers go."""

import json
import stat
import weakref
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.engine import Pot
from infinipot_cli.session import Session, ask, ask_all
from infinipot_cli.settings import PotRequest

SMALL = ["-s", "400", "-n", "20", "-q"]
QUESTIONS = ["What is the pass key?", "How was the night, and how was the sea?", "Who?"]


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model)]


@pytest.fixture
def asked() -> list[str]:
    return [word for question in QUESTIONS for word in ("-Q", question)]


def test_an_answer_over_a_shared_reading_is_that_of_a_reading_of_its_own(story: Path, tiny_model: Path) -> None:
    session = Session(str(tiny_model), PotRequest(capacity=400, budget=200, max_tokens=20))
    answers = []
    for task in (
        *(ask(question, catalyst="general") for question in QUESTIONS),
        ask_all(QUESTIONS, catalyst="general"),
    ):
        with session.prepare([str(story)], task) as reading:
            for _ in reading.read():
                pass
            assert reading.pot.n_cycles > 0
            answers.append([("".join(reading.answer(n)), reading.n_kept) for n in range(len(task.questions))])
    *alone, together = answers
    assert together == [only for (only,) in alone]
    assert len({text for text, _ in together}) > 1


def test_no_answer_depends_on_the_order(story: Path, tiny_model: Path) -> None:
    session = Session(str(tiny_model), PotRequest(capacity=400, max_tokens=20))
    answers = []
    for order in ([0, 1, 2], [2, 1, 0]):
        with session.prepare([str(story)], ask_all(QUESTIONS, catalyst="general")) as reading:
            for _ in reading.read():
                pass
            answers.append({number: "".join(reading.answer(number)) for number in order})
    assert answers[0] == answers[1]


@pytest.mark.parametrize("watch", [False, True])
def test_one_copy_of_the_pot_is_alive_at_a_time(
    watch: bool, story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that ten questions take the memory of two pots; the last is asked of the pot itself."""
    copies: list[weakref.ref[Pot]] = []
    fork = Pot.fork

    def watched(pot: Pot) -> Pot:
        assert not [copy for copy in copies if copy() is not None], "an earlier copy still takes memory"
        made = fork(pot)
        copies.append(weakref.ref(made))
        return made

    monkeypatch.setattr(Pot, "fork", watched)
    session = Session(str(tiny_model), PotRequest(capacity=400, max_tokens=20))
    with session.prepare([str(story)], ask_all(QUESTIONS)) as reading:
        for _ in reading.read():
            pass
        for number in range(len(QUESTIONS)):
            assert "".join(reading.answer(number, watch=watch))
    assert len(copies) == len(QUESTIONS) - 1


def test_all_questions_judge_together_while_they_leave_room(tiny_model: Path) -> None:
    session = Session(str(tiny_model), PotRequest(capacity=400, max_tokens=20))
    assert session.settle(ask_all(["Who?", "When?"])).catalyst == "catalyst-question"
    assert session.settle(ask_all(QUESTIONS)).catalyst == "catalyst-general"
    assert session.settle(ask(QUESTIONS[1] * 2)).catalyst == "catalyst-question", "one question is never replaced"


def test_every_answer_stands_under_its_question(story: Path, model: list[str], asked: list[str]) -> None:
    result = run("ask", str(story), *asked, *SMALL, *model)
    assert result.exit_code == 0, result.stderr
    assert [line for line in result.stdout.splitlines() if line in QUESTIONS] == QUESTIONS
    record = json.loads(run("ask", str(story), *asked, *SMALL, *model, "--json").stdout)
    for answer in record["answers"]:
        assert f"{answer['question']}\n{answer['answer']}\n" in result.stdout
    assert record["retention"]["read"] == story.stat().st_size


def test_counts_of_several_answers_are_of_each_or_of_all(story: Path, model: list[str]) -> None:
    words = ["ask", str(story), *(word for one in QUESTIONS for word in ("-Q", one)), *SMALL, *model, "--no-cache"]
    told = [json.loads(line) for line in run(*words, "--jsonl").stdout.splitlines()]
    record = json.loads(run(*words, "--json").stdout)
    n_tokens = [one["timing"]["answer_tokens"] for one in told]
    assert record["timing"]["answer_tokens"] == sum(n_tokens) > max(n_tokens)
    seconds = [answer["answer_s"] for answer in record["answers"]]
    assert record["timing"]["answer_s"] == pytest.approx(sum(seconds), abs=0.01)
    assert record["retention"]["kept"] == min(answer["kept"] for answer in record["answers"])
    assert told[-1]["timing"]["answer_s"] < sum(one["timing"]["answer_s"] for one in told)


def test_only_the_first_document_waits_for_the_model(story: Path, tmp_path: Path, model: list[str]) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Another story.")
    lines = run("ask", str(story), str(other), "Who?", *SMALL, *model, "--jsonl", "--no-cache").stdout.splitlines()
    first, second = (json.loads(line)["timing"]["load_s"] for line in lines)
    assert first > 0 == second


def test_what_reads_each_alone_and_stores_is_told_how_to_read_all(story: Path, model: list[str]) -> None:
    done = run("ask", str(story), f"{story.parent}/./{story.name}", "Who?", *model, "--jsonl", "--save-pot", "one")
    assert (done.exit_code, "--together" in done.stderr + done.stdout) == (2, True)


def test_questions_come_from_a_file_and_from_standard_input(story: Path, tmp_path: Path, model: list[str]) -> None:
    path = tmp_path / "questions.txt"
    path.write_bytes("\ufeffWho?\r\n\r\n  When?\n".encode())
    flags = run("ask", str(story), "-Q", "Who?", "-Q", "When?", *SMALL, *model)
    assert run("ask", str(story), "--questions", str(path), *SMALL, *model).stdout == flags.stdout
    piped = run("ask", str(story), "--questions", "-", *SMALL, *model, stdin=b"Who?\nWhen?\n")
    assert piped.stdout == flags.stdout
    document = run("ask", "-Q", "Who?", "-Q", "When?", *SMALL, *model, stdin=story.read_bytes())
    assert document.stdout == flags.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-", "--questions", "-"], 2, "cannot be both"),
        (["--questions", "-"], 2, "cannot be both"),
        (["{story}", "--questions", "missing.txt"], 3, "missing.txt cannot be read"),
        (["{story}", "-Q", " "], 2, "the question is empty"),
        (["{story}", "-Q", "Who?", "--json", "--jsonl"], 2, "cannot go together"),
        (["{story}", "-Q", "Who?", "-o", "no/such/folder/x"], 7, "cannot be written"),
        (["{story}", "-Q", "Who?", "-o", "/dev/null"], 7, "no regular file"),
    ],
)
def test_mistakes_with_questions(story: Path, model: list[str], words: list[str], code: int, message: str) -> None:
    result = run("ask", *(word.format(story=story) for word in words), *SMALL, *model)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert result.stdout == "" or json.loads(result.stdout)["error"]["exit_code"] == code


def test_lines_of_json_read_each_document_by_itself(story: Path, tmp_path: Path, model: list[str]) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Another story.")
    missing = str(tmp_path / "missing.txt")
    words = [str(story), missing, str(other), "-Q", "Who?", "-Q", "When?", *SMALL, *model, "--jsonl"]
    result = run("ask", *words)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["input"][0]["path"], line.get("question")) for line in lines] == [
        (str(story), "Who?"),
        (str(story), "When?"),
        (missing, None),
        (str(other), "Who?"),
        (str(other), "When?"),
    ]
    assert lines[2]["error"]["code"] == "not_found" or "does not exist" in lines[2]["error"]["message"]
    assert result.exit_code == 3, "the first failing class"
    together = run("ask", *(word for word in words if word != missing), "--together")
    assert [len(json.loads(line)["input"]) for line in together.stdout.splitlines()] == [2, 2]


def test_each_document_gets_a_summary_of_its_own(story: Path, tmp_path: Path, model: list[str]) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Another story.")
    alone = [run("summarize", str(path), *SMALL, *model).stdout for path in (story, other)]
    result = run("summarize", str(story), str(other), *SMALL, *model)
    assert result.stdout == f"==> {story} <==\n{alone[0]}\n==> {other} <==\n{alone[1]}"
    record = json.loads(run("summarize", str(story), str(other), *SMALL, *model, "--json").stdout)
    assert [len(entry["input"]) for entry in record["results"]] == [1, 1]
    over_all = json.loads(run("summarize", str(story), str(other), *SMALL, *model, "--json", "--together").stdout)
    assert len(over_all["input"]) == 2


def test_a_file_takes_what_standard_output_would(story: Path, tmp_path: Path, model: list[str]) -> None:
    target = tmp_path / "out.txt"
    plain = run("ask", str(story), "Who?", *SMALL, *model)
    result = run("ask", str(story), "Who?", *SMALL, *model, "-o", str(target))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert target.read_text() == plain.stdout
    assert stat.S_IMODE(target.stat().st_mode) & 0o600 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []
    run("ask", str(tmp_path / "missing.txt"), "Who?", *SMALL, *model, "-o", str(target))
    assert target.read_text() == plain.stdout, "a failed run leaves the old file"


def test_a_draw_can_be_repeated_from_its_json(story: Path, model: list[str]) -> None:
    words = ["ask", str(story), "Who?", *SMALL, *model, "--json", "--temperature", "1.5"]
    record = json.loads(run(*words).stdout)
    again = json.loads(run(*words, "--seed", str(record["sampling"]["seed"])).stdout)
    assert again["answer"] == record["answer"]
    assert "sampling" not in json.loads(run("ask", str(story), "Who?", *SMALL, *model, "--json", "--seed", "3").stdout)


def test_a_template_says_what_is_asked(
    story: Path, tmp_path: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.md").write_text("{document}\n\nQuestion: {question}\n")
    (tmp_path / "minutes.md").write_text("{document}\n\nQuestion: What is the {thing}?\n")
    (tmp_path / "infinipot.toml").write_text('[templates.key]\nquestion = "What is the pass key?"\nmax_tokens = 20\n')
    monkeypatch.chdir(tmp_path)
    plain = run("ask", str(story), "What is the pass key?", *SMALL, *model)
    for words in (
        ["-t", "own.md", str(story), "What is the pass key?"],
        ["-t", "minutes.md", "-p", "thing=pass key", str(story)],
        ["-t", "key", str(story)],
    ):
        result = run("ask", *words, *SMALL, *model)
        assert (result.exit_code, result.stdout) == (0, plain.stdout), (words, result.stderr)
    other = run("ask", str(story), "What is the pass key?", *SMALL, *model, "--system", "Answer in one word.")
    assert other.stdout != plain.stdout
    assert run("ask", "-t", "key", str(story), "-Q", "Who?", *model).exit_code == 2
    assert run("summarize", "-t", "ask", str(story), *model).exit_code == 2
    assert run("summarize", "--length", "short", str(story), *SMALL, *model).exit_code == 0
