"""Folders and globs on the command line: announced, tolerant, and honest about what is missing."""

import json
import resource
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from tests.documents.small_pdf import pdf

SMALL = ["-s", "400", "-n", "20"]


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model)]


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    for number in (1, 2, 10):
        (folder / f"paper-{number}.txt").write_text(f"This is paper {number}. " * 5)
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff" + bytes(90))
    return folder


def test_a_folder_reads_as_its_documents_in_order(papers: Path, model: list[str]) -> None:
    names = [str(papers / f"paper-{number}.txt") for number in (1, 2, 10)]
    named = run("ask", *names, "Who?", *SMALL, *model, "--json")
    for word in (str(papers), str(papers) + "/*.txt", str(papers.parent) + "/**/paper*"):
        walked = run("ask", word, "Who?", *SMALL, *model, "--json")
        assert json.loads(walked.stdout)["answer"] == json.loads(named.stdout)["answer"], word
        assert [entry["path"] for entry in json.loads(walked.stdout)["input"]] == names
    assert "3 documents; left out 1 binary" in run("ask", str(papers), "Who?", *SMALL, *model).stderr


def test_one_that_cannot_be_read_is_named_and_the_others_are_read(papers: Path, model: list[str]) -> None:
    (papers / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing")
    for words in ([], ["--each"]):
        result = run("ask", str(papers), "Who?", *SMALL, *model, "--json", *words)
        assert result.exit_code == 3
        assert "broken.pdf" in result.stderr and "done 3 of 4 · 1 failed" in result.stderr
        record = json.loads(result.stdout)
        rows = [row for one in record.get("results", [record]) for row in one["input"]]
        assert len(rows) == 4
        problems = [one for one in record.get("results", rows) if "error" in one]
        assert len(problems) == 1
    assert run("ask", str(papers), "Who?", *SMALL, *model, "-q").stdout.strip()
    named = run("ask", str(papers / "broken.pdf"), str(papers / "paper-1.txt"), "Who?", *SMALL, *model)
    assert (named.exit_code, named.stdout) == (3, ""), "a document that was named is not left out quietly"


def test_a_report_is_without_what_cannot_be_read_and_says_so(papers: Path, model: list[str]) -> None:
    (papers / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing")
    words = [str(papers), "Who?", *SMALL, *model]
    asked, plain, told = run("ask", *words, "--json"), run("explain", *words), run("explain", *words, "--json")
    for result in (plain, told):
        assert result.exit_code == asked.exit_code == 3
        assert "4 documents; left out 1 binary" in result.stderr
        assert "broken.pdf" in result.stderr and result.stderr.endswith("done 3 of 4 · 1 failed\n")
    assert "answer" in plain.stdout
    assert json.loads(told.stdout)["input"] == json.loads(asked.stdout)["input"]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("--lines 2-", "no_such_line"),
        ("--pages 3-5", "no_such_page"),
        ("--pages 1", "no_pages"),
        ("--lines 1", "no_lines"),
    ],
)
def test_one_that_has_no_such_part_is_named_and_the_others_are_read(
    tmp_path: Path, model: list[str], part: str, code: str
) -> None:
    short, long = tmp_path / "1.txt", tmp_path / "2.txt"
    short.write_text("One line.")
    long.write_text("One line.\nAnother line.\n" if code == "no_such_line" else "One line.")
    if code == "no_such_page":
        short.write_bytes(pdf("One page.", "Another."))
    if code != "no_such_line":
        (long if code != "no_lines" else short).write_bytes(pdf("One page.", "Another.", "A third."))
    for command in (["ask", str(tmp_path), "Who?"], ["summarize", str(tmp_path)], ["info", str(tmp_path)]):
        for way in ("--each", "--together") if command[0] != "info" else ("-q",):
            result = run(*command, *model, *part.split(), way, "--json", *(SMALL if command[0] != "info" else []))
            assert result.exit_code == 2, result.output
            assert "1.txt" in result.stderr and (command[0] == "info" or "done 1 of 2 · 1 failed" in result.stderr)
            record = json.loads(result.stdout)
            problems = [one for one in record.get("results", record.get("input")) if "error" in one]
            assert [one["error"]["code"] for one in problems] == [code]
    alone = run("ask", str(short), "Who?", *SMALL, *model, *part.split())
    assert (alone.exit_code, alone.stdout) == (2, "")


@pytest.mark.parametrize("word", ["http://example.org/x.pdf", "https://example.org/"])
def test_what_only_others_fetch_is_no_document(word: str) -> None:
    result = run("ask", word, "Who?")
    error, hint = result.stderr.splitlines()
    assert (result.exit_code, error) == (3, f"error: {word} does not exist")
    assert "does not fetch addresses" in hint
    braces = run("ask", "paper-{1,2}.txt", "Who?")
    assert (braces.exit_code, "no document matches paper-{1,2}.txt" in braces.stderr) == (3, True)


def test_nothing_readable_is_found_out_before_the_model(papers: Path) -> None:
    for path in papers.iterdir():
        path.unlink()
    for name in ("a.pdf", "b.pdf"):
        (papers / name).write_bytes(b"%PDF-1.4\nnothing")
    result = run("ask", str(papers), "Who?", "-m", "pocket")
    assert result.exit_code == 3
    assert "none of the 2 documents can be read" in result.stderr


def test_many_documents_take_few_open_files(tmp_path: Path, model: list[str]) -> None:
    for number in range(120):
        (tmp_path / f"{number}.txt").write_text("x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    words = ["info", *sorted(map(str, tmp_path.glob("*.txt"))), *model, "--json"]
    assert run(*words).exit_code == 0  # libraries are imported by now
    n_open = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 64
    resource.setrlimit(resource.RLIMIT_NOFILE, (n_open + 40, hard))
    try:
        result = run(*words)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert result.exit_code == 0, result.stderr
    assert len(json.loads(result.stdout)["input"]) == 120


def test_strict_turns_a_warning_into_a_failure(tmp_path: Path, model: list[str]) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(b"caf\xe9 and more")
    words = ["ask", str(path), "Who?", *SMALL, *model]
    assert run(*words).exit_code == 0
    strict = run(*words, "--strict")
    assert strict.exit_code == 3
    assert strict.stdout == run(*words).stdout
    assert "--strict allows none" in strict.stderr
    for others in (["explain", str(path), "Who?", *SMALL, *model], ["info", str(path), *model]):
        assert [run(*others, *flag).exit_code for flag in ((), ("--strict",))] == [0, 3]
    path.write_text("plain")
    assert run(*words, "--strict").exit_code == 0


def test_a_folder_is_not_taken_for_the_question(papers: Path) -> None:
    result = run("ask", str(papers / "paper-1.txt"), str(papers))
    assert result.exit_code == 2
    assert "is a folder" in result.stderr
