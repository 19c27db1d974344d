"""`--set words`: passages that hold the question's words stay in every head while nothing matches better."""

from pathlib import Path

import pytest
import torch

from infinipot_cli.choice import Choice
from infinipot_cli.explain.lookout import merged
from infinipot_cli.pins import Pins
from infinipot_cli.reading import Reading
from infinipot_cli.resume import resume, save
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest

FACT = "Maren Holt was made keeper of Skerry in 1873."
BETTER = "Maren Holt was made lighthouse keeper of Skerry."
QUESTION = "Who was lighthouse keeper of Skerry, Maren Holt?"
DULL = "The night was dark. " * 40


def session(tiny_model: Path, words: float) -> Session:
    return Session(str(tiny_model), PotRequest(capacity=500, budget=250, max_tokens=8, choice=Choice(words=words)))


def held_everywhere(reading: Reading, text: str, whole: str) -> bool:
    """Whether every layer and head holds every character of a text; the tiny tokenizer's tokens are characters."""
    at = whole.index(text) + len(reading.plan.prompt.prefix_ids)
    wanted = torch.arange(at, at + len(text))
    return all(bool(torch.isin(wanted, head).all()) for layer in reading.pot.origins for head in layer)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(DULL + FACT + " " + DULL)
    return path


@pytest.mark.parametrize("words", [0.0, 0.5])
def test_a_matching_passage_stays_in_every_head(words: float, book: Path, tiny_model: Path) -> None:
    with session(tiny_model, words).prepare([str(book)], ask(QUESTION)) as reading:
        for _ in reading.read():
            pass
        assert reading.pot.n_cycles > 3
        assert reading.pot.peak <= 500
        assert held_everywhere(reading, FACT, book.read_text()) is (words > 0)


def test_a_better_passage_takes_the_places(book: Path, tiny_model: Path) -> None:
    text = book.read_text() + BETTER + " " + DULL
    book.write_text(text)
    with session(tiny_model, 0.25).prepare([str(book)], ask(QUESTION)) as reading:
        for _ in reading.read():
            pass
        assert held_everywhere(reading, BETTER, text)
        assert not held_everywhere(reading, FACT, text), "62 places are too few for both"


def test_a_stored_pot_goes_on_as_one_never_stored_and_pins_come_first(
    book: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    book.write_text("The pass key is 71432. " + book.read_text())
    made = session(tiny_model, 0.5)
    with made.prepare([str(book)], ask(QUESTION)) as reading:
        reading.pins = Pins(["The pass key is 71432."])
        for _ in reading.read():
            pass
        assert reading.pot.pinned
        assert held_everywhere(reading, "The pass key is 71432.", book.read_text())
        assert held_everywhere(reading, FACT, book.read_text())
        save(made, reading, "book")
        origins, favoured = reading.pot.origins, reading.pot.favoured
        answer = "".join(reading.answer())
    with resume(session(tiny_model, 0.5), "@book", ask(QUESTION), []) as again:
        for _ in again.read():
            pass
        assert torch.equal(again.pot.origins, origins)
        assert again.pot.favoured == favoured != []
        assert "".join(again.answer()) == answer


def test_ranges_that_touch_become_one() -> None:
    assert merged([(5, 9), (1, 3), (3, 4), (6, 7), (12, 13)]) == [(1, 4), (5, 9), (12, 13)]
    assert merged([]) == []
