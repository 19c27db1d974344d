"""EPUB to text: the chapters in the order of the spine, numbered as pages and labelled with their titles."""

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from infinipot_cli.documents.clean import clean
from infinipot_cli.documents.html import chapter_text
from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.documents.ranges import resolve_pages
from infinipot_cli.documents.source import Source
from infinipot_cli.documents.wishes import Wishes
from infinipot_cli.documents.zipped import Container
from infinipot_cli.errors import DocumentError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CHAPTER_SEPARATOR = "\n\n"
_LABEL_CHARS = 80


class EpubDocument(Document):
    """A book; `page` of its pieces is the chapter, `label` the chapter's title.

    Args:
        source: its bytes.
        container: the same, opened.
        wishes: the chapters to read, as pages.

    Raises:
        DocumentError: it is damaged, protected, or has no chapters.
        PartError: it has not the chapters that were asked for.
    """

    kind = "epub"

    def __init__(self, source: Source, container: Container, wishes: Wishes) -> None:
        wishes.forbid_lines(source.name)
        self.name = source.name
        self.warnings = []
        self._source, self._container = source, container
        self._chapters, self._titles = _contents(container)
        if not self._chapters:
            raise DocumentError(f"{self.name} has no chapters", code="empty")
        self.n_bytes = source.n_bytes
        self.n_pages: int = len(self._chapters)
        self.wanted: list[int] | range = range(1, self.n_pages + 1)
        if wishes.pages is not None:
            labels = [self._titles.get(path, "") for path in self._chapters]
            self.wanted, warning = resolve_pages(wishes.pages, self.n_pages, labels, name=self.name)
            self.warnings += [warning] if warning else []

    def pieces(self) -> Iterator[TextPiece]:
        """Read the chapters in order; the text of two of them is joined by a blank line.

        Raises:
            DocumentError: no chapter has text, or the book is protected.
        """
        n_chars = 0
        sizes = [self._container.size(path) if path in self._container else 0 for path in self._chapters]
        n_packed, n_total = 0, max(1, sum(sizes[number - 1] for number in self.wanted))
        for number in self.wanted:
            path, has_begun = self._chapters[number - 1], False
            n_packed += sizes[number - 1]
            try:
                for text in chapter_text(self._container.chunks(path)):
                    text = text if has_begun else text.lstrip()
                    if not text:
                        continue
                    if not has_begun and n_chars:
                        text = CHAPTER_SEPARATOR + text
                    yield TextPiece(text, number, n_chars, min(1.0, n_packed / n_total), self._titles.get(path))
                    n_chars += len(text)
                    has_begun = True
            except DocumentError as error:
                if error.code != "damaged_archive":
                    raise
                self.warnings.append(f"{self.name}: chapter {number} could not be read and was left out")
        if not n_chars:
            raise DocumentError(f"{self.name} holds no text", hint="is it a book of pictures?", code="empty")

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._source.close()


def _contents(container: Container) -> tuple[list[str], dict[str, str]]:
    """Paths of the chapters in reading order, and the titles that the table of contents has for them."""
    package_path = next(
        (node.get("full-path", "") for node in _named(container.xml("META-INF/container.xml"), "rootfile")), ""
    )
    package_path = package_path if package_path in container else unquote(package_path)
    package = container.xml(package_path)
    folder = posixpath.dirname(package_path)
    items = {node.get("id", ""): node for node in _named(package, "item")}
    paths = {key: _join(folder, node.get("href", "")) for key, node in items.items()}
    spine = next(_named(package, "spine"), None)
    chapters = [paths[key] for node in _named(package, "itemref") if (key := node.get("idref", "")) in paths]
    _refuse_protected(container, chapters)
    contents = next((key for key, node in items.items() if "nav" in (node.get("properties") or "").split()), None)
    contents = contents or (spine.get("toc") if spine is not None else None)
    if contents not in paths:
        return chapters, {}
    try:
        return chapters, _titles(container.xml(paths[contents]), posixpath.dirname(paths[contents]))
    except DocumentError:  # a book without titles is better than none
        return chapters, {}


def _titles(contents: "Element", folder: str) -> dict[str, str]:
    """The first title that a table of contents, of version 2 or 3, has for each file."""
    titles: dict[str, str] = {}
    entries = [(node.get("href", ""), "".join(node.itertext())) for node in _named(contents, "a")]
    for point in _named(contents, "navPoint"):
        source = next((node.get("src", "") for node in _named(point, "content")), "")
        entries.append((source, next(("".join(node.itertext()) for node in _named(point, "text")), "")))
    for target, title in entries:
        if title := " ".join(clean(title).split())[:_LABEL_CHARS]:
            titles.setdefault(_join(folder, target), title)
    return titles


def _refuse_protected(container: Container, chapters: list[str]) -> None:
    """Fonts may be scrambled, but not what is to be read."""
    if "META-INF/encryption.xml" not in container:
        return
    hidden = {
        _join("", node.get("URI", "")) for node in _named(container.xml("META-INF/encryption.xml"), "CipherReference")
    }
    if hidden & set(chapters):
        raise DocumentError(
            f"{container.name} is protected (DRM) and cannot be read", hint="ask for a free edition", code="encrypted"
        )


def _named(root: "Element", name: str) -> Iterator["Element"]:
    """The elements of a name, whatever their namespace."""
    return (node for node in root.iter() if node.tag == name or node.tag.endswith("}" + name))


def _join(folder: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(target.partition("#")[0]))).lstrip("/")
