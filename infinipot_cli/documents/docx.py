"""DOCX to text: paragraphs on lines, cells behind tabs, notes at the end, and then what stands above and below pages.

Word knows pages only when it prints.
"""

import posixpath
from collections.abc import Iterator

from infinipot_cli.documents.clean import Cleaner, clean
from infinipot_cli.documents.plain import TextDocument
from infinipot_cli.documents.source import Source
from infinipot_cli.documents.wishes import Wishes
from infinipot_cli.documents.zipped import Container, xml_parser
from infinipot_cli.errors import DocumentError

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
        cleaner = Cleaner()
        for part in parts:
            for words in self._words(part):
                if text := cleaner.push(words):
                    yield text, None
        if text := cleaner.flush() + self._margins(folder):
            yield text, 1.0

    def _margins(self, folder: str) -> str:
        """What stands above and below the pages, each text once."""
        names = [f"{name}{number}.xml" for name in _MARGINS for number in range(1, _MOST_MARGINS + 1)]
        paths = [path for name in names if (path := posixpath.join(folder, name)) in self._container]
        texts = dict.fromkeys(clean("".join(self._words(path))).strip("\n") for path in paths)
        return "".join(f"{text}\n" for text in texts if text.strip())

    def _words(self, part: str) -> Iterator[str]:
        """The text of a part, a piece at a time."""
        words = _Words()
        parser = xml_parser(self.name, words)
        for chunk in self._container.chunks(part):
            try:
                parser.feed(chunk)
            except Exception as error:  # a parse error, or one of the refusals of defusedxml
                raise DocumentError(
                    f"{self.name} is damaged: a part of it is no XML", code="damaged_archive"
                ) from error
            yield words.take()


class _Words:
    """What the XML parser tells, as text."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._n_hidden = 0
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
        if self._n_hidden or name in _HIDDEN:
            self._n_hidden += 1
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
        if self._n_hidden:
            self._n_hidden -= 1
        elif name == "p":
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
        if self._is_text and not self._n_hidden:
            self._write(text)

    def close(self) -> None:
        """The document ends."""

    def take(self) -> str:
        """The text so far, which is handed out once."""
        text = "".join(self._out)
        self._out.clear()
        return text

    def _write(self, text: str) -> None:
        if self._is_raised and not self._gap and self._last.isalnum() and text[:1].isdigit():
            text = f"^{text}"  # a power: no digit more
        self._is_raised = False
        self._out += (self._gap, text)
        self._gap, self._last = "", text[-1:]


def _body(container: Container) -> str:
    """Path of the main part, which some writers name otherwise than Word does."""
    if "_rels/.rels" in container:
        for node in container.xml("_rels/.rels").iter():
            if node.get("Type", "").endswith("/officeDocument"):
                return node.get("Target", "").lstrip("/")
    return "word/document.xml"
