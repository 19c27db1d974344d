"""Documents of one's own, in the folder that INFINIPOT_DOCUMENTS names: each is read as other programs read it.

    INFINIPOT_DOCUMENTS=~/papers python -m pytest tests/documents/test_given_documents.py

Without the variable there is nothing to do. PDFs are held to pypdf and pdfium, texts to their own characters.
"""

import os
import re
from collections import Counter
from pathlib import Path

import pypdf
import pytest

from infinipot_cli.documents import TextPiece, open_document
from infinipot_cli.documents.letters import letters
from infinipot_cli.documents.pdf_fields import filled_in

_NAMED = os.environ.get("INFINIPOT_DOCUMENTS", "")
FOLDER = Path(_NAMED).expanduser() if _NAMED else None
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file()) if FOLDER else []
TEXTS = [path for path in FILES if path.suffix in (".txt", ".md", ".rst")]
PDFS = [path for path in FILES if path.suffix == ".pdf"]

pytestmark = pytest.mark.skipif(FOLDER is None, reason="INFINIPOT_DOCUMENTS names no folder")


def name_of(path: Path) -> str:
    return str(path.relative_to(FOLDER)) if FOLDER else str(path)


def read(path: Path) -> tuple[list[TextPiece], list[str], int | None]:
    with open_document(str(path)) as document:
        return list(document.pieces()), document.warnings, document.n_pages


def words(text: str) -> list[str]:
    """Words without what libraries see differently: hyphens at the ends of lines, and shapes of letters."""
    return re.sub(r"[-\xad\ufffe\x02]\s*", "", letters(text)).split()


def test_there_are_documents() -> None:
    assert TEXTS or PDFS, f"{FOLDER} holds none"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_it_is_read_to_its_end_without_a_warning(path: Path) -> None:
    pieces, warnings, _ = read(path)
    assert warnings == []
    assert "".join(piece.text for piece in pieces).strip()
    assert pieces[-1].done == 1.0


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_a_text_is_its_characters_with_line_feeds(path: Path) -> None:
    text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    # a form feed, and what else breaks a page, stands between words; marks of where a word may break are none
    text = re.sub("[\x0b\x0c\x85]", " ", text)
    text = re.sub("[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b\u2060\ufeff]", "", text)
    found = "".join(piece.text for piece in read(path)[0])
    assert len(found) == len(text)
    assert found == text


@pytest.mark.parametrize("path", PDFS, ids=name_of)
def test_pages_and_labels_are_those_that_other_readers_count(path: Path, library: str) -> None:
    pdfium = pytest.importorskip("pypdfium2")
    pieces, _, n_pages = read(path)
    by_pypdf, by_pdfium = pypdf.PdfReader(path), pdfium.PdfDocument(path)
    assert n_pages == len(by_pypdf.pages) == len(by_pdfium)
    numbers = [piece.page for piece in pieces]
    assert numbers == sorted(set(numbers), key=lambda number: number or 0)
    has_text = [number for number, page in enumerate(by_pypdf.pages, start=1) if page.extract_text().strip()]
    assert set(has_text) <= set(numbers)
    if "/PageLabels" in by_pypdf.root_object:
        for piece in pieces:
            number = piece.page or 0
            assert (piece.label or str(number)) == by_pypdf.page_labels[number - 1]
            assert (piece.label or str(number)) == by_pdfium.get_page_label(number - 1)
    by_pdfium.close()


@pytest.mark.parametrize("path", PDFS, ids=name_of)
def test_words_are_those_that_pdfium_finds(path: Path, library: str) -> None:
    """And those filled in. By pypdf they are looked for in the page without its white space, some of which it omits."""
    pdfium = pytest.importorskip("pypdfium2")
    document, by_pypdf = pdfium.PdfDocument(path), pypdf.PdfReader(path)
    pieces, _, _ = read(path)
    n_words = n_shared = 0
    for piece in pieces:
        number = piece.page or 1
        theirs = Counter(words(document[number - 1].get_textpage().get_text_range()))
        theirs.update(words(filled_in(by_pypdf.pages[number - 1])))
        ours = Counter(words(piece.text))
        n_words += max(theirs.total(), ours.total()) if library == "pypdfium2" else theirs.total()
        n_shared += (theirs & ours).total()
        if library == "pypdf":
            joined = "".join(words(piece.text))
            n_shared += sum(min(joined.count(word) - ours[word], n) for word, n in (theirs - ours).items())
    document.close()
    assert n_words and n_shared / n_words >= 0.95, f"{n_shared} of {n_words} words by {library}"
