"""Lines with a slash in a conversation: each is obeyed, or is one error; pages are read again in full."""

import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from infinipot_cli.commands.runs import talk
from infinipot_cli.conversation import Conversation
from infinipot_cli.documents.piece import TextPiece
from infinipot_cli.explain.citations import Passage
from infinipot_cli.pots import file, shelf
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest
from infinipot_cli.sources import Input
from tests.commands.talks import SMALL, run, talked
from tests.documents.small_books import epub


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


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


def test_a_passage_that_was_read_twice_is_one_source(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cited = [Passage(0, str(story), "text", None, None, line, (0, 5), "So.", 1.0) for line in (2, 1, 2)]
    monkeypatch.setattr("infinipot_cli.reading.Reading.cited", lambda _: cited)
    shown = talked("Who?", "/why", words=[str(story), *SMALL, "-m", str(tiny_model)]).stderr
    assert [line.split()[-2:] for line in shown.splitlines() if "“So.”" in line] == [["2", "“So.”"], ["1", "“So.”"]]


def test_pages_with_a_range_are_read_again_in_full(story: Path, tiny_model: Path) -> None:
    words = [str(story), "-s", "500", "--budget", "150", "-n", "20", "-m", str(tiny_model)]
    result = talked("/pages 2-2", "/pages", "/pages 2", "Who?", "/why", words=words)
    assert result.exit_code == 0, result.output
    n_tokens = len(f"\n\nDocument: {story}\n\nThe pass key is 71432.\n".encode())
    said = " ".join(result.stderr.split())
    assert f"read again: {story}, lines 2-2: {n_tokens} tokens, 100 % held" in said, said
    assert result.stderr.count("read again") == 2
    assert "error" not in result.stderr


def test_reading_on_needs_no_room_for_a_second_pot(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(str(tiny_model), PotRequest(capacity=400, budget=200, max_tokens=20))
    with session.prepare([str(story)], ask("What?", catalyst="general")) as reading:
        for _ in reading.read():
            pass
        pot, n_seen = reading.pot, reading.pot.n_seen
        monkeypatch.setattr("infinipot_cli.model.load.free_bytes", lambda _: 0)
        for _ in Conversation(session, reading, keeps_history=True).read_more(session.open([str(story)]), 100):
            pass
        assert reading.pot is pot and pot.n_seen > n_seen + story.stat().st_size


def test_what_is_read_again_is_cited_where_it_stands(story: Path, tiny_model: Path) -> None:
    session = Session(str(tiny_model), PotRequest(capacity=400, budget=200, max_tokens=20))
    with session.prepare([str(story)], ask("What?", catalyst="general")) as reading:
        for _ in reading.read():
            pass
        talk = Conversation(session, reading, keeps_history=True)
        assert "".join(talk.ask("Who?")) is not None
        session.wishes = replace(session.wishes, lines="2")
        n_seen = reading.pot.n_seen
        for _ in talk.read_more(session.open([str(story)]), 100):
            pass
        trail = reading.trail
        assert trail.n_seen == reading.pot.n_seen
        blocks = [block for block in trail.blocks if block.document == 1]
        assert "".join(block.text for block in blocks) == "The pass key is 71432.\n"
        assert {block.line for block in blocks} == {2}
        assert blocks[0].origin > n_seen


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("/pages x", "x"),
        ("/pages 9-3", "9-3"),
        ("/pages 0", "0"),
        ("/pages -", "-"),
        ("/pages 99999", "lines"),
        ("/pages 2 other.txt", "no document here is called"),
        ("/why not", "stands alone"),
        ("/help me", "stands alone"),
        ("/save a b", "cannot be the name"),
        ("/save ../x", "it must end in .pot"),
        ("/save ./none/x.pot", "there is no folder"),
        ("/save @", "cannot be the name"),
        ("/", "there is no /"),
        ("/PAGES", "there is no /PAGES"),
        ("/pages\t2\tother.txt", "no document here is called"),
    ],
)
def test_a_line_that_cannot_be_obeyed_is_one_error_and_the_talk_goes_on(
    story: Path, tiny_model: Path, line: str, reason: str
) -> None:
    result = talked(line, "Who?", words=[str(story), *SMALL, "-m", str(tiny_model), "-q"])
    assert result.exit_code == 0, result.output
    assert result.stderr.count("error: ") == 1 and reason in result.stderr, result.stderr
    assert result.stdout == talked("Who?", words=[str(story), *SMALL, "-m", str(tiny_model), "-q"]).stdout


