"""Pinned parts stay in every head for ever, however the text is cut, and what is not there is said."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.errors import PotSizeError, UsageError
from infinipot_cli.pins import Pins
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest
from tests.documents.small_pdf import pdf

TEXT = "One two three. " * 30 + "The pass\n  key is 71432." + " Four five six." * 30


def cut(text: str, seed: int) -> list[TextPiece]:
    rng, pieces, at = random.Random(seed), [], 0
    while at < len(text):
        n = rng.choice((1, 2, 7, 60, 300))
        pieces.append(TextPiece(text[at : at + n], None, at, None))
        at += n
    return pieces


class Numbered(Document):
    """A document of so many pages, whose pieces are given elsewhere."""

    name, kind, n_bytes = "book.pdf", "pdf", None

    def __init__(self, n_pages: int, labels: list[str] | None = None, wanted: list[int] | None = None) -> None:
        self.n_pages, self.labels, self.wanted = n_pages, labels, wanted
        self.warnings = []

    def pieces(self) -> Iterator[TextPiece]:
        return iter(())

    def close(self) -> None:
        pass


@pytest.mark.parametrize("seed", range(5))
def test_a_text_is_found_however_it_is_cut_and_before_it_is_passed_on(seed: int) -> None:
    pins = Pins(["The pass key is 71432"])
    at, passed = TEXT.index("The pass"), ""
    for piece in pins.watch(cut(TEXT, seed)):
        assert piece.char_start == len(passed)
        passed += piece.text
        if len(passed) > at:
            assert pins.covers(at, at + 1)
    assert passed == TEXT
    end = TEXT.index("71432") + 5
    covered = [place for place in range(len(TEXT)) if pins.covers(place, place + 1)]
    assert covered == list(range(at, end))
    assert pins.missing == []


def test_pages_are_found_by_number_and_by_label() -> None:
    pieces = [
        TextPiece("a" * 10, page, 10 * (page - 1), None, label) for page, label in ((1, "ii"), (2, "xii"), (3, "1"))
    ]
    for pages, wanted in (("1", {0}), ("2-3", {10, 20}), ("XII", {10}), ("1,3", {0, 20})):
        pins = Pins(pages=pages)
        assert [piece.text for piece in pins.watch(pieces)] == ["a" * 10] * 3
        assert {start for start in (0, 10, 20) if pins.covers(start, start + 10)} == wanted
        assert pins.missing == []
    for pages, labels, wanted in (
        ("ii-xii", ["ii", "xii", "101"], {0, 10}),
        ("II-101", ["ii", "xii", "101"], {0, 10, 20}),
        ("101", ["ii", "xii", "101"], {20}),
        ("ii-9x", ["ii", "xii", "101"], set()),
        ("xii-ii", ["ii", "xii", "101"], set()),
        ("A-1", ["A", "A-1", "B"], {10}),
    ):
        pins = Pins(pages=pages)
        assert len(list(pins.watch([replace(piece, label=None) for piece in pieces], Numbered(3, labels)))) == 3
        assert {start for start in (0, 10, 20) if pins.covers(start, start + 10)} == wanted
        assert (pins.missing == []) == bool(wanted)
    pins = Pins(["never said"], "9")
    assert len(list(pins.watch(pieces))) == 3
    assert len(pins.missing) == 2


@example(["aba", "bab ab"], 77)  # "ababa", cut in the middle and not
@given(
    st.lists(st.sampled_from(["a", "b", "ab", "aba", "bab ab", "a b a b"]), min_size=1, max_size=6), st.integers(0, 99)
)
def test_however_pinned_texts_overlap_all_of_each_stays(texts: list[str], seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choice("ab ") for _ in range(120))
    pins = Pins(texts)
    assert "".join(piece.text for piece in pins.watch(cut(text, seed))) == text
    wanted = {
        place
        for one in texts
        for start in range(len(text))
        if (match := re.compile(r"\s+".join(one.split())).match(text, start))
        for place in range(*match.span())
    }
    assert {place for place in range(len(text)) if pins.covers(place, place + 1)} == wanted


@pytest.mark.parametrize(("texts", "pages"), [([" "], None), ([], ""), ([], "3-1"), ([], "0"), ([], "1,,2")])
def test_what_cannot_be_pinned_is_a_mistake(texts: list[str], pages: str | None) -> None:
    with pytest.raises(UsageError):
        Pins(texts, pages)


def test_pinned_tokens_stay_in_every_head(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT + "More and more. " * 200, "utf-8")
    session = Session(str(tiny_model), PotRequest(capacity=400, budget=200, max_tokens=20))
    with session.prepare([str(path)], ask("Who?")) as reading:
        reading.pins = Pins(["The pass key is 71432"])
        for _ in reading.read():
            pass
        pinned = [place for start, end in reading.pot.pinned for place in range(start, end)]
        assert len(pinned) >= len("The pass key is 71432")
        for place in pinned:
            assert (reading.pot.origins == place).any(-1).all()
    with session.prepare([str(path)], ask("Who?")) as reading:
        reading.pins = Pins([TEXT[:300]])
        with pytest.raises(PotSizeError, match="what is pinned takes"):
            list(reading.read())


def test_what_was_not_found_is_said(story: Path, tiny_model: Path) -> None:
    small = ["-s", "400", "-n", "5", "-m", str(tiny_model)]
    result = CliRunner().invoke(app, ["ask", str(story), "Who?", *small, "--pin", "never said"])
    assert result.exit_code == 0
    assert "nothing was pinned for 'never said'" in " ".join(result.output.split())


def test_pages_are_pinned_from_the_command_line(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "book.pdf"
    path.write_bytes(pdf(*[f"Page {n} holds {n * 7} coins. " + "Words and more words. " * 5 for n in range(1, 13)]))

    def kept(*words: str) -> dict[int, float]:
        base = ["explain", str(path), "Who?", "-s", "400", "--budget", "300", "--json", "-q", "-m", str(tiny_model)]
        done = CliRunner().invoke(app, [*base, *words])
        assert done.exit_code == 0, done.output
        return {part["page"]: part["kept"]["pinned"] for part in json.loads(done.stdout)["parts"]}

    pinned = kept("--pin-pages", "2")
    assert pinned[2] == 1.0 and max(share for page, share in pinned.items() if page != 2) == 0.0
    assert max(kept().values()) < 0.05
    wrong = CliRunner().invoke(app, ["ask", str(path), "Who?", "--pin-pages", "3-1", "-m", str(tiny_model)])
    assert wrong.exit_code == 2


@pytest.mark.parametrize(
    ("pages", "wanted", "reason"),
    [("9", None, "no document has such a page"), ("iv", [2, 3], "not among what was read"), ("2", None, "no text"),
     ("1", None, ""), ("2-3", None, ""), ("3-9", None, ""), ("C", None, ""),
     ("1,9", None, "--pin-pages 9: no document"),
     ("1", [2, 3], "not among what was read"), ("2", [2, 3], "no text")],
)  # fmt: skip
def test_why_a_page_was_not_pinned_is_told_apart(pages: str, wanted: list[int] | None, reason: str) -> None:
    document = Numbered(3, ["iv", "B", "C"], wanted or [1, 2, 3])
    pieces = [TextPiece("a" * 10, page, 10 * page, None) for page in (1, 3) if page in (wanted or (1, 3))]
    pins = Pins(pages=pages)
    assert len(list(pins.watch(pieces, document))) == len(pieces)
    assert [reason in line for line in pins.missing] == ([True] if reason else [])
    assert len(list(pins.watch(pieces, Numbered(0)))) == len(pieces)
    assert len(pins.missing) == bool(reason), "a document without the page takes nothing back"


def test_a_page_that_the_only_document_cannot_give_is_refused_before_it_is_read(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    path, other = tmp_path / "book.pdf", tmp_path / "other.txt"
    path.write_bytes(pdf("The first page.", "", "The third page."))
    other.write_text("No pages at all. " * 5)

    def read(*words: str) -> Result:
        return CliRunner().invoke(app, ["read", *words, "-m", str(tiny_model), "-s", "400", "--json"])

    for pages, more, reason in (
        ("9", [], f"page 9 requested, {path} has 3"),
        ("1", ["--pages", "3"], "--pin-pages 1 keeps what is read, and --pages leaves it out"),
    ):
        refused = read(str(path), "--save-pot", "one", "--pin-pages", pages, *more)
        assert (refused.exit_code, reason in json.loads(refused.stdout)["error"]["message"]) == (2, True), (
            refused.output
        )
        assert not (tmp_path / "home" / "pots" / "one.pot").exists()
    explained = CliRunner().invoke(app, ["explain", str(path), "Who?", "--pin-pages", "9", "-m", str(tiny_model)])
    assert explained.exit_code == 2
    for words, reason in (
        ([str(path), "--pin-pages", "2"], "--pin-pages 2: no text could be read there"),
        ([str(path), str(other), "--pin-pages", "9"], "--pin-pages 9: no document has such a page"),
    ):
        done = read(*words, "--save-pot", "two")
        assert done.exit_code == 0, done.output
        assert [reason in warning["message"] for warning in json.loads(done.stdout)["warnings"]] == [True]
