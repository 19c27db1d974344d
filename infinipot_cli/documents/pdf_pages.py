"""What a PDF library is to us: pages with text, counted and labelled."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol

from infinipot_cli.errors import DocumentError

LABEL_CHARS = 40  # more of what a page is called says nothing
_EOF_SEARCH_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """What a library found on a page.

    Args:
        text: as the library gives it, not cleaned.
        has_image: whether a page without text shows an image; then it is probably a scan.
        is_damaged: whether the library complained.
        filled_in: lines of what was filled in on it, see `pdf_fields`; not cleaned either.
    """

    text: str
    has_image: bool = False
    is_damaged: bool = False
    filled_in: str = ""


class PageSource(Protocol):
    """An opened PDF.

    Attributes:
        n_pages: how many pages it has, at least 1.
        labels: what is printed on the pages, one each; None where the file does not say.
        is_complete: whether the file has its end mark.
    """

    n_pages: int
    labels: list[str] | None
    is_complete: bool

    def page(self, number: int) -> Page:
        """Read a page, counted from 1; raises `TimeLimitReached`, or anything at all on a damaged one."""

    def forget(self) -> None:
        """Let go of what was remembered of earlier pages."""

    def close(self) -> None:
        """Let go of everything; closing twice is harmless."""


def has_end_mark(file: BinaryIO) -> bool:
    """Whether the end of the file says that it is one; moves the place in the file."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - _EOF_SEARCH_BYTES))
    return b"%%EOF" in file.read()


def needs_password(name: str, *, was_given: bool) -> DocumentError:
    """The refusal of a PDF that its password alone opens."""
    if was_given:
        return DocumentError(
            f"the password in the file does not open {name}",
            hint="the first line of the file is the password, nothing else",
            code="wrong_password",
        )
    return DocumentError(
        f"{name} is encrypted and needs a password",
        hint="write it into a file that only you can read, and name the file: --password-file FILE",
        code="encrypted",
    )


def damaged(name: str, reason: str) -> DocumentError:
    """The refusal of a PDF that cannot be opened."""
    return DocumentError(
        f"{name} is a damaged PDF: {reason}",
        hint="get a fresh copy of it, or save it again from a PDF viewer",
        code="damaged_pdf",
    )


def cut_off(name: str) -> DocumentError:
    """The refusal of a PDF that ends too early."""
    return DocumentError(f"{name} is cut off (no %%EOF)", hint="is the download complete?", code="cut_off_pdf")
