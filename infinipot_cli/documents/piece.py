"""What a document is to the rest of the program: a name, a few counts, and text in pieces."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from types import TracebackType
from typing import Self

from infinipot_cli.errors import DocumentError, PartError


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Some text of a document, in reading order; the pieces joined are the whole text.

    Args:
        text: cleaned text; never empty.
        page: page or chapter it comes from, counted from 1; None where the format has no pages.
        char_start: characters of the document's cleaned text before this piece.
        done: share of the source consumed so far, 0 to 1; None when the end is unknown (pipes).
        label: what is printed on the page, or the title of the chapter, where that is not its number.
    """

    text: str
    page: int | None
    char_start: int
    done: float | None
    label: str | None = None


@dataclass(frozen=True)
class LineNumbers:
    """Which lines of its file a text is made of.

    While a text is read its lines are counted on from the first one, as if none behind that had been left out.

    Attributes:
        ranges: first and last line, in order and apart from each other; a last of None is that of the file.
    """

    ranges: tuple[tuple[int, int | None], ...] = ((1, None),)

    @property
    def first(self) -> int:
        """Number of the first line."""
        return self.ranges[0][0]

    def of(self, counted: int) -> int:
        """Number in the file of a line as it is counted."""
        starts, n_left_out = self._steps
        return counted + n_left_out[max(0, bisect_right(starts, counted) - 1)]

    @cached_property
    def _steps(self) -> tuple[list[int], list[int]]:
        """Where each range begins as lines are counted, and how many lines were left out in front of it."""
        starts, n_left_out = [self.first], [0]
        for (_, before), (first, _) in pairwise(self.ranges):
            assert before is not None
            n_left_out.append(n_left_out[-1] + first - before - 1)
            starts.append(first - n_left_out[-1])
        return starts, n_left_out


ALL_LINES = LineNumbers()


class Document(ABC):
    """An opened source. Its pieces are read once, in order; close it or use it in a `with` block.

    Attributes:
        name: the source as the user typed it, or "standard input".
        kind: "text", "html", "docx", "pdf" or "epub".
        n_pages: pages, for formats that have them.
        labels: what is printed on each page, where that is known beforehand.
        wanted: numbers of the pages that are read, for formats that have them.
        n_bytes: size of the source, where it is known beforehand.
        state: of a file, its size in bytes and the time of its last change, in nanoseconds, when it was opened.
        warnings: what the user should know about the reading, one line each; filled while reading.
        failure: why it could not be read, for one of many that are read without it.
    """

    name: str
    kind: str
    n_pages: int | None
    n_bytes: int | None
    warnings: list[str]
    labels: Sequence[str] | None = None
    wanted: Sequence[int] | None = None
    state: tuple[int, int] | None = None
    failure: DocumentError | PartError | None = None

    @abstractmethod
    def pieces(self) -> Iterator[TextPiece]:
        """Read the document from its start to its end.

        The first piece comes only when some text that is not blank has been found, so taking one piece
        proves the document readable before anything expensive is started.

        Raises:
            DocumentError: the source has no text, turns out to be binary, or cannot be read on.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the file; closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