def test_a_path_in_front_of_a_question_is_no_command(story: Path, tiny_model: Path) -> None:
    result = talked("/etc/passwd is what?", words=[str(story), *SMALL, "-m", str(tiny_model), "-q"])
    assert (result.exit_code, "error" in result.stderr) == (0, False)


def test_reading_on_leaves_what_reading_at_once_leaves_if_names_are_announced(
    story: Path, tmp_path: Path, tiny_model: Path
) -> None:
    more = tmp_path / "more.txt"
    more.write_text("The wind rose. " * 40, "utf-8")
    model = ["-m", str(tiny_model), *SMALL[:4], "-q"]
    assert run("read", str(story), str(more), "--save-pot", "whole", *model).exit_code == 0
    assert run("read", str(story), "--announce", "--save-pot", "parts", *model).exit_code == 0
    assert run("read", str(more), "--pot", "parts", "-q").exit_code == 0
    (one, whole), (two, parts) = (file.read(shelf.path_of(name), name) for name in ("whole", "parts"))
    assert one.sources == two.sources
    for name in whole.tensors:
        if name != "asides":
            assert torch.equal(whole.tensors[name], parts.tensors[name]), name


def test_what_was_typed_for_is_shown_to_the_quiet_too(story: Path, tiny_model: Path) -> None:
    quiet = talked("/help", "/pages", "/save two", words=[str(story), *SMALL, "-m", str(tiny_model), "-q"])
    shown = quiet.stderr.splitlines()
    assert quiet.exit_code == 0 and len(shown) == len(talk.COMMANDS) + 2
    assert shown[0].startswith("/why") and shown[-2].endswith("% held") and shown[-1] == "saved @two"


def test_reading_again_can_be_stopped_and_the_talk_goes_on(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pressed(talk.ReadingBar):
        def update(self, reached: Any) -> None:
            is_first = self.reached is None
            super().update(reached)
            if is_first:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(talk, "ReadingBar", Pressed)
    result = talked("/pages 1-3", "Who?", words=[str(story), *SMALL, "--chunk", "64", "-m", str(tiny_model)])
    assert result.exit_code == 0, result.output
    assert "stopped at" in result.stderr and "read again" in result.stderr and result.stdout


def test_chapters_are_listed_by_the_number_that_reads_them_again(tmp_path: Path, tiny_model: Path) -> None:
    pytest.importorskip("defusedxml")
    (book := tmp_path / "book.epub").write_bytes(epub([(name, f"<p>{name} it.</p>") for name in ("One", "Two")]))
    sizes = ["-s", "500", "--budget", "200", "-n", "20", "-m", str(tiny_model)]
    said = talked("/pages", "/pages 2", words=[str(book), "--pages", "2", *sizes]).stderr
    assert "  ch. 2   Two " in said and f"read again: {book}, pages 2:" in said


def test_a_press_while_it_is_counted_what_to_read_again_ends_that_alone(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Session.open

    def pressed() -> Iterator[TextPiece]:
        signal.raise_signal(signal.SIGINT)
        yield from ()

    def of_pages(self: Session, sources: Sequence[str], **found: Any) -> list[Input]:
        inputs = opened(self, sources, **found)
        for entry in inputs if self.wishes.lines else ():
            entry.pieces = pressed()
        return inputs

    monkeypatch.setattr(Session, "open", of_pages)
    result = talked("/pages 1-3", "Who?", words=[str(story), *SMALL, "-m", str(tiny_model)])
    assert result.exit_code == 0, result.output
    assert "stopped before anything was read" in result.stderr and result.stdout
