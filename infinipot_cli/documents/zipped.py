"""Zip containers: which document one is, and its members read without trusting what they say of their size."""

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from infinipot_cli.documents.packed import check_bomb, missing_extra
from infinipot_cli.documents.sniff import binary_error
from infinipot_cli.documents.source import READ_BYTES, Source
from infinipot_cli.errors import DocumentError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_XML_BYTES = 16 << 20  # no table of contents is larger
# What zipfile raises of a member that is damaged, or packed in a way that it does not know.
_NOT_UNPACKED: tuple[type[Exception], ...] = (
    KeyError, zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError,
)  # fmt: skip
with contextlib.suppress(ImportError):  # some builds of Python lack it
    from lzma import LZMAError

    _NOT_UNPACKED += (LZMAError,)
_OTHERS = {
    "xl/workbook.xml": "an Excel workbook",
    "ppt/presentation.xml": "a PowerPoint presentation",
    "content.xml": "an OpenDocument file",
    "META-INF/MANIFEST.MF": "a Java archive",
}


class Container:
    """An opened zip file.

    Args:
        source: its bytes, at their start; a pipe is spooled to a private temporary file.

    Raises:
        DocumentError: it is damaged, or no zip file after all.
    """

    def __init__(self, source: Source) -> None:
        self.name = source.name
        try:
            self._zip = zipfile.ZipFile(source.seekable())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            if self.name.lower().endswith((".epub", ".docx")):
                raise self._damaged("it cannot be opened") from error
            raise binary_error(self.name, "a zip container") from error
        self._names = frozenset(self._zip.namelist())

    def kind(self) -> str:
        """The document it is: "epub" or "docx".

        Raises:
            DocumentError: it is neither.
        """
        if "META-INF/container.xml" in self._names:
            return "epub"
        if "[Content_Types].xml" in self._names and any(name.startswith("word/") for name in self._names):
            return "docx"
        raise binary_error(self.name, next((_OTHERS[name] for name in _OTHERS if name in self._names), "a zip archive"))

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def size(self, name: str) -> int:
        """Packed bytes of a member."""
        return self._zip.getinfo(name).compress_size

    def chunks(self, name: str) -> Iterator[bytes]:
        """A member, a piece at a time.

        Raises:
            DocumentError: it is missing, damaged, encrypted, or grows beyond all proportion.
        """
        n_read = 0
        try:
            with self._zip.open(name) as member:
                while data := member.read(READ_BYTES):
                    n_read += len(data)
                    check_bomb(self.name, self.size(name), n_read)
                    yield data
        except _NOT_UNPACKED as error:
            raise self._damaged("a part of it is missing or cannot be unpacked") from error
        except RuntimeError as error:  # zipfile says so of a member that wants a password
            raise DocumentError(f"{self.name} is encrypted", hint="unpack it first", code="encrypted") from error

    def xml(self, name: str) -> "Element":
        """A small member as a tree.

        Raises:
            DocumentError: it is no XML, or holds what XML of a document need not hold.
        """
        data = b""
        for chunk in self.chunks(name):
            data += chunk
            if len(data) > _XML_BYTES:
                raise self._damaged("its list of contents is too large")
        parser = xml_parser(self.name)
        try:
            parser.feed(data)
            root: Element = parser.close()
        except Exception as error:  # a parse error, or one of the refusals of defusedxml
            raise self._damaged("a part of it is no XML") from error
        return root

    def close(self) -> None:
        """Let go of the list of contents; the file belongs to the source."""
        self._zip.close()

    def _damaged(self, reason: str) -> DocumentError:
        return DocumentError(
            f"{self.name} is damaged: {reason}", hint="is the download complete?", code="damaged_archive"
        )


def xml_parser(name: str, target: object = None) -> Any:
    """A parser that refuses entities, with which a few bytes become gigabytes or foreign files.

    Raises:
        DocumentError: it is not installed.
    """
    try:
        from defusedxml.ElementTree import DefusedXMLParser
    except ImportError as error:
        raise missing_extra(name, "XML") from error
    return DefusedXMLParser(target=target)
