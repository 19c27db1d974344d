"""One door for all sources: a path or standard input goes in, a document of the right kind comes out."""

from pathlib import Path
from typing import BinaryIO

from infinipot_cli.documents.fragment import is_fragment, may_be_fragment
from infinipot_cli.documents.loaders import load, loader_of
from infinipot_cli.documents.packed import compression, unpacked
from infinipot_cli.documents.piece import Document
from infinipot_cli.documents.plain import TextDocument
from infinipot_cli.documents.sniff import HEAD_BYTES, SAMPLE_BYTES, begins_as, recognise
from infinipot_cli.documents.source import Source, open_source
from infinipot_cli.documents.wishes import Wishes
from infinipot_cli.errors import DocumentError


def open_document(source: str, *, stdin: BinaryIO | None = None, wishes: Wishes = Wishes()) -> Document:  # noqa: B008
    """Open a document; what it is decides its content, not its name, unless the user has named a loader for that.

    Args:
        source: a path as the user typed it, or "-" for standard input.
        stdin: the byte stream behind "-"; the process's own when None.
        wishes: what the user asked of the sources.

    Raises:
        DocumentError: missing, a folder, not permitted, empty, binary, or a PDF that does not open.
    """
    opened = open_source(source, stdin)
    state = opened.state if source != "-" else None  # a file behind standard input is not known by a name
    if opened.n_bytes is not None and wishes.type is None and (command := loader_of(source, wishes.loaders)):
        opened.close()
        opened = load(source, command)
    try:
        head = opened.peek(HEAD_BYTES)
        if not head:
            hint = "nothing was piped in" if source == "-" else "is it the right document?"
            raise DocumentError(f"{opened.name} is empty", hint=hint, code="empty")
        if how := compression(head):
            opened = unpacked(opened, how)
            head = opened.peek(HEAD_BYTES)
            if not head:
                raise DocumentError(f"{opened.name} is empty inside", hint="is it the right document?", code="empty")
        # whoever names the encoding says that it is text; a PDF has none, and is one whatever was said
        is_text = wishes.encoding is not None
        kind = wishes.kind or recognise(head, opened.name, is_text=is_text)
        if kind == "text" and wishes.kind is None and _is_fragment(opened, head, source):
            kind = "html"
        try:
            document = _document(kind, opened, wishes)
            document.state = state
            return document
        except DocumentError as error:
            if wishes.kind and not begins_as(wishes.kind, head):
                raise DocumentError(
                    f"{opened.name} is no {wishes.kind.upper()}, although --type says so",
                    hint="leave --type out, and its bytes tell what it is",
                    code="wrong_type",
                ) from error
            raise
    except BaseException:  # Ctrl-C too: whatever ends the opening must not leave the file open
        opened.close()
        raise


def _is_fragment(opened: Source, head: bytes, source: str) -> bool:
    """Whether a text is HTML without a head; a file's ending that says otherwise is believed."""
    if source != "-" and Path(source).suffix.lower() not in ("", ".txt"):
        return False
    return may_be_fragment(head) and is_fragment(opened.peek(SAMPLE_BYTES))


def _document(kind: str, source: Source, wishes: Wishes) -> Document:
    # A format is one module beside this one and one case here; its library is imported only when needed.
    match kind:
        case "pdf":
            from infinipot_cli.documents.pdf import PdfDocument

            return PdfDocument(source, wishes)
        case "html":
            from infinipot_cli.documents.html import HtmlDocument

            return HtmlDocument(source, wishes)
        case "zip" | "epub" | "docx":
            return _unzipped(source, wishes)
        case _:
            return TextDocument(source, wishes)


def _unzipped(source: Source, wishes: Wishes) -> Document:
    from infinipot_cli.documents.zipped import Container

    container = Container(source)
    if container.kind() == "epub":
        from infinipot_cli.documents.epub import EpubDocument

        return EpubDocument(source, container, wishes)
    from infinipot_cli.documents.docx import DocxDocument

    return DocxDocument(source, container, wishes)
