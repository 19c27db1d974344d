"""A conversation answers what `ask` would, remembers where it should, and does not end when the pot is full."""

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.choice import Choice
from infinipot_cli.commands.runs import talk
from infinipot_cli.commands.runs.explaining import report_on
from infinipot_cli.commands.runs.talk import typed
from infinipot_cli.conversation import Conversation
from infinipot_cli.errors import StandardOutputError
from infinipot_cli.model.chat import next_turn
from infinipot_cli.pots import file, shelf
from infinipot_cli.reading import Reading
from infinipot_cli.resume import resume, save
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest
from tests.commands.talks import SMALL, run, talked
from tests.conftest import save_tiny_model

TURNS = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_without_history_each_answer_is_that_of_ask(story: Path, tiny_model: Path) -> None:
    model = ["-m", str(tiny_model)]
    assert run("read", str(story), "--save-pot", "one", *SMALL[:4], *model).exit_code == 0
    questions = ["What is the pass key?", "How was the night?", "What is the pass key?"]
    alone = [run("ask", "@one", question, "-n", "20", "-q").stdout for question in questions]
    talked = run("chat", "@one", "-n", "20", "--no-history", stdin="\n".join(questions) + "\n")
    assert talked.exit_code == 0, talked.output
    assert talked.stdout == "".join(alone)


@contextmanager
def talking(story: Path, folder: Path, *, max_tokens: int) -> Iterator[tuple[Session, Reading, Conversation]]:
    """A conversation that remembers, over a story that was read into a small pot."""
    save_tiny_model(folder / "talker", context_length=512, chat_template=TURNS)
    session = Session(str(folder / "talker"), PotRequest(capacity=400, budget=200, max_tokens=max_tokens))
    with session.prepare([str(story)], ask("What?", catalyst="general")) as reading:
        for _ in reading.read():
            pass
        yield session, reading, Conversation(session, reading, keeps_history=True)


def test_history_survives_a_full_pot(story: Path, tmp_path: Path) -> None:
    with talking(story, tmp_path, max_tokens=60) as (_, reading, talk):
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


def test_all_of_an_answer_that_uses_up_its_room_is_remembered(story: Path, tmp_path: Path) -> None:
    with talking(story, tmp_path, max_tokens=3) as (session, reading, talk):
        question = "What is said?"
        n_seen, suffix = reading.pot.n_seen, session.plan(ask(question)).prompt.suffix_ids
        assert list(talk.ask(question)) and reading.is_cut
        assert reading.pot.n_seen == n_seen + len(suffix) + 3


def test_a_question_that_is_remembered_does_not_throw_the_document_out(story: Path, tmp_path: Path) -> None:
    """Pocket reads a few sentences alone and nothing else (`rest=0`): of a copy, unless the pot goes on."""
    save_tiny_model(tmp_path / "talker", context_length=512, chat_template=TURNS)
    choice = Choice(reread=0.3, rest=0.0, close=0.8)
    session = Session(str(tmp_path / "talker"), PotRequest(capacity=400, budget=200, max_tokens=20, choice=choice))
    with session.prepare([str(story)], ask("What?", catalyst="general")) as reading:
        for _ in reading.read():
            pass
        n_seen = reading.pot.n_seen
        n_held = int((reading.pot.origins < n_seen).sum())
        talk = Conversation(session, reading, keeps_history=True)
        for _ in talk.ask("What is the pass key?"):
            pass
        assert reading.n_reread > 0
        assert int((reading.pot.origins < n_seen).sum()) > n_held // 4


def test_what_is_held_is_that_of_the_pot_whatever_was_asked(story: Path, tiny_model: Path) -> None:
    def counted(*lines: str) -> list[str]:
        words = ["chat", str(story), *SMALL, "-m", str(tiny_model), "--no-history"]
        said = run(*words, stdin="\n".join([*lines, "/pages"]))
        return [line for line in said.stderr.splitlines() if "% held" in line][-1:]

    asked = counted("What is the pass key?", "/pages 2")
    assert counted("/pages 2") == asked
    assert counted() == counted("What is the pass key?")


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


def test_a_conversation_without_a_first_question_reads_for_what_was_asked_for(story: Path, tiny_model: Path) -> None:
    words = ["ask", str(story), "-i", *SMALL, "-m", str(tiny_model), "-v"]
    assert "(catalyst-general)" in run(*words, stdin="").stderr
    assert "(catalyst-p)" in run(*words, "--catalyst", "p", stdin="").stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-", "Who?", "-i"], "name a document"),
        (["Who?", "-i"], "name a document"),
        (["{story}", "Who?", "-i", "--json"], "one question after the other"),
        (["{story}", "Who?", "-i", "-o", "x"], "one question after the other"),
        (["{story}", "--questions", "-", "-i"], "one question after the other"),
        (["{story}", "Who?", "-i", "--dry-run"], "goes with no --dry-run"),
        (["{story}", "Who?", "-i", "--explain"], "goes with no --explain"),
        (["{story}", "Who?", "-i", "--html", "x.html"], "goes with no --html"),
        (["{story}", "Who?", "-i", "--page", "1"], "goes with no --page"),
        (["{story}", "Who?", "-i", "--verify"], "goes with no --verify"),
    ],
)
def test_nobody_could_hold_such_a_conversation(story: Path, words: list[str], reason: str) -> None:
    result = run("ask", *(word.format(story=story) for word in words), stdin="Who?")
    assert (result.exit_code, reason in " ".join(result.output.split())) == (2, True), result.output


