"""A conversation answers what `ask` would, remembers where it should, and does not end when the pot is full."""

from pathlib import Path

import pytest
from transformers.utils.chat_template_utils import render_jinja_template
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.conversation import Conversation
from infinipot_cli.model.chat import next_turn
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest
from tests.conftest import save_tiny_model

TURNS = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SMALL = ["-s", "400", "--budget", "200", "-n", "20"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


def test_without_history_each_answer_is_that_of_ask(story: Path, tiny_model: Path) -> None:
    model = ["-m", str(tiny_model)]
    assert run("read", str(story), "--save-pot", "one", *SMALL[:4], *model).exit_code == 0
    questions = ["What is the pass key?", "How was the night?", "What is the pass key?"]
    alone = [run("ask", "@one", question, "-n", "20", "-q").stdout for question in questions]
    talked = run("chat", "@one", "-n", "20", "--no-history", stdin="\n".join(questions) + "\n")
    assert talked.exit_code == 0, talked.output
    assert talked.stdout == "".join(alone)


def test_history_survives_a_full_pot(story: Path, tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "talker", context_length=512, chat_template=TURNS)
    session = Session(str(tmp_path / "talker"), PotRequest(capacity=400, budget=200, max_tokens=60))
    with session.prepare([str(story)], ask("What?", catalyst="general")) as reading:
        for _ in reading.read():
            pass
        talk = Conversation(session, reading, keeps_history=True)
        assert talk.keeps_history
        n_seen, n_cycles = reading.pot.n_seen, reading.pot.n_cycles
        for number in range(12):
            assert "".join(talk.ask(f"What is number {number}?")) is not None
            assert reading.pot.peak <= 400
        assert reading.pot.n_seen > n_seen + 12 * 20
        assert reading.pot.n_cycles > n_cycles + 1
        held = reading.pot.origins
        assert (held >= n_seen).any(), "what was said is remembered"
        assert (held < n_seen).any(), "and so is the document"


def test_lines_with_a_slash_are_obeyed(story: Path, tiny_model: Path, home: Path) -> None:
    lines = [
        "/why",
        "What is the pass key?",
        "/why",
        "/pages",
        "/save two",
        "/save",
        "/nothing",
        "/help",
        "/exit",
        "Never?",
    ]
    result = run("chat", str(story), *SMALL, "-m", str(tiny_model), stdin="\n".join(lines) + "\n")
    assert result.exit_code == 0, result.output
    for shown in ("nothing was answered yet", "% held", "saved @two", "wants a name", "there is no /nothing", "/exit"):
        assert shown in result.output
    assert (home / "pots" / "two.pot").exists()


def test_ask_goes_on_asking_over_the_same_reading(story: Path, tiny_model: Path) -> None:
    words = ["ask", str(story), *SMALL, "-m", str(tiny_model), "--no-cache"]
    question = "What is the pass key?"
    alone = run(*words, question, "-q").stdout
    for more in ([question], ["-Q", question]):
        went_on = run(*words, *more, "-i", "--no-cite", stdin=f"\n/pages\n{question}\n/exit\nNever?\n")
        assert went_on.exit_code == 0, went_on.output
        assert went_on.stderr.count("distillations") == 0
        assert "% held" in went_on.stderr
        if "earlier questions are remembered" not in went_on.stderr:
            assert went_on.stdout == alone * 2
        assert went_on.stdout.startswith(alone)
    talked = run(*words[:2], *SMALL, "-m", str(tiny_model), "-i", "--no-cite", stdin=question + "\n")
    assert talked.stdout == run("chat", *words[1:-1], stdin=question + "\n").stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-", "Who?", "-i"], "name a document"),
        (["Who?", "-i"], "name a document"),
        (["{story}", "Who?", "-i", "--json"], "one question after the other"),
        (["{story}", "Who?", "-i", "-o", "x"], "one question after the other"),
        (["{story}", "--questions", "-", "-i"], "one question after the other"),
    ],
)
def test_nobody_could_hold_such_a_conversation(story: Path, words: list[str], reason: str) -> None:
    result = run("ask", *(word.format(story=story) for word in words), stdin="Who?")
    assert (result.exit_code, reason in " ".join(result.output.split())) == (2, True), result.output


def test_a_conversation_needs_documents_and_standard_input() -> None:
    for words in ([], ["-"]):
        result = run("chat", *words)
        assert (result.exit_code, "standard input is for the questions" in result.output) == (2, True)


def test_the_words_between_two_turns_are_those_of_the_template() -> None:
    frame = next_turn(TURNS, {})
    assert frame is not None
    messages = [
        {"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}, {"role": "user", "content": "C"},
    ]  # fmt: skip
    (whole,), _ = render_jinja_template([messages], chat_template=TURNS, add_generation_prompt=True)
    assert whole == f"<|user|>A<|end|>\n<|assistant|>B{frame.prefix}C{frame.suffix}"
    assert next_turn("{{ messages[0].content }}", {}) is None
    assert next_turn("{{ raise_exception('one turn') }}", {}) is None
