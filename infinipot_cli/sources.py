"""The documents of one reading, and how far they have been read."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from infinipot_cli.documents import Document, TextPiece
from infinipot_cli.documents.piece import ALL_LINES, LineNumbers
from infinipot_cli.logs import Digest


@dataclass
class Input:
    """One document of a reading.

    Attributes:
        document: what is read.
        pieces: its text, as far as it was not read yet.
        n_tokens: tokens read.
        first_token: number of the first of them among all that was read and said.
        n_kept: of those, how many are still held, the mean over layers and heads.
        log: its digest as a log.
        pages: label or number of each page with its first token, counted likewise.
        text_hash: of the text that was read.
        was_read: it is in the pot already.
        lines: which lines of its file it is made of.
        goes_on: its beginning was read before, and announced if it had to be.
        earlier_sum: SHA-256 of the text, if it was read before the pot was stored.
    """

    document: Document
    pieces: Iterator[TextPiece]
    n_tokens: int = 0
    first_token: int = 0
    n_kept: float = 0.0
    log: Digest | None = None
    pages: list[tuple[str, int]] = field(default_factory=list)
    text_hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    was_read: bool = False
    lines: LineNumbers = ALL_LINES
    goes_on: bool = False
    earlier_sum: str = ""

    @property
    def end_token(self) -> int:
        """Number of the token behind the last."""
        return self.first_token + self.n_tokens

    @property
    def text_sum(self) -> str | None:
        """SHA-256 of the text that was read, now or before the pot was stored; None if none was."""
        return self.earlier_sum or (self.text_hash.hexdigest() if self.n_tokens else None)


# Columns of the picture that shows what was kept.
N_STRETCHES = 40


@dataclass(frozen=True)
class Stretches:
    """The tokens read so far, cut into at most `N_STRETCHES` stretches.

    Attributes:
        edges: token numbers, ascending; one more than there are stretches.
        n_ahead: stretches still to come, 0 where that is unknown.
        by: what they are made of, `page` or `part`.
    """

    edges: tuple[int, ...]
    n_ahead: int
    by: str


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
    n_tokens: int = 0
    page_starts: list[int] = field(default_factory=list)
    _turns: deque[tuple[int, str]] = field(default_factory=deque)

    def watch(self, pieces: Iterable[TextPiece]) -> Iterator[TextPiece]:
        """Pass the pieces of the current document on and remember how far they reach."""
        self.page = self.label = None
        self._turns.clear()
        for piece in pieces:
            if piece.page is not None and piece.page != self.page:
                self._turns.append((piece.char_start, piece.label or str(piece.page)))
            self.page, self.label, self.done = piece.page, piece.label, piece.done
            self.n_chars = piece.char_start + len(piece.text)
            self.inputs[self.current].text_hash.update(piece.text.encode("utf-8", "surrogatepass"))
            yield piece

    def step(self, char: int) -> None:
        """Take note of the next token, which starts at this character of its document."""
        self.char = char
        while self._turns and char >= self._turns[0][0]:
            _, label = self._turns.popleft()
            self.inputs[self.current].pages.append((label, self.n_tokens))
            self.page_starts.append(self.n_tokens)
        self.n_tokens += 1

    def stretches(self, n_tokens: int) -> Stretches:
        """Cut what was read into stretches of whole pages, or into equal parts where there are no pages.

        Args:
            n_tokens: tokens that the model has read; the meter may be a chunk ahead of it.
        """
        starts = [start for start in self.page_starts if start < n_tokens]
        n_pages = self.inputs[0].document.n_pages if len(self.inputs) == 1 else None
        if len(starts) > 1 and len(self.inputs) == 1:
            width = -(-(n_pages or len(starts)) // N_STRETCHES)
            edges = (*starts[::width], n_tokens)
            return Stretches(edges, max(0, -(-(n_pages or 0) // width) - len(edges) + 1), "page")
        share = self.share()
        n_read = N_STRETCHES if share is None else max(1, min(N_STRETCHES, round(N_STRETCHES * share)))
        edges = tuple(dict.fromkeys(n_tokens * number // n_read for number in range(n_read + 1)))
        return Stretches(edges, N_STRETCHES - n_read, "part")

    def share(self) -> float | None:
        """Share of all sources that became tokens; None when an end is unknown.

        Pieces are read ahead of the model, so their own share is scaled back to the characters it has reached.
        """
        sizes = [0 if entry.was_read else entry.document.n_bytes or 0 for entry in self.inputs]
        is_known = all(size or entry.was_read for size, entry in zip(sizes, self.inputs, strict=True))
        if self.done is None or not self.n_chars or (len(sizes) > 1 and not is_known):
            return None
        here = self.done * min(1.0, self.char / self.n_chars)
        if len(sizes) == 1:
            return here
        return (sum(sizes[: self.current]) + here * sizes[self.current]) / sum(sizes)
