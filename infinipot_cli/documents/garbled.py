"""How much of a page is glyph names and other debris instead of text.

PDFs whose fonts lack a mapping to Unicode extract "well": as long runs of "/g18/g152", of private-use or
control characters. Such text would fill the pot with nothing, and nobody would be told.
"""

import re

# NUL is left out: two-byte text read as one-byte text becomes right once its NULs are dropped.
_DEBRIS = re.compile(
    "/(?:g|G|c|C|cid|gid|glyph|index|uni)[0-9A-Fa-f]{1,6}(?![A-Za-z])"
    r"|\(cid:\d+\)"
    "|[\x01-\x08\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]"
)
_BLANK = re.compile(r"[\s\x00]+")


def garbled_share(text: str) -> float:
    """Share of the characters that are debris, blank space left out of account; 0.0 to 1.0."""
    n_text = len(_BLANK.sub("", text))
    n_debris = sum(match.end() - match.start() for match in _DEBRIS.finditer(text))
    return min(n_debris / n_text, 1.0) if n_text else 0.0
