"""`summarize --pick`: sentences of the text, word for word and in its order, instead of the model's own words."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.commands.runs import log_alone
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.documents.piece import TextPiece
from infinipot_cli.logs import Digest
from infinipot_cli.session import Session, summarize
from infinipot_cli.settings import PotRequest

TEXT = " ".join(f"The keeper of light number {n} wrote the name of ship {n * 7} in a book." for n in range(60))


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["summarize", *words, "--no-cache"])


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text("LIST OF LIGHTS\n\n" + TEXT.replace(". The", ".\nThe", 20))
    return path


@pytest.fixture
def small(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model), "-s", "500"]


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("length", "most"), [("short", 2), ("medium", 4), ("long", 10)])
def test_every_line_is_a_whole_sentence_of_the_text(book: Path, small: list[str], length: str, most: int) -> None:
    result = run(str(book), *small, "--pick", "--length", length)
    assert result.exit_code == 0, result.stderr
    lines, whole = result.stdout.splitlines(), plain(book.read_text())
    assert 1 <= len(lines) <= most and len(set(lines)) == len(lines)
    places = [whole.index(line) for line in lines]
    assert places == sorted(places)
    assert all(line.startswith("The keeper") and line.endswith("in a book.") for line in lines)
    (sources,) = (line for line in result.stderr.splitlines() if line.startswith("Sources  "))
    assert sources.count("l. ") == len(lines)


def test_json_has_the_sentences_and_where_they_stand(book: Path, small: list[str]) -> None:
    record: dict[str, Any] = json.loads(run(str(book), *small, "--pick", "--json", "-q").stdout)
    assert record["summary"].splitlines() == [source["quote"] for source in record["sources"]]
    text = book.read_text()
    for source in record["sources"]:
        start, end = source["char"]
        assert plain(text[start:end]) == source["quote"]
        assert text.count("\n", 0, start) + 1 == source["line"]
    assert not record["is_cut"]


def test_a_report_is_on_the_sentences_that_are_shown(book: Path, small: list[str], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = run(str(book), *small, "--pick", "--length", "short", "--html", str(page), "--explain", "--json", "-q")
    record = json.loads(result.stdout)
    assert record["explain"]["sources"] == record["sources"] != []
    shown = page.read_text()
    listed = [part.split("</blockquote>")[0] for part in shown.split("<blockquote>")[1:]]
    assert len(listed) == len(record["sources"]) and all("cited" in quoted for quoted in listed)
    for source in record["sources"]:
        assert any(source["quote"] in quoted for quoted in listed)
    told = run(str(book), *small, "--pick", "--length", "short", "--explain").stderr
    assert all(f"“{source['quote']}”" in told for source in record["sources"])


def test_sentences_of_the_text_are_not_cut_where_the_words_that_chose_them_are(book: Path, small: list[str]) -> None:
    picked = run(str(book), *small, "--pick", "-n", "2", "--json")
    assert not json.loads(picked.stdout)["is_cut"] and "was cut" not in picked.stderr


def test_only_the_small_model_picks_by_itself(book: Path, small: list[str], tmp_path: Path) -> None:
    whole = plain(book.read_text())
    written = run(str(book), *small, "-n", "12")
    assert written.stdout == run(str(book), *small, "-n", "12", "--write").stdout
    assert plain(written.stdout) not in whole
    with_pocket = run(str(book), "-s", "400", "-q")
    assert with_pocket.exit_code == 0 and all(plain(line) in whole for line in with_pocket.stdout.splitlines())
    own = tmp_path / "own.md"
    own.write_text("{document}\n\nSummarize the text.")
    worded = run(str(book), "-s", "400", "-q", "-t", str(own), "-n", "8")
    assert worded.stdout == run(str(book), "-s", "400", "-q", "-t", str(own), "-n", "8", "--write").stdout


def test_where_there_are_no_sentences_whole_lines_are_taken(tmp_path: Path, small: list[str]) -> None:
    path = tmp_path / "app.log"
    path.write_text("".join(f"2024-05-03 00:{n:02} disk {n} is {n + 30} % full now\n" for n in range(60)))
    picked = run(str(path), *small, "--pick", "-q", "--no-digest").stdout.splitlines()
    assert picked and set(picked) <= set(path.read_text().splitlines())


def test_a_log_whose_digest_is_shown_says_enough(tmp_path: Path, small: list[str]) -> None:
    path = tmp_path / "app.log"
    path.write_text("".join(f"2024-05-03 00:{n:02}:00 INFO request {n} was served\n" for n in range(60)))
    shown = run(str(path), *small, "--pick")
    assert shown.exit_code == 0 and shown.stdout.startswith("Log: 60 lines")
    assert "warning" not in shown.stderr and not shown.stdout.rstrip().endswith("was served")
    assert "no model reads" in shown.stderr and "tokens into" not in shown.stderr
    assert "tokens into" in run(str(path), *small, "--pick", "--explain").stderr
    other = tmp_path / "other.log"
    other.write_text(path.read_text().replace("INFO request 7 was", "ERROR request 7 was not"))
    told = run(str(path), *small, "--pick", "--json", "-q")
    record = json.loads(told.stdout)
    assert record["summary"] == shown.stdout.rstrip("\n") and not record["is_cut"]
    assert record["input"][0]["log"]["lines"] == 60
    assert "model" not in record and "retention" not in record
    both = [json.loads(line) for line in run(str(path), str(other), *small, "--pick", "--jsonl").stdout.splitlines()]
    assert [one["input"][0]["log"]["errors"] for one in both] == [0, 1]
    listed = json.loads(run(str(path), str(other), *small, "--pick", "--json", "--together").stdout)
    assert listed["summary"].startswith(f"Log {path}: 60 lines") and f"Log {other}:" in listed["summary"]


def test_what_was_looked_at_to_see_whether_it_is_a_log_is_read_like_the_rest(book: Path, small: list[str]) -> None:
    assert run(str(book), *small, "--pick").stdout == run(str(book), *small, "--pick", "--no-digest").stdout


def test_a_log_is_counted_as_far_as_it_came_before_ctrl_c(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("".join(f"2024-05-03 00:00:00 INFO request {n} was served\n" for n in range(100_000)))
    with Session(str(tiny_model), PotRequest(500)).prepare([str(path)], summarize()) as reading:
        (entry,) = reading.inputs
        entry.log = Digest()
        entry.pieces = entry.log.watch(entry.pieces)
        assert log_alone.is_enough(Form(digest=True, picked=4), reading)
        n_looked_at, pieces = entry.log.n_lines, entry.pieces

        def interrupted() -> Iterator[TextPiece]:
            yield next(pieces)
            yield next(pieces)
            reading.stop.is_wanted = True
            yield from pieces

        entry.pieces = interrupted()
        assert n_looked_at < log_alone.count(reading) < 100_000
        assert entry.log.is_log


def pressed_in_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C when the first piece of the first document has been looked at."""
    presses = [signal.SIGINT]

    def is_settled(_: Digest) -> bool:
        while presses:
            signal.raise_signal(presses.pop())
        return False

    monkeypatch.setattr(Digest, "is_settled", property(is_settled))


