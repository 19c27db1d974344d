"""PDFs of py-pdf/sample-files, as many programs write them: what both libraries read is what their sources say.

They are not part of the source distribution; see tests/data/README.md.
"""

import codecs
import contextlib
import importlib
import io
import re
import sys
from pathlib import Path

import pypdf
import pytest

from infinipot_cli.documents import TextPiece, Wishes, open_document
from infinipot_cli.errors import DocumentError

FOLDER = Path(__file__).parents[1] / "data" / "pdf"
LOCKED = "libreoffice-writer-password.pdf"

# How many pages each has, by the collection's own list.
N_PAGES = {
    "annotated_pdf.pdf": 1,
    "google-doc-document.pdf": 1,
    "habibi-rotated.pdf": 4,
    "habibi.pdf": 1,
    "imagemagick-ASCII85Decode.pdf": 1,
    "imagemagick-CCITTFaxDecode.pdf": 1,
    "imagemagick-lzw.pdf": 1,
    "inline-image.pdf": 1,
    LOCKED: 1,
    "libreoffice-form.pdf": 1,
    "multicolumn.pdf": 3,
    "pdflatex-4-pages.pdf": 4,
    "pdflatex-forms.pdf": 1,
    "pdflatex-outline.pdf": 4,
    "reportlab-overlay.pdf": 1,
    "with-attachment.pdf": 1,
}
IMAGES = sorted(name for name in N_PAGES if name.startswith("imagemagick"))
WITH_TEXT = sorted(set(N_PAGES) - set(IMAGES) - {LOCKED})

# The text of three of the sources.
LOREM = """
Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod tempor invidunt ut labore et dolore
magna aliquyam erat, sed diam voluptua. At vero eos et accusam et justo duo dolores et ea rebum. Stet clita kasd
gubergren, no sea takimata sanctus est Lorem ipsum dolor sit amet.
"""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the source distribution does not hold them")


