"""Text files and text from pipes: decoded, cleaned and handed on as they arrive."""

from collections.abc import Iterator
from typing import Protocol

from infinipot_cli.documents.clean import Cleaner
from infinipot_cli.documents.decode import TextDecoder, is_utf8
from infinipot_cli.documents.piece import Document, TextPiece
from infinipot_cli.documents.ranges import LineFilter, parse_lines
from infinipot_cli.documents.sniff import (
    HEAD_BYTES,
    SAMPLE_BYTES,
    UNMARKED,
    binary_error,
    bom_encoding,
    looks_binary,
)
from infinipot_cli.documents.source import Source
from infinipot_cli.documents.wishes import Wishes
from infinipot_cli.errors import DocumentError, PartError

_VOTE_BYTES = 1 << 20
# Blank text is held back until something readable comes, but not for ever: a pipe may bring newlines only.
_BLANK_LIMIT = 1 << 20


class Converter(Protocol):
    """Turns decoded text that comes in pieces into the text to be read."""

    def push(self, text: str) -> str:
        """Convert some more."""

    def flush(self) -> str:
        """Convert what was kept back: nothing more is coming."""


class TextDocument(Document):
    """A source of plain text in UTF-8, UTF-16, UTF-32 or, failing these, the likeliest encoding.

    Args:
        source: its bytes, at their start.
        wishes: an encoding or the type "text" in them is believed, whatever the bytes look like.
    """

    kind = "text"

    def __init__(self, source: Source, wishes: Wishes = Wishes()) -> None:  # noqa: B008  (frozen)
        wishes.forbid_pages(source.name)
        self.name = source.name
        self.n_pages = None
        self.n_bytes = source.n_bytes
        self.warnings = source.warnings
        self._source = source
        self._wishes = wishes
        self._decoder: TextDecoder | None = None

    def pieces(self) -> Iterator[TextPiece]:
        """Decode and clean the text; see `Document.pieces`.

        Raises:
            DocumentError: only blank space, binary data further on, or a read error.
        """
        blank: list[str] = []
        n_blank = n_chars = 0
        has_text = False
        for text, done in self._wanted():
            has_text = has_text or not text.isspace()
            if not has_text and n_blank < _BLANK_LIMIT:
                blank.append(text)
                n_blank += len(text)
                continue
            if blank:
                text = "".join((*blank, text))
                blank.clear()
            yield TextPiece(text, None, n_chars, done)
            n_chars += len(text)
        if not has_text:
            raise DocumentError(
                f"{self.name} holds nothing but blank space" if n_blank else f"{self.name} holds no text",
                hint="is it the right document?",
                code="empty",
            )

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _wanted(self) -> Iterator[tuple[str, float | None]]:
        """The lines that were asked for; reading ends behind the last of them, and how far that is nobody knows."""
        if self._wishes.lines is None:
            yield from self._cleaned()
            return
        ranges = parse_lines(self._wishes.lines)
        lines = LineFilter(ranges)
        before = 0.0  # share of the source in front of this piece
        begun: float | None = None  # and of the first wanted line
        n_lost = 0
        for text, done in self._cleaned():
            if wanted := lines.push(text):
                n_lost += wanted.count("\ufffd")
                if done is None or ranges[-1][1] is not None:
                    yield wanted, None
                else:
                    skipped = 1 - len(wanted) / len(text) if begun is None else 0.0
                    begun = before + (done - before) * skipped if begun is None else begun
                    yield wanted, (done - begun) / (1 - begun) if begun < 1 else 1.0
            before = done or before
            if lines.is_done:
                break
        self._warn_lost(n_lost)
        if lines.n_lines < ranges[0][0]:
            raise PartError(
                f"lines {self._wishes.lines} requested, {self.name} has {lines.n_lines:,}", code="no_such_line"
            )
        if lines.n_lines < (ranges[-1][1] or ranges[-1][0]):
            self.warnings.append(f"lines {self._wishes.lines} requested, {self.name} has {lines.n_lines:,}")

    def _cleaned(self) -> Iterator[tuple[str, float | None]]:
        # A file can wait for a megabyte before its encoding is chosen; a pipe must not.
        n_vote = HEAD_BYTES if self.n_bytes is None else _VOTE_BYTES
        sample = self._source.peek(n_vote)
        settled = bom_encoding(sample) or is_utf8(sample)  # which beat what a page says of itself
        encoding = self._wishes.encoding or (None if settled else self._declared(sample))
        self._decoder = decoder = TextDecoder(sample, whole=len(sample) < n_vote, encoding=encoding)
        gate = _BinaryGate(self.name, decoder, is_open=not (self._wishes.encoding or self._wishes.type))
        converter, cleaner = self._converter(), Cleaner()
        warned = False
        if (known := decoder.encoding) in UNMARKED and known != self._wishes.encoding:
            self.warnings.append(
                f"{self.name} has no byte order mark; read as {known} (--encoding NAME reads it otherwise)"
            )
        while data := self._source.read():
            text = decoder.push(data)
            gate.push(data)
            if not warned and decoder.first_bad is not None:
                warned = True
                self._warn_encoding(decoder)
            if text := cleaner.push(converter.push(text) if converter else text):
                yield text, self._source.share()
        text = decoder.push(b"", final=True)
        gate.close()
        if not warned and decoder.first_bad is not None:
            self._warn_encoding(decoder)
        if converter:
            text = converter.push(text) + converter.flush()
        if text := cleaner.push(text) + cleaner.flush():
            yield text, None if self.n_bytes is None else 1.0
        if self._wishes.lines is None:
            self._warn_lost(decoder.n_replaced)

    def _warn_lost(self, n_lost: int) -> None:
        if n_lost and self._decoder is not None:
            plural = "s" if n_lost > 1 else ""
            self.warnings.append(
                f"{self.name}: {n_lost:,} character{plural} could not be decoded"
                f" as {self._decoder.encoding} (read as U+FFFD)"
            )

    def _declared(self, sample: bytes) -> str | None:
        """The encoding that the text itself names."""
        return None

    def _converter(self) -> Converter | None:
        """What makes text of the source's own language, for one that has such."""
        return None

    def _warn_encoding(self, decoder: TextDecoder) -> None:
        assert decoder.first_bad is not None
        (value, offset), encoding = decoder.first_bad, decoder.encoding
        self.warnings.append(
            f"{self.name} is not UTF-8 (byte 0x{value:02x} at {offset:,}); read as {encoding}"
            " (--encoding NAME reads it otherwise)"
        )


class _BinaryGate:
    """Second look at the first 8 KiB: a readable first kilobyte may head a binary file."""

    def __init__(self, name: str, decoder: TextDecoder, *, is_open: bool) -> None:
        self._name = name
        self._decoder = decoder
        self._sample = bytearray()
        self._is_open = is_open

    def push(self, data: bytes) -> None:
        if self._is_open:
            self._sample += data[: SAMPLE_BYTES - len(self._sample)]
            if len(self._sample) == SAMPLE_BYTES:
                self.close()

    def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        encoding = self._decoder.encoding or "utf-8"
        sample = bytes(self._sample)
        n_lost = sample.decode(encoding, "replace").count("\ufffd")
        has_marked_encoding = encoding.startswith(("utf-16", "utf-32"))  # NULs are ordinary there
        if 4 * n_lost > len(sample) or (not has_marked_encoding and looks_binary(sample)):
            raise binary_error(self._name)
