"""The grammar of `ask SOURCE... QUESTION`, row by row."""

import shlex
from pathlib import Path

import pytest

from infinipot_cli.commands.options.slips import is_source
from infinipot_cli.commands.options.words import sources_and_question, sources_and_questions, sources_only
from infinipot_cli.errors import DocumentError, UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.pdf", "b.md"):
        Path(name).write_text("text")


@pytest.mark.parametrize("piped", [False, True])
def test_the_last_word_is_the_question(piped: bool) -> None:
    assert sources_and_question(["a.pdf", "b.md", "q?"], piped=piped) == (["a.pdf", "b.md"], "q?")
    assert sources_and_question(["missing.pdf", "q?"], piped=piped) == (["missing.pdf"], "q?")
    assert sources_and_question(["-", "q?"], piped=piped) == (["-"], "q?")
    assert sources_and_question(["a.pdf", "-", "q?"], piped=piped) == (["a.pdf", "-"], "q?")


def test_a_pipe_and_one_word_that_is_no_path_is_a_question() -> None:
    assert sources_and_question(["q?"], piped=True) == (["-"], "q?")


@pytest.mark.parametrize(
    ("words", "piped", "message"),
    [
        (["a.pdf"], False, "there is no question about a.pdf"),
        (["a.pdf"], True, "a.pdf is a file and standard input is not a terminal"),
        (["q?"], False, "nothing to read"),
        (["-"], True, "there is no question"),
        (["-"], False, "there is no question"),
        (["a.pdf", "b.md"], False, "the last word must be the question, and b.md is a file"),
        (["-", "-", "q?"], True, "only once"),
    ],
)
def test_what_cannot_be_meant_is_said(words: list[str], piped: bool, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        sources_and_question(words, piped=piped)
    assert message in caught.value.message


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("words", [["a.pdf"], ["-"], ["a.pdf", "b.md"], ["@pot"], ["my notes.md"], []])
def test_a_hint_is_the_command_to_type(words: list[str], piped: bool) -> None:
    Path("my notes.md").write_text("text")
    hints = {}
    for command in ("ask", "explain"):
        with pytest.raises(UsageError) as caught:
            sources_and_questions(words, [], None, piped=piped, command=command)
        hints[command] = caught.value.hint or ""
        assert shlex.split(hints[command])[:2] == ["infinipot", command]
        if len(words) == 1:
            assert shlex.split(hints[command])[2] == words[0]
    assert hints["explain"] == hints["ask"].replace("infinipot ask", "infinipot explain")


@pytest.mark.parametrize(
    ("words", "piped", "message", "hint"),
    [
        (
            "a.pdf Who signed the contract?",
            False,
            "Who does not exist",
            "infinipot ask a.pdf 'Who signed the contract?'",
        ),
        ("a.pdf b.md Who signed?", False, "Who does not exist", "infinipot ask a.pdf b.md 'Who signed?'"),
        ("@book Who signed?", False, "Who does not exist", "infinipot ask @book 'Who signed?'"),
        ("Who signed it?", False, "Who does not exist", "infinipot ask book.txt 'Who signed it?'"),
        ("Who signed?", True, "Who does not exist", "… | infinipot ask 'Who signed?'"),
        ("'Who signed?' a.pdf b.md", False, "b.md is a file", "infinipot ask a.pdf b.md 'Who signed?'"),
        ("Who signed? a.pdf", False, "a.pdf is a file", "infinipot ask a.pdf 'Who signed?'"),
        ("missing.pdf a.pdf", False, "a.pdf is a file", 'infinipot ask missing.pdf a.pdf "…"'),
        ("'Who signed?'", False, "nothing to read", "infinipot ask book.txt 'Who signed?'"),
        ("a.pdf bb.md", False, "no question, and bb.md does not exist", 'infinipot ask a.pdf "…"'),
        ("bb.md", False, "no question, and bb.md does not exist", "did you mean b.md?"),
        ("bb.md", True, "no question, and bb.md does not exist", "did you mean b.md?"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(words: str, piped: bool, message: str, hint: str) -> None:
    with pytest.raises((UsageError, DocumentError)) as caught:
        sources_and_question(shlex.split(words), piped=piped)
    assert message in caught.value.message and hint in (caught.value.hint or "")


@pytest.mark.parametrize("words", [["a.pdf", "c.md", "Why?"], ["missing", "Why?"], ["a.pdf", "missing", "Who was it?"]])
def test_a_document_that_is_missing_is_not_taken_for_a_part_of_the_question(words: list[str]) -> None:
    assert sources_and_question(words, piped=False) == (words[:-1], words[-1])


@pytest.mark.parametrize(
    ("word", "is_one"),
    [
        ("a.pdf", True), ("@book", True), ("@./my file.pot", True), ("@maren what is this?", False), ("@", False),
        ("who?", False),
    ],
)  # fmt: skip
def test_a_stored_pot_is_a_source_though_its_path_has_a_blank(word: str, is_one: bool) -> None:
    assert is_source(word) == is_one
    if is_one:
        assert sources_and_questions([word], [], None, piped=True, interactive=True) == ([word], [])


def test_a_summary_needs_a_source_or_a_pipe() -> None:
    assert sources_only([], piped=True) == ["-"]
    assert sources_only(["a.pdf"], piped=True) == ["a.pdf"]
    with pytest.raises(UsageError, match="nothing to read"):
        sources_only([], piped=False)
    with pytest.raises(UsageError, match="only once"):
        sources_only(["-", "-"], piped=True)
