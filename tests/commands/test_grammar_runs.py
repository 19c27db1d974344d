"""The grammar of the command line in real processes: what is a document, what the question, and what a pipe is.

The first is the program from its beginning.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

QUESTION = "What is the pass key?"


@pytest.fixture
def words(tiny_model: Path) -> list[str]:
    return ["ask", "-s", "400", "-n", "8", "-m", str(tiny_model), "--json", "-q"]


@pytest.fixture
def program(begun: list[str], words: list[str]) -> list[str]:
    return [*begun, *words]


def told(words: list[str], **options: Any) -> dict[str, Any]:
    ended = subprocess.run(words, capture_output=True, timeout=100, check=False, **options)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def paths(found: dict[str, Any]) -> list[str]:
    return [entry["path"] for entry in found["input"]]


def test_named_documents_are_all_that_is_read_though_a_pipe_stays_open(words: list[str], story: Path) -> None:
    more = story.with_name("more.txt")
    more.write_text("The wind rose. " * 9)
    ours, theirs = os.pipe()
    try:
        found = told([sys.executable, "-m", "infinipot_cli", *words, str(story), str(more), QUESTION], stdin=ours)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (paths(found), found["question"]) == ([str(story), str(more)], QUESTION)


def test_a_pipe_without_a_name_is_the_document(program: list[str], story: Path) -> None:
    with story.open("rb") as text:
        unnamed = told([*program, QUESTION], stdin=text)
    with story.open("rb") as text:
        named = told([*program, "-", QUESTION], stdin=text)
    assert paths(unnamed) == paths(named) == ["standard input"]
    assert unnamed["answer"] == named["answer"] == told([*program, str(story), QUESTION])["answer"]


def test_questions_come_by_option_from_a_file_and_from_a_pipe(program: list[str], story: Path) -> None:
    listed = story.with_name("list.txt")
    listed.write_text("Who is it?\r\n\r\nWhen was it?\r\n")
    by_option = told([*program, str(story), "-Q", "Who is it?", "-Q", "When was it?"], stdin=subprocess.DEVNULL)
    from_file = told([*program, str(story), "--questions", str(listed)], stdin=subprocess.DEVNULL)
    with listed.open("rb") as lines:
        from_pipe = told([*program, str(story), "--questions", "-"], stdin=lines)
    answers = [
        [(one["question"], one["answer"]) for one in run["answers"]] for run in (by_option, from_file, from_pipe)
    ]
    assert [question for question, _ in answers[0]] == ["Who is it?", "When was it?"]
    assert answers[0] == answers[1] == answers[2]


def test_behind_two_dashes_a_name_may_begin_with_one(program: list[str], story: Path) -> None:
    odd = story.with_name("-odd.txt")
    odd.write_bytes(story.read_bytes())
    found = told([*program, "--", odd.name, QUESTION], stdin=subprocess.DEVNULL, cwd=odd.parent)
    assert paths(found) == [odd.name]


@pytest.mark.parametrize(("more", "code"), [([], 0), (["--strict"], 3)])
def test_a_text_of_which_next_to_nothing_is_kept_is_a_warning_and_under_strict_an_error(
    program: list[str], tmp_path: Path, more: list[str], code: int
) -> None:
    path = tmp_path / "long.txt"
    path.write_text("The night was dark and the sea was calm. " * 200)
    words = [word for word in program if word not in ("--json", "-q", "-s", "400")]
    ended = subprocess.run(
        [*words, str(path), QUESTION, "-s", "128", *more], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert ended.returncode == code and ended.stdout.strip()
    said = " ".join(ended.stderr.split())
    assert "warning: read 8200 tokens into 128 places" in said and "--explain shows" in said
    assert ("--strict allows none" in said) == bool(code)
