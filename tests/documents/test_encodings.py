"""Bytes become the text that was meant, whatever encoding they come in, and a guess is said to be one."""

import codecs
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infinipot_cli.documents import Wishes, open_document
from infinipot_cli.documents.guess import guess_encoding
from infinipot_cli.documents.sniff import bom_encoding
from infinipot_cli.errors import UsageError
from tests.documents.small_texts import PROSE, joined, read, read_pipe, write


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
@pytest.mark.parametrize(
    "text",
    [
        "hi there",
        PROSE * 200,
        "Zażółć gęślą jaźń.\r\n",
        "Договор подписан в Москве.\n",
        "Η αλεπού πηδάει πάνω.\n",
        "吾輩は猫である。名前はまだ無い。",
        "第一章　总则\n\n第一条　为了保护合同当事人的合法权益，制定本法。\n" * 50,
        "아이들은 하루 종일 정원에서 놀았다.",
        "הילדים שיחקו בגינה כל היום\u200f.\n",
        "بچه‌ها در باغ بازی می‌کردند.\n",
        "เด็กๆ เล่นอยู่ในสวนทั้งวัน",
    ],
)
def test_utf16_without_a_mark_is_read_with_a_warning(encoding: str, text: str, tmp_path: Path) -> None:
    read_as = f"has no byte order mark; read as {encoding} (--encoding NAME reads it otherwise)"
    path = write(tmp_path, text.encode(encoding))
    assert read(path) == (text.replace("\r\n", "\n"), [f"{path} {read_as}"])
    assert read_pipe(text.encode(encoding), 1) == (text.replace("\r\n", "\n"), [f"standard input {read_as}"])


@settings(max_examples=200)
@given(st.binary(min_size=24, max_size=64))
@example("吾輩は猫である。名前はまだ無い。".encode("cp932"))
@example("孩子们在花园里玩了一整天。".encode("gb18030"))
@example(b"Bush hid the facts")
@example(bytes(range(128)) * 2)
def test_other_data_is_no_utf16(data: bytes) -> None:
    assert bom_encoding(b"\x7f" + data) is None


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
    ("cp1250", "Umowa została podpisana w Krakowie pomiędzy spółką a właścicielem. Klucz leży u dozorcy.\n"),
    ("iso8859_2", "Miesiąc: sierpień. Święto łąki.\n"),
    ("cp1250", "Contractul a fost semnat la Bucureşti. Părţile au convenit că plata se face în zile.\n"),
    ("cp1252", "Verið velkomin í Þingvelli; það er fallegur staður og þar bjó fólk á öldum áður.\n"),
    ("cp1252", "La col·lecció d'il·lustracions és a l'Hospitalet; cap·i·cua, paral·lel i mil·lenni, açò.\n"),
    ("cp1252", "Häät pidettiin yöllä äidin pöydän ääressä; öljyä kului 5 m³ ja 3 m² maalia.\n"),
    ("cp1252", "Bhí an fear óg ag ól tí Úna; d’éirigh sé – “slán” – agus d’imigh sé abhaile.\n"),
    ("koi8_u", "Договір підписано у Києві між товариством і власником. Її ключ є у сторожа.\n"),
    ("iso8859_5", "Договор подписан в Москве между обществом и владельцем. Ключ лежит у сторожа.\n"),
    ("cp1251", "Съешь же ещё этих мягких французских булок, да выпей чаю. Девочка шла по дороге.\n"),
    ("koi8_r", "Съешь же ещё этих мягких французских булок, да выпей чаю. Девочка шла по дороге.\n"),
    ("cp1253", "Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί. Τα παιδιά έπαιζαν στον κήπο.\n"),
    ("cp1255", "השועל החום המהיר קופץ מעל הכלב העצלן. הילדים שיחקו בגינה כל היום ושרו שירים.\n"),
    ("cp874", "เด็กๆ เล่นอยู่ในสวนทั้งวัน พวกเขาร้องเพลงและเล่านิทาน แล้วกลับบ้านไปกินข้าวเย็น\n"),
    ("cp1257", "Sutartis pasirašyta Vilniuje tarp bendrovės ir savininko. Raktą turi sargas.\n"),
    ("cp1257", "Līgums parakstīts Rīgā starp sabiedrību un īpašnieku. Atslēga ir pie sarga.\n"),
    ("cp850", "Die Größe der Häuser überraschte uns; für Straßenbahnen müssen Bürger zahlen.\n"),
    ("cp850", "L'été dernier, les élèves ont visité le château; ça coûtait peu.\n"),
    ("cp850", "Blåbærsyltetøy på brød er godt. Åse så en ørn.\n"),
    ("cp852", "Zażółć gęślą jaźń. Książka leżała na łóżku, a dziewczyna śpiewała piosenkę.\n"),
    ("mac_roman", "L'été dernier, les élèves ont visité le château; ça coûtait peu.\n"),
    ("mac_roman", "Der Schlüssel liegt bei Frau Müller in München, über der Tür.\n"),
    ("cp1254", "Sözleşme İstanbul'da imzalandı.\n"),
    ("cp1256", "لعب الأطفال في الحديقة طوال اليوم، ثم عادوا إلى البيت لتناول العشاء.\n"),
    ("koi8_u", "Ключ лежить у сторожа. Її немає.\n"),
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


