"""Text sources: encodings, pipes, what is refused, and that reading them needs no more memory than a piece."""

import codecs
import io
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.documents import TextPiece, Wishes, open_document
from infinipot_cli.errors import DocumentError, UsageError

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


@pytest.mark.parametrize(
    ("encoding", "bom"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
    ],
)
@pytest.mark.parametrize("n_bytes", [1, 3, 4096])
def test_unicode_encodings_are_recognised(encoding: str, bom: bytes, n_bytes: int, tmp_path: Path) -> None:
    data = bom + (PROSE * 40).encode(encoding)
    assert read(write(tmp_path, data)) == (PROSE * 40, [])
    assert read_pipe(data, n_bytes) == (PROSE * 40, [])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["hi there", PROSE * 200, "Zażółć gęślą jaźń.\r\n"])
def test_utf16_without_a_mark_is_read_with_a_warning(encoding: str, text: str, tmp_path: Path) -> None:
    read_as = f"has no byte order mark; read as {encoding} (--encoding NAME reads it otherwise)"
    path = write(tmp_path, text.encode(encoding))
    assert read(path) == (text.replace("\r\n", "\n"), [f"{path} {read_as}"])
    assert read_pipe(text.encode(encoding), 1) == (text.replace("\r\n", "\n"), [f"standard input {read_as}"])


@pytest.mark.parametrize("n_ascii", [0, 500, 5_000, 70_000, 1_100_000])
def test_cp1252_is_read_with_a_warning_that_names_file_encoding_and_place(n_ascii: int, tmp_path: Path) -> None:
    text = "x" * n_ascii + "it’s “naïve” – 5 €\n"
    path = write(tmp_path, text.encode("cp1252"))
    offset = text.index("’")
    warning = f"{path} is not UTF-8 (byte 0x92 at {offset:,}); read as cp1252 (--encoding NAME reads it otherwise)"
    assert read(path) == (text, [warning])
    piped, warnings = read_pipe(text.encode("cp1252"), 1000)
    assert piped == text
    assert warnings == [warning.replace(str(path), "standard input")]


