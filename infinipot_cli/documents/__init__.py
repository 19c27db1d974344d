"""Sources to text: files, PDFs and pipes become text pieces, lazily and in constant memory."""

from infinipot_cli.documents.open import open_document
from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.documents.wishes import Wishes

__all__ = ["Document", "TextPiece", "Wishes", "open_document"]
