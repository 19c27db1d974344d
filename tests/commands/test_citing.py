"""Sources under an answer, on the stream where they belong, and in JSON."""

import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.display.sources import _folded, show_sources, source_lines
from infinipot_cli.documents import open_document
from infinipot_cli.documents.piece import LineNumbers
from infinipot_cli.documents.ranges import parse_lines
from infinipot_cli.explain import citations
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.packing import packed, unpacked
from infinipot_cli.explain.trail import Trail

SMALL = ["-s", "400", "-n", "20"]


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model)]


def test_every_source_is_a_stretch_of_the_document(story: Path, model: list[str]) -> None:
    record = json.loads(run("ask", str(story), "What is the pass key?", *SMALL, *model, "--json").stdout)
    with open_document(str(story)) as document:
        text = "".join(piece.text for piece in document.pieces())
    assert 1 <= len(record["sources"]) <= 3
    for source in record["sources"]:
        start, end = source["char"]
        assert source["quote"].strip("…") in text[start:end].replace("\n", " ")
        assert source["line"] == 1 + text.count("\n", 0, start)
        assert (source["page"], source["label"], source["path"]) == (None, None, str(story))
        assert 0 < source["score"] <= 1
    scores = [source["score"] for source in record["sources"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("lines", ["100-300", "7,100-104,250-300"])
def test_lines_are_counted_over_the_whole_file(home: Path, model: list[str], lines: str) -> None:
    Path("app.log").write_text("".join(f"{number} the sea was calm\n" for number in range(1, 400)))
    read = ["app.log", *SMALL[:2], *model, "--lines", lines]
    wanted = {number for first, last in parse_lines(lines) for number in range(first, (last or 0) + 1)}
    assert run("read", *read, "--save-pot", "sea").exit_code == 0
    for words in (["app.log", "Which?", *read[1:]], ["@sea", "Which?"]):
        report = json.loads(run("explain", *words, "--json").stdout)
        assert {source["line"] for source in report["sources"]} <= wanted
        for source in report["passages"]:
            assert source["quote"].lstrip("…").startswith(f"{source['line']} "), source
        assert all(set(range(*part["lines"])) <= wanted for part in report["parts"])
        shown = run("explain", *words, "--page", "250-251").stdout.replace("‹", "").replace("~", "").splitlines()
        assert [line.split()[0] for line in shown if "sea" in line] == ["250", "251"]


def test_lines_of_a_pot_that_was_stored_before_there_were_ranges_are_counted_from_the_first() -> None:
    trail = Trail(0)
    trail.begin("app.log", "text", LineNumbers(((100, 104), (250, None))))
    content = json.loads(zlib.decompress(packed(trail)))
    del content["lines"]
    old = zlib.compress(json.dumps(content).encode())
    loaded, same = (
        unpacked(data, 0, n_seen=0, n_documents=1, vocabulary_size=9).documents[0].lines
        for data in (old, packed(trail))
    )
    assert loaded == LineNumbers(((100, None),)) and same == trail.documents[0].lines


def test_sources_stand_beside_an_answer_that_is_piped_on(story: Path, model: list[str]) -> None:
    words = ["ask", str(story), "What is the pass key?", *SMALL, *model]
    cited, plain, quiet = run(*words), run(*words, "--no-cite"), run(*words, "-q")
    assert cited.stdout == plain.stdout == quiet.stdout
    assert "Sources  l. " in cited.stderr
    assert "Sources" not in plain.stderr and quiet.stderr == ""
    assert "sources" not in json.loads(run(*words, "--no-cite", "--json").stdout)


def test_an_answer_that_there_is_none_cites_nothing(
    story: Path, model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["ask", str(story), "What is the pass key?", *SMALL, *model, "--set", "reread=0"]
    found = json.loads(run(*words, "--json", "--explain").stdout)
    assert found["sources"] and any(part["cited"] for part in found["explain"]["parts"])
    # whatever this model says shall be what a reader says that finds nothing
    monkeypatch.setattr(citations, "REFUSAL", found["answer"].strip().rstrip(".").casefold())
    none = json.loads(run(*words, "--json", "--explain").stdout)
    assert none["answer"] == found["answer"] and none["sources"] == []
    assert not any(part["cited"] for part in none["explain"]["parts"])
    assert none["explain"]["passages"] == found["explain"]["passages"], "what it attended to is a fact all the same"
    assert "Sources" not in run(*words).stderr


def test_each_of_several_answers_has_its_sources(story: Path, model: list[str]) -> None:
    record = json.loads(run("ask", str(story), "-Q", "Who?", "-Q", "When?", *SMALL, *model, "--json").stdout)
    assert all(answer["sources"] for answer in record["answers"])


def test_beside_several_answers_that_are_piped_on_sources_name_their_question(story: Path, model: list[str]) -> None:
    asked = ["What is the pass key?", "Who slept?"]
    shown = run("ask", str(story), *model, "-Q", asked[0], "-Q", asked[1])
    lines = [line for line in shown.stderr.splitlines() if line in asked or line.startswith("Sources")]
    assert lines[::2] == asked and all(line.startswith("Sources") for line in lines[1::2])
    alone = run("ask", str(story), *model, asked[0])
    assert asked[0] not in alone.stderr


def test_places_are_written_as_people_do() -> None:
    def passage(kind: str, page: int | None, label: str | None, line: int | None = None) -> Passage:
        return Passage(0, "a", kind, page, label, line, (0, 4), "So.\x1b[2J", 1.0)

    lines = source_lines(
        [
            passage("pdf", 203, None),
            passage("pdf", 12, "xii"),
            passage("epub", 7, "The Clause"),
            passage("text", None, None, 14),
        ],
        named=False,
    )
    assert [line.split("“")[0].strip() for line in lines[:1]] == ["Sources  p. 203"]
    assert "p. xii (page 12 of the file)" in lines[1]
    assert "ch. 7 “The Clause”" in lines[2]
    assert "l. 14" in lines[3]
    assert not any("\x1b" in line for line in lines)
    assert source_lines([passage("pdf", 1, None)], named=True) == ["Sources  a p. 1  “So.[2J”"]


def test_at_a_terminal_the_sources_belong_to_the_answer(
    recording_console: Callable[..., tuple[Console, io.StringIO]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    console, errors = recording_console()
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    show_sources(["Sources  p. 1"], console, out, quiet=False)
    show_sources(["hidden"], console, out, quiet=True)
    assert (out.getvalue(), errors.getvalue()) == ("Sources  p. 1\n", "")
    file = io.StringIO()
    show_sources(["Sources  p. 1"], console, file, quiet=False)
    assert (file.getvalue(), errors.getvalue()) == ("", "Sources  p. 1\n")


@pytest.mark.parametrize("width", [40, 80, 120])
def test_at_a_terminal_a_long_quote_is_folded_below_itself(width: int) -> None:
    quote = "“" + " ".join(f"word{number}" for number in range(40)) + "”"
    rows = _folded(f"Sources  l. 102  {quote}", width)
    assert max(map(len, rows)) <= width
    assert rows[0].startswith("Sources  l. 102  “word0 ")
    assert {len(row) - len(row.lstrip()) for row in rows[1:]} == {17}
    assert " ".join(row.strip() for row in rows) == f"Sources  l. 102  {quote}"