def test_ctrl_c_in_the_look_for_logs_of_several_documents_loads_no_model(
    tmp_path: Path, book: Path, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.txt").write_text("The second text is not begun. " * 60)
    pressed_in_the_look(monkeypatch)
    monkeypatch.setattr(Session, "load", lambda _: pytest.fail("it is loaded in vain"))
    result = run(str(book), str(tmp_path / "other.txt"), "--together", *small, "--pick")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "stopped before anything was read\n"


@pytest.mark.parametrize(("options", "watched"), [(["-o"], True), ([], False), ([], True)])
def test_part_of_a_log_is_shown_and_never_kept(
    tmp_path: Path, small: list[str], monkeypatch: pytest.MonkeyPatch, options: list[str], watched: bool
) -> None:
    log, out = tmp_path / "app.log", tmp_path / "sum.txt"
    log.write_text("".join(f"2024-05-03 00:{n:02}:00 INFO request {n} was served\n" for n in range(60)))
    out.write_text("old")
    monkeypatch.setattr("infinipot_cli.commands.runs.reply.is_watched", lambda: watched)
    pressed_in_the_look(monkeypatch)
    result = run(str(log), *small, "--pick", *(word for option in options for word in (option, str(out))))
    assert result.exit_code == 130 and "stopped at 60 lines" in result.stderr
    assert result.stdout.startswith("Log: 60 lines") == (watched and not options)
    assert out.read_text() == "old" and "written to" not in result.stderr


@pytest.mark.parametrize(
    "text",
    [
        "one two three four\n\n" * 60,
        "town,code\n" + "".join(f"Town {n},{1000 + n}\n" for n in range(90)),
        "[" + ", ".join(f'{{"town": "T{n}"}}' for n in range(90)) + "]",
        "a line that never comes to an end " * 30,
    ],
    ids=["words", "table", "one line of JSON", "no stop"],
)
def test_a_text_without_a_sentence_is_summarized_by_what_there_is(tmp_path: Path, small: list[str], text: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text(text)
    result = run(str(path), *small, "--pick")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines and all(plain(line) in plain(text) for line in lines)
    assert "holds no whole sentence" not in result.stderr


def test_paragraphs_of_a_word_document_are_apart(tmp_path: Path, small: list[str]) -> None:
    document = docx.Document()
    document.add_heading("The Lights of the Coast", 1)
    for number in range(40):
        document.add_paragraph(f"The keeper of light number {number} wrote the name of his ship in a book")
    document.add_paragraph("He was the last.")
    path = tmp_path / "lights.docx"
    document.save(str(path))
    lines = run(str(path), *small, "--pick", "-q").stdout.splitlines()
    assert lines and set(lines) <= {paragraph.text for paragraph in document.paragraphs}


def test_a_text_of_very_short_sentences_is_summarized_by_them(tmp_path: Path, small: list[str]) -> None:
    path = tmp_path / "short.txt"
    path.write_text("The night was dark. " * 20 + "\n\nThe sea was calm. " * 10)
    result = run(str(path), *small, "--pick")
    assert result.stdout and set(result.stdout.splitlines()) <= {"The night was dark.", "The sea was calm."}
    assert "holds no whole sentence" not in result.stderr


def test_several_documents_are_named(book: Path, small: list[str], tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(TEXT.replace("keeper", "master"))
    result = run(str(book), str(other), *small, "--pick", "--together", "--length", "long")
    (sources,) = (line for line in result.stderr.splitlines() if line.startswith("Sources  "))
    assert str(other) in sources
