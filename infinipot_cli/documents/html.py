"""HTML to text as it streams in: what a browser would show as words, blocks on lines of their own.

The parser of the standard library needs no tree, so a page of any size takes the memory of one piece.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from html import unescape
from html.parser import HTMLParser

from infinipot_cli.documents.clean import Cleaner, raised
from infinipot_cli.documents.decode import TextDecoder
from infinipot_cli.documents.plain import TextDocument

_HIDDEN = frozenset({"script", "style", "template", "noscript"})
_PARAGRAPHS = frozenset(
    "p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre hr title"
    " section article header footer nav aside main figure".split()
)
_LINES = frozenset(
    "br div li tr dt dd caption figcaption address form fieldset legend option details summary dialog"
    " body head html".split()
)
_CELLS = frozenset({"td", "th"})
# Drawn as things of their own in the midst of a line.
_BOXES = frozenset({"button", "input", "select", "textarea", "svg", "text", "iframe", "video", "audio", "canvas"})
# What some write as the words for a picture, which tell nothing: its kind, or the name of its file.
_NO_WORDS = re.compile(
    r"(?:image|img|picture|photo|figure|illustration|cover|icon|logo|null)?[.\s]*\d*|\S+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?)",
    re.IGNORECASE,
)
_BLANK = re.compile(r"[ \t\n\r\f]+")
_UNFINISHED_CHARS = 1 << 20
# Start tags without an end that are looked for in all that follows; then only those of so many characters count.
_MOST_UNFINISHED = 8
_SHORT_TAG = 1 << 10
# The number of a character in more digits than any has: zeros in front, or no character. Python does not read them all.
_LONG_NUMBER = re.compile(r"&#([0-9]{9,})")
_CDATA = "<![CDATA["

_DECLARED = re.compile(
    rb"""<meta[^>]{1,500}?charset\s*=\s*["']?\s*([\w.:-]{1,40})|^\s*<\?xml[^>]{1,200}?encoding\s*=\s*["']([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_DECLARED_BYTES = 4096
# What browsers take these names for; the first group names what every older page was written with.
_MEANT = {
    **dict.fromkeys(("ascii", "us-ascii", "latin1", "latin-1", "iso-8859-1", "iso8859-1"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis"), "cp932"),
    **dict.fromkeys(("ks_c_5601-1987", "euc-kr"), "cp949"),
    "iso-8859-9": "cp1254",
}


class HtmlDocument(TextDocument):
    """A page of HTML; see `plain.TextDocument`."""

    kind = "html"

    def _declared(self, sample: bytes) -> str | None:
        return declared_encoding(sample)

    def _converter(self) -> "HtmlText":
        return HtmlText()


def declared_encoding(sample: bytes) -> str | None:
    """The encoding that a page names itself, if it is neither UTF-8, which needs no naming, nor unknown."""
    match = _DECLARED.search(sample[:_DECLARED_BYTES])
    if match is None:
        return None
    name = (match[1] or match[2]).decode("ascii", "replace").lower()
    name = _MEANT.get(name, name)
    if name.startswith(("utf", "unicode")):  # the page was read as bytes of one character each, so it is UTF-8
        return None
    try:
        "a".encode(name)
        codecs.getincrementaldecoder(name)("replace")
    except (LookupError, ValueError):
        return None
    return name


def chapter_text(chunks: Iterable[bytes]) -> Iterator[str]:
    """The clean text of a book's chapter that comes in chunks of bytes; the first chunk settles the encoding.

    Nobody sees the title in a chapter's head; what it says stands in the chapter as well.
    """
    decoder: TextDecoder | None = None
    converter, cleaner = HtmlText(_HIDDEN | {"title"}), Cleaner()
    for chunk in chunks:
        if decoder is None:
            decoder = TextDecoder(chunk, whole=False, encoding=declared_encoding(chunk))
        yield cleaner.push(converter.push(decoder.push(chunk)))
    rest = converter.push(decoder.push(b"", final=True)) if decoder else ""
    yield cleaner.push(rest + converter.flush()) + cleaner.flush()


class HtmlText(HTMLParser):
    """Collects the words of a page; blank space is that of the blocks, not that of the source.

    Args:
        hidden: elements whose words are left out.
    """

    def __init__(self, hidden: frozenset[str] = _HIDDEN) -> None:
        super().__init__(convert_charrefs=True)
        self._last_end = self._last_section_end = -1  # in what is to be converted: the last ">", and "]]>"
        self._has_comments = True  # a comment may end in it
        self._n_unfinished = 0  # start tags in it that do not end
        self._hidden = hidden
        self._out: list[str] = []
        self._n_hidden = 0
        self._n_pre = 0
        self._n_newlines = 0  # wanted before the next word
        self._gap = ""  # blank space wanted before the next word of the same line
        self._has_text = False
        self._is_raised = False
        self._last = ""  # character
        self._is_fresh = False  # nothing was written yet in this cell or item
        self._is_cell = False  # this is a cell, and of one line so far

    def push(self, text: str) -> str:
        """Convert some more of the page."""
        self.feed(text)
        if len(self.rawdata) > _UNFINISHED_CHARS:  # a tag that never ends would be looked through again each time
            self.close()
            if self.cdata_elem is not None:  # a script that never ends, which nobody sees
                self.rawdata = self.rawdata[-_SHORT_TAG:]
        return self._take()

    def flush(self) -> str:
        """Convert what was kept back: nothing more is coming."""
        self.close()
        return self._take()

    def goahead(self, end: bool) -> None:
        """Convert as much as is there; numbers of characters may be of any length.

        Where nothing more is coming, the parser goes on behind whatever does not end. So that it does not look through
        all that follows each time, it is remembered of each kind of end that there is none; after a few start tags that
        do not end only short ones are looked for; and many that are begun behind the last end of any are text.
        """
        self.rawdata = _LONG_NUMBER.sub(lambda match: f"&#{(match[1].lstrip('0') or '0')[:8]}", self.rawdata)
        self._last_end, self._last_section_end = self.rawdata.rfind(">"), self.rawdata.rfind("]]>")
        self._has_comments, self._n_unfinished = True, 0
        rest = self.rawdata[self._last_end + 1 :] if end else ""
        if rest.count("<") <= _MOST_UNFINISHED:
            super().goahead(end)
            return
        self.rawdata = self.rawdata[: self._last_end + 1]
        super().goahead(end)
        if self.cdata_elem is None:
            self.handle_data(unescape(rest))
        else:
            self.rawdata += rest

    def check_for_whole_start_tag(self, i: int) -> int:
        """Where a start tag ends, -1 where that is still to come."""
        if i > self._last_end:
            return -1
        if self._n_unfinished < _MOST_UNFINISHED:
            end = super().check_for_whole_start_tag(i)
            self._n_unfinished += end < 0
            return end
        whole = self.rawdata
        self.rawdata = whole[i : i + _SHORT_TAG]
        end = super().check_for_whole_start_tag(0)
        self.rawdata = whole
        return end + i if end >= 0 else -1

    def parse_endtag(self, i: int) -> int:
        """Close an element; where its tag ends, -1 where that is still to come."""
        return super().parse_endtag(i) if i < self._last_end else -1

    def parse_pi(self, i: int) -> int:
        """Where an instruction ends, -1 where that is still to come."""
        return super().parse_pi(i) if i < self._last_end else -1

    def parse_comment(self, i: int, report: bool = True) -> int:
        """Where a comment ends, -1 where that is still to come."""
        end = super().parse_comment(i, report) if self._has_comments else -1
        self._has_comments = end >= 0
        return end

    def parse_html_declaration(self, i: int) -> int:
        """Where a declaration ends, -1 where that is still to come; what only looks like a section is a comment."""
        if i > self._last_end:
            return -1
        if not self.rawdata.startswith("<![", i):
            return super().parse_html_declaration(i)
        closing = "]]>" if self.rawdata.startswith(_CDATA, i) else ">"
        end = self.rawdata.find(closing, i) if closing == ">" or i < self._last_section_end else -1
        if end < 0:
            return -1
        if closing == "]]>":  # which XHTML may hold; its text counts
            self.handle_data(self.rawdata[i + len(_CDATA) : end])
        return end + len(closing)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a block, or hide what follows."""
        if tag in self._hidden:
            self._n_hidden += 1
        self._block(tag)
        if tag == "img":
            self._picture(dict(attrs).get("alt") or "")
        if tag in _CELLS:
            self._close_cell()  # its end tag may be left out
            self._is_cell = self._is_fresh = True
        if tag == "li":
            self._write("- ")
            self._gap, self._is_fresh = "", True
        elif tag == "pre":
            self._n_pre += 1
        elif tag == "sup":
            self._is_raised = True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element written as empty, as XHTML does: hides nothing."""
        self._block(tag)
        if tag == "img":
            self._picture(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        """Close a block, or show again."""
        if tag in self._hidden:
            self._n_hidden = max(0, self._n_hidden - 1)
        elif tag == "pre":
            self._n_pre = max(0, self._n_pre - 1)
        elif tag == "sup":
            self._is_raised = False
        if tag in _CELLS:
            self._close_cell()
        elif tag not in ("br", "hr"):
            self._block(tag)

    def handle_data(self, data: str) -> None:
        """Text between the tags, with its character references resolved."""
        if self._n_hidden or self.cdata_elem is not None:
            return
        if self._n_pre:
            self._write(data)
            return
        words = _BLANK.sub(" ", data)
        if words.startswith(" ") and not self._gap and not self._is_fresh:
            self._gap = " "
        if word := words.strip(" "):
            self._write(word)
            self._gap = " " if words.endswith(" ") else ""

    def _block(self, tag: str) -> None:
        if tag in ("table", "tr"):
            self._close_cell()
        elif tag == "li":
            self._is_fresh = self._is_cell = False
        wanted = 2 if tag in _PARAGRAPHS else 1 if tag in _LINES else 0
        if not self._is_fresh:  # the first block stands beside the bullet, or the cell in front
            self._n_newlines = max(self._n_newlines, wanted)
        if tag in _BOXES:
            self._gap = self._gap or " "

    def _close_cell(self) -> None:
        """A cell of one line stands beside the next one, whatever block that line is."""
        if self._is_cell and not self._is_fresh:
            self._n_newlines = 0
        self._is_fresh = self._is_cell = False
        self._gap = "\t"

    def _picture(self, words: str) -> None:
        """The words that stand for a picture, where it is not shown: as they are, and a letter in front of its word."""
        words = _BLANK.sub(" ", words).strip()
        gap = "" if len(words) == 1 and words.isalpha() else " "
        self._gap = self._gap or gap
        if not _NO_WORDS.fullmatch(words):
            self._write(words)
            self._gap = gap

    def _write(self, text: str) -> None:
        if self._n_hidden:
            return
        if self._n_newlines:
            self._is_cell = self._is_cell and self._is_fresh
            self._out.append("\n" * self._n_newlines if self._has_text else "")
        elif self._has_text:
            self._out.append(self._gap)
        if self._is_raised and not self._n_newlines and not self._gap:
            text = raised(self._last, text)
        self._is_raised = False
        self._out.append(text)
        self._n_newlines, self._gap, self._has_text, self._last = 0, "", True, text[-1:]
        self._is_fresh = False

    def _take(self) -> str:
        text = "".join(self._out)
        self._out.clear()
        return text
