"""`--set ahead`: the questions stand in front of the document too, in the same words, and stay there."""

from pathlib import Path

import pytest

from infinipot_cli.choice import Choice
from infinipot_cli.plan import Task
from infinipot_cli.policies import POLICY_NAMES, parse_settings
from infinipot_cli.resume import resume, save
from infinipot_cli.session import Session, ask, ask_all
from infinipot_cli.settings import PotRequest
from infinipot_cli.stopped import _task

FIRST, SECOND = "Who held Skerry?", "When was it built?"
TEXT = "The night was dark. " * 60


def session(tiny_model: Path, *, ahead: bool = True) -> Session:
    return Session(str(tiny_model), PotRequest(capacity=500, budget=250, max_tokens=8, choice=Choice(ahead=ahead)))


def front(made: Session, task: Task) -> str:
    return "".join(made.tokenizer.decode([token]) for token in made.plan(made.settle(task)).prompt.prefix_ids)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(TEXT)
    return path


def test_questions_stand_in_front_in_the_words_that_ask_them_behind(tiny_model: Path) -> None:
    made, paper = session(tiny_model), session(tiny_model, ahead=False)
    without = front(paper, ask(FIRST))
    assert front(made, ask(FIRST)) == f"{without}Question: {FIRST}\n\n"
    assert front(made, ask_all([FIRST, SECOND])) == f"{without}Question: {FIRST}\n\nQuestion: {SECOND}\n\n"
    plans = [here.plan(here.settle(ask(FIRST))).prompt for here in (made, paper)]
    assert plans[0].suffix_ids == plans[1].suffix_ids and plans[0].catalyst_ids == plans[1].catalyst_ids


def test_a_template_of_the_users_own_asks_ahead_in_its_own_words(tiny_model: Path, tmp_path: Path) -> None:
    made = session(tiny_model)
    for text, question, words in (
        ("Read.\n{document}\nSo: {question} Be brief.", FIRST, f"So: {FIRST} Be brief.\n\nRead.\n"),
        ("{document}\n\nName the {thing}.", "", "Name the boats.\n\n"),
    ):
        own = tmp_path / "own.md"
        own.write_text(text)
        values = (("thing", "boats"),) if "thing" in text else ()
        task = Task(str(own), str(own), question=question, max_tokens=8, parameters=values)
        assert front(made, task).endswith(words)


def test_what_takes_too_much_room_stands_behind_only(tiny_model: Path) -> None:
    made, paper = session(tiny_model), session(tiny_model, ahead=False)
    long = "Why " + "so " * 20 + "dark?"  # a token of the tiny model is a character
    assert front(made, ask(long)) == front(paper, ask(long))


def test_the_front_is_never_distilled_away(tiny_model: Path, book: Path) -> None:
    with session(tiny_model).prepare([str(book)], ask(FIRST)) as reading:
        for _ in reading.read():
            pass
        n_prefix = len(reading.plan.prompt.prefix_ids)
        assert reading.pot.n_cycles > 2
        assert (
            reading.pot.origins[:, :, :n_prefix].sort().values == reading.pot.origins.new_tensor(range(n_prefix))
        ).all()
        assert reading.n_tokens == len(TEXT)


def test_a_stored_pot_that_was_read_behind_a_question_is_asked_another(
    tiny_model: Path, book: Path, tmp_path: Path
) -> None:
    name = str(tmp_path / "night.pot")
    made = session(tiny_model)
    with made.prepare([str(book)], ask_all([FIRST, SECOND])) as reading:
        for _ in reading.read():
            pass
        save(made, reading, name)
        prefix, kept = reading.plan.prompt.prefix_ids, "".join(reading.answer(1))
    for choice in (Choice(ahead=True), Choice()):
        again = Session(str(tiny_model), PotRequest(max_tokens=8, choice=choice))
        with resume(again, name, ask(SECOND)) as reading:
            list(reading.read())
            assert reading.plan.prompt.prefix_ids == prefix
            assert reading.task.ahead == f"Question: {FIRST}\n\nQuestion: {SECOND}\n\n"
            assert "".join(reading.answer()) == kept


def test_what_was_stopped_goes_on_behind_the_same_words() -> None:
    held = {**vars(ask(FIRST)), "further": [], "parameters": []}
    assert _task(held | {"ahead": "So?"}).ahead == "So?"
    del held["ahead"]
    assert _task(held).ahead is None


@pytest.mark.parametrize("policy", POLICY_NAMES)
def test_it_is_a_matter_of_the_prompt_so_every_policy_takes_it(policy: str) -> None:
    assert parse_settings(policy, ["ahead"])[0].ahead