def test_a_plain_conversation_is_plain_throughout(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def watch(name: str) -> None:
        made = getattr(talk, name)

        def watched(*words: Any, **named: Any) -> Any:
            seen.append((name, named.get("plain")))
            return made(*words, **named)

        monkeypatch.setattr(talk, name, watched)

    watch("error_console")
    watch("show_sources")
    done = run("ask", str(story), "-i", "--plain", *SMALL, "-m", str(tiny_model), stdin="Who?\n/nothing\n")
    assert done.exit_code == 0, done.output
    assert set(seen) == {("error_console", True), ("show_sources", True)}


def test_a_conversation_offers_no_documents_on_standard_input() -> None:
    shown = run("chat", "--help").stdout
    assert "--null" not in shown and "- for" not in shown


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


def test_a_conversation_that_was_stored_is_read_on(story: Path, tmp_path: Path, tiny_model: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("The wind rose. " * 10, "utf-8")
    assert talked("Who?", "/save two", words=[str(story), *SMALL, "-m", str(tiny_model)]).exit_code == 0
    assert run("read", str(more), "--pot", "two", "-q").exit_code == 0
    session = Session(str(tiny_model))
    with resume(session, "two", ask("Who?", catalyst="general")) as reading:
        for _ in reading.read():
            pass
        assert reading.trail.n_seen == reading.pot.n_seen
        assert "".join(block.text for block in reading.trail.blocks if block.document == 1) == "The wind rose. " * 10


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_whoever_leaves_at_the_prompt_begins_a_new_line(
    end: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def left(prompt: str) -> str:
        raise end

    monkeypatch.setattr("builtins.input", left)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(KeyboardInterrupt) if end is KeyboardInterrupt else nullcontext():
        assert list(typed()) == []
    assert capsys.readouterr().out == "\n"


def test_a_byte_that_is_no_letter_spoils_no_more_than_its_own_line(story: Path, tiny_model: Path) -> None:
    words = ["chat", str(story), "-m", str(tiny_model), *SMALL, "--no-history"]
    clean = CliRunner().invoke(app, words, input=b"Who?\nWhat is it?\n")
    spoiled = CliRunner().invoke(app, words, input=b"Who?\ncaf\xe9 or tea?\nWhat is it?\n")
    assert (clean.exit_code, spoiled.exit_code) == (0, 0)
    first, last = clean.stdout.splitlines()[0], clean.stdout.splitlines()[-1]
    assert spoiled.stdout.startswith(first) and spoiled.stdout.rstrip().endswith(last)


def test_prompts_stay_out_of_what_is_piped_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Who?\nWhen?\n"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert [line.strip() for line in typed()] == ["Who?", "When?"]
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("›")) == ("", 3)


def test_no_byte_that_is_typed_ends_a_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9?\nWhen?\n"), "utf-8", errors="strict"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert [line.strip() for line in typed()] == ["caf\ufffd?", "When?"]


def test_a_mark_at_the_beginning_of_piped_questions_hides_no_command(story: Path, tiny_model: Path) -> None:
    assert "/exit" in talked("\ufeff/help", words=[str(story), *SMALL, "-m", str(tiny_model)]).stderr


def test_a_conversation_whose_answers_cannot_be_written_ends(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, text: str) -> None:
        raise StandardOutputError("the answer cannot be written: no space", code="output_failed")

    monkeypatch.setattr("infinipot_cli.display.answer.AnswerWriter.write", full)
    words = ["chat", str(story), "-m", str(tiny_model), *SMALL]
    result = run(*words, stdin="Who?\nWhat?\n")
    assert result.exit_code == 7 and result.stderr.count("no space") == 1


@pytest.mark.parametrize("command", [["chat"], ["ask", "-i"]])
def test_a_conversation_says_what_was_dropped(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, home: Path, command: list[str]
) -> None:
    monkeypatch.setattr("infinipot_cli.speed.ENOUGH_TOKENS", 1)
    words = [*command, str(story), *SMALL, "-m", str(tiny_model), "--strict"]
    result = run(*words, stdin="Who?\n")
    assert result.exit_code == 0, result.output
    assert re.search(r"^read 2\D?304 tokens into 400 places; [\d.]+ % kept$", result.stderr, re.M)
    assert [*home.rglob("speed*")], "how fast it was read is remembered"
    monkeypatch.setattr("infinipot_cli.commands.runs.reply.LOW_RETENTION", 0.9)
    strict = run(*words, stdin="Who?\n")
    assert (strict.exit_code, strict.stdout) == (3, result.stdout)
    assert re.search(r"^warning: .* % kept \(/pages shows what\)$|^error: .* % kept", strict.stderr, re.M), (
        strict.stderr
    )


def test_what_is_said_is_no_text_of_a_document(story: Path, tmp_path: Path) -> None:
    """Questions and answers that stand in the pot count for no document, and what is read behind them is found."""
    save_tiny_model(tmp_path / "talker", context_length=512, chat_template=TURNS)
    session = Session(str(tmp_path / "talker"), PotRequest(capacity=500, budget=200, max_tokens=20))
    (more := tmp_path / "more.txt").write_text("The wind rose. " * 3, "utf-8")
    n_more = len(f"\n\nDocument: {more}\n\n") + 45
    with session.prepare([str(story)], ask("What?", catalyst="general")) as reading:
        for _ in reading.read():
            pass
        talk = Conversation(session, reading, keeps_history=True)
        for question in ("What is the pass key?", "How was the night?"):
            assert "".join(talk.ask(question)) is not None
        n_seen = reading.pot.n_seen
        for _ in talk.read_more(session.open([str(more)]), n_more):
            pass
        reading.count_kept()
        assert [entry.n_tokens for entry in reading.inputs] == [2304, n_more]
        assert reading.n_tokens == 2304 + n_more
        assert reading.inputs[1].n_kept == n_more, "room was made for it"
        assert reading.ranges[1] == (n_seen, n_seen + n_more)
        save(session, reading, "talked")
        kept = [entry.n_kept for entry in reading.inputs]
    with resume(session, "talked", ask("What?", catalyst="general"), [str(more)]) as again:
        for _ in again.read():
            pass
        assert [entry.n_tokens for entry in again.inputs] == [2304, n_more, n_more]
        assert again.ranges[1:] == [(n_seen, n_seen + n_more), (n_seen + n_more, n_seen + 2 * n_more)]
    with resume(session, "talked", ask("What?", catalyst="general")) as stored:
        for _ in stored.read():
            pass
        report = report_on(stored, "", "")
        assert report.n_tokens == 2304 + n_more
        stored.count_kept()
        assert [entry.n_kept for entry in stored.inputs] == kept
        assert report.kept_share == pytest.approx(stored.kept_share, abs=1e-3)
        assert "".join(span.text for span in report.parts[-1].spans) == "The wind rose. " * 3


def test_a_pot_that_an_answer_has_filled_can_be_asked_and_read_on(story: Path, tmp_path: Path) -> None:
    """The end of the answer has taken places that the next distillation needs."""
    save_tiny_model(tmp_path / "talker", context_length=512, chat_template=TURNS)
    sizes, model = ["-s", "400", "--budget", "200"], ["-m", str(tmp_path / "talker")]
    talked("Who?", "/save full", words=[str(story), *sizes, "-n", "180", "--history", *model])
    assert file.read_header(shelf.path_of("full"), "full").numbers["peak"] > 380
    assert run("ask", "@full", "Who?", "-n", "20").exit_code == 0
    assert run("read", str(story), "--pot", "full").exit_code == 0


def test_an_answer_that_is_stopped_repeats_no_warning_and_is_not_recorded(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infinipot_cli import engine

    generate, recorded, n_asked = engine.generate, list[Any](), [0]

    def pressed(*words: Any, **named: Any) -> Any:
        n_asked[0] += 1
        if n_asked[0] == 2:
            raise KeyboardInterrupt
        steps = generate(*words, **named)
        yield next(steps)
        if n_asked[0] == 3:
            raise KeyboardInterrupt
        yield from steps

    def at_a_terminal() -> list[str]:
        sys.stdin = SimpleNamespace(isatty=lambda: True)  # type: ignore[assignment]  # the runner takes it back
        return ["Zebra giraffe?", "Zebra giraffe?", "Zebra giraffe?", "Who?"]

    monkeypatch.setattr(engine, "generate", pressed)
    monkeypatch.setattr(talk, "remember", lambda _, __, told, **named: recorded.extend(told))
    monkeypatch.setattr(talk, "typed", at_a_terminal)
    result = run("ask", str(story), "-i", *SMALL, "-m", str(tiny_model))
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines().count("stopped") == 2
    assert result.stderr.count("none of the question's words") == 1
    assert "gave no answer" not in result.stderr
    assert [one.question for one in recorded] == ["Zebra giraffe?", "Who?"]


def test_a_conversation_says_that_an_answer_broke_off(story: Path, tiny_model: Path) -> None:
    words = [str(story), "-s", "400", "--budget", "200", "-m", str(tiny_model)]
    assert "warning: the answer was cut at 3 tokens" in talked("Who?", words=[*words, "-n", "3"]).stderr
