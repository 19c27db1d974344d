"""PDF to text page by page, whichever library finds the text.

Damaged pages raise almost anything, so everything is caught around each page and becomes a warning that names it.
"""

import shlex
from collections.abc import Iterator

from infinipot_cli.documents.clean import clean
from infinipot_cli.documents.garbled import garbled_share
from infinipot_cli.documents.letters import letters
from infinipot_cli.documents.pdf_pages import PageSource
from infinipot_cli.documents.pdf_pypdf import PAGE_SECONDS, PypdfPages
from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.documents.ranges import resolve_pages
from infinipot_cli.documents.source import Source
from infinipot_cli.documents.time_limit import TimeLimitReached
from infinipot_cli.documents.wishes import Wishes
from infinipot_cli.errors import DocumentError, PartError

PAGE_SEPARATOR = "\n\n"

_CLEAR_EVERY = 100  # pages; a library remembers what it has parsed
_GARBLED_WARN = 0.2
_GARBLED_SKIP = 0.5


class PdfDocument(Document):
    """A PDF, opened and counted; its text layer is read by `pieces`.

    Args:
        source: the bytes, at their start; a pipe is spooled to a private temporary file.
        wishes: the pages to read, and where the password stands.

    Raises:
        DocumentError: it needs a password, is cut off or damaged, or has no pages.
        PartError: it has not the pages that were asked for.
    """

    kind = "pdf"

    def __init__(self, source: Source, wishes: Wishes = Wishes()) -> None:  # noqa: B008  (frozen)
        wishes.forbid_lines(source.name)
        self.name = source.name
        self.warnings = []
        self._source = source
        self._pages = _open_pages(source, wishes.password())
        self.n_bytes = source.n_bytes
        self.n_pages: int = self._pages.n_pages
        self.labels = self._pages.labels
        self.wanted: list[int] | range = range(1, self.n_pages + 1)
        if wishes.pages is not None:
            try:
                self.wanted, warning = resolve_pages(wishes.pages, self.n_pages, self.labels, name=self.name)
            except PartError:
                self._pages.close()
                raise
            self.warnings += [warning] if warning else []

    def pieces(self) -> Iterator[TextPiece]:
        """Read the pages in order; the text of two pages is joined by a blank line.

        A page that cannot be read never stops the others: it is left out and named in `warnings`.

        Raises:
            DocumentError: no page has text, after all have been looked at.
        """
        report = _Report()
        n_chars = 0
        for n_read, number in enumerate(self.wanted, start=1):
            text = self._page_text(number, report)
            if n_read % _CLEAR_EVERY == 0:
                self._pages.forget()
            if not text:
                continue
            text = PAGE_SEPARATOR + text if n_chars else text
            yield TextPiece(text, number, n_chars, n_read / len(self.wanted), self._label(number))
            n_chars += len(text)
        if not n_chars:
            raise report.no_text(self.name, len(self.wanted))
        self.warnings += report.warnings(self.name)
        if not self._pages.is_complete:
            self.warnings.append(f"{self.name} is cut off (no %%EOF): its last pages may be missing")

    def close(self) -> None:
        """Close the file and drop what was parsed."""
        self._pages.close()
        self._source.close()

    def _label(self, number: int) -> str | None:
        labels = self._pages.labels
        return labels[number - 1] if labels and labels[number - 1] != str(number) else None

    def _page_text(self, number: int, report: "_Report") -> str:
        """The cleaned text of a page; empty when there is none to use, which the report then explains."""
        try:
            page = self._pages.page(number)
        except TimeLimitReached:
            report.slow.append(number)
            return ""
        except Exception:  # damaged pages raise almost anything, and must not stop the others
            report.unreadable.append(number)
            return ""
        share = garbled_share(page.text)
        text = "" if share > _GARBLED_SKIP else clean(letters(_join_surrogates(page.text))).strip()
        filled_in = clean(_join_surrogates(page.filled_in)).strip()
        if share > _GARBLED_SKIP:
            report.skipped.append(number)
        elif share > _GARBLED_WARN and text:
            report.garbled.append(number)
        elif not text and page.has_image:  # what was filled in on a scanned form is not what the form says
            report.scanned.append(number)
        elif not text and page.is_damaged:
            report.unreadable.append(number)
        elif not text and not filled_in:
            report.blank.append(number)
        return "\n".join(filter(None, (text, filled_in)))


def _open_pages(source: Source, password: str | None) -> PageSource:
    """Open a PDF with pypdfium2 where that is installed, else or if it cannot, with pypdf, which says what is wrong."""
    try:
        from infinipot_cli.documents.pdf_pdfium import PdfiumPages
    except ImportError:
        return PypdfPages(source, password)
    try:
        return PdfiumPages(source, password)
    except RuntimeError:  # what all errors of pypdfium2 are
        return PypdfPages(source, password)


class _Report:
    """Pages that gave no text or doubtful text, by reason, as numbers counted from 1."""

    def __init__(self) -> None:
        self.unreadable: list[int] = []
        self.slow: list[int] = []
        self.scanned: list[int] = []
        self.blank: list[int] = []
        self.skipped: list[int] = []
        self.garbled: list[int] = []

    def warnings(self, name: str) -> list[str]:
        reasons = (
            (self.unreadable, "could not be read and {was} left out"),
            (self.slow, f"took longer than {PAGE_SECONDS:.0f} s and {{was}} left out"),
            (self.skipped, "{was} left out: the text looks garbled"),
            (self.garbled, "{was} read, but the text looks garbled"),
            (self.scanned, "{has} no text layer (scanned?)"),
        )
        return [f"{name}: {_pages(pages, reason)}" for pages, reason in reasons if pages]

    def no_text(self, name: str, n_pages: int) -> DocumentError:
        file = name if name.lower().endswith(".pdf") else "document.pdf"
        ocr = f"OCR it first, e.g. ocrmypdf {shlex.quote(file)} {shlex.quote(file[:-4] + '-ocr.pdf')}"
        plural = "s" if n_pages > 1 else ""
        if self.skipped:
            return DocumentError(
                f"{name} has no readable text: its text layer is garbled ({n_pages} page{plural})",
                hint=ocr,
                code="garbled_text",
            )
        n_failed = len(self.unreadable) + len(self.slow)
        if n_failed and not self.scanned:
            return DocumentError(
                f"{name} is damaged: {n_failed} of {n_pages} page{plural} could not be read"
                + (", the rest is empty" if n_failed < n_pages else ""),
                hint="get a fresh copy of it, or save it again from a PDF viewer",
                code="damaged_pdf",
            )
        return DocumentError(
            f"{name} has no text layer ({n_pages} page{plural}, 0 characters)", hint=ocr, code="no_text_layer"
        )


def _join_surrogates(text: str) -> str:
    """Make one character of each surrogate pair; lone halves become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _pages(numbers: list[int], reason: str) -> str:
    """Say something of pages: "pages 3, 7-9 were left out"."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    listed = ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges)
    is_one = len(numbers) == 1
    said = reason.format(was="was" if is_one else "were", has="has" if is_one else "have")
    return f"page{'' if is_one else 's'} {listed} {said}"
