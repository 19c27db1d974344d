"""What tests of HTML, EPUB and DOCX share: a document read in both ways, one that is refused, and a container."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from infinipot_cli.documents import TextPiece, Wishes, open_document
from infinipot_cli.errors import DocumentError


def read(data: bytes, folder: Path, name: str, wishes: Wishes | None = None) -> tuple[list[TextPiece], list[str], str]:
    path = folder / name
    path.write_bytes(data)
    with open_document(str(path), wishes=wishes or Wishes()) as document:
        pieces = list(document.pieces())
        kind, warnings = document.kind, [line.replace(str(path), name) for line in document.warnings]
    assert [piece.char_start for piece in pieces] == [
        sum(len(earlier.text) for earlier in pieces[:i]) for i in range(len(pieces))
    ]
    with open_document("-", stdin=io.BytesIO(data), wishes=wishes or Wishes(type=kind)) as piped:
        assert "".join(piece.text for piece in piped.pieces()) == joined(pieces)
    return pieces, warnings, kind


def joined(pieces: list[TextPiece]) -> str:
    return "".join(piece.text for piece in pieces)


def refusal(data: bytes, folder: Path, name: str) -> DocumentError:
    path = folder / name
    path.write_bytes(data)
    with pytest.raises(DocumentError) as refused, open_document(str(path)) as document:
        list(document.pieces())
    assert refused.value.exit_code == 3
    return refused.value


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as container:
        for name, data in members.items():
            container.writestr(name, data)
    return out.getvalue()
