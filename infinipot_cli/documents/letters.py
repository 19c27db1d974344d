"""Letters for the shapes of letters that PDFs name: nobody looks for a word with a ligature in it."""

import re
import unicodedata

# Ligatures of Latin letters, and Hebrew and Arabic letters as they look inside a word.
_SHAPES = re.compile("[\ufb00-\ufb06\ufb13-\ufb17\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]+")
_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f\ufb50-\ufdcf\ufe70-\ufefc]")
_SOFT_HYPHEN = "\xad"


def letters(text: str) -> str:
    """The text of a page with letters in the place of shapes, and hyphens that are printed as hyphens."""
    if text.isascii():
        return text
    text = text.replace(_SOFT_HYPHEN, "-")  # many fonts call their only hyphen so
    return _SHAPES.sub(lambda shapes: unicodedata.normalize("NFKC", shapes[0]), text)


def has_arabic(text: str) -> bool:
    """Whether any of it is in Arabic script."""
    return not text.isascii() and _ARABIC.search(text) is not None
