"""PDF pages through pypdfium2, which is imported here and nowhere else: ten times faster than pypdf where installed.

Pdfium says little about what is wrong with a file. Whatever it cannot open, and every page on which it finds no text,
is given to pypdf, which finds the text or the reason. So are pages in Arabic script, whose words it spells backwards.
What was filled in on a page is pypdf's as well: pdfium only says whether the page has annotations that may hold any.
"""

import contextlib

import pypdfium2
from pypdfium2 import raw

from infinipot_cli.documents.clean import clean
from infinipot_cli.documents.letters import has_arabic
from infinipot_cli.documents.pdf_pages import LABEL_CHARS, Page, has_end_mark
from infinipot_cli.documents.pdf_pypdf import PypdfPages
from infinipot_cli.documents.source import Source
from infinipot_cli.errors import DocumentError

# What pdfium puts in the place of a hyphen that ends a line.
_HYPHENS = str.maketrans({"\ufffe": "-", "\x02": "-"})


class PdfiumPages:
    """The pages of a PDF; see `pdf_pages.PageSource`.

    Args:
        source: the bytes, at their start; a pipe is spooled to a private temporary file.
        password: opens an encrypted file; None tries the empty one.

    Raises:
        pypdfium2.PdfiumError: it cannot open the file, for whatever reason.
    """

    def __init__(self, source: Source, password: str | None = None) -> None:
        file = source.seekable()
        self.is_complete = has_end_mark(file)
        file.seek(0)
        try:
            self._document = pypdfium2.PdfDocument(file)
        except pypdfium2.PdfiumError:
            if password is None:
                raise
            self._document = pypdfium2.PdfDocument(file, password)
        self.n_pages = len(self._document)
        if self.n_pages == 0:
            raise pypdfium2.PdfiumError("no pages")
        self._source, self._password = source, password
        self._second: PypdfPages | None = None
        self._is_alone = False
        labels = [clean(self._document.get_page_label(index)).strip()[:LABEL_CHARS] for index in range(self.n_pages)]
        is_labelled = all(labels) and any(label != str(number) for number, label in enumerate(labels, start=1))
        self.labels: list[str] | None = labels if is_labelled else None

    def page(self, number: int) -> Page:
        """Read a page, with pypdf where pdfium finds nothing, or nothing that can be read."""
        text = ""
        with contextlib.suppress(pypdfium2.PdfiumError):
            text, may_be_filled_in = self._look(number)
            if text.strip() and not has_arabic(text):
                return Page(text, filled_in=self._filled_in(number) if may_be_filled_in else "")
        page = self._pypdf().page(number)
        return page if page.text.strip() or not text.strip() else Page(text, filled_in=page.filled_in)

    def forget(self) -> None:
        """Let pypdf drop what it parsed; pdfium's pages are closed one by one."""
        if self._second is not None:
            self._second.forget()

    def close(self) -> None:
        """Let go of the file."""
        self._document.close()
        if self._second is not None:
            self._second.close()

    def _look(self, number: int) -> tuple[str, bool]:
        """The text of a page, and whether it has annotations that may hold more."""
        page = self._document[number - 1]
        try:
            text_page = page.get_textpage()
            try:
                text = str(text_page.get_text_range()).translate(_HYPHENS)
            finally:
                text_page.close()
            return text, _has_annotations(page)
        finally:
            page.close()

    def _filled_in(self, number: int) -> str:
        if not self._is_alone:
            try:
                second = self._pypdf()
                # what pdfium mends and pypdf does not may have other pages
                return second.filled_in(number) if second.n_pages == self.n_pages else ""
            except DocumentError:  # it cannot open what pdfium opened
                self._is_alone = True
        return ""

    def _pypdf(self) -> PypdfPages:
        if self._second is None:
            self._second = PypdfPages(self._source, self._password)
        return self._second


def _has_annotations(page: pypdfium2.PdfPage) -> bool:
    """Whether there are fields of a form, or text that was typed onto the page, empty or not."""
    for index in range(raw.FPDFPage_GetAnnotCount(page)):
        if annotation := raw.FPDFPage_GetAnnot(page, index):
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            raw.FPDFPage_CloseAnnot(annotation)
            if kind in (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT):
                return True
    return False
