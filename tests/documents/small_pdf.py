"""Writes small PDFs byte by byte, whole and broken ones, so that no test needs a file or a network."""

import io
import zlib
from collections.abc import Sequence

import pypdf

_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
_PIXEL = (
    b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray"
    b" /BitsPerComponent 8 /Length 1 >>\nstream\n\x80\nendstream"
)


def shows(text: str) -> bytes:
    """Content of a page that shows the lines of a text."""
    lines = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").split("\n")
    shown = b" T* ".join(b"(" + line.encode("cp1252") + b") Tj" for line in lines)
    return b"BT /F1 12 Tf 14 TL 50 700 Td " + shown + b" ET"


def stream(content: bytes) -> bytes:
    """A content stream object, plain."""
    return b"<< /Length %d >>\nstream\n" % len(content) + content + b"\nendstream"


def bomb(n_bytes: int) -> bytes:
    """A content stream that unpacks to many blanks."""
    packed = zlib.compress(b" " * n_bytes, 9)
    return b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed) + packed + b"\nendstream"


def damaged(content: bytes = b"this is no deflated data") -> bytes:
    """A content stream whose data are not what they say."""
    return b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(content) + content + b"\nendstream"


SCAN = stream(b"q 500 0 0 700 50 50 cm /Im0 Do Q")
BLANK = stream(b"")


def first_extra(n_pages: int) -> int:
    """The number of the first of the other objects that a PDF of so many pages may hold."""
    return 5 + 2 * n_pages


def pdf(
    *pages: str | bytes,
    header: bytes = b"%PDF-1.4\n",
    annotations: dict[int, bytes] | None = None,
    extra: Sequence[bytes] = (),
) -> bytes:
    """A PDF of pages given as text to show or as a content stream object.

    Args:
        pages: one each.
        header: what the file begins with.
        annotations: those of pages, counted from 1, each the inside of an array.
        extra: other objects, which annotations refer to, see `first_extra`.
    """
    contents = [stream(shows(page)) if isinstance(page, str) else page for page in pages]
    kids = b" ".join(b"%d 0 R" % (5 + 2 * i) for i in range(len(contents)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [" + kids + b"] /Count %d >>" % len(contents),
        _FONT,
        _PIXEL,
    ]
    for i, content in enumerate(contents):
        image = b" /XObject << /Im0 4 0 R >>" if content == SCAN else b""
        drawn = (annotations or {}).get(i + 1)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >>%s >>%s >>"
            % (6 + 2 * i, image, b"" if drawn is None else b" /Annots [" + drawn + b"]")
        )
        objects.append(content)
    return _assemble([*objects, *extra], header)


def encrypted(*pages: str, user: str, owner: str = "owner", algorithm: str = "AES-256") -> bytes:
    """The same, encrypted."""
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(pdf(*pages))))
    writer.encrypt(user, owner, algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    writer.close()
    return out.getvalue()


def _assemble(objects: list[bytes], header: bytes) -> bytes:
    out = bytearray(header)
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
