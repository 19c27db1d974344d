"""Which encoding bytes are in that are no UTF-8: the one in which some language would most likely have written them.

Encodings of single bytes are told by the letters of their languages, see `languages`; the likelihoods of all readings
of the same bytes can be compared. For Chinese, Japanese and Korean charset-normalizer is asked, since their characters
are too many to count, and Thai shows by where its vowels stand.
"""

import re

from infinipot_cli.documents.languages import LATIN, likelihood, mean_share

FALLBACK = "cp1252"

# Which languages an encoding is for, and how much less likely than the usual one it is before the text is seen.
_READINGS = (
    (FALLBACK, "Western", 0.0),
    ("cp1250", "Central", 2.0),
    ("cp1254", "Turkish", 2.0),
    ("cp1257", "Baltic", 3.0),
    ("iso8859_2", "Central", 4.0),
    ("cp850", "Western", 8.0),
    ("cp437", "Western", 9.0),
    ("mac_roman", "Western", 9.0),
    ("cp852", "Central", 9.0),
    ("cp857", "Turkish", 10.0),
    ("cp1251", "Cyrillic", 2.0),
    ("koi8_r", "Cyrillic", 3.0),
    ("koi8_u", "Cyrillic", 4.0),
    ("cp866", "Cyrillic", 5.0),
    ("iso8859_5", "Cyrillic", 5.0),
    ("cp1253", "Greek", 3.0),
    ("cp1255", "Hebrew", 3.0),
    ("cp1256", "Arabic", 3.0),
)
_MULTIBYTE = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
# What the text may be in instead when those are tried, so that none of them is taken for want of a better one.
_OTHERS = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "iso8859_2", "koi8_r", "cp866")
_BEYOND = re.compile(rb"[\x80-\xff]+")
# What lies beyond ASCII and its surroundings; a long stretch of ASCII says nothing and drowns the rest.
_TELLING = re.compile(rb"[\x00-\x7f]{0,60}[\x80-\xff](?:[\x00-\x7f]{0,60}[\x80-\xff])*[\x00-\x7f]{0,60}")
_MARKS = frozenset("“”‘’–—…\xa0")
_INNER_MARKS = re.compile(r"(?<=[^\W\d_])[“”‘–…](?=[^\W\d_])")
_SAMPLE_BYTES = 1 << 18  # more changes no guess
_LETTERS_BYTES = 1 << 13  # as much as every reading is weighed by
# Characters beyond ASCII of a text that was read rightly: the mean of their logarithms, and how many stand together.
_RIGHT, _RIGHT_LATIN, _RIGHT_RARE, _TOGETHER = -4.3, -9.0, -7.5, 2.1
_LEAST_TOGETHER = 1.25
_RARE = 5.0

_THAI_IS_RIGHT = -4.5
_THAI = re.compile("[\u0e01-\u0e5b]")
_THAI_PARTS = re.compile("[\u0e31\u0e34-\u0e3a\u0e40-\u0e44\u0e47-\u0e4e]")
# A mark without a consonant below it, and a vowel that is written before its consonant and has none.
_THAI_SLIPS = re.compile(
    "(?<![\u0e01-\u0e2e\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]"
    "|[\u0e40-\u0e44](?![\u0e01-\u0e2e])"
)
_LEAST_THAI = 4


def guess_encoding(sample: bytes) -> str:
    """Name the likeliest encoding of bytes that are no UTF-8; cp1252 if nothing speaks for another."""
    sample = sample[:_SAMPLE_BYTES]
    telling = b"\n".join(_TELLING.findall(sample))
    if not telling:
        return FALLBACK
    few = telling[:_LETTERS_BYTES]
    if _only_quotes(few):
        return FALLBACK
    if _is_thai(few):
        return "cp874"
    encoding, is_right = _likeliest(few)
    return encoding if is_right or not _stands_together(few, _LEAST_TOGETHER) else _multibyte(sample) or encoding


def _only_quotes(telling: bytes) -> bool:
    """Whether there is nothing beyond ASCII but the usual encoding's quotes and dashes, where words begin or end."""
    text = telling.decode(FALLBACK, "replace")
    marks = [char for char in text if char > "\x7f"]
    return set(marks) <= _MARKS and len(_INNER_MARKS.findall(text)) <= 0.1 * len(marks)


def _stands_together(sample: bytes, n_bytes: float) -> bool:
    """Whether at least so many bytes beyond ASCII stand together on average."""
    runs = _BEYOND.findall(sample)
    return sum(map(len, runs)) >= n_bytes * len(runs)


def _likeliest(telling: bytes) -> tuple[str, bool]:
    """The best reading in single bytes, and whether it is good enough that nothing else need be tried."""
    n_beyond = sum(map(len, _BEYOND.findall(telling)))
    weighed = []
    for encoding, family, rarity in _READINGS:
        total, beyond = likelihood(telling.decode(encoding, "replace"), family)
        weighed.append((total - rarity, beyond / n_beyond, encoding, family, rarity))
    _, mean, encoding, family, rarity = max(weighed)
    if family in LATIN:
        least = _RIGHT_RARE if rarity > _RARE else _RIGHT_LATIN
        return encoding, mean > least and not _stands_together(telling, _TOGETHER)
    return encoding, mean > _RIGHT


def _is_thai(telling: bytes) -> bool:
    """Whether nearly all that lies beyond ASCII is Thai whose vowels and marks stand where they can."""
    text = telling.decode("cp874", "replace")
    if not _stands_together(telling, _TOGETHER):
        return False
    thai, n_beyond = "".join(_THAI.findall(text)), sum(1 for char in text if char > "\x7f")
    if len(thai) < max(_LEAST_THAI, 0.95 * n_beyond) or mean_share(thai, "Thai") < _THAI_IS_RIGHT:
        return False
    n_parts, n_slips = len(_THAI_PARTS.findall(text)), len(_THAI_SLIPS.findall(text))
    return 8 * n_parts >= len(thai) and 10 * n_slips <= n_parts


def _multibyte(sample: bytes) -> str | None:
    """The encoding of Chinese, Japanese or Korean that a sample is in; None where it is in none of them."""
    # a sample that ends inside a character would rule out the encoding it is in
    if end := max(sample.rfind(b"\n"), sample.rfind(b" ")) + 1:
        return _likeliest_multibyte(sample[:end])
    guesses = (_likeliest_multibyte(sample[: len(sample) - n_cut]) for n_cut in range(min(3, len(sample))))
    return next(filter(None, guesses), None)


def _likeliest_multibyte(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes  # 30 ms, and most texts are UTF-8

    telling = b"\n".join(_TELLING.findall(sample))
    matches = list(from_bytes(telling, cp_isolation=[*_OTHERS, *_MULTIBYTE], preemptive_behaviour=False))
    # disorder alone takes Chinese for Korean: whether the letters are those of some language counts as well
    best = min(matches, key=lambda match: match.chaos - match.coherence / 2, default=None)
    return best.encoding if best is not None and best.encoding in _MULTIBYTE else None