SHORT = [
    ("cp1254", "Anahtar kapıcıda; görüşme yarın."),
    ("cp1254", "Işıkları söndür, lütfen."),
    ("cp1250", "Cheia este la paznic; plata se face în zece zile şi după aceea."),
    ("cp1257", "Raktą turi sargas prie vartų."),
    ("cp850", "Der Schlüssel liegt beim Pförtner."),
    ("mac_roman", "La clé est chez le gardien, à côté."),
    ("cp874", "กุญแจอยู่กับยาม"),
    ("cp1252", "La clé est chez le gardien, à côté."),
    ("cp1252", "He said “no” – and left. It’s Flint’s."),
    ("cp1252", "Ključ je pri vratarju – Müller."),
    ("cp1251", "Ключ у сторожа."),
]


@pytest.mark.parametrize(("encoding", "text"), SHORT, ids=[text[:12] for _, text in SHORT])
def test_a_line_is_enough(encoding: str, text: str) -> None:
    data = text.encode(encoding, "ignore")
    assert data.decode(guess_encoding(data)) == data.decode(encoding)


@pytest.mark.parametrize("n_lines", [1, 30])
def test_quotes_in_a_program_are_no_letters_of_a_mac(n_lines: int) -> None:
    line = "def f(x: ‘List[“int”]’) -> ‘None’: ... # the user’s “x”, ‘y’ – and ‘z’\n"
    assert guess_encoding((line * n_lines).encode("cp1252")) == "cp1252"


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


def test_damaged_utf8_keeps_its_encoding_and_counts_what_was_lost(tmp_path: Path) -> None:
    data = (PROSE * 100).encode()
    data = data[:3000] + b"\xff\xfe\xc3" + data[3000:]
    path = write(tmp_path, data)
    text, warnings = read(path)
    assert text == data.decode("utf-8", "replace")
    assert warnings == [f"{path}: 3 characters could not be decoded as utf-8 (read as U+FFFD)"]


@pytest.mark.parametrize(("lines", "n_lost"), [("1-3", 2), ("3", 1), ("1-2,90", 1), ("4-80", 0), ("1-", 2)])
def test_of_chosen_lines_the_letters_lost_in_them_are_counted(lines: str, n_lost: int, tmp_path: Path) -> None:
    rows = [f"café number {number}" for number in range(1, 101)]
    data = "\n".join(rows).encode().replace(b" 2\n", b" \xff\n").replace(b" 3\n", b" \xfe\n")
    path = write(tmp_path, data)
    with open_document(str(path), wishes=Wishes(lines=lines)) as document:
        text = "".join(piece.text for piece in document.pieces())
    told = f"{n_lost} character{'s' * (n_lost > 1)} could not be decoded as utf-8"
    assert text.count("\ufffd") == n_lost and [told in line for line in document.warnings] == [True] * (n_lost > 0)


def test_a_pipe_cut_into_the_middle_of_a_character_is_still_utf8() -> None:
    data = ("日本語のテキスト。" * 200).encode()[1:]
    text, _ = read_pipe(data, 7)
    assert text == data.decode("utf-8", "replace")


@pytest.mark.parametrize("n_ascii", [0, 1_021, 5_000])
@pytest.mark.parametrize("n_bytes", [1, 3, 4096])
def test_japanese_in_seven_bits_is_told_by_its_escape_sequences(n_ascii: int, n_bytes: int, tmp_path: Path) -> None:
    text = "x" * n_ascii + "契約は東京で締結された。\nThe key is カギ.\n"
    data = text.encode("iso2022_jp")
    assert read_pipe(data, n_bytes) == (text, [])
    assert read(write(tmp_path, data)) == (text, [])


@pytest.mark.parametrize("end", ["\x1b", "\x1b$", "\x1b[1mbold\x1b[0m", "\x1b]0;title\x07", "\x1b(0"])
def test_other_escape_sequences_change_no_encoding(end: str) -> None:
    assert read_pipe(("price 5 " + end + "\n café ü\n").encode(), 1)[0].endswith("\n café ü\n")
    assert read_pipe(f"price 5 {end}".encode(), 1)[0].startswith("price 5 ")
