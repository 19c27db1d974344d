"""Text fit for a tokenizer: one newline convention, no control characters, nothing invisible that speaks.

A document is data. Terminal sequences and tag characters carry nothing a reader should see, cost places in
the pot, and can smuggle instructions; lone surrogates make tokenizers fail.
"""

import re

# Terminal sequences: CSI; strings (OSC, DCS, SOS, PM, APC) up to their terminator; short escapes.
# A string ends at a newline or after 4,096 characters at the latest, so a stray introducer in a log
# cannot swallow the document, and what is held back while waiting for the rest stays small.
_CSI_OPEN = r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}"
_STRING_OPEN = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,4096}"
_SHORT_OPEN = r"\x1b[ -/]{0,16}"
_SEQUENCE = rf"{_CSI_OPEN}[@-~]|{_STRING_OPEN}(?:\x07|\x9c|\x1b\\)|{_SHORT_OPEN}[0-OQ-WYZ\\`-~]"
_UNFINISHED = rf"(?P<unfinished>(?:{_CSI_OPEN}|{_STRING_OPEN}\x1b?|{_SHORT_OPEN})\Z)"
_TERMINAL = re.compile(_SEQUENCE)
_TERMINAL_OR_UNFINISHED = re.compile(f"{_SEQUENCE}|{_UNFINISHED}")
_INTRODUCER = re.compile(r"[\x1b\x90\x98\x9b\x9d-\x9f]")

_NEWLINE = re.compile(r"\r\n?")
# Of a page and of a line where no other line begins: what stands before and behind are different words.
_BREAK = re.compile("[\x0b\x0c\x85]")
# C0 and C1 controls but newline and tab, DEL, soft hyphens and other marks of where a word may break, surrogates, the
# byte order mark, tag characters.
_DROPPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u2060\ud800-\udfff\ufeff\U000e0000-\U000e007f]+")


class Cleaner:
    """Cleans text that comes in pieces; the result does not depend on where the pieces are cut."""

    def __init__(self) -> None:
        self._held_return = ""
        self._held = ""

    def push(self, text: str) -> str:
        """Clean some more text, keeping back an end whose meaning depends on what follows."""
        # newlines first, in the raw text, so that what is dropped later cannot bring two of them together
        text = self._held_return + text
        self._held_return = "\r" if text.endswith("\r") else ""
        text = self._held + _newlines(text.removesuffix("\r"))
        start = _unfinished_at(text)
        text, self._held = (text, "") if start is None else (text[:start], text[start:])
        return _scrub(text)

    def flush(self) -> str:
        """Clean what was kept back: nothing more is coming."""
        text = self._held + _newlines(self._held_return)
        self._held_return = self._held = ""
        return _scrub(text)


def clean(text: str) -> str:
    """Clean a whole text at once."""
    cleaner = Cleaner()
    return cleaner.push(text) + cleaner.flush()


def _unfinished_at(text: str) -> int | None:
    if _INTRODUCER.search(text) is None:
        return None
    for match in _TERMINAL_OR_UNFINISHED.finditer(text):
        if match["unfinished"] is not None:
            return match.start()
    return None


def _newlines(text: str) -> str:
    return _NEWLINE.sub("\n", text) if "\r" in text else text


def _scrub(text: str) -> str:
    if _INTRODUCER.search(text) is not None:
        text = _TERMINAL.sub("", text)
    return _DROPPED.sub("", _BREAK.sub(" ", text))


def raised(before: str, text: str) -> str:
    """What is set higher than the character in front of it: a power, or the mark of a note, is no digit more."""
    return f"^{text}" if before.isalnum() and text[:1].isdigit() else text