@pytest.fixture(autouse=True, params=["pypdf", "pypdfium2"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which library reads the pages."""
    if request.param == "pypdf":
        monkeypatch.setitem(sys.modules, "infinipot_cli.documents.pdf_pdfium", None)
    return str(request.param)


def read(name: str | Path, wishes: Wishes = Wishes()) -> list[TextPiece]:  # noqa: B008
    with open_document(str(FOLDER / name), wishes=wishes) as document:
        pieces = list(document.pieces())
        assert document.warnings == []
    return pieces


def text_of(name: str | Path) -> str:
    return "".join(piece.text for piece in read(name))


def words(text: str) -> list[str]:
    """Words as the source has them, not broken at the ends of lines."""
    return re.sub(r"(?<=[a-z])-\s*(?=[a-z])", "", text).split()


def test_all_of_them_are_here_and_small() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(N_PAGES)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 400_000


@pytest.mark.parametrize("name", WITH_TEXT)
def test_pages_are_counted_and_chosen_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_document(str(FOLDER / name)) as document:
        n_pages, labels = document.n_pages, document.labels
        pieces = list(document.pieces())
    assert n_pages == N_PAGES[name]
    assert [piece.page for piece in pieces] == list(range(1, n_pages + 1))
    for number in range(1, n_pages + 1):
        (alone,) = read(name, Wishes(pages=str(number)))
        assert (alone.page, alone.label) == (number, pieces[number - 1].label)
        assert alone.text == pieces[number - 1].text.removeprefix("\n\n")
    monkeypatch.setitem(sys.modules, "infinipot_cli.documents.pdf_pdfium", None)
    with open_document(str(FOLDER / name)) as document:
        assert (document.n_pages, document.labels) == (n_pages, labels)


@pytest.mark.parametrize("name", IMAGES)
def test_a_picture_is_refused_as_one(name: str) -> None:
    with pytest.raises(DocumentError, match=r"has no text layer \(1 page, 0 characters\)$") as refused:
        read(name)
    assert refused.value.code == "no_text_layer"
    assert refused.value.exit_code == 3
    assert f"{FOLDER / name} " in refused.value.hint and "ocrmypdf" in refused.value.hint


@pytest.mark.parametrize("password", ["openpassword", "permissionpassword"])
def test_either_password_opens(password: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(password)
    (piece,) = read(LOCKED, Wishes(password_file=str(tmp_path / "password")))
    assert words(piece.text) == words(LOREM) * 2


@pytest.mark.parametrize(
    ("password", "code", "message"),
    [
        (None, "encrypted", "is encrypted and needs a password"),
        ("Openpassword", "wrong_password", "the password in the file does not open"),
    ],
)
def test_no_other_does(password: str | None, code: str, message: str, tmp_path: Path) -> None:
    if password is not None:
        (tmp_path / "password").write_text(password)
    wishes = Wishes(password_file=str(tmp_path / "password") if password else None)
    with pytest.raises(DocumentError, match=message) as refused:
        read(LOCKED, wishes)
    assert (refused.value.code, refused.value.exit_code) == (code, 3)
    assert password is None or password not in refused.value.message + refused.value.hint


def test_paragraphs_are_those_of_the_source_and_attachments_are_not_read() -> None:
    assert words(text_of("with-attachment.pdf")) == [*words(LOREM) * 2, "1"]
    found = words(text_of("pdflatex-4-pages.pdf"))
    assert found.count("Kjift") == found.count("“Huardest") == 23


def test_sections_stand_on_the_pages_that_the_contents_say() -> None:
    contents, *_ = pieces = read("pdflatex-outline.pdf")
    entries = re.findall(r"^(\d) (\w+) (\d)$", contents.text, re.M)
    assert [title for _, title, _ in entries] == ["Foo", "Bar", "Baz"] * 3
    for number, title, page in entries:
        places = [piece.page for piece in pieces if re.search(rf"^{number} {title}\s*$", piece.text, re.M)]
        assert places == [int(page)]


def test_a_poem_comes_line_by_line() -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        zen = codecs.decode(importlib.import_module("this").s, "rot13").split("\n", 2)[2]
    found = text_of("google-doc-document.pdf")
    assert found.startswith("Example document\nBeautiful is better than ugly.\n")
    assert " ".join(zen.replace("*", " ").split()) in " ".join(found.replace("*", " ").split())


def test_columns_are_read_one_after_the_other() -> None:
    paragraphs = """Lorem ipsum dolor sit amet, consectetuer adipiscing elit. Ut purus elit
        Nam dui ligula, fringilla a, euismod sodales, sollicitudin vel, wisi
        Nulla malesuada porttitor diam. Donec felis erat, congue non, volutpat at, tincidunt tristique, libero
        Quisque ullamcorper placerat ipsum. Cras nibh. Morbi vel justo vitae lacus tincidunt ultrices
        Fusce mauris. Vestibulum luctus nibh at lectus. Sed bibendum, nulla a faucibus semper, leo velit ultricies
        Suspendisse vel felis. Ut lorem lorem, interdum eu, tincidunt sit amet, laoreet vitae, arcu
        Sed commodo posuere pede. Mauris ut est. Ut quis purus. Sed ac odio. Sed vehicula hendrerit sem
        Pellentesque habitant morbi tristique senectus et netus et malesuada fames ac turpis egestas. Donec odio elit
        Morbi luctus, wisi viverra faucibus pretium, nibh est placerat odio, nec commodo wisi enim eget quam
        Suspendisse vitae elit. Aliquam arcu neque, ornare in, ullamcorper quis, commodo eu, libero""".split("\n")
    joined = " ".join(words(text_of("multicolumn.pdf")))
    places = [joined.find(paragraph.strip()) for paragraph in paragraphs]
    assert min(places) > 0
    assert places == sorted(places)
    assert "Donec nonummy pellentesque ante. Phasellus adipiscing" in joined, "across the foot of the first column"
    assert "Quisque egestas wisi eget nunc. Nam feugiat 1 lacus vel est." in joined, "across the foot of the page"
    table = read("multicolumn.pdf", Wishes(pages="3"))[0].text
    assert "Belgium 11.5 30,689 Brussels Dutch, French, German" in table
    assert "Czech Republic 10.7 78,866 Prague Czech" in table


@pytest.mark.parametrize("name", ["habibi.pdf", "habibi-rotated.pdf"])
def test_arabic_words_are_spelt_in_reading_order(name: str) -> None:
    for piece in read(name):
        found = piece.text.split()
        # the file gives the word for a letter of the next as well, so it comes twice
        assert set(found) == {"\u062d\u064e\u0628\u064a\u0628\u064a", "habibi"}
        assert "habibi" in found


def test_remarks_and_pictures_are_no_text() -> None:
    assert words(text_of("annotated_pdf.pdf").replace("1Line", "1 Line")) == words(
        "Some text. Line 1 Line 2 Not highlighted"
    )
    assert text_of("inline-image.pdf") == "Test"
    assert text_of("reportlab-overlay.pdf").split("\n") == [
        "Name: Foo Bar",
        "Fingerprint: asdfSa2123",
        "Signed: 12-34-2007T12:34:56",
    ]


def filled(name: str, values: dict[str, str], path: Path) -> Path:
    """A form, filled in and stored by another program."""
    writer = pypdf.PdfWriter(clone_from=FOLDER / name)
    writer.update_page_form_field_values(writer.pages[0], dict(values))
    writer.write(path)
    writer.close()
    return path


FORMS = {
    "pdflatex-forms.pdf": ({"Name": "Anna Berg", "Check": "/Yes"}, ["Name: Anna Berg", "Check: yes"]),
    "libreoffice-form.pdf": (
        {"Last Name": "Ørsted", "Birthday": "1 May 1990", "Nationality": "German", "gdpr": "/Yes", "female": "/1"},
        [
            "Last Name: Ørsted",
            "First Name: Alice",
            "Birthday: 1 May 1990",
            "female: 1",
            "Nationality: German",
            "gdpr: yes",
            "First Name_2: Bob",
        ],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_says_what_was_filled_in(name: str, tmp_path: Path) -> None:
    values, expected = FORMS[name]
    empty = text_of(name).split("\n")
    found = text_of(filled(name, values, tmp_path / name)).split("\n")
    assert found[-len(expected) :] == expected
    assert found[: -len(expected)] == [line for line in empty if line not in ("First Name: Alice", "First Name_2: Bob")]


@pytest.mark.parametrize("name", FORMS)
def test_values_are_those_that_pdfium_finds_in_the_form(name: str, tmp_path: Path) -> None:
    pdfium = pytest.importorskip("pypdfium2")
    path = filled(name, FORMS[name][0], tmp_path / name)
    document = pdfium.PdfDocument(path)
    document.init_forms()
    form, page, raw = document.formenv, document[0], pdfium.raw

    def said(get: object) -> str:
        buffer = (raw.FPDF_WCHAR * 200)()
        n_bytes = get(form, annotation, buffer, 400)  # type: ignore[operator]
        return bytes(buffer)[: n_bytes - 2].decode("utf-16-le")

    theirs = set()
    for index in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
        label = said(raw.FPDFAnnot_GetFormFieldName)
        if kind in (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX):
            if value := said(raw.FPDFAnnot_GetFormFieldValue):
                theirs.add(f"{label}: {value}")
        elif raw.FPDFAnnot_IsChecked(form, annotation):
            is_box = kind == raw.FPDF_FORMFIELD_CHECKBOX
            theirs.add(f"{label}: {'yes' if is_box else said(raw.FPDFAnnot_GetFormFieldExportValue)}")
        raw.FPDFPage_CloseAnnot(annotation)
    page.close()
    document.close()
    assert len(theirs) == len(FORMS[name][1])
    assert theirs == set(text_of(path).split("\n")[-len(theirs) :])
