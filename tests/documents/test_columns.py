"""Pages in columns. A page is read in the order in which it was drawn; the order in which eyes go is not promised.

Programs that set columns draw one after the other, and then that is how they are read. Where lines were drawn across
both columns, each column's own lines still come in their order, and none is lost or moved to another page.
"""

import io
from collections import Counter
from pathlib import Path

import pypdf
import pytest
from small_pdf import pdf, stream

from infinipot_cli.documents import TextPiece, open_document

pytestmark = pytest.mark.usefixtures("library")

N_LINES = 30
X = {"left": 50, "right": 320}


def line(page: int, column: str, number: int) -> str:
    return f"page {page} {column} line {number:02}"


def drawn(page: int, order: list[tuple[str, int]], *, placed_anew: bool) -> bytes:
    """A page on which lines of both columns were drawn in this order, each in a text object of its own or in one."""
    shown = []
    for column, number in order:
        place = b"1 0 0 1 %d %d Tm" % (X[column], 720 - 16 * number)
        shown.append(place + b" (" + line(page, column, number).encode() + b") Tj")
    if placed_anew:
        return stream(b" ".join(b"BT /F1 10 Tf " + one + b" ET" for one in shown))
    return stream(b"BT /F1 10 Tf " + b" ".join(shown) + b" ET")


BY_COLUMN = [(column, number) for column in X for number in range(N_LINES)]
ACROSS = [(column, number) for number in range(N_LINES) for column in X]
BACKWARDS = [(column, number) for number in range(N_LINES) for column in reversed(X)]


def read(data: bytes, folder: Path) -> list[TextPiece]:
    path = folder / "columns.pdf"
    path.write_bytes(data)
    with open_document(str(path)) as document:
        pieces = list(document.pieces())
        assert document.warnings == []
    return pieces


@pytest.mark.parametrize("placed_anew", [True, False])
def test_columns_that_were_drawn_one_after_the_other_are_read_so(placed_anew: bool, tmp_path: Path) -> None:
    pieces = read(pdf(*(drawn(page, BY_COLUMN, placed_anew=placed_anew) for page in (1, 2))), tmp_path)
    assert [piece.page for piece in pieces] == [1, 2]
    for piece in pieces:
        wanted = [line(piece.page or 0, column, number) for column, number in BY_COLUMN]
        assert piece.text.split() == " ".join(wanted).split()
        assert piece.text.strip().splitlines() == wanted, "what stands in a line of its own is one"


@pytest.mark.parametrize("placed_anew", [True, False])
@pytest.mark.parametrize("order", [ACROSS, BACKWARDS], ids=["left first", "right first"])
def test_each_column_keeps_its_order_however_lines_were_drawn(
    order: list[tuple[str, int]], placed_anew: bool, tmp_path: Path
) -> None:
    pieces = read(pdf(*(drawn(page, order, placed_anew=placed_anew) for page in (1, 2))), tmp_path)
    assert [piece.page for piece in pieces] == [1, 2]
    for piece in pieces:
        places = {entry: piece.text.index(line(piece.page or 0, *entry)) for entry in BY_COLUMN}
        for column in X:
            own = [places[column, number] for number in range(N_LINES)]
            assert own == sorted(own) and len(set(own)) == N_LINES
        n_letters = sum(len(line(1, *entry).replace(" ", "")) for entry in BY_COLUMN)
        assert len("".join(piece.text.split())) == n_letters, "and nothing comes twice"


@pytest.mark.parametrize("order", [ACROSS, BACKWARDS], ids=["left first", "right first"])
def test_words_of_two_columns_are_never_run_together(
    order: list[tuple[str, int]], library: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if library == "pypdf" and order is BACKWARDS:
        reason = "pypdf sets no space where text goes on further left on the same line"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=False))
    (piece,) = read(pdf(drawn(1, order, placed_anew=True)), tmp_path)
    assert Counter(piece.text.split()) == Counter(" ".join(line(1, *entry) for entry in order).split())


def test_turned_pages_are_counted_where_they_stand(tmp_path: Path) -> None:
    data = pdf(*(drawn(page, BY_COLUMN, placed_anew=True) for page in (1, 2, 3)))
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(data)))
    writer.pages[1].rotate(90)
    out = io.BytesIO()
    writer.write(out)
    writer.close()
    pieces = read(out.getvalue(), tmp_path)
    assert [piece.page for piece in pieces] == [1, 2, 3]
    assert all(f"page {piece.page} left line 00" in piece.text for piece in pieces)
