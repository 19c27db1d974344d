"""The documents of one reading, and how far they have been read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from infinipot_cli.documents import Document, TextPiece


@dataclass
class Input:
    """One document of a reading, and how many of its tokens were read and are still held."""

    document: Document
    pieces: Iterator[TextPiece]
    n_tokens: int = 0
    n_kept: float = 0.0


@dataclass
class Meter:
    """How far the sources have been read, in the characters that became tokens."""

    inputs: Sequence[Input]
    current: int = 0
    page: int | None = None
    label: str | None = None
    done: float | None = None
    char: int = 0
    n_chars: int = 0

    def watch(self, pieces: Iterable[TextPiece]) -> Iterator[TextPiece]:
        """Pass pieces on and remember how far they reach."""
        for piece in pieces:
            self.page, self.label, self.done = piece.page, piece.label, piece.done
            self.n_chars = piece.char_start + len(piece.text)
            yield piece

    def share(self) -> float | None:
        """Share of all sources that became tokens; None when an end is unknown.

        Pieces are read ahead of the model, so their own share is scaled back to the characters it has reached.
        """
        sizes = [entry.document.n_bytes or 0 for entry in self.inputs]
        if self.done is None or not self.n_chars or (len(sizes) > 1 and not all(sizes)):
            return None
        here = self.done * min(1.0, self.char / self.n_chars)
        if len(sizes) == 1:
            return here
        return (sum(sizes[: self.current]) + here * sizes[self.current]) / sum(sizes)
