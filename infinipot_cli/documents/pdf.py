"""PDF to text page by page through pypdf, which is imported here and nowhere else.

A PDF is foreign code's input: pypdf raises almost anything on damaged files, so everything is caught at the
opening and around each page and becomes one of our errors or a warning that names the pages.
"""

import logging
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

import pypdf
from pypdf.errors import DependencyError

from infinipot_cli.documents.clean import clean
from infinipot_cli.documents.garbled import garbled_share
from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.documents.source import Source
from infinipot_cli.documents.time_limit import TimeLimitReached, time_limit
from infinipot_cli.errors import DocumentError

OPEN_SECONDS = 60.0
PAGE_SECONDS = 10.0
PAGE_SEPARATOR = "\n\n"

# pypdf's own limits on decompression, parsing and recursion stay at their defaults (75 MB a stream, 2 M
# operands a page, 100,000 pages): lower ones lose real pages, and the time limit covers what they let pass.
_CONFIGURATION = pypdf.Configuration(
    jbig2dec_binary=None,  # pypdf would run a program found on the search path
    disable_legacy_handling=True,
)
_CLEAR_EVERY = 100  # pages; pypdf remembers every object it has parsed
_GARBLED_WARN = 0.2
_GARBLED_SKIP = 0.5
_EOF_SEARCH_BYTES = 64 * 1024


class PdfDocument(Document):
    """A PDF, opened and counted; its text layer is read by `pieces`.

    Args:
        source: the bytes, at their start; a pipe is spooled to a private temporary file.

    Raises:
        DocumentError: it needs a password, is cut off or damaged, or has no pages.
    """

    kind = "pdf"

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self.warnings = []
        self._source = source
        self._reader, self._is_complete = _open_reader(source)
        self.n_bytes = source.n_bytes
        self.n_pages: int = len(self._reader.pages)

    def pieces(self) -> Iterator[TextPiece]:
        """Read the pages in order; the text of two pages is joined by a blank line.

        A page that cannot be read never stops the others: it is left out and named in `warnings`.

        Raises:
            DocumentError: no page has text, after all have been looked at.
        """
        report = _Report()
        n_chars = 0
        for number in range(1, self.n_pages + 1):
            text = self._page_text(number, report)
            if number % _CLEAR_EVERY == 0:
                self._reader.resolved_objects.clear()
            if not text:
                continue
            text = PAGE_SEPARATOR + text if n_chars else text
            yield TextPiece(text, number, n_chars, number / self.n_pages)
            n_chars += len(text)
        if not n_chars:
            raise report.no_text(self.name, self.n_pages)
        self.warnings += report.warnings(self.name)
        if not self._is_complete:
            self.warnings.append(f"{self.name} is cut off (no %%EOF): its last pages may be missing")

    def close(self) -> None:
        """Close the file and drop what was parsed."""
        self._reader.close()
        self._source.close()

    def _page_text(self, number: int, report: "_Report") -> str:
        """The cleaned text of a page; empty when there is none to use, which the report then explains."""
        with _quiet_pypdf() as log:
            try:
                with time_limit(PAGE_SECONDS):
                    page = self._reader.pages[number - 1]
                    raw = page.extract_text()
                    has_image = not raw.strip() and _has_image(page)
            except TimeLimitReached:
                report.slow.append(number)
                return ""
            except Exception:  # damaged pages raise almost anything, and must not stop the others
                report.unreadable.append(number)
                return ""
        share = garbled_share(raw)
        if share > _GARBLED_SKIP:
            report.skipped.append(number)
            return ""
        text = clean(_join_surrogates(raw)).strip()
        if not text:
            # pypdf only logs that a page's stream is damaged, and gives an empty page
            where = report.scanned if has_image else report.unreadable if log.n_lines else report.blank
            where.append(number)
        elif share > _GARBLED_WARN:
            report.garbled.append(number)
        return text


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


class _LogCounter(logging.Handler):
    """Takes the lines pypdf logs and only counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.n_lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.n_lines += 1


@contextmanager
def _quiet_pypdf() -> Iterator[_LogCounter]:
    """Our limits for pypdf, and its log kept from the terminal; never held across a yield of ours."""
    logger = logging.getLogger("pypdf")
    counter = _LogCounter()
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(counter)
    try:
        with pypdf.apply_configuration(_CONFIGURATION):
            yield counter
    finally:
        logger.removeHandler(counter)
        logger.propagate = propagated


def _open_reader(source: Source) -> tuple[pypdf.PdfReader, bool]:
    """Open a PDF and walk its page tree; also says whether the file has its end mark."""
    file = source.seekable()
    file.seek(0, 2)
    file.seek(max(0, file.tell() - _EOF_SEARCH_BYTES))
    is_complete = b"%%EOF" in file.read()
    file.seek(0)
    with _quiet_pypdf():
        try:
            with time_limit(OPEN_SECONDS):
                reader = pypdf.PdfReader(file, strict=False)
                # most "no copying" PDFs are encrypted with an empty password
                if reader.is_encrypted and not reader.decrypt(""):
                    raise DocumentError(
                        f"{source.name} is encrypted and needs a password",
                        hint="remove the password first, e.g. qpdf --decrypt --password=… in.pdf out.pdf",
                        code="encrypted",
                    )
                n_pages = len(reader.pages)
        except DocumentError:
            raise
        except TimeLimitReached as error:
            raise DocumentError(
                f"{source.name} is damaged: opening it took longer than {OPEN_SECONDS:.0f} s",
                code="damaged_pdf",
            ) from error
        except Exception as error:  # pypdf: more than ten classes, not all of them its own
            raise _open_error(source.name, error, is_complete) from error
    if n_pages == 0:
        raise _open_error(source.name, None, is_complete)
    return reader, is_complete


def _open_error(name: str, error: Exception | None, is_complete: bool) -> DocumentError:
    if isinstance(error, DependencyError):
        return DocumentError(
            f"{name} is encrypted with AES, which needs the package cryptography",
            hint="pip install 'pypdf[crypto]'",
            code="encrypted",
        )
    if not is_complete:
        return DocumentError(f"{name} is cut off (no %%EOF)", hint="is the download complete?", code="cut_off_pdf")
    # the library's words may hold anything from the file, so only the kind of trouble is named
    reason = f"pypdf cannot open it ({type(error).__name__})" if error else "it has no pages"
    return DocumentError(
        f"{name} is a damaged PDF: {reason}",
        hint="get a fresh copy of it, or save it again from a PDF viewer",
        code="damaged_pdf",
    )


def _join_surrogates(text: str) -> str:
    """Make one character of each surrogate pair; lone halves become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _has_image(holder: pypdf.PageObject | pypdf.generic.DictionaryObject, depth: int = 2) -> bool:
    """Whether a page, or a form on it, shows an image: then a page without text is probably a scan."""
    resources = holder.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources is not None else None
    if objects is None:
        return False
    for reference in objects.get_object().values():
        shown = reference.get_object()
        if shown.get("/Subtype") == "/Image" or (depth and _has_image(shown, depth - 1)):
            return True
    return False


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
