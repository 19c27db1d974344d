"""PDF pages through pypdfium2, which is imported here and nowhere else: ten times faster than pypdf where installed.

Pdfium says little about what is wrong with a file. Whatever it cannot open, and every page on which it finds no text,
is given to pypdf, which finds the text or the reason. So are pages in Arabic script, whose words it spells backwards.
"""

import contextlib

import pypdfium2

from infinipot_cli.documents.clean import clean
from infinipot_cli.documents.letters import has_arabic
from infinipot_cli.documents.pdf_pages import LABEL_CHARS, Page, has_end_mark
from infinipot_cli.documents.pdf_pypdf import PypdfPages
from infinipot_cli.documents.source import Source

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
        labels = [clean(self._document.get_page_label(index)).strip()[:LABEL_CHARS] for index in range(self.n_pages)]
        is_labelled = all(labels) and any(label != str(number) for number, label in enumerate(labels, start=1))
        self.labels: list[str] | None = labels if is_labelled else None

    def page(self, number: int) -> Page:
        """Read a page, with pypdf where pdfium finds nothing, or nothing that can be read."""
        text = ""
        with contextlib.suppress(pypdfium2.PdfiumError):
            if (text := self._text(number)).strip() and not has_arabic(text):
                return Page(text)
        if self._second is None:
            self._second = PypdfPages(self._source, self._password)
        page = self._second.page(number)
        return page if page.text.strip() or not text.strip() else Page(text)

    def forget(self) -> None:
        """Let pypdf drop what it parsed; pdfium's pages are closed one by one."""
        if self._second is not None:
            self._second.forget()

    def close(self) -> None:
        """Let go of the file."""
        self._document.close()
        if self._second is not None:
            self._second.close()

    def _text(self, number: int) -> str:
        page = self._document[number - 1]
        try:
            text_page = page.get_textpage()
            try:
                return str(text_page.get_text_range()).translate(_HYPHENS)
            finally:
                text_page.close()
        finally:
            page.close()
