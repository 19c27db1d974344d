"""PDFs: pages and their numbers, pages that cannot be read, and files that cannot be opened."""

import gc
import io
import logging
import os
import re
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pypdf
import pytest
import small_pdf
from small_pdf import BLANK, SCAN, bomb, damaged, encrypted, pdf, shows, stream

from infinipot_cli.documents import TextPiece, Wishes, open_document, pdf_pdfium
from infinipot_cli.documents import pdf_pypdf as pdf_module
from infinipot_cli.documents import source as source_module
from infinipot_cli.errors import DocumentError, UsageError

THREE = pdf("Page one (of three)\nhas two lines.", "Page two – “quoted”.", "Page three.")
GARBLED = "/g18/g152/g33 " * 20


@pytest.fixture(autouse=True, params=["pypdf", "pypdfium2"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which library reads the pages; without pypdfium2 the import of its module fails as if it were not installed."""
    if request.param == "pypdf":
        monkeypatch.setitem(sys.modules, "infinipot_cli.documents.pdf_pdfium", None)
    return str(request.param)


def read(data: bytes, folder: Path, name: str = "book.pdf") -> tuple[list[TextPiece], list[str]]:
    path = folder / name
    path.write_bytes(data)
    with open_document(str(path)) as document:
        assert document.kind == "pdf"
        return list(document.pieces()), [line.replace(str(path), name) for line in document.warnings]


def refusal(data: bytes, folder: Path) -> DocumentError:
    path = folder / "book.pdf"
    path.write_bytes(data)
    with pytest.raises(DocumentError) as refused, open_document(str(path)) as document:
        next(document.pieces())
    refused.value.message = refused.value.message.replace(str(path), "book.pdf")
    assert refused.value.exit_code == 3
    assert "\n" not in refused.value.message
    return refused.value


def test_pages_come_in_order_numbered_from_one_and_joined_by_a_blank_line(tmp_path: Path) -> None:
    pieces, warnings = read(THREE, tmp_path)
    text = "".join(piece.text for piece in pieces)
    assert text == "Page one (of three)\nhas two lines.\n\nPage two – “quoted”.\n\nPage three."
    assert [piece.page for piece in pieces] == [1, 2, 3]
    assert [piece.done for piece in pieces] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert all(text[piece.char_start :].startswith(piece.text) for piece in pieces)
    assert warnings == []


def test_content_beats_the_name_and_bytes_before_the_header_do_no_harm(tmp_path: Path) -> None:
    expected = read(THREE, tmp_path)
    assert read(THREE, tmp_path, "notes.txt") == expected
    assert read(b"HTTP/1.1 200 OK\r\n\r\n" + THREE, tmp_path, "download") == expected


@pytest.mark.parametrize("n_bytes", [1, 700, 100_000])
def test_a_pdf_on_standard_input_reads_like_the_file(n_bytes: int, tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def read1(self, size: int | None = -1) -> bytes:
            return self.read(n_bytes)

    with open_document("-", stdin=Pipe(THREE)) as document:
        assert document.name == "standard input"
        assert document.n_pages == 3
        assert document.n_bytes == len(THREE)
        assert list(document.pieces()) == read(THREE, tmp_path)[0]


def test_the_spool_is_private_nameless_capped_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    document = open_document("-", stdin=io.BytesIO(THREE))
    spool = document._source._spool  # type: ignore[attr-defined]
    assert stat.S_IMODE(os.fstat(spool.fileno()).st_mode) & 0o077 == 0
    assert list(tmp_path.iterdir()) == []
    document.close()
    document.close()
    assert spool.closed
    with monkeypatch.context() as nowhere:
        nowhere.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
        with pytest.raises(DocumentError, match="standard input on disk") as caught:
            open_document("-", stdin=io.BytesIO(THREE))
        assert "TMPDIR" in caught.value.hint
    monkeypatch.setattr(source_module, "SPOOL_LIMIT_BYTES", 500)
    with pytest.raises(DocumentError, match="standard input brings a document of more than"):
        open_document("-", stdin=io.BytesIO(THREE))


def test_bad_pages_are_named_and_never_stop_the_rest(tmp_path: Path) -> None:
    pages = ["one", damaged(), damaged(), "four", SCAN, BLANK, GARBLED, bomb(90_000_000), "nine"]
    pieces, warnings = read(pdf(*pages), tmp_path)
    assert [(piece.page, piece.text) for piece in pieces] == [(1, "one"), (4, "\n\nfour"), (9, "\n\nnine")]
    assert warnings == [
        "book.pdf: pages 2-3, 8 could not be read and were left out",
        "book.pdf: page 7 was left out: the text looks garbled",
        "book.pdf: page 5 has no text layer (scanned?)",
    ]


@pytest.mark.parametrize("library", ["pypdf"], indirect=True)
def test_an_exception_of_any_kind_on_a_page_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = pypdf.PageObject.extract_text
    errors = [KeyError("x"), AssertionError(), RecursionError(), NotImplementedError("y"), MemoryError()]

    def extract(page: pypdf.PageObject, *args: Any, **options: Any) -> str:
        number = page.page_number
        if number is not None and 0 < number <= len(errors):
            raise errors[number - 1]
        return real(page, *args, **options)

    monkeypatch.setattr(pypdf.PageObject, "extract_text", extract)
    pieces, warnings = read(pdf(*["text"] * 7), tmp_path)
    assert [piece.page for piece in pieces] == [1, 7]
    assert warnings == ["book.pdf: pages 2-6 could not be read and were left out"]


@pytest.mark.parametrize("library", ["pypdf"], indirect=True)
def test_a_page_that_takes_too_long_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_module, "PAGE_SECONDS", 0.2)
    watchers = gc.callbacks[:]
    gc.callbacks.clear()  # hypothesis has one, and the alarm ringing inside it would be reported
    slow = stream(b"BT /F1 12 Tf " + b"(a) Tj " * 600_000 + b"ET")
    began = time.monotonic()
    try:
        pieces, warnings = read(pdf("one", slow, "three"), tmp_path)
    finally:
        gc.callbacks.extend(watchers)
    assert time.monotonic() - began < 3
    assert [piece.page for piece in pieces] == [1, 3]
    assert warnings == ["book.pdf: page 2 took longer than 10 s and was left out"]


def test_partly_garbled_text_is_kept_with_a_warning(tmp_path: Path) -> None:
    pieces, warnings = read(pdf("/g18/g152 among words that are quite fine " * 5), tmp_path)
    assert len(pieces) == 1
    assert warnings == ["book.pdf: page 1 was read, but the text looks garbled"]


def test_dates_and_paths_are_not_garbled(tmp_path: Path) -> None:
    assert read(pdf("12/05/2024 /usr/lib/c1.so /srv/g/42 a/b/c " * 5), tmp_path)[1] == []


@pytest.mark.parametrize(
    ("pages", "message", "code"),
    [
        ([SCAN] * 12, "book.pdf has no text layer (12 pages, 0 characters)", "no_text_layer"),
        ([BLANK], "book.pdf has no text layer (1 page, 0 characters)", "no_text_layer"),
        ([SCAN, damaged()], "book.pdf has no text layer (2 pages, 0 characters)", "no_text_layer"),
        ([damaged()] * 3, "book.pdf is damaged: 3 of 3 pages could not be read", "damaged_pdf"),
        ([GARBLED, SCAN], "book.pdf has no readable text: its text layer is garbled (2 pages)", "garbled_text"),
    ],
)
def test_a_pdf_without_text_is_refused_after_all_pages_were_looked_at(
    pages: list[str | bytes], message: str, code: str, tmp_path: Path
) -> None:
    error = refusal(pdf(*pages), tmp_path)
    assert error.message == message
    assert error.code == code
    assert ("ocrmypdf" in error.hint) == (code != "damaged_pdf")


def test_text_on_the_last_page_alone_is_enough(tmp_path: Path) -> None:
    pieces, warnings = read(pdf(*[SCAN] * 30, "the end"), tmp_path)
    assert [(piece.page, piece.text, piece.char_start) for piece in pieces] == [(31, "the end", 0)]
    assert warnings == ["book.pdf: pages 1-30 have no text layer (scanned?)"]


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_an_empty_password_opens_and_another_is_asked_for(algorithm: str, tmp_path: Path) -> None:
    pieces, _ = read(encrypted("open to all", user="", algorithm=algorithm), tmp_path)
    assert [piece.text for piece in pieces] == ["open to all"]
    error = refusal(encrypted("secret", user="pass", algorithm=algorithm), tmp_path)
    assert error.message == "book.pdf is encrypted and needs a password"
    assert error.code == "encrypted"
    assert "--password-file" in error.hint


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_the_password_comes_from_the_first_line_of_a_file(algorithm: str, tmp_path: Path) -> None:
    path, secret = tmp_path / "book.pdf", tmp_path / "secret"
    path.write_bytes(encrypted("for your eyes", user="grüße", algorithm=algorithm))
    secret.write_bytes("grüße\r\nanother line".encode())
    with open_document(str(path), wishes=Wishes(password_file=str(secret))) as document:
        assert [piece.text for piece in document.pieces()] == ["for your eyes"]
    secret.write_text("no")
    with pytest.raises(DocumentError, match="the password in the file does not open"):
        open_document(str(path), wishes=Wishes(password_file=str(secret)))
    with pytest.raises(DocumentError, match=r"the password file .*missing cannot be read: No such file"):
        open_document(str(path), wishes=Wishes(password_file=str(tmp_path / "missing")))


def labelled(n_roman: int, n_arabic: int) -> bytes:
    """A book whose first pages are i, ii, iii and whose others start again at 1."""
    writer = pypdf.PdfWriter(
        clone_from=pypdf.PdfReader(io.BytesIO(pdf(*[f"leaf {i + 1}" for i in range(n_roman + n_arabic)])))
    )
    writer.set_page_label(0, n_roman - 1, style="/r")
    writer.set_page_label(n_roman, n_roman + n_arabic - 1, style="/D")
    out = io.BytesIO()
    writer.write(out)
    writer.close()
    return out.getvalue()


def test_pages_carry_their_labels_and_can_be_chosen_by_them(tmp_path: Path) -> None:
    path = tmp_path / "book.pdf"
    path.write_bytes(labelled(4, 5))
    pieces, _ = read(path.read_bytes(), tmp_path)
    assert [piece.label for piece in pieces] == ["i", "ii", "iii", "iv", "1", "2", "3", "4", "5"]
    for wanted, numbers in (("iii-6,9", [3, 4, 5, 6, 9]), ("IV", [4]), ("8-", [8, 9]), ("2,1,2", [1, 2])):
        with open_document(str(path), wishes=Wishes(pages=wanted)) as document:
            chosen = list(document.pieces())
        assert [piece.page for piece in chosen] == numbers
        assert [piece.text.strip() for piece in chosen] == [f"leaf {number}" for number in numbers]
        assert chosen[0].char_start == 0
        assert chosen[-1].done == 1.0
    for wanted, message in (
        ("40-60", "pages 40-60 requested, .* has 9"),
        ("10", "page 10 requested, .* has 9"),
        ("x", "has no page labelled 'x'"),
    ):
        with pytest.raises(UsageError, match=message):
            open_document(str(path), wishes=Wishes(pages=wanted))
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(pdf(*"abcdef"))))
    writer.set_page_label(0, 5, style="/D", start=101)
    writer.write(offset := tmp_path / "offset.pdf")
    for wanted, numbers in (("104", [4]), ("102-103", [2, 3]), ("2", [2]), ("5-106", [5, 6])):
        with open_document(str(offset), wishes=Wishes(pages=wanted)) as document:
            assert [piece.page for piece in document.pieces()] == numbers
    with pytest.raises(UsageError, match="page 107 requested"):
        open_document(str(offset), wishes=Wishes(pages="107"))
    with open_document(str(path), wishes=Wishes(pages="8-12")) as document:
        assert len(list(document.pieces())) == 2
        assert document.warnings == [f"pages 8-12 requested, {path} has 9"]
    with pytest.raises(UsageError, match="has pages, not lines"):
        open_document(str(path), wishes=Wishes(lines="1-2"))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_off_download_is_called_that(share: float, tmp_path: Path, library: str) -> None:
    if library == "pypdfium2" and share == 0.99:  # only the table of places is missing, which pdfium makes anew
        pieces, warnings = read(THREE[: int(len(THREE) * share)], tmp_path)
        assert [piece.page for piece in pieces] == [1, 2, 3]
        assert warnings == ["book.pdf is cut off (no %%EOF): its last pages may be missing"]
        return
    assert refusal(THREE[: int(len(THREE) * share)], tmp_path).message == "book.pdf is cut off (no %%EOF)"


@pytest.mark.parametrize(
    "broken",
    [
        THREE.replace(b"xref\n0", b"xxxx\n0"),
        THREE.replace(b"/Kids [5 0 R", b"/Kids [2 0 R"),
        pdf(),
        b"%PDF-1.4\n" + bytes(range(256)) * 20 + b"\n%%EOF\n",
    ],
)
def test_a_corrupt_file_is_one_line(broken: bytes, tmp_path: Path, library: str) -> None:
    if library == "pypdfium2" and b"three" in broken:  # pdfium mends what it can: no page is lost without a word
        pieces, warnings = read(broken, tmp_path)
        assert len(pieces) == 3 or "left out" in warnings[0]
        return
    error = refusal(broken, tmp_path)
    assert error.message.startswith("book.pdf is a damaged PDF: ")
    assert error.code == "damaged_pdf"


def test_something_else_named_pdf_is_told_apart(tmp_path: Path) -> None:
    assert refusal(bytes(1000), tmp_path).message == "book.pdf is not a PDF: it has no %PDF- header"


def test_no_mutant_ends_in_anything_but_text_or_our_error(tmp_path: Path) -> None:
    import random

    rng = random.Random(2)
    path = tmp_path / "mutant.pdf"
    for _ in range(150):
        data = bytearray(pdf("one two three", shows("four").decode(), "five"))
        for _ in range(rng.randint(1, 12)):
            data[rng.randrange(9, len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            with open_document(str(path)) as document:
                list(document.pieces())
        except DocumentError:
            pass


@pytest.mark.parametrize("library", ["pypdf"], indirect=True)
def test_many_pages_do_not_pile_up(tmp_path: Path) -> None:
    path = tmp_path / "long.pdf"
    path.write_bytes(pdf(*[f"This is page {number}." for number in range(1, 501)]))
    with open_document(str(path)) as document:
        assert document.n_pages == 500
        pages = []
        for piece in document.pieces():
            pages.append(piece.page)
        assert len(document._pages.reader.resolved_objects) < 300  # type: ignore[attr-defined]
    assert pages == list(range(1, 501))


@pytest.mark.parametrize("library", ["pypdf"], indirect=True)
def test_pypdf_says_nothing_and_its_logger_is_left_as_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("pypdf")
    before = (logger.propagate, list(logger.handlers))
    read(pdf("one", damaged(), "three").replace(b"/Root 1 0 R", b"/Root 3 0 R"), tmp_path)
    assert (logger.propagate, list(logger.handlers)) == before
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("library", ["pypdfium2"], indirect=True)
def test_what_one_library_cannot_read_the_other_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infinipot_cli.documents import pdf_pdfium

    expected = read(THREE, tmp_path)
    real = pdf_pdfium.PdfiumPages._look
    monkeypatch.setattr(
        pdf_pdfium.PdfiumPages, "_look", lambda self, number: real(self, number) if number > 1 else ("", False)
    )
    assert read(THREE, tmp_path) == expected


@pytest.mark.parametrize("library", ["pypdfium2"], indirect=True)
def test_a_hyphen_at_the_end_of_a_line_stays_and_joins(tmp_path: Path) -> None:
    pieces, _ = read(pdf("It was a well-\nknown book."), tmp_path)
    assert pieces[0].text == "It was a well-known book."


def test_letters_stand_where_the_file_names_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = b"/fi /ff /ffi /uniFEE3 /uniFECA /uni0630 /uni0647 /uni0628"
    font = b"/BaseEncoding /WinAnsiEncoding /Differences [128 " + names + b"]"
    monkeypatch.setattr(
        small_pdf, "_FONT", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << " + font + b" >> >>"
    )
    shown = (b"\x80rst o\x81ice, a\x82x, well\xadknown", b"\x83\x84 \x85\x86\x87 1873")
    pieces, warnings = read(pdf(*(stream(b"BT /F1 12 Tf 50 700 Td (" + part + b") Tj ET") for part in shown)), tmp_path)
    assert pieces[0].text == "first office, affix, well-known"
    arabic = pieces[1].text
    assert not warnings
    assert "\u0645" in arabic and "\u0639" in arabic and "1873" in arabic, "the letters, not how they look in a word"
    assert not re.search("[\ufb00-\ufdff\ufe70-\ufefc]", arabic)


@pytest.mark.parametrize("library", ["pypdfium2"], indirect=True)
def test_pages_in_arabic_are_left_to_the_library_that_spells_them_right(tmp_path: Path) -> None:
    def found() -> list[str]:
        return [piece.text for piece in read(data, tmp_path)[0]]

    data = pdf("Latin page.", "Another one.")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pdf_pdfium.PdfiumPages, "_look", lambda *_: ("\u0628\u0647\u0630", False))
        assert found() == ["Latin page.", "\n\nAnother one."]
        patched.setattr(pdf_pdfium.PdfiumPages, "_look", lambda *_: ("\u05e9\u05dc\u05d5\u05dd", False))
        assert found()[0] == "\u05e9\u05dc\u05d5\u05dd", "Hebrew comes right"


def test_no_program_is_run_for_a_picture() -> None:
    with pdf_module.quiet_pypdf():
        assert pypdf.get_configuration().jbig2dec_binary is None
