"""Text sources: pipes, what is refused, and that reading them needs no more memory than a piece."""

import io
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.documents import Wishes, open_document
from infinipot_cli.errors import DocumentError, UsageError
from tests.documents.small_texts import PROSE, Trickle, joined, read_pipe, write


def test_the_type_that_was_named_is_believed(tmp_path: Path) -> None:
    data = b"%PDF-1.4 is how such a file begins.\n" + bytes(200)
    path = write(tmp_path, data)
    with open_document(str(path), wishes=Wishes(type="md")) as document:
        assert joined(list(document.pieces())) == "%PDF-1.4 is how such a file begins.\n"
    path.write_bytes(b"no PDF at all")
    for kind in ("PDF", "epub", "docx"):
        with pytest.raises(DocumentError, match=f"is no {kind.upper()}, although --type says so"):
            open_document(str(path), wishes=Wishes(type=kind))
    with pytest.raises(UsageError, match="'docs' is no type of document"):
        Wishes(type="docs")


@given(st.binary(max_size=300).map(lambda b: b"A readable beginning. " * 60 + b), st.integers(1, 700))
@settings(deadline=None)
def test_read_sizes_never_change_the_text(data: bytes, n_bytes: int) -> None:
    assert read_pipe(data, n_bytes) == read_pipe(data)


def test_newlines_become_lf_across_read_boundaries() -> None:
    data = b"one\r\ntwo\r\n\r\nthree\rfour" * 50
    expected = (b"one\ntwo\n\nthree\nfour" * 50).decode()
    for n_bytes in (1, 2, 4, 5, 64):
        assert read_pipe(data, n_bytes)[0] == expected


def test_share_done_grows_to_one_for_files_and_is_unknown_for_pipes(tmp_path: Path) -> None:
    path = write(tmp_path, PROSE.encode() * 5_000)
    with open_document(str(path)) as document:
        assert document.kind == "text"
        assert document.n_pages is None
        assert document.n_bytes == path.stat().st_size
        shares = [piece.done for piece in document.pieces()]
    assert shares == sorted(shares, key=float)
    assert shares[-1] == 1.0
    assert len(shares) > 5
    with open_document("-", stdin=io.BytesIO(PROSE.encode())) as piped:
        assert piped.name == "standard input"
        assert [piece.done for piece in piped.pieces()] == [None]


def test_the_first_text_of_a_pipe_comes_before_its_end() -> None:
    class NeverEnding(Trickle):
        def read1(self, n_bytes: int = -1) -> bytes:
            return b"line after line\n" * 10

    with open_document("-", stdin=NeverEnding(b"", 1)) as document:  # type: ignore[arg-type]
        pieces = document.pieces()
        assert next(pieces).text.startswith("line after line")
        assert next(pieces).text.startswith("line after line")


