"""Text that came from a document, a model or a file name, made safe for a terminal.

Such text is data: it must not move the cursor, set a title, hide words or reverse them. The filter drops single
characters, so it needs no memory between two tokens of an answer. It works in a pipe as well: what is piped now is
looked at later.
"""

import json
from collections.abc import Mapping

# C0 but newline and tab, DEL, C1, lone surrogates, bidirectional overrides, embeddings and isolates, tag characters.
_RANGES = (
    (0x00, 0x08),
    (0x0B, 0x1F),
    (0x7F, 0x9F),
    (0x202A, 0x202E),
    (0x2066, 0x2069),
    (0xD800, 0xDFFF),
    (0xE0000, 0xE007F),
)
_DROPPED = {code: None for first, last in _RANGES for code in range(first, last + 1)}
_ESCAPED = {code: json.dumps(chr(code))[1:-1] for code in _DROPPED if code > 0x1F}
_ONE_LINE = {**_DROPPED, ord("\n"): " ", ord("\t"): " "}


def safe(text: str) -> str:
    """The text without characters that act on a terminal; newlines and tabs stay."""
    return text.translate(_DROPPED)


def safe_line(text: str) -> str:
    """The same on one line, for names and messages; bytes of a name that no locale could read stand as U+FFFD."""
    return _readable(text).translate(_ONE_LINE)


def _readable(text: str) -> str:
    """The text with the bytes that Python hides in a name decoded as UTF-8, which they mostly are."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return text


def safe_json(record: Mapping[str, object], *, one_line: bool = False) -> str:
    """A JSON document that says everything, with what acts on a terminal written as escapes."""
    return json.dumps(record, ensure_ascii=False, indent=None if one_line else 2).translate(_ESCAPED)
