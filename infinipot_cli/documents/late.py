"""A document of many that is opened only when its turn comes, so that a thousand of them take one open file."""

import os
from collections.abc import Iterator

from infinipot_cli.documents.open import open_document
from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.documents.source import open_source
from infinipot_cli.documents.wishes import Wishes
from infinipot_cli.errors import DocumentError, PartError


class LateDocument(Document):
    """A file that is opened when its first piece is taken, and closed behind its last.

    Args:
        path: as the user would type it.
        wishes: what the user asked of the sources.
        may_fail: whether the others are read without it if it cannot be read; `failure` then says why.

    Raises:
        DocumentError: it cannot be opened, and may not be left out.
    """

    kind = "unopened"

    def __init__(self, path: str, wishes: Wishes, *, may_fail: bool) -> None:
        self.name = path
        self.n_pages = None
        self.warnings = []
        try:
            self.n_bytes, may_open = os.stat(path).st_size, os.access(path, os.R_OK)
        except (OSError, ValueError):  # opening it says why
            self.n_bytes, may_open = None, False
        if not may_open and not may_fail:  # said before all the others are read
            open_source(path).close()
        self._wishes = wishes
        self._may_fail = may_fail
        self._opened: Document | None = None

    def pieces(self) -> Iterator[TextPiece]:
        """Open the file and read it; see `Document.pieces`.

        Raises:
            DocumentError, PartError: it cannot be read, and may not be left out.
        """
        try:
            with open_document(self.name, wishes=self._wishes) as document:
                self._opened = document
                self.kind, self.n_pages, self.warnings = document.kind, document.n_pages, document.warnings
                self.labels, self.wanted = document.labels, document.wanted
                self.state = document.state
                yield from document.pieces()
        except (DocumentError, PartError) as error:
            if not self._may_fail:
                raise
            self.failure = error

    def close(self) -> None:
        """Close the file if it was left half read."""
        if self._opened is not None:
            self._opened.close()
