"""What a stored pot says of the documents it has read: their names, pages and warnings, and if they changed since."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.documents.source import STDIN_NAME
from infinipot_cli.errors import PotError
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.packing import found_of, found_to_json
from infinipot_cli.pots import strict
from infinipot_cli.pots.header import Header, StoredSource
from infinipot_cli.pots.originals import fate_of
from infinipot_cli.reading import Reading
from infinipot_cli.sources import Input

if TYPE_CHECKING:
    from infinipot_cli.explain.lookout import Found


class StoredDocument(Document):
    """A document that a stored pot has read; its text is not here any more."""

    def __init__(self, source: StoredSource, warnings: Sequence[str] = ()) -> None:
        self.name, self.kind = source.name, source.kind
        self.n_pages, self.n_bytes = source.all_pages, None
        self.said = list(warnings)
        self.warnings = [*self.said, *_changed(source)]
        self.stored = source

    def pieces(self) -> Iterator[TextPiece]:
        """Nothing."""
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


def _changed(source: StoredSource) -> list[str]:
    """A word about a file that is not any more what was read."""
    if fate_of(source) != "changed":
        return []
    return [f"{source.name} was changed after it was read; what is asked is answered from what it was then"]


def document_of(inputs: Sequence[Input], passage: Passage) -> Document:
    """The document among those of a reading that a passage of it stands in; several may have its name."""
    read = [entry.document for entry in inputs if _is_to_be_stored(entry)]
    likely = [*read[passage.document : passage.document + 1], *read]
    return next(document for document in likely if document.name == passage.path)


def original(document: Document) -> tuple[str, str]:
    """Where a document that was read can be read again as it was; empty, and why, where it cannot.

    Args:
        document: its name is as the user typed it, perhaps in another folder.

    Returns:
        The path, as the name where that leads there from here, and the reason.
    """
    name, stored = document.name, document.stored if isinstance(document, StoredDocument) else None
    path = stored.path if stored is not None and stored.path else name
    was_file = name != STDIN_NAME and (stored is None or stored.path != "")
    if was_file and not os.path.exists(path):
        return "", f"there is no file {path} any more"
    if name == STDIN_NAME or not os.path.isfile(path):
        return "", f"{name} cannot be read a second time; save it to a file"
    if stored is not None and fate_of(stored) == "changed":
        return "", f"{name} was changed after it was read"
    is_here = os.path.isfile(name) and os.path.samefile(name, path)
    return (name if is_here else path), ""


def asides_of(data: bytes, header: Header) -> "tuple[list[list[str]], dict[str, Found]]":
    """Warnings of each document, and by question the passages that match it, as a stored pot has them."""
    if not data:  # stored before there were any
        return [], {}
    try:
        held = strict.loads(data)
        warnings = [list(map(str, said)) for said in held["warnings"]]
        found = held.get("found", {})  # stored before there was that: looked for anew in what is remembered
        return warnings, found_of(found, n_documents=len(header.sources), n_seen=header.numbers["n_seen"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PotError("what the stored pot says of its documents makes no sense", code="damaged_pot") from error


def asides(reading: Reading) -> bytes:
    """The same as bytes, of a reading that is about to be stored."""
    documents = [entry.document for entry in reading.inputs if _is_to_be_stored(entry)]
    said = {
        "warnings": [one.said if isinstance(one, StoredDocument) else one.warnings for one in documents],
        "found": found_to_json(reading.found()),
    }
    return json.dumps(said, separators=(",", ":")).encode("ascii")


def stored_sources(inputs: Sequence[Input]) -> Iterator[StoredSource]:
    """What is to be stored of the documents of a reading."""
    for entry in filter(_is_to_be_stored, inputs):
        if isinstance(entry.document, StoredDocument):
            yield entry.document.stored
        else:
            name = entry.document.name
            size, modified = entry.document.state or (0, 0)
            yield StoredSource(
                name=name,
                kind=entry.document.kind,
                n_tokens=entry.n_tokens,
                sha256=entry.text_hash.hexdigest(),
                first_token=entry.first_token,
                pages=tuple(page for page in entry.pages if page[1] <= entry.end_token),
                path=str(Path(name).resolve()) if size else "",
                size=size,
                modified=modified,
                n_pages=entry.document.n_pages or 0,
            )


def _is_to_be_stored(entry: Input) -> bool:
    """Whether there is anything to say of a document: not if it is still to be read, or could not be."""
    return isinstance(entry.document, StoredDocument) or entry.n_tokens > 0
