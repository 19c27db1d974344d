"""Sources to text: files, folders and pipes become text pieces, lazily and in constant memory."""

from infinipot_cli.documents.collect import Collected, collect
from infinipot_cli.documents.late import LateDocument
from infinipot_cli.documents.open import open_document
from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.documents.wishes import Wishes

__all__ = ["Collected", "Document", "LateDocument", "TextPiece", "Wishes", "collect", "open_document"]
