"""Compressed sources: the same text as unpacked, cut off, damaged, joined, and hostile; in flat memory."""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from small_pdf import pdf

from infinipot_cli.documents import open_document
from infinipot_cli.documents import packed as packed_module
from infinipot_cli.documents.source import READ_BYTES
from infinipot_cli.errors import DocumentError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
LOG = "".join(f"2026-11-{i % 30:02} worker {i * 7919 % 1000} – done\n" for i in range(8_000))

each = pytest.mark.parametrize("how", PACKERS)


def read(data: bytes, folder: Path) -> tuple[str, list[str]]:
    path = folder / "app.log.packed"
    path.write_bytes(data)
    with open_document(str(path)) as document:
        pieces = list(document.pieces())
        assert document.n_bytes == len(data)
        warnings = [line.replace(str(path), "app.log") for line in document.warnings]
    shares = [piece.done for piece in pieces]
    assert shares == sorted(shares, key=lambda share: share or 0.0)
    assert shares[-1] is not None
    return "".join(piece.text for piece in pieces), warnings


@each
def test_a_compressed_text_reads_as_the_text_from_file_and_pipe(how: str, tmp_path: Path) -> None:
    data = PACKERS[how](LOG.encode())
    assert read(data, tmp_path) == (LOG, [])
    with open_document("-", stdin=io.BytesIO(data)) as document:
        assert "".join(piece.text for piece in document.pieces()) == LOG


@each
def test_members_one_behind_the_other_are_one_text(how: str, tmp_path: Path) -> None:
    pack = PACKERS[how]
    data = pack(LOG.encode()) + pack(b"") + pack(b"last line\n")
    assert read(data, tmp_path)[0] == LOG + "last line\n"
    if how != "zstd":
        assert read(data + bytes(40), tmp_path)[0] == LOG + "last line\n"


@pytest.mark.parametrize("n_bytes", [0, 4, 200_000])
def test_frames_of_zstd_that_are_for_others_are_skipped(n_bytes: int, tmp_path: Path) -> None:
    pack = PACKERS["zstd"]
    frame = b"\x5a\x2a\x4d\x18" + n_bytes.to_bytes(4, "little") + b"x" * n_bytes
    assert read(pack(b"one\n") + frame + frame + pack(b"two\n") + frame, tmp_path) == ("one\ntwo\n", [])
    assert read(frame + pack(LOG.encode()), tmp_path) == (LOG, [])


@each
def test_what_is_cut_off_is_read_as_far_as_it_goes(how: str, tmp_path: Path) -> None:
    noise = "".join(f"{zlib.crc32(str(i).encode()):08x}\n" for i in range(150_000))
    data = PACKERS[how](noise.encode())
    text, warnings = read(data[: len(data) * 3 // 4], tmp_path)
    assert noise.startswith(text)
    assert len(text) > len(noise) // 3
    assert warnings == [f"app.log is cut off: its {how} data end too early"]


@each
def test_damage_is_said(how: str, tmp_path: Path) -> None:
    data = bytearray(PACKERS[how](LOG.encode()))
    data[12:40] = b"\xff" * 28
    with pytest.raises(DocumentError, match=f"is damaged: its {how} data cannot be unpacked|looks binary|is empty"):
        read(bytes(data), tmp_path)


@each
def test_a_bomb_is_refused_piece_by_piece(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_module, "BOMB_BYTES", 2 << 20)
    path = tmp_path / "bomb"
    path.write_bytes(PACKERS[how](b"a" * 4_000_000))
    sizes: list[int] = []
    with pytest.raises(DocumentError, match="unpacks to more than 250 times"), open_document(str(path)) as document:
        sizes.extend(len(piece.text) for piece in document.pieces())
    assert max(sizes) <= READ_BYTES
    assert sum(sizes) < 4_000_000


def test_words_that_begin_like_bzip2_are_words(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"BZh is how bzip2 begins.\n")
    with open_document(str(path)) as document:
        assert [piece.text for piece in document.pieces()] == ["BZh is how bzip2 begins.\n"]


def test_a_compressed_pdf_is_a_pdf_and_what_is_packed_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.pdf.gz"
    path.write_bytes(gzip.compress(pdf("one", "two")))
    with open_document(str(path)) as document:
        assert document.kind == "pdf"
        assert [piece.page for piece in document.pieces()] == [1, 2]
    path.write_bytes(gzip.compress(gzip.compress(b"text")))
    with pytest.raises(DocumentError, match=r"looks binary \(gzip data\)"):
        open_document(str(path))
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(DocumentError, match="is empty inside"):
        open_document(str(path))


def test_a_missing_reader_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(PACKERS["zstd"](b"text"))
    for name in ("backports", "compression"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DocumentError, match="holds zstd data, and the reader for it is not installed") as refused:
        open_document(str(path))
    assert "infinipot[docs]" in refused.value.hint
