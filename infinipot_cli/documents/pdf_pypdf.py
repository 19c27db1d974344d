"""PDF pages through pypdf, which is imported here and for the fields of forms, and nowhere else.

A PDF is foreign code's input: pypdf raises almost anything on damaged files, so everything is caught at the opening;
around each page the document does so.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pypdf
from pypdf.errors import DependencyError

from infinipot_cli.documents import pdf_fields
from infinipot_cli.documents.clean import clean
from infinipot_cli.documents.pdf_pages import LABEL_CHARS, Page, cut_off, damaged, has_end_mark, needs_password
from infinipot_cli.documents.source import Source
from infinipot_cli.documents.time_limit import TimeLimitReached, time_limit
from infinipot_cli.errors import DocumentError

OPEN_SECONDS = 60.0
PAGE_SECONDS = 10.0

# pypdf's own limits on decompression, parsing and recursion stay at their defaults (75 MB a stream, 2 M
# operands a page, 100,000 pages): lower ones lose real pages, and the time limit covers what they let pass.
_CONFIGURATION = pypdf.Configuration(
    jbig2dec_binary=None,  # pypdf would run a program found on the search path
    disable_legacy_handling=True,
)


class PypdfPages:
    """The pages of a PDF; see `pdf_pages.PageSource`.

    Args:
        source: the bytes, at their start; a pipe is spooled to a private temporary file.
        password: opens an encrypted file; None tries the empty one.

    Raises:
        DocumentError: it needs a password, is cut off or damaged, or has no pages.
    """

    def __init__(self, source: Source, password: str | None = None) -> None:
        self.reader, self.is_complete = _open_reader(source, password)
        self.n_pages = len(self.reader.pages)
        self.labels = _labels(self.reader)

    def page(self, number: int) -> Page:
        """Read a page within the time limit."""
        with quiet_pypdf() as log, time_limit(PAGE_SECONDS):
            page = self.reader.pages[number - 1]
            text = page.extract_text()
            has_image = not text.strip() and _has_image(page)
        # pypdf only logs that a page's stream is damaged, and gives an empty page
        return Page(text, has_image, is_damaged=log.n_lines > 0, filled_in=self.filled_in(number))

    def filled_in(self, number: int) -> str:
        """Read what was filled in on a page within the time limit; empty where that cannot be read."""
        with quiet_pypdf():
            try:
                with time_limit(PAGE_SECONDS):
                    return pdf_fields.filled_in(self.reader.pages[number - 1])
            except (Exception, TimeLimitReached):  # a page without it is better than none
                return ""

    def forget(self) -> None:
        """Drop the objects parsed so far; pypdf would remember them all."""
        self.reader.resolved_objects.clear()

    def close(self) -> None:
        """Drop what was parsed."""
        self.reader.close()


class _LogCounter(logging.Handler):
    """Takes the lines pypdf logs and only counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.n_lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.n_lines += 1


@contextmanager
def quiet_pypdf() -> Iterator[_LogCounter]:
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


def _open_reader(source: Source, password: str | None) -> tuple[pypdf.PdfReader, bool]:
    """Open a PDF and walk its page tree; also says whether the file has its end mark."""
    file = source.seekable()
    is_complete = has_end_mark(file)
    file.seek(0)
    with quiet_pypdf():
        try:
            with time_limit(OPEN_SECONDS):
                reader = pypdf.PdfReader(file, strict=False)
                # most "no copying" PDFs are encrypted with an empty password
                if reader.is_encrypted and not reader.decrypt("") and not (password and reader.decrypt(password)):
                    raise needs_password(source.name, was_given=password is not None)
                n_pages = len(reader.pages)
        except DocumentError:
            raise
        except TimeLimitReached as error:
            raise damaged(source.name, f"opening it took longer than {OPEN_SECONDS:.0f} s") from error
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
        return cut_off(name)
    # the library's words may hold anything from the file, so only the kind of trouble is named
    return damaged(name, f"pypdf cannot open it ({type(error).__name__})" if error else "it has no pages")


def _labels(reader: pypdf.PdfReader) -> list[str] | None:
    with quiet_pypdf():
        try:
            with time_limit(PAGE_SECONDS):
                if "/PageLabels" not in reader.root_object:
                    return None
                labels = [clean(label).strip()[:LABEL_CHARS] for label in reader.page_labels]
        except (Exception, TimeLimitReached):  # a document without labels is better than none
            return None
    return labels if len(labels) == len(reader.pages) else None


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
