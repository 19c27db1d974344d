"""One real file of every format, written by the program that usually writes it: the text is what the book says."""

import csv
import json
import sys
from pathlib import Path

import pytest

from infinipot_cli.documents import TextPiece, Wishes, open_document

FORMATS = Path(__file__).parents[1] / "data" / "formats"
TEXT = (FORMATS / "chapters.txt").read_text(encoding="utf-8")
CHAPTERS = ("The Old Sea-dog at the Admiral Benbow", "Black Dog Appears and Disappears")


def read(name: str, wishes: Wishes = Wishes()) -> tuple[list[TextPiece], str]:  # noqa: B008
    """A file's pieces, from its path and from a pipe, which must not differ, and its kind."""
    with open_document(str(FORMATS / name), wishes=wishes) as document:
        pieces = list(document.pieces())
        assert document.warnings == []
        assert document.n_pages in (None, *range(1, 30))
        kind = document.kind
    with (FORMATS / name).open("rb") as stdin, open_document("-", stdin=stdin, wishes=wishes) as piped:
        assert "".join(piece.text for piece in piped.pieces()) == "".join(piece.text for piece in pieces)
        assert piped.kind == kind
    return pieces, kind


@pytest.mark.parametrize(
    ("name", "kind", "title"),
    [
        ("chapters.txt", "text", ""),
        ("chapters.txt.gz", "text", ""),
        ("chapters.txt.bz2", "text", ""),
        ("chapters.txt.xz", "text", ""),
        ("chapters.txt.zst", "text", ""),
        ("chapters.md", "text", "# #"),
        ("chapters.html", "html", ""),
        ("chapters.docx", "docx", ""),
        ("chapters.epub", "epub", ""),
        ("chapters.pdf", "pdf", "TREASURE ISLAND"),
    ],
)
@pytest.mark.parametrize("library", ["pypdfium2", "pypdf"])
def test_every_word_of_the_book_comes_out_in_order(
    name: str, kind: str, title: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if library == "pypdf":
        monkeypatch.setitem(sys.modules, "infinipot_cli.documents.pdf_pdfium", None)
    pieces, found = read(name)
    words = "".join(piece.text for piece in pieces).split()
    if name.endswith(".md"):
        words = [word for word in words if word != "#"]
    elif name.endswith(".pdf"):
        assert " ".join(words[:2]) == title
        words = words[2:]
    elif name.endswith((".epub", ".html")):  # the title, and in a book the table of contents, stand in front
        front, words = words[: -len(TEXT.split())], words[-len(TEXT.split()) :]
        assert front[:2] == ["Treasure", "Island"]
        assert len(front) < 20
    assert found == kind
    assert words == TEXT.split()


@pytest.mark.parametrize("library", ["pypdfium2", "pypdf"])
def test_pages_and_labels_are_those_of_the_paper(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if library == "pypdf":
        monkeypatch.setitem(sys.modules, "infinipot_cli.documents.pdf_pdfium", None)
    pieces, _ = read("chapters.pdf")
    assert [piece.page for piece in pieces] == list(range(1, len(pieces) + 1))
    assert [piece.label for piece in pieces] == ["i", *map(str, range(1, len(pieces)))]
    heads = {title: next(piece.page for piece in pieces if title in piece.text) for title in CHAPTERS}
    assert heads[CHAPTERS[0]] == 2
    (second,) = [piece for piece in pieces if CHAPTERS[1] in piece.text]
    assert second.text.strip().startswith(CHAPTERS[1]), "a chapter begins on a page of its own"
    chosen, _ = read("chapters.pdf", Wishes(pages="i,3"))
    assert [(piece.page, piece.label) for piece in chosen] == [(1, "i"), (3, "2")], "digits are places, not labels"


def test_chapters_of_a_book_are_its_pages() -> None:
    pieces, _ = read("chapters.epub")
    by_page: dict[int | None, str] = {}
    for piece in pieces:
        by_page[piece.page] = by_page.get(piece.page, "") + piece.text
    *_, first, second = by_page.values()
    assert CHAPTERS[0] in first and CHAPTERS[1] in second
    assert pieces[-1].label == CHAPTERS[1]


@pytest.mark.parametrize("name", ["paragraphs.csv", "paragraphs.json", "paragraphs.jsonl"])
def test_tables_and_records_are_read_as_they_stand(name: str) -> None:
    pieces, kind = read(name)
    text = "".join(piece.text for piece in pieces)
    assert kind == "text"
    assert text == (FORMATS / name).read_bytes().decode().replace("\r\n", "\n")
    records = {
        "csv": lambda: list(csv.DictReader(text.splitlines())),
        "json": lambda: json.loads(text),
        "jsonl": lambda: [json.loads(line) for line in text.splitlines()],
    }[name.rpartition(".")[2]]()
    assert [record["text"] in TEXT for record in records] == [True] * 8


def test_source_code_is_read_as_it_stands() -> None:
    with open_document(__file__) as document:
        assert "".join(piece.text for piece in document.pieces()) == Path(__file__).read_text(encoding="utf-8")
