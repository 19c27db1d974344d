"""Bytes to text without knowing the encoding: a mark at the start, else UTF-8, else cp1252 with a warning."""

import codecs
import re

from infinipot_cli.documents.sniff import bom_encoding

_NON_ASCII = re.compile(rb"[\x80-\xff]")
_NON_ASCII_TEXT = re.compile("[^\x00-\x7f\ufffd]")


class TextDecoder:
    """Incremental decoder; what it gives does not depend on how the bytes are cut.

    As long as a source is plain ASCII its encoding stays open, because both candidates agree there. The
    sample settles it, or else the first character beyond ASCII.

    Args:
        sample: the first bytes of the source, which will be pushed as well.
        whole: whether the sample is all there is.
    """

    def __init__(self, sample: bytes, *, whole: bool) -> None:
        self.encoding: str | None = None
        self.n_replaced = 0
        self.first_bad: tuple[int, int] | None = None  # (byte value, offset), when UTF-8 was ruled out
        self._held = b""
        self._n_pushed = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        if encoding := bom_encoding(sample) or _vote(sample, whole=whole):
            self._choose(encoding, sample, 0)

    def push(self, data: bytes, *, final: bool = False) -> str:
        """Decode the next bytes; `final` gives the rest and forbids further calls."""
        if self._decoder is None:
            data, self._held = self._held + data, b""
            match = _NON_ASCII.search(data)
            if match is None:
                self._n_pushed += len(data)
                return data.decode("ascii")
            encoding = _encoding_of_first_character(data[match.start() :], whole=final)
            if encoding is None:  # a character cut by the end of these bytes
                self._held = data[match.start() :]
                self._n_pushed += match.start()
                return data[: match.start()].decode("ascii")
            self._choose(encoding, data, self._n_pushed)
        assert self._decoder is not None
        text = self._decoder.decode(data, final)
        self.n_replaced += text.count("\ufffd")
        return text

    def _choose(self, encoding: str, data: bytes, offset: int) -> None:
        self.encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        if encoding == "cp1252":
            try:
                data.decode("utf-8")
            except UnicodeDecodeError as error:
                self.first_bad = (data[error.start], offset + error.start)


def _encoding_of_first_character(data: bytes, *, whole: bool) -> str | None:
    """Judge by one character alone, since how many bytes follow it depends on the reads; None if it is cut."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        for i in range(len(data)):
            if decoder.decode(data[i : i + 1]):
                return "utf-8"
    except UnicodeDecodeError:
        return "cp1252"
    return "cp1252" if whole else None


def _vote(sample: bytes, *, whole: bool) -> str | None:
    """UTF-8 if at least half of what lies beyond ASCII is valid in it, None if there is nothing to judge by.

    A file in another encoding has next to no valid multi-byte sequences; a UTF-8 file with damage has few
    invalid ones, and deserves replacement characters in those places instead of another encoding.
    """
    if sample.isascii():
        return None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(sample, whole)
    n_valid = len(_NON_ASCII_TEXT.findall(text)) + sample.count(b"\xef\xbf\xbd")
    n_bad = text.count("\ufffd") - sample.count(b"\xef\xbf\xbd")
    if n_valid == n_bad == 0:  # only the beginning of a character
        return None
    return "utf-8" if n_valid >= n_bad else "cp1252"
