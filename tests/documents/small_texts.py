"""Texts as files and as pipes, for tests: written, read back, and joined with every place checked."""

import io
from pathlib import Path

from infinipot_cli.documents import TextPiece, open_document

PROSE = "The board met on 3 May – “nobody” objected; naïve façade, 日本語 and 😀 included.\n"


class Trickle(io.RawIOBase):
    """A pipe that gives so many bytes at a time."""

    def __init__(self, data: bytes, n_bytes: int) -> None:
        self._data = io.BytesIO(data)
        self._n_bytes = n_bytes

    def readable(self) -> bool:
        return True

    def read1(self, n_bytes: int = -1) -> bytes:
        return self._data.read(self._n_bytes)


def read(path: Path) -> tuple[str, list[str]]:
    with open_document(str(path)) as document:
        return joined(list(document.pieces())), document.warnings


def read_pipe(data: bytes, n_bytes: int = 65536) -> tuple[str, list[str]]:
    with open_document("-", stdin=Trickle(data, n_bytes)) as document:  # type: ignore[arg-type]
        return joined(list(document.pieces())), document.warnings


def joined(pieces: list[TextPiece]) -> str:
    n_chars = 0
    for piece in pieces:
        assert piece.text
        assert piece.char_start == n_chars
        n_chars += len(piece.text)
    return "".join(piece.text for piece in pieces)


def write(folder: Path, data: bytes, name: str = "notes.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
