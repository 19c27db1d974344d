"""DOCX to text: paragraphs on lines, cells behind tabs, notes at the end, and then what stands above and below pages.

Numbers and bullets of lists are counted as Word would, see `docx_lists`. Word knows pages only when it prints.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infinipot_cli.documents.clean import Cleaner, clean, raised
from infinipot_cli.documents.docx_lists import Counting, Lists, whole
from infinipot_cli.documents.plain import TextDocument
from infinipot_cli.documents.source import Source
from infinipot_cli.documents.wishes import Wishes
from infinipot_cli.documents.zipped import Container, xml_parser
from infinipot_cli.errors import DocumentError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Parts of a document that show nothing: settings, what was deleted or moved away, and a second copy of what is drawn.
_HIDDEN = frozenset("pPr rPr sectPr tblPr tblGrid trPr tcPr del moveFrom Fallback".split())
_NOTES = ("footnotes.xml", "endnotes.xml")
_MARGINS = ("header", "footer")  # one of each for a section, its first page, and its even ones
_MOST_MARGINS = 99


class DocxDocument(TextDocument):
    """A Word document, read as a text; see `plain.TextDocument`.

    Args:
        source: its bytes.
        container: the same, opened.
        wishes: the lines to read.
    """

    kind = "docx"

    def __init__(self, source: Source, container: Container, wishes: Wishes) -> None:
        super().__init__(source, wishes)
        self._container = container

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        super().close()

    def _cleaned(self) -> Iterator[tuple[str, float | None]]:
        body = _body(self._container)
        folder = posixpath.dirname(body)
        parts = [body, *(path for note in _NOTES if (path := posixpath.join(folder, note)) in self._container)]
        cleaner, lists = Cleaner(), Lists(self._beside(body, "numbering"), self._beside(body, "styles"))
        for part in parts:
            for words in self._words(part, lists):
                if text := cleaner.push(words):
                    yield text, None
        if text := cleaner.flush() + self._margins(folder, lists):
            yield text, 1.0

    def _beside(self, body: str, name: str) -> "Element | None":
        """The part with the lists or the styles; None without one, since what it adds is little beside the text."""
        folder, file = posixpath.split(body)
        path = posixpath.join(folder, f"{name}.xml")
        try:
            target = _target(self._container, posixpath.join(folder, "_rels", f"{file}.rels"), f"/{name}")
            path = posixpath.normpath(posixpath.join(folder, target)).lstrip("/") if target else path
            return self._container.xml(path) if path in self._container else None
        except DocumentError as error:
            if error.code != "damaged_archive":
                raise
            self.warnings.append(
                f"{self.name}: its {name} cannot be read; numbers of headings and lists may be missing"
            )
            return None

    def _margins(self, folder: str, lists: Lists) -> str:
        """What stands above and below the pages, each text once."""
        names = [f"{name}{number}.xml" for name in _MARGINS for number in range(1, _MOST_MARGINS + 1)]
        paths = [path for name in names if (path := posixpath.join(folder, name)) in self._container]
        texts = dict.fromkeys(clean("".join(self._words(path, lists))).strip("\n") for path in paths)
        return "".join(f"{text}\n" for text in texts if text.strip())

    def _words(self, part: str, lists: Lists) -> Iterator[str]:
        """The text of a part, a piece at a time."""
        words = _Words(Counting(lists))
        parser = xml_parser(self.name, words)
        for chunk in self._container.chunks(part):
            try:
                parser.feed(chunk)
            except Exception as error:  # a parse error, or one of the refusals of defusedxml
                raise DocumentError(
                    f"{self.name} is damaged: a part of it is no XML", code="damaged_archive"
                ) from error
            yield words.take()


@dataclass
class _Paragraph:
    """What an open paragraph says of the list that it is in."""

    style: str = ""
    number: str | None = None
    level: int | None = None
    is_counted: bool = False
    is_gone: bool = False  # its end was deleted, so it is no paragraph of its own


class _Words:
    """What the XML parser tells, as text.

    Args:
        counting: of the paragraphs in lists.
    """

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._open: list[_Paragraph] = []  # the last one inside those before it, as in a box with text
        self._out: list[str] = []
        self._hidden: list[str] = []  # open elements from the first that shows nothing on
        self._n_cells = 0  # that are open, one inside the other
        self._is_text = False
        self._gap = ""  # wanted before the next word
        self._is_raised = False
        self._last = ""  # character

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        name = tag.rpartition("}")[2]
        if name == "r":
            self._is_raised = False
        elif name == "vertAlign":  # among the settings of a run, which show nothing themselves
            self._is_raised = "superscript" in attributes.values()
        if self._hidden or name in _HIDDEN:
            self._hidden.append(name)
            self._set(attributes)
        elif name == "p":
            self._open.append(_Paragraph())
        elif name == "t":
            self._is_text = "wordprocessingml" in tag or tag.rpartition("}")[0].endswith("/math")  # and equations
        elif name in ("tab", "ptab"):
            self._write("\t")
        elif name in ("br", "cr"):
            self._write("\n")
        elif name == "noBreakHyphen":
            self._write("-")
        elif name == "tc":
            self._n_cells += 1

    def end(self, tag: str) -> None:
        """An element ends."""
        name = tag.rpartition("}")[2]
        self._is_text = False
        if self._hidden:
            self._hidden.pop()
        elif name == "p":
            self._count()  # an empty one counts as well
            self._open = self._open[:-1]
            if self._n_cells:
                self._gap = self._gap or " "
            else:
                self._write("\n")
        elif name == "tc":
            self._n_cells -= 1
            self._gap = "\t"
        elif name == "tr" and not self._n_cells:
            self._gap = ""
            self._write("\n")

    def data(self, text: str) -> None:
        """Text inside an element."""
        if self._is_text and not self._hidden:
            self._write(text)

    def close(self) -> None:
        """The document ends."""

    def take(self) -> str:
        """The text so far, which is handed out once."""
        text = "".join(self._out)
        self._out.clear()
        return text

    def _set(self, attributes: dict[str, str]) -> None:
        """A setting begins: those of a paragraph may put it in a list."""
        if not self._open or self._hidden[0] != "pPr":
            return
        paragraph, value = self._open[-1], next(iter(attributes.values()), "")
        match self._hidden[1:]:
            case ["pStyle"]:
                paragraph.style = value
            case ["numPr", "numId"]:
                paragraph.number = value
            case ["numPr", "ilvl"]:
                paragraph.level = whole(value)
            case ["rPr", "del" | "moveFrom"]:
                paragraph.is_gone = True

    def _count(self) -> str:
        """What is drawn in front of the innermost paragraph, which is handed out once."""
        if not self._open or self._open[-1].is_counted:
            return ""
        paragraph = self._open[-1]
        paragraph.is_counted = True
        return "" if paragraph.is_gone else self._counting.next(paragraph.style, paragraph.number, paragraph.level)

    def _write(self, text: str) -> None:
        if text.strip() and (label := self._count()):
            self._out += (self._gap, label)
            self._gap, self._last = "", ""
        if self._is_raised and not self._gap:
            text = raised(self._last, text)
        self._is_raised = False
        self._out += (self._gap, text)
        self._gap, self._last = "", text[-1:]


def _body(container: Container) -> str:
    """Path of the main part, which some writers name otherwise than Word does."""
    return _target(container, "_rels/.rels", "/officeDocument").lstrip("/") or "word/document.xml"


def _target(container: Container, relations: str, kind: str) -> str:
    """Where a list of relations says that the part of a kind is; empty where it does not."""
    if relations not in container:
        return ""
    nodes = container.xml(relations).iter()
    return next((node.get("Target", "") for node in nodes if node.get("Type", "").endswith(kind)), "")
