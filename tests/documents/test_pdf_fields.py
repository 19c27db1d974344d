"""What was filled in on a page: values of form fields, and text typed onto it, by both libraries."""

import io
import sys
import time
from pathlib import Path

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_pdf import BLANK, SCAN, damaged, first_extra, pdf

from infinipot_cli.documents import TextPiece, Wishes, open_document, pdf_fields, pdf_pypdf

WIDGET = b"/Type /Annot /Subtype /Widget /Rect [50 50 90 70]"


@pytest.fixture(autouse=True, params=["pypdf", "pypdfium2"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which library reads the pages."""
    if request.param == "pypdf":
        monkeypatch.setitem(sys.modules, "infinipot_cli.documents.pdf_pdfium", None)
    return str(request.param)


def string(text: str) -> bytes:
    """A string of a PDF in UTF-16, for whatever it holds."""
    return b"<FEFF" + text.encode("utf-16-be").hex().encode() + b">"


def read(data: bytes, folder: Path, pages: str | None = None) -> tuple[list[TextPiece], list[str]]:
    path = folder / "form.pdf"
    path.write_bytes(data)
    with open_document(str(path), wishes=Wishes(pages=pages)) as document:
        pieces = list(document.pieces())
        text = "".join(piece.text for piece in pieces)
        assert all(text[piece.char_start :].startswith(piece.text) for piece in pieces)
        return pieces, [line.replace(str(path), "form.pdf") for line in document.warnings]


def lines(fields: bytes, folder: Path, extra: list[bytes] | None = None, page: str | bytes = "The form.") -> list[str]:
    """What is read of a page with these annotations, behind its own text."""
    pieces, warnings = read(pdf(page, annotations={1: fields}, extra=extra or []), folder)
    assert warnings == []
    first, *rest = pieces[0].text.split("\n")
    assert first == "The form."
    return rest


def field(inside: bytes) -> bytes:
    return b"<< " + WIDGET + b" " + inside + b" >>"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (b"/FT /Tx /T (name) /V (Anna Berg)", ["name: Anna Berg"]),
        (b"/FT /Tx /T (name) /TU (Full name:) /V (Anna Berg)", ["Full name: Anna Berg"]),
        (b"/FT /Tx /T (name) /TU ( Full\\n name ) /V ( Anna )", ["Full name: Anna"]),
        (b"/FT /Tx /T (form1[0].#subform[2].Name[0]) /V (Anna)", ["Name: Anna"]),
        (b"/FT /Tx /T (form1[0].Name[0].#area[1]) /V (Anna)", ["Name: Anna"]),
        (b"/FT /Tx /T (name) /V (caf\\351 \\237)", ["name: café Ÿ"]),  # no code of PDFDocEncoding, so taken for cp1252
        (b"/FT /Tx /T (Address.0) /V (Elm Street)", ["Address: Elm Street"]),
        (b"/FT /Tx /T (7) /V (seven)", ["7: seven"]),
        (b"/FT /Tx /V (a value without a name)", ["a value without a name"]),
        (
            b"/FT /Tx /T (lines) /V (Elm Street 5\\rSpringfield\\r\\nOhio)",
            ["lines: Elm Street 5", "Springfield", "Ohio"],
        ),
        (b"/FT /Tx /T (m) /V (a\\033[31mred\\000 one)", ["m: ared one"]),
        (b"/FT /Tx /T (price) /V (\\240 5)", ["price: € 5"]),  # PDFDocEncoding
        (b"/FT /Tx /T (name) /V ( )", []),
        (b"/FT /Tx /T (name) /V null", []),
        (b"/FT /Tx /T (name) /DV (usual)", []),
        (b"/FT /Tx /T (pin) /Ff 8192 /V (1234)", []),
        (b"/FT /Tx /T (pin) /Ff 4096 /V (1234)", ["pin: 1234"]),
        (b"/FT /Tx /T (name) /F 2 /V (hidden)", []),
        (b"/FT /Tx /T (name) /F 32 /V (not viewed)", []),
        (b"/FT /Tx /T (name) /F 4 /V (printed)", ["name: printed"]),
        (b"/FT /Sig /T (signed) /V << /Type /Sig /Name (Anna) >>", []),
        (b"/T (name) /V (no kind of field)", []),
        (b"/FT /Ch /T (land) /V (DE) /Opt [[(AT) (Austria)] [(DE) (Germany)]]", ["land: Germany"]),
        (b"/FT /Ch /T (land) /V (Germany) /Opt [(Austria) (Germany)]", ["land: Germany"]),
        (b"/FT /Ch /T (land) /V (Peru) /Ff 393216 /Opt [[(AT) (Austria)]]", ["land: Peru"]),
        (b"/FT /Ch /T (land) /V [(DE) (AT)] /Opt [[(AT) (Austria)] [(DE) (Germany)]]", ["land: Germany, Austria"]),
        (b"/FT /Ch /T (land) /V () /Opt [(Austria)]", []),
        (b"/FT /Btn /T (push) /Ff 65536 /V (x) /AS /On", []),
        (b"/FT /Btn /T (agreed) /V /Yes /AS /Yes", ["agreed: yes"]),
        (b"/FT /Btn /T (agreed) /V /On", ["agreed: yes"]),
        (b"/FT /Btn /T (agreed) /V /On /AS /Off", []),
        (b"/FT /Btn /T (agreed) /V /Off /AS /Off", []),
        (b"/FT /Btn /T (agreed)", []),
        (b"/FT /Btn /T (agreed) /AS /Other /AP << /N << /On null /Off null >> >>", []),
    ],
)
def test_a_field_says_what_a_viewer_shows_of_it(inside: bytes, expected: list[str], tmp_path: Path) -> None:
    assert lines(field(inside), tmp_path) == expected


def test_what_a_field_is_may_stand_in_its_parents(tmp_path: Path) -> None:
    n = first_extra(1)
    extra = [
        b"<< /FT /Tx /T (applicant) /TU (All about you) /Ff 0 >>",
        b"<< /Parent %d 0 R /T (name) /V (Anna Berg) /TU (Who applies) >>" % n,
        field(b"/Parent %d 0 R" % (n + 1)),
        field(b"/Parent %d 0 R /F 4" % (n + 1)),
        field(b"/Parent %d 0 R /FT null /T (town) /V (Bonn)" % n),
        b"<< /FT /Tx /T (secret) /Ff 8192 /V (hush) >>",
        field(b"/Parent %d 0 R" % (n + 5)),
    ]
    shown = b" ".join(b"%d 0 R" % (n + i) for i in (2, 3, 4, 6))
    assert lines(shown, tmp_path, extra) == ["Who applies: Anna Berg", "town: Bonn"], "said once, though shown twice"


@pytest.mark.parametrize(
    ("group", "states", "chosen", "expected"),
    [
        (b"/Ff 32768", [b"single", b"married"], b"married", ["status: married"]),
        (b"/Ff 49152", [b"1", b"2"], b"1", ["status: 1"]),
        (b"/Ff 32768 /Opt [(Not married) (Married)]", [b"0", b"1"], b"1", ["status: Married"]),
        (b"/Ff 32768 /Opt [(Not married) (Married)]", [b"on", b"on"], b"Off", []),
        (b"/Ff 32768", [b"single", b"married"], b"Off", []),
        (b"/Ff 32768", [b"single"], b"single", ["status: single"]),
        (b"", [b"single", b"married"], b"single", ["status: single"]),  # boxes of which one can be ticked
        (b"", [b"On", b"On"], b"On", ["status: yes"]),  # one box, shown twice
    ],
)
@pytest.mark.parametrize("has_state", [True, False])
def test_of_options_the_chosen_one_is_named(
    group: bytes, states: list[bytes], chosen: bytes, expected: list[str], has_state: bool, tmp_path: Path
) -> None:
    n = first_extra(1)
    kids = b" ".join(b"%d 0 R" % (n + 1 + i) for i in range(len(states)))
    extra = [b"<< /FT /Btn /T (status) " + group + b" /V /" + chosen + b" /Kids [" + kids + b"] >>"]
    for state in states:
        shown = b" /AS /" + (state if state == chosen else b"Off") if has_state else b""
        look = b" /AP << /N << /" + state + b" 4 0 R /Off 4 0 R >> >>"
        extra.append(field(b"/Parent %d 0 R" % n + shown + look))
    assert lines(kids, tmp_path, extra) == expected


def test_text_that_was_typed_onto_a_page_stands_in_its_lines(tmp_path: Path) -> None:
    note = b"<< /Type /Annot /Rect [0 0 9 9] /Subtype /%s /Contents (%s) %s >>"
    annotations = [
        note % (b"FreeText", b"Paid on 3 May.\\rSee receipt 17.", b""),
        note % (b"Text", b"a remark that is folded away", b""),
        note % (b"Highlight", b"a remark on words", b""),
        note % (b"FreeText", b"hidden", b"/F 2"),
        note % (b"Link", b"a link", b""),
        field(b"/FT /Tx /T (name) /V (Anna)"),
        note % (b"FreeText", b"\\(signed\\) Berg", b"/F 4"),
    ]
    expected = ["Paid on 3 May.", "See receipt 17.", "name: Anna", "(signed) Berg"]
    assert lines(b" ".join(annotations), tmp_path) == expected


def test_a_long_value_may_be_a_stream(tmp_path: Path) -> None:
    text = "Über alles.\nZweitens. " * 200
    data = b"\xfe\xff" + text.encode("utf-16-be")
    value = b"<< /Length %d >>\nstream\n" % len(data) + data + b"\nendstream"
    found = lines(field(b"/FT /Tx /T (story) /V %d 0 R" % first_extra(1)), tmp_path, [value])
    assert "\n".join(found) == "story: " + text.strip()


def test_lines_belong_to_their_pages_and_a_page_of_nothing_else_has_text(tmp_path: Path) -> None:
    annotations = {n: field(b"/FT /Tx /T (page) /V (number %d)" % n) for n in (2, 3, 5)}
    data = pdf("one", "two", BLANK, BLANK, SCAN, "six", annotations=annotations)
    pieces, warnings = read(data, tmp_path)
    assert [(piece.page, piece.text.strip()) for piece in pieces] == [
        (1, "one"),
        (2, "two\npage: number 2"),
        (3, "page: number 3"),
        (5, "page: number 5"),
        (6, "six"),
    ]
    assert warnings == ["form.pdf: page 5 has no text layer (scanned?)"], "what was printed on it is not read"
    assert [piece.text for piece in read(data, tmp_path, pages="2-4")[0]] == [
        "two\npage: number 2",
        "\n\npage: number 3",
    ]


def test_what_is_filled_in_is_read_beside_text_that_cannot_be(tmp_path: Path) -> None:
    value = field(b"/FT /Tx /T (name) /V (Anna)")
    pages = ["/g18/g152/g33 " * 20, damaged(), "three"]
    pieces, warnings = read(pdf(*pages, annotations={1: value, 2: value}), tmp_path)
    assert [piece.text.strip() for piece in pieces] == ["name: Anna", "name: Anna", "three"]
    assert warnings == [
        "form.pdf: page 2 could not be read and was left out",
        "form.pdf: page 1 was left out: the text looks garbled",
    ]


@pytest.mark.parametrize(
    "broken",
    [
        b"null",
        b"17",
        b"(text)",
        b"99 0 R",
        b"[ ]",
        b"<< >>",
        b"<< /Subtype 5 >>",
        b"<< /Subtype /FreeText >>",
        b"<< /Subtype /FreeText /Contents 7 >>",
        field(b"/FT /Tx /T 5 /V 6"),
        field(b"/FT /Tx /V [1 2]"),
        field(b"/FT /Tx /Ff (x) /V (y)"),
        field(b"/FT /Ch /Opt 5 /V << >>"),
        field(b"/FT /Btn /AP 3 /AS 4 /Kids 5"),
        field(b"/FT /Btn /AP << /N 4 0 R >> /Kids [1 null] /AS /Off"),
        field(b"/Parent %d 0 R" % first_extra(1)),  # its own grandfather
    ],
)
def test_a_damaged_annotation_costs_neither_the_page_nor_the_others(broken: bytes, tmp_path: Path) -> None:
    good = field(b"/FT /Tx /T (name) /V (Anna)")
    n = first_extra(1)
    circle = [b"<< /FT /Tx /Parent %d 0 R >>" % (n + 1), b"<< /Parent %d 0 R >>" % n]
    assert lines(good + b" " + broken + b" " + good, tmp_path, circle) == ["name: Anna", "name: Anna"]


def test_annotations_that_raise_or_take_too_long_leave_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(page: pypdf.PageObject) -> str:
        raise RecursionError

    def sleeps(page: pypdf.PageObject) -> str:
        time.sleep(5)
        return "never"

    monkeypatch.setattr(pdf_pypdf, "PAGE_SECONDS", 0.2)
    for trouble in (raises, sleeps):
        monkeypatch.setattr(pdf_fields, "filled_in", trouble)
        assert lines(field(b"/FT /Tx /T (name) /V (Anna)"), tmp_path) == []


@pytest.mark.parametrize("library", ["pypdfium2"], indirect=True)
def test_pypdf_is_left_alone_where_nothing_can_be_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = b"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] >>"
    data = pdf("one", "two", "three", annotations={2: link * 3})
    with monkeypatch.context() as patched:
        patched.setattr("infinipot_cli.documents.pdf_pdfium.PypdfPages", None)
        assert len(read(data, tmp_path)[0]) == 3
    n_opened = 0

    class Refusing:
        def __init__(self, *_: object) -> None:
            nonlocal n_opened
            n_opened += 1
            raise pdf_pypdf.damaged("form.pdf", "nothing opens it")

    monkeypatch.setattr("infinipot_cli.documents.pdf_pdfium.PypdfPages", Refusing)
    value = field(b"/FT /Tx /T (name) /V (Anna)")
    pieces, _ = read(pdf("one", "two", annotations={1: value, 2: value}), tmp_path)
    assert [piece.text.strip() for piece in pieces] == ["one", "two"], "a page is worth more than its fields"
    assert n_opened == 1


def test_a_form_filled_in_by_another_program_and_locked(tmp_path: Path) -> None:
    empty = field(b"/FT /Tx /T (name)") + field(b"/FT /Tx /T (town)")
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(pdf("The form.", annotations={1: empty}))))
    for reference in writer.pages[0]["/Annots"]:
        reference.get_object()[pypdf.generic.NameObject("/V")] = pypdf.generic.TextStringObject("Ωmega – 5 €")
    writer.encrypt("", "owner", algorithm="AES-256")
    writer.write(out := io.BytesIO())
    writer.close()
    assert read(out.getvalue(), tmp_path)[0][0].text == "The form.\nname: Ωmega – 5 €\ntown: Ωmega – 5 €"


WORDS = st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=8)
PLAIN = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
VALUES = st.lists(PLAIN, max_size=3).map("\n".join)


@pytest.mark.parametrize("library", ["pypdf"], indirect=True)
@given(fields=st.lists(st.tuples(PLAIN, VALUES, st.sampled_from([0, 4, 2, 32, 34])), max_size=6))
def test_every_value_that_is_shown_comes_once_in_order(fields: list[tuple[str, str, int]]) -> None:
    inside = [
        field(b"/FT /Tx /TU " + string(label) + b" /V " + string(value) + b" /F %d" % flags)
        for label, value, flags in fields
    ]
    reader = pypdf.PdfReader(io.BytesIO(pdf("x", annotations={1: b" ".join(inside)})))
    expected = [f"{label}: {value}" for label, value, flags in fields if value and not flags & 34]
    assert pdf_fields.filled_in(reader.pages[0]) == "\n".join(expected)