LEGACY = [
    ("cp1252", "Die Größe der Häuser überraschte uns; für Straßenbahnen – „natürlich“ – müssen Bürger zahlen.\n"),
    ("cp1252", "L’été dernier, les élèves ont visité le château; ça coûtait peu et le garçon était naïf.\n"),
    ("cp1252", "Le garçon a mangé à la crêperie près de l'île où l'été naît.\n"),
    ("cp1252", "Pão, coração e ação: três irmãs à procura de avó.\n"),
    ("cp1252", "Blåbærsyltetøy på brød er godt. Åse så en ørn.\n"),
    ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy.\n"),
    ("cp1251", "Мой дядя самых честных правил, когда не в шутку занемог.\n"),
    ("cp1250", "Zażółć gęślą jaźń. Książka leżała na łóżku, a dziewczyna śpiewała piosenkę.\n"),
    ("cp1250", "Árvíztűrő tükörfúrógép. A gyerekek az erdőben játszottak, mert nagyon éhesek voltak.\n"),
    ("cp1254", "Çocuklar bahçede oynuyordu; güneş ışığı çok parlaktı. Öğrenciler ağaçların altında.\n"),
    ("cp1251", "Съешь же ещё этих мягких французских булок, да выпей чаю. Девочка шла по дороге.\n"),
    ("koi8_r", "Съешь же ещё этих мягких французских булок, да выпей чаю. Девочка шла по дороге.\n"),
    ("cp1253", "Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί. Τα παιδιά έπαιζαν στον κήπο.\n"),
    ("cp1255", "השועל החום המהיר קופץ מעל הכלב העצלן. הילדים שיחקו בגינה כל היום ושרו שירים.\n"),
    ("cp932", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"),
    ("euc_jp", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"),
    ("gb18030", "孩子们在花园里玩了一整天。他们唱歌，讲故事，然后回家吃晚饭。\n"),
    ("big5", "孩子們在花園裡玩了一整天。他們唱歌，講故事，然後回家吃晚飯。\n"),
    ("cp949", "아이들은 하루 종일 정원에서 놀았다. 그들은 노래를 부르고 집으로 돌아갔다.\n"),
]


@pytest.mark.parametrize(("encoding", "line"), LEGACY, ids=[f"{encoding}-{line[:6]}" for encoding, line in LEGACY])
def test_encodings_of_the_past_are_told_apart(encoding: str, line: str, tmp_path: Path) -> None:
    data = (line * 20).encode(encoding)
    text, warnings = read(write(tmp_path, data))
    assert text == line * 20
    assert f"read as {encoding} (" in warnings[0]
    header = b"plain ascii header\n" * 100  # longer than what a pipe is judged by at first
    assert read_pipe(header + data, 500)[0] == header.decode() + line * 20


def test_a_late_sample_that_ends_inside_a_character_still_tells(tmp_path: Path) -> None:
    text = "吾輩は猫である。名前はまだ無い。" * 400
    for n_ascii in (2000, 2001):
        assert read_pipe(b"x" * n_ascii + text.encode("cp932"))[0] == "x" * n_ascii + text


def test_the_encoding_that_was_named_is_believed(tmp_path: Path) -> None:
    path = write(tmp_path, PROSE.encode("utf-16-le"))
    with open_document(str(path), wishes=Wishes(encoding="utf-16-le")) as document:
        assert joined(list(document.pieces())) == PROSE
        assert document.warnings == []
    path.write_bytes("größer".encode("cp850"))
    with open_document(str(path), wishes=Wishes(encoding="CP850")) as document:
        assert joined(list(document.pieces())) == "größer"


@pytest.mark.parametrize("wanted", ["utf-16", "UTF_16", "utf-32", "u16"])
@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("marked", [True, False])
def test_an_encoding_of_either_order_is_read_with_and_without_its_mark(
    wanted: str, order: str, marked: bool, tmp_path: Path
) -> None:
    text = "Привет, мир.\nEs war einmal, 字 und mehr.\n"
    width = "32" if "32" in wanted else "16"
    path = write(tmp_path, ("\ufeff" * marked + text).encode(f"utf-{width}-{order}"))
    with open_document(str(path), wishes=Wishes(encoding=wanted)) as document:
        assert joined(list(document.pieces())) == text
        assert [f"read as utf-{width}-{order}" in line for line in document.warnings] == [True] * (not marked)


@pytest.mark.parametrize(
    "text",
    [
        "© 2020 Smith\n",
        "Nom : Hélène\nÂge : 30\n",
        "A long sentence.\nRegistered® Trademark™\n",
        "10°C",
        "Müller",
        "5 €",
        "He said “no” – and left.",
        "naïve café, 3½ £",
    ],
)
def test_a_few_western_letters_and_signs_are_no_other_script(text: str, tmp_path: Path) -> None:
    read_text, warnings = read(write(tmp_path, text.encode("cp1252")))
    assert read_text == text
    assert "read as cp1252" in warnings[0]


@pytest.mark.parametrize("name", ["latin-99", "rot13", "hex", "", "a\0b", "undefined"])
def test_an_encoding_that_does_not_exist_is_a_mistake_of_usage(name: str) -> None:
    with pytest.raises(UsageError, match="is no encoding that Python knows"):
        Wishes(encoding=name)


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


def test_damaged_utf8_keeps_its_encoding_and_counts_what_was_lost(tmp_path: Path) -> None:
    data = (PROSE * 100).encode()
    data = data[:3000] + b"\xff\xfe\xc3" + data[3000:]
    path = write(tmp_path, data)
    text, warnings = read(path)
    assert text == data.decode("utf-8", "replace")
    assert warnings == [f"{path}: 3 characters could not be decoded as utf-8 (read as U+FFFD)"]


def test_a_pipe_cut_into_the_middle_of_a_character_is_still_utf8() -> None:
    data = ("日本語のテキスト。" * 200).encode()[1:]
    text, _ = read_pipe(data, 7)
    assert text == data.decode("utf-8", "replace")


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
