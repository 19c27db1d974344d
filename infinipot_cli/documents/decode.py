"""Bytes to text without knowing the encoding: a mark at the start, else UTF-8, else the likeliest, with a warning."""

import codecs
import re
import unicodedata

from infinipot_cli.documents.guess import guess_encoding
from infinipot_cli.documents.sniff import bom_encoding

# Bytes waited for behind a first character that is no UTF-8, when the sample was plain ASCII.
_LATE_SAMPLE_BYTES = 4096
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
# What is no ASCII, or begins Japanese in seven bits (ISO-2022-JP), which only its escape sequences show.
_NON_ASCII = re.compile(rb"[\x80-\xff]|\x1b(?:\$(?:[@B]|\Z)|\Z)")
_SEVEN_BITS = "iso2022_jp_ext"
_NON_ASCII_TEXT = re.compile("[^\x00-\x7f\ufffd]")


class TextDecoder:
    """Incremental decoder; what it gives does not depend on how the bytes are cut.

    As long as a source is plain ASCII its encoding stays open, because all candidates agree there. The sample
    settles it, or else the first character beyond ASCII and, if that is no UTF-8, the 4 KiB behind it.

    Args:
        sample: the first bytes of the source, which will be pushed as well.
        whole: whether the sample is all there is.
        encoding: what the user or the source itself says; nothing is guessed then.
    """

    def __init__(self, sample: bytes, *, whole: bool, encoding: str | None = None) -> None:
        self.encoding: str | None = None
        self.n_replaced = 0
        self.first_bad: tuple[int, int] | None = None  # (byte value, offset), when UTF-8 was ruled out
        self._held = b""
        self._n_pushed = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        if encoding := _ordered(encoding, sample) or bom_encoding(sample):
            self._choose(encoding)
            return
        is_utf8 = _vote(sample, whole=whole)
        if is_utf8:
            self._choose("utf-8")
        elif is_utf8 is False:
            self._guess(sample, sample, 0)

    def push(self, data: bytes, *, final: bool = False) -> str:
        """Decode the next bytes; `final` gives the rest and forbids further calls."""
        if self._decoder is None:
            return self._push_open(data, final=final)
        text = self._decoder.decode(data, final)
        self.n_replaced += text.count("\ufffd")
        return text

    def _push_open(self, data: bytes, *, final: bool) -> str:
        """Decode while the encoding is not settled: plain ASCII passes, what follows it is held until it settles."""
        data, self._held = self._held + data, b""
        match = _NON_ASCII.search(data)
        if match is None:
            self._n_pushed += len(data)
            return data.decode("ascii")
        text, data = data[: match.start()].decode("ascii"), data[match.start() :]
        self._n_pushed += len(text)
        if data.startswith(b"\x1b"):
            return text + self._push_escape(data, final=final)
        is_utf8 = _first_character_is_utf8(data, whole=final)
        if is_utf8:
            self._choose("utf-8")
        elif is_utf8 is None or (len(data) < _LATE_SAMPLE_BYTES and not final):
            self._held = data
            return text
        else:
            self._guess(data[:_LATE_SAMPLE_BYTES], data, self._n_pushed)
        return text + self.push(data, final=final)

    def _push_escape(self, data: bytes, *, final: bool) -> str:
        """Settle for Japanese in seven bits, or wait for the rest of its escape sequence."""
        if len(data) > 2:
            self._choose(_SEVEN_BITS)
        elif not final:
            self._held = data
            return ""
        else:
            self._choose("utf-8")
        return self.push(data, final=final)

    def _guess(self, sample: bytes, data: bytes, offset: int) -> None:
        self._choose(guess_encoding(sample))
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            self.first_bad = (data[error.start], offset + error.start)

    def _choose(self, encoding: str) -> None:
        self.encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")


def _ordered(encoding: str | None, sample: bytes) -> str | None:
    """The encoding with the order of its bytes, where a mark should say which and does not."""
    name = codecs.lookup(encoding).name if encoding is not None else ""
    if name not in ("utf-16", "utf-32") or sample.startswith(_MARKS):
        return encoding
    likely = {order: _likelihood(sample.decode(f"{name}-{order}", "replace")) for order in ("le", "be")}
    return f"{name}-{'be' if likely['be'] > likely['le'] else 'le'}"


def _likelihood(text: str) -> int:
    """More where a text is in the right order of bytes: blanks between words, and nothing that is no character."""
    n_wrong = sum(1 for char in text if char == "\ufffd" or unicodedata.category(char) in ("Cn", "Co", "Cs"))
    return 3 * sum(map(text.count, " \n\u3001\u3002\uff0c")) - n_wrong


def is_utf8(sample: bytes) -> bool:
    """Whether there are letters beyond ASCII, all of them in UTF-8; the sample may be cut."""
    if sample.isascii():
        return False
    try:
        return not codecs.getincrementaldecoder("utf-8")("strict").decode(sample).isascii()
    except UnicodeDecodeError:
        return False


def _first_character_is_utf8(data: bytes, *, whole: bool) -> bool | None:
    """Judge by one character alone, since how many bytes follow it depends on the reads; None if it is cut."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        for i in range(len(data)):
            if decoder.decode(data[i : i + 1]):
                return True
    except UnicodeDecodeError:
        return False
    return False if whole else None


def _vote(sample: bytes, *, whole: bool) -> bool | None:
    """Whether at least half of what lies beyond ASCII is valid UTF-8, None if there is nothing to judge by.

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
    return n_valid >= n_bad
