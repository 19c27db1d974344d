"""HTML and EPUB: the text compared with what was put in, and what damaged or hostile files come to."""

import io
import sys
import time
import tracemalloc
import zipfile
from contextlib import closing
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_books import epub

from infinipot_cli.documents import Wishes, open_document
from infinipot_cli.documents import html as html_module
from infinipot_cli.documents import packed as packed_module
from infinipot_cli.documents.fragment import is_fragment
from infinipot_cli.documents.html import HtmlText
from infinipot_cli.documents.sniff import recognise
from infinipot_cli.documents.source import open_source
from infinipot_cli.documents.zipped import Container
from infinipot_cli.errors import DocumentError, UsageError
from tests.documents.small_markup import joined, read, refusal, zipped

PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>The &amp; Map</title>
<style>p { color: red }</style><script>if (a < b) { alert("no"); }</script></head>
<body><h1>Treasure   <em>Isl</em>and</h1>
<p>One paragraph
   on two lines,<br>with a break &lt;here&gt; and caf&eacute;&nbsp;au lait.</p>
<ul><li>gold</li><li>silver <b>bars</b></li></ul>
<table><tr><th>Ship</th><th>Guns</th></tr><tr><td>Hispaniola</td><td>9</td></tr></table>
<pre>  keep
    this</pre><noscript>no script</noscript>
<div>last</div></body></html>
"""
TEXT = """The & Map

Treasure Island

One paragraph on two lines,
with a break <here> and café\xa0au lait.

- gold
- silver bars

Ship\tGuns
Hispaniola\t9

  keep
    this