@pytest.mark.parametrize("first", [1, 2, 5_000, 15_000, 20_000])
def test_how_far_the_last_lines_are_read_counts_from_the_first_of_them(first: int, tmp_path: Path) -> None:
    lines = [f"line {number} with some words\n" for number in range(1, 20_001)]
    path = write(tmp_path, "".join(lines).encode())
    wanted = "".join(lines[first - 1 :])
    with open_document(str(path), wishes=Wishes(lines=f"{first}-")) as document:
        pieces = list(document.pieces())
    assert joined(pieces) == wanted
    for piece in pieces:
        assert piece.done == pytest.approx((piece.char_start + len(piece.text)) / len(wanted), abs=0.01)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b" \n\t\r\n" * 1000, "holds nothing but blank space"),
        ("\u3000\u2003 \n".encode(), "holds nothing but blank space"),
        (b"\x00\x00\x07\x1b[31m", "looks binary"),
        (b"\x1b[31m\x1b[0m", "holds no text"),
        (random.Random(0).randbytes(20_000), "looks binary"),
        (b"readable " * 120 + bytes(range(256)) * 40, "looks binary"),
        (b"\x89PNG\r\n\x1a\n" + b"text " * 99, "looks binary (a PNG image)"),
        (b"PK\x03\x04" + b"text " * 99, "looks binary (a zip container)"),
        (b"\x1f\x8b\x08" + b"text " * 99, "is damaged: its gzip data cannot be unpacked"),
        (b"x" * 257 + b"ustar\x00" + b"text " * 99, "looks binary (a tar archive)"),
        (b"x" * 257 + b"ustar\x00" + bytes(248) + b"text " * 99, "looks binary (a tar archive)"),
        (b"\x04\x22\x4d\x18" + b"text " * 99, "looks binary (lz4 data)"),
        (b"{\\rtf1\\ansi{\\fonttbl} This is {\\b bold}.}", "is an RTF document, whose text stands among codes"),
        ("日本語のテキスト、".encode("utf-16-le") * 40 + bytes(40), "looks binary"),
    ],
)
def test_what_is_no_text_is_refused_at_the_first_piece(data: bytes, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, data)
    with pytest.raises(DocumentError) as refused, open_document(str(path)) as document:
        next(document.pieces())
    assert refused.value.message == f"{path} {message}"
    assert refused.value.exit_code == 3
    assert refused.value.hint
    with pytest.raises(DocumentError, match=r"^standard input "):
        read_pipe(data, 100)


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"x" * 257 + b"ustar\x00" + bytes(248) + b"text " * 99, "unpack it, and name the files"),
        (b"PK\x03\x04" + b"text " * 99, "unpack it, and name the files"),
        (b"7z\xbc\xaf\x27\x1c" + b"text " * 99, "unpack it, and name the files"),
        (b"\x89PNG\r\n\x1a\n" + b"text " * 99, "(OCR)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"text " * 99, "save it as DOCX or PDF"),
        (b"SQLite format 3\x00" + b"text " * 99, "CSV"),
        (b"\x00\x01\x02" * 99, "--encoding NAME"),
    ],
)
def test_what_is_refused_by_name_is_not_called_a_text(data: bytes, hint: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as refused, open_document(str(write(tmp_path, data))):
        pass
    assert hint in refused.value.hint
    assert ("--type text" in refused.value.hint) == (hint == "--encoding NAME")


def test_the_codes_of_an_rtf_document_are_read_where_it_is_called_a_text(tmp_path: Path) -> None:
    path = write(tmp_path, b"{\\rtf1 hello}")
    with open_document(str(path), wishes=Wishes(type="text")) as document:
        assert joined(list(document.pieces())) == "{\\rtf1 hello}"


def test_a_log_with_a_stray_nul_and_colours_is_text() -> None:
    data = b"\x1b[32mINFO\x1b[0m ok\n" * 200 + b"\x00" + b"WARN done\n" * 200
    assert read_pipe(data)[0] == "INFO ok\n" * 200 + "WARN done\n" * 200


def test_blank_space_before_the_text_is_part_of_it() -> None:
    assert read_pipe(b"\n" * 5_000 + b"text", 100)[0] == "\n" * 5_000 + "text"


def test_a_pipe_of_blank_lines_is_refused_at_its_end_without_holding_it_all() -> None:
    pieces = open_document("-", stdin=Trickle(b"\n" * 3_000_000, 65536)).pieces()  # type: ignore[arg-type]
    assert len(next(pieces).text) <= 1_200_000
    with pytest.raises(DocumentError, match="nothing but blank space"):
        list(pieces)


def test_text_that_only_mentions_the_pdf_header_stays_text() -> None:
    assert read_pipe(b"Every such file begins with `%PDF-` and a version.\n" * 3)[0].startswith("Every")


@pytest.mark.parametrize("source", ["missing.txt", "notes.txt/inside", "no\0name", "n" * 5000, "", "http://x/y"])
def test_what_cannot_be_opened_is_one_line_with_the_name_as_typed(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, b"text")
    with pytest.raises(DocumentError) as refused:
        open_document(source)
    assert refused.value.message.startswith(source or "the name")
    assert "\n" not in refused.value.message


def test_a_folder_is_no_document(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="is a folder, not a document"):
        open_document(str(tmp_path))


def test_missing_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # permissions mean nothing where tests run as root
    with pytest.raises(DocumentError, match=r"notes\.txt cannot be read: permission denied"):
        open_document(str(tmp_path / "notes.txt"))


def test_a_read_error_on_the_way_is_ours() -> None:
    class Failing(Trickle):
        def read1(self, n_bytes: int = -1) -> bytes:
            if data := super().read1():
                return data
            raise OSError(5, "Input/output error")

    document = open_document("-", stdin=Failing(b"text " * 1000, 2000))  # type: ignore[arg-type]
    with pytest.raises(DocumentError, match="cannot read standard input: Input/output error"):
        list(document.pieces())


@pytest.mark.parametrize("stdin", [None, io.StringIO("no buffer")])
def test_a_closed_standard_input_is_said(stdin: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises(DocumentError, match="standard input is closed"):
        open_document("-")


def test_memory_stays_flat_over_a_long_pipe() -> None:
    class Long(Trickle):
        n_left = 400

        def read1(self, n_bytes: int = -1) -> bytes:
            self.n_left -= 1
            return b"0123456789 abcdef\n" * 3600 if self.n_left > 0 else b""

    tracemalloc.start()
    with open_document("-", stdin=Long(b"", 1)) as document:  # type: ignore[arg-type]
        n_chars = sum(len(piece.text) for piece in document.pieces())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_chars > 25_000_000
    assert peak < 3_000_000


def chosen(path: str, lines: str, stdin: Trickle | None = None) -> tuple[str, list[str]]:
    with open_document(path, stdin=stdin, wishes=Wishes(lines=lines)) as document:  # type: ignore[arg-type]
        return joined(list(document.pieces())), document.warnings


def test_lines_are_chosen_and_what_is_missing_is_said(tmp_path: Path) -> None:
    lines = [f"line {number}\r\n" for number in range(1, 50_001)]
    path = write(tmp_path, "".join(lines).encode())
    expected = "".join(lines[29_999:30_010]).replace("\r", "")
    assert chosen(str(path), "30000-30010") == (expected, [])
    assert chosen(str(path), "49999-60000")[1] == [f"lines 49999-60000 requested, {path} has 50,000"]
    with pytest.raises(UsageError, match=r"lines 60000-70000 requested, .* has 50,000"):
        chosen(str(path), "60000-70000")
    with pytest.raises(UsageError, match="has no pages"):
        open_document(str(path), wishes=Wishes(pages="1"))


def test_an_endless_pipe_is_left_behind_the_last_line_that_was_asked_for() -> None:
    class NeverEnding(Trickle):
        def read1(self, n_bytes: int = -1) -> bytes:
            return b"line after line\n" * 10

    assert chosen("-", "5-6", NeverEnding(b"", 1))[0] == "line after line\n" * 2


def test_a_file_that_grows_while_it_is_read_is_read_to_where_it_ends_then(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    first, more = "".join(f"line {n}\n" for n in range(200_000)), "one line more\n"
    path.write_text(first)
    said, at = [], 0
    with open_document(str(path)) as document, path.open("a") as log:
        for piece in document.pieces():
            assert piece.char_start == at
            assert piece.done is not None and 0 <= piece.done <= 1, "more may come than there was when it was opened"
            at += len(piece.text)
            said.append(piece.text)
            if len(said) <= 3:
                log.write(more)
                log.flush()
    assert "".join(said) == first + 3 * more
