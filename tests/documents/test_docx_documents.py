"""DOCX: the text compared with what was put in, in the order in which a reader meets it."""

import io
from pathlib import Path

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.documents import Wishes, open_document
from infinipot_cli.errors import UsageError
from tests.documents.small_markup import joined, read, refusal, zipped


def written(document: "docx.document.Document") -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_a_word_document_gives_paragraphs_cells_and_breaks(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("The Contract", 1)
    paragraph = document.add_paragraph("Signed by ")
    paragraph.add_run("Flint").bold = True
    paragraph.add_run("\ton 3 May\nin Bristol – “done”.")
    paragraph.paragraph_format.tab_stops.add_tab_stop(1000)
    table = document.add_table(2, 2)
    for cell, text in zip(
        [c for row in table.rows for c in row.cells], ["Ship", "Guns", "Hispaniola", "9"], strict=True
    ):
        cell.text = text
    document.add_paragraph("The end.")
    pieces, warnings, kind = read(written(document), tmp_path, "contract.docx")
    assert joined(pieces) == (
        "The Contract\nSigned by Flint\ton 3 May\nin Bristol – “done”.\nShip\tGuns\nHispaniola\t9\nThe end.\n"
    )
    assert (warnings, kind) == ([], "docx")
    assert joined(read(written(document), tmp_path, "contract.docx", Wishes(lines="2-3"))[0]).startswith("Signed")
    with pytest.raises(UsageError, match="has no pages"):
        read(written(document), tmp_path, "contract.docx", Wishes(pages="1"))


@settings(max_examples=8, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co", "Cf"])), max_size=5))
def test_every_paragraph_of_a_word_document_comes_out(paragraphs: list[str]) -> None:
    document = docx.Document()
    for text in ("start", *paragraphs):
        document.add_paragraph(text)
    with open_document("-", stdin=io.BytesIO(written(document))) as opened:
        text = joined(list(opened.pieces()))
    assert text == "".join(f"{paragraph.text}\n" for paragraph in document.paragraphs)


def test_what_was_deleted_or_drawn_twice_is_left_out_and_notes_are_read(tmp_path: Path) -> None:
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = (
        f'<w:document xmlns:w="{word}" xmlns:mc="m"><w:body><w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr>'
        "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:t>kept</w:t></w:r>"
        "<mc:Fallback><w:t>twice</w:t></mc:Fallback></w:p></w:body></w:document>"
    )
    note = (
        f'<w:footnotes xmlns:w="{word}"><w:footnote><w:p><w:r><w:t>a note</w:t></w:r></w:p></w:footnote></w:footnotes>'
    )
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": "<x/>",
        "word/document.xml": body,
        "word/footnotes.xml": note,
    }
    assert joined(read(zipped(members), tmp_path, "a.docx")[0]) == "kept\na note\n"
    members["word/document.xml"] = body[:-20]
    assert "damaged" in refusal(zipped({**members, "word/document.xml": "<a><b></a>"}), tmp_path, "a.docx").message


def test_what_stands_above_and_below_the_pages_is_read_once_and_last(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Dear Sir,")
    for number in range(2):
        section = document.sections[-1] if not number else document.add_section()
        section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
        section.header.paragraphs[0].text = "Flint & Co., Bristol"
        section.footer.paragraphs[0].text = f"Contract {71432 + number}"
    text = joined(read(written(document), tmp_path, "letter.docx")[0])
    assert text.startswith("Dear Sir,\n")
    assert text.rstrip("\n").splitlines()[-3:] == ["Flint & Co., Bristol", "Contract 71432", "Contract 71433"]


def test_a_raised_digit_of_a_word_document_is_none_of_the_number_in_front_of_it(tmp_path: Path) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("10")
    paragraph.add_run("6").font.superscript = True
    paragraph.add_run(" people, the 1")
    paragraph.add_run("st").font.superscript = True
    paragraph.add_run("; H")
    paragraph.add_run("2").font.subscript = True
    paragraph.add_run("O")
    assert joined(read(written(document), tmp_path, "a.docx")[0]) == "10^6 people, the 1st; H2O\n"


def test_an_equation_is_read(tmp_path: Path) -> None:
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    body = (
        f'<w:document xmlns:w="{word}" xmlns:m="{math}"><w:body><w:p><w:r><w:t xml:space="preserve">so </w:t></w:r>'
        "<m:oMath><m:r><m:t>E=mc2</m:t></m:r></m:oMath><w:r><w:t> holds</w:t></w:r></w:p></w:body></w:document>"
    )
    members: dict[str, str | bytes] = {"[Content_Types].xml": "<x/>", "word/document.xml": body}
    assert joined(read(zipped(members), tmp_path, "a.docx")[0]) == "so E=mc2 holds\n"