last"""


def test_a_page_gives_its_words_in_their_blocks(tmp_path: Path) -> None:
    for name in ("page.html", "page", "notes.txt"):
        pieces, warnings, kind = read(PAGE.encode(), tmp_path, name)
        assert (joined(pieces), warnings, kind) == (TEXT, [], "html")
    assert read(PAGE.encode("utf-16"), tmp_path, "page.html")[2] == "html"


def test_end_tags_may_be_left_out(tmp_path: Path) -> None:
    page = b"<!doctype html><table><tr><td>1<td>2<tr><th>3<th>4</table><ul><li>x<li>y</ul>"
    assert joined(read(page, tmp_path, "page.html")[0]) == "1\t2\n3\t4\n\n- x\n- y"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (
            "<table><tr><td><p>Name</p></td><td>\n<p>Price</p>\n</td></tr>\n"
            "<tr><td><p>tea</p></td><td><div><b>4</b></div></td></tr></table>",
            "Name\tPrice\ntea\t4",
        ),
        ("<table><tr><td><p>1</p><td><p>2</p><tr><th><p>3</p><th>4</table>", "1\t2\n3\t4"),
        ("<table><tr><td></td><td><p>2</p></td></tr><tr><td><p></p></td><td>4</td></tr></table>", "2\n4"),
        ("<table><tr><td><p>a</p><p>b</p></td><td><p>c</p></td></tr></table>", "a\n\nb\n\nc"),
        ("<table><tr><td><table><tr><td>1<td>2</table></td><td>3</td></tr></table>", "1\t2\n\n3"),
        ("<ul>\n<li>\n<p>First</p>\n</li>\n<li><p>Second</p><p>more</p></li></ul>", "- First\n\n- Second\n\nmore"),
        ("<ul><li> x<ul><li><p>y</p></li></ul></li></ul>", "- x\n\n- y"),
    ],
)
def test_blocks_in_cells_and_items_stand_where_the_words_alone_would(page: str, text: str, tmp_path: Path) -> None:
    page = f"<!doctype html>{page}"
    assert joined(read(page.encode(), tmp_path, "page.html")[0]) == text
    assert "".join(in_pieces(page, list(range(len(page))))) == in_pieces(page, [])


def in_pieces(page: str, cuts: list[int]) -> str:
    """The text of a page that arrives cut at these places."""
    converter = HtmlText()
    places = [0, *sorted(cuts), len(page)]
    return "".join(converter.push(page[a:b]) for a, b in pairwise(places)) + converter.flush()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(PAGE)), max_size=8))
def test_cutting_a_page_changes_nothing(cuts: list[int]) -> None:
    assert in_pieces(PAGE, cuts) == TEXT


RAISED = (
    "<p>The key is 71432<sup>1</sup>. 10<sup class='x'>6</sup>&nbsp;m<sup>2</sup>, 1<sup>st</sup> and <sup>3</sup>He, "
    "H<sub>2</sub>O, 2020<sup><a href='#n'>[4]</a></sup>, <b>2021</b><sup><a href='#n'>15</a></sup>.</p>"
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(RAISED)), max_size=8))
def test_a_raised_digit_is_none_of_the_number_in_front_of_it(cuts: list[int]) -> None:
    assert in_pieces(RAISED, cuts) == "The key is 71432^1. 10^6\xa0m^2, 1st and 3He, H2O, 2020[4], 2021^15."


def test_what_is_drawn_as_a_thing_of_its_own_does_not_run_into_the_words_beside_it(tmp_path: Path) -> None:
    page = (
        b"<!doctype html><p>Sort by<select><option>name<option>date</select>order<button>Go</button>now<img src=x>here"
        b"<svg><text>left</text><text>right</text></svg><details><summary>More</summary>of it</details>"
        b"<fieldset><legend>Address</legend>Bristol</fieldset>"
    )
    text = joined(read(page, tmp_path, "page.html")[0])
    assert text == "Sort by\nname\ndate order Go now here left right\nMore\nof it\nAddress\nBristol"


SCRAPS = ("<![", "<![if x", "<![endif]", "<![CDATA[", "]]>", "<!--", "-->", "<!d", "<?x", "&#", "&#x", "&amp", "<p a='")
DIGITS = st.sampled_from([1, 8, 40, 5000]).map(lambda n: "7" * n)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text('<>/!-[]&#;"= apbrtdscil\n', max_size=9) | st.sampled_from(SCRAPS) | DIGITS, max_size=9))
def test_any_markup_is_text(scraps: list[str]) -> None:
    markup = "".join(scraps)
    in_pieces(markup, [len(markup) // 2])


class Unhurried(HtmlText):
    """Looks for every end in all that follows, as the parser of the standard library does."""

    check_for_whole_start_tag = HTMLParser.check_for_whole_start_tag
    parse_endtag = HTMLParser.parse_endtag
    parse_pi = HTMLParser.parse_pi
    parse_comment = HTMLParser.parse_comment

    def goahead(self, end: bool) -> None:
        self._last_end = self._last_section_end = sys.maxsize
        HTMLParser.goahead(self, end)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text('<>/!-?"= apb\n', max_size=9) | st.sampled_from(SCRAPS), max_size=12))
def test_what_is_known_to_have_no_end_is_text_as_if_it_had_been_looked_for(scraps: list[str]) -> None:
    markup, with_all = "".join(scraps), Unhurried()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html_module, "_MOST_UNFINISHED", 0)
        assert in_pieces(markup, []) == with_all.push(markup) + with_all.flush()


@pytest.mark.parametrize(
    "scrap", ["<a ", "<a b='", '<a b="><a "', "</a", "<!--a>", "<!-- ", "<?", "<?a>", "<!d", "<![CDATA[>", "<![x"]
)
def test_what_never_ends_is_looked_through_a_few_times_only(scrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0

    def counted(name: str) -> None:
        plain = getattr(HTMLParser, name)

        def watched(parser: HtmlText, i: int, *more: object) -> int:
            nonlocal looked
            end: int = plain(parser, i, *more)
            looked += end - i if end >= 0 else len(parser.rawdata) - i
            return end

        monkeypatch.setattr(HTMLParser, name, watched)

    for name in ("check_for_whole_start_tag", "parse_endtag", "parse_pi", "parse_comment", "parse_html_declaration"):
        counted(name)
    looks = []
    for n in (4_000, 16_000):
        looked = 0
        markup = f"<html><body>{scrap * n}"
        in_pieces(markup, list(range(0, len(markup), 16_384)))
        looks.append(looked)
    assert looks[1] <= 4.5 * looks[0] + 16 * len(markup)


def test_a_script_that_never_ends_fills_no_memory() -> None:
    converter = HtmlText()
    text = converter.push("<p>Seen.<script>")
    for _ in range(40):
        text += converter.push("a < b; " * 10_000)
        assert len(converter.rawdata) < 1 << 21
    assert text + converter.push("</scr") + converter.push("ipt>Seen, too.") + converter.flush() == "Seen.Seen, too."


SECTIONS = (
    "<p>see <![x[ a ]]>here<![endif]--> and <![1]>there<![if !IE]> or <![endif]>not, <![CDATA[1 > 0]]>, "
    f"&#{'0' * 5000}65; &#{'9' * 5000}; <img alt='&#{'9' * 5000}'> <![x[ ends"
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(SECTIONS)), max_size=8))
def test_what_looks_like_a_section_is_a_comment_and_a_number_of_any_length_one_character(cuts: list[int]) -> None:
    assert in_pieces(SECTIONS, cuts) == "see here and there or not, 1 > 0, A \ufffd \ufffd <![x[ ends"


def test_a_page_says_its_encoding_and_is_believed_unless_the_user_knows_better(tmp_path: Path) -> None:
    page = '<html><meta http-equiv="content-type" content="text/html; charset={}"><p>{}</p>'
    for declared, encoding, text in (
        ("windows-1251", "cp1251", "Да"),
        ("ISO-8859-1", "cp1252", "5 € – “naïve”"),
        ("Shift_JIS", "cp932", "①"),
        ("nonsense", "utf-8", "né"),
    ):
        data = page.format(declared, text).encode(encoding)
        assert joined(read(data, tmp_path, "page.html")[0]) == text
    assert joined(read(page.format("cp1251", "ß").encode("cp1252"), tmp_path, "p.html", Wishes("cp1252"))[0]) == "ß"


def test_markup_is_a_page_by_its_start_or_its_name_and_else_a_text(tmp_path: Path) -> None:
    assert read(b"<p>one</p>", tmp_path, "part.htm")[2] == "html"
    assert read(b"<!-- a -->\n<HTML><p>one", tmp_path, "x")[2] == "html"
    assert read(b"# Notes\n\n<div>kept</div>", tmp_path, "notes.md")[2] == "text"
    assert joined(read(PAGE.encode(), tmp_path, "page.html", Wishes(type="text"))[0]) == PAGE
    assert joined(read(b"<html><p>a &#27;[31mred</p>", tmp_path, "x")[0]) == "a [31mred"


@pytest.mark.parametrize(
    ("fragment", "text"),
    [
        ("<p>Hello <b>x</b></p>", "Hello x"),
        ("\n<!-- from a page -->\n<table><tr><td>Key</td><td>71432</td></tr></table>\n", "Key\t71432"),
        ('<div class="a" title="1 > 0"><h2>Terms</h2><ul><li>gold<li>silver</ul></div>', "Terms\n\n- gold\n- silver"),
        ("<H1>Terms</H1>\n<P>one<BR>two<P>three", "Terms\n\none\ntwo\n\nthree"),
        (
            "<ol><li>one</li></ol>\n\n<p>two <a href='x'>three</a><script>if (a < b) {{x={}}}</script></p>",
            "- one\n\ntwo three",
        ),
        ("<p>" + "long words and more <i>of them</i> " * 800 + "</p>", " ".join(["long words and more of them"] * 800)),
    ],
)
def test_a_piece_of_a_page_is_a_page(fragment: str, text: str, tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-16"):
        with open_document("-", stdin=io.BytesIO(fragment.encode(encoding))) as piped:
            assert (joined(list(piped.pieces())), piped.kind) == (text, "html")
    assert read(fragment.encode(), tmp_path, "clipboard")[2] == "html"
    assert read(fragment.encode(), tmp_path, "page.xml")[2] == "text"


@pytest.mark.parametrize(
    "text",
    [
        '<p align="center">\n  <img src="logo.png">\n</p>\n\n# Tool\n\nIt does things.\n',
        '<div align="center">\n\n## Tool\n\n[![build](x.svg)](y)\n\n</div>\n',
        '<h1 align="center">Tool</h1>\n\nIt does things, and *more*.\n',
        "<details><summary>More</summary>\n\n```sh\nls\n```\n</details>\n",
        "<section><para>DocBook</para></section>\n",
        "<table><row><cell>1</cell></row></table>\n",
        "<article><title>A</title><author>B</author></article>\n",
        '<?xml version="1.0"?>\n<table><tr><td>1</td></tr></table>\n',
        '<x:p xmlns:x="y"><x:b>1</x:b></x:p>\n',
        "<template>\n  <div>{{ name }}</div>\n</template>\n",
        '<div v-if="ok"><p>Vue</p></div>\n',
        '<div className="a"><p>JSX</p></div>\n',
        "<ul>\n{% for x in y %}\n<li>{{ x }}</li>\n{% endfor %}\n</ul>\n",
        "<p><?php echo 1; ?></p>\n",
        "<34>Oct 11 22:14:15 host su: failed\n",
        "<p> is the tag of a paragraph\n",
        "<p>\n",
        "<b>bold</b> begins this line of a chat\n",
        "<form> fails </form> for me, says the user\n",
        "if (a <b> c) { return <p>; }\n",
        "<rss><item>kept</item></rss>\n",
        "<Flint> hello <p>there</p>\n",
    ],
)
def test_other_texts_that_begin_with_a_tag_are_no_page(text: str) -> None:
    with open_document("-", stdin=io.BytesIO(text.encode())) as piped:
        assert (joined(list(piped.pieces())), piped.kind) == (text, "text")


@pytest.mark.parametrize("start", ["<!---->", "<!-- -->\n", "<p>", "<p a='", '<p "', "<!--", "<style>", "<a b=c "])
def test_no_start_keeps_the_look_at_it_for_long(start: str) -> None:
    head = (start * 4000).encode()
    began = time.perf_counter()
    recognise(head[:1024], "x")
    is_fragment(head[:8192])
    is_fragment(b"<p>" + head[:8192])
    assert time.perf_counter() - began < 2


def test_the_words_for_a_picture_are_read_where_it_stands(tmp_path: Path) -> None:
    page = (
        "<!doctype html><p>See<img src=1.png alt='A map of\n the  island &amp; its bays'>here."
        "<p><img alt='T'>he squire<img alt=''> and <img alt>Silver <img alt='IMG_12.jpg'/><img alt='image 3'/>"
        "<IMG ALT='x²+1' />.<noscript><img alt='twice'></noscript><p><a href=y><img alt='Home page'></a>"
    )
    expected = "See A map of the island & its bays here.\n\nThe squire and Silver x²+1 .\n\nHome page"
    assert joined(read(page.encode(), tmp_path, "page.html")[0]) == expected
    book = epub([("One", "<p>One.</p><img src='m.png' alt='The map of Flint'/>")])
    assert joined(read(book, tmp_path, "book.epub")[0]) == "One.\n\nThe map of Flint"


def test_other_texts_are_read_as_they_stand(tmp_path: Path) -> None:
    for name, text in (
        ("notes.md", "# Title\n\n- *one*\n"),
        ("data.json", '{"a": ["[p. 3]", 1e5]}'),
        ("rows.jsonl", '{"a": 1}\n{"a": 2}\n'),
        ("rows.csv", 'a,"b, c"\n1,2\n'),
        ("code.py", "def f(x: int) -> int:\n\treturn x << 2\n"),
        ("feed.xml", '<?xml version="1.0"?>\n<rss><item>kept</item></rss>\n'),
    ):
        pieces, warnings, kind = read(text.encode(), tmp_path, name)
        assert (joined(pieces), warnings, kind) == (text, [], "text")


def test_a_long_page_takes_the_memory_of_a_piece() -> None:
    class Long(io.RawIOBase):
        n_left = 40

        def readable(self) -> bool:
            return True

        def read1(self, n_bytes: int = -1) -> bytes:
            self.n_left -= 1
            start = b"<html><script>" if self.n_left == 39 else b"</script>" if self.n_left == 20 else b""
            return start + b"<p>some <b>words</b> here\n" * 2500 if self.n_left > 0 else b""

    tracemalloc.start()
    with open_document("-", stdin=Long()) as document:  # type: ignore[arg-type]
        n_chars = sum(len(piece.text) for piece in document.pieces())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_chars == pytest.approx(20 * 2500 * len("some words here\n\n"), rel=0.02)
    assert peak < 3_000_000


@pytest.mark.parametrize("version", [2, 3])
def test_a_book_gives_its_chapters_in_the_order_of_the_spine(version: int, tmp_path: Path) -> None:
    book = epub(
        [("The Old Sea-Dog", "<p>One.</p>"), ("", "<img src='x.png'/>"), ("Black Dog", "<h1>II</h1><p>Three</p>")],
        version=version,
    )
    pieces, warnings, kind = read(book, tmp_path, "book.epub")
    assert kind == "epub"
    assert joined(pieces) == "One.\n\nII\n\nThree"
    assert [(piece.page, piece.label) for piece in pieces] == [(1, "The Old Sea-Dog"), (3, "Black Dog")]
    assert warnings == []
    assert joined(read(book, tmp_path, "book.epub", Wishes(pages="black dog"))[0]) == "II\n\nThree"
    with pytest.raises(UsageError, match=r"page 4 requested, .* has 3"):
        read(book, tmp_path, "book.epub", Wishes(pages="4"))


def test_bad_books_end_in_a_line(tmp_path: Path) -> None:
    book = epub([("One", "<p>Text.</p>")])
    assert "is damaged" in refusal(book[: len(book) // 2], tmp_path, "book.epub").message
    assert "holds no text" in refusal(epub([("One", "<img/>")]), tmp_path, "book.epub").message
    protected = (
        '<encryption><EncryptedData><CipherReference URI="OEBPS/text/part%201.xhtml"/></EncryptedData></encryption>'
    )
    error = refusal(epub([("One", "x")], extra={"META-INF/encryption.xml": protected}), tmp_path, "book.epub")
    assert error.code == "encrypted"
    entity = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]><x>&a;</x>'
    assert "is damaged" in refusal(zipped({"META-INF/container.xml": entity}), tmp_path, "book.epub").message


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_what_cannot_be_unpacked_is_not_called_encrypted(method: int, tmp_path: Path) -> None:
    path = tmp_path / "book.zip"
    with zipfile.ZipFile(path, "w", method) as made:
        made.writestr("a.xml", "some words " * 500)
    whole = path.read_bytes()
    start = whole.index(b"a.xml") + len("a.xml")
    packed = bytearray(whole)
    packed[start + 12 : start + 30] = bytes(18)
    unknown = bytearray(whole)
    for name, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):  # Deflate64, in both places that say so
        unknown[whole.index(name) + place] = 9
    for content in (packed, unknown):
        path.write_bytes(content)
        with closing(open_source(str(path))) as source, closing(Container(source)) as container:
            said = ""
            try:
                list(container.chunks("a.xml"))
            except DocumentError as error:
                said = error.message
        assert said.endswith("is damaged: a part of it is missing or cannot be unpacked")


def test_a_chapter_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    book = bytearray(epub([("One", "<p>One.</p>"), ("Two", "<p>Two.</p>" * 50), ("Three", "<p>Three.</p>")]))
    with zipfile.ZipFile(io.BytesIO(book)) as opened:
        place = opened.getinfo("OEBPS/text/part 2.xhtml").header_offset
    book[place + 60 : place + 90] = b"\xff" * 30
    pieces, warnings, _ = read(bytes(book), tmp_path, "book.epub")
    assert [piece.page for piece in pieces][-1] == 3
    assert warnings == ["book.epub: chapter 2 could not be read and was left out"]


def test_other_containers_are_named(tmp_path: Path) -> None:
    for member, what in (
        ("xl/workbook.xml", "an Excel workbook"),
        ("content.xml", "an OpenDocument file"),
        ("a.txt", "a zip archive"),
    ):
        assert refusal(zipped({member: "x"}), tmp_path, "file").message.endswith(f"looks binary ({what})")


def test_a_page_in_utf8_is_that_whatever_it_says(tmp_path: Path) -> None:
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>Größe – äöü</p></body></html>'
    assert joined(read(page.encode(), tmp_path, "a.html")[0]).strip() == "Größe – äöü"
    latin = page.replace("–", "-")
    assert joined(read(latin.encode("latin-1"), tmp_path, "b.html")[0]).strip() == "Größe - äöü"


def test_a_container_that_grows_beyond_all_proportion_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_module, "BOMB_BYTES", 2 << 20)
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    bomb = f'<w:document xmlns:w="{word}">' + " " * 4_000_000
    error = refusal(zipped({"[Content_Types].xml": "<x/>", "word/document.xml": bomb}), tmp_path, "a.docx")
    assert error.code == "decompression_bomb"
