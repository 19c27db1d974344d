"""Which encoding bytes are in that are no UTF-8: charset-normalizer, asked about encodings people have used.

Left to itself it offers a hundred of them, and takes Western European text for Central European. So it chooses among
a few, and where two of these read the sample equally well the commoner one wins.
"""

import re

FALLBACK = "cp1252"

_CANDIDATES = (
    FALLBACK,
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "iso8859_2",
    "koi8_r",
    "cp866",
    "cp932",
    "euc_jp",
    "gb18030",
    "big5",
    "cp949",
)
_MULTIBYTE = frozenset({"cp932", "euc_jp", "gb18030", "big5", "cp949"})
# Their letters lie where other European ones lie, so only the language tells them from cp1252.
_CENTRAL = frozenset({"Polish", "Czech", "Hungarian", "Slovak", "Slovene", "Croatian"})
_LANGUAGES = {"cp1250": _CENTRAL, "iso8859_2": _CENTRAL, "cp1254": frozenset({"Turkish"})}
_EUROPEAN = {FALLBACK, *_LANGUAGES}
_CYRILLIC = ("cp1251", "koi8_r", "iso8859_5")
# Letters that the languages of either part of Europe have beyond ASCII; the other's are foreign there.
_WESTERN_LETTERS = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœšžßªº")
_CENTRAL_LETTERS = frozenset("ąćęłńóśźżčďéěňřšťůúýžáíőűöüľäôđßë")
# Polish and Romanian read as Western have signs in the midst of words: ³ for ł, ¹ for ą, º for ş.
_MIDST = re.compile(r"(?<=[^\W\d_])(?:[^\x00-\x7f\w\s\u2010-\u203a]|[¹²³ªº])(?=[^\W\d_])")
_FARTHER_LETTERS = _CENTRAL_LETTERS | frozenset("âăîşţ")
_NORTHERN_LETTERS = _WESTERN_LETTERS | frozenset("ðþ")
# Read after all others, since charset-normalizer does not know the first and sees disorder in the second.
_LATER_CYRILLIC = ("koi8_u", "iso8859_5")
_CYRILLIC_WORD = re.compile("[\u0400-\u045f\u0490\u0491]+")
_WESTERN_SIGNS = frozenset("€£¥§©®°±²³·¹¼½¾¿¡«»×÷–—‘’“”„…•™†‰\xa0")
_BEYOND = re.compile(rb"[\x80-\xff]+")
_FEW = 3  # places that tell nothing, even if two such bytes stand in one
# What lies beyond ASCII and its surroundings; a long stretch of ASCII says nothing and drowns the rest.
_TELLING = re.compile(rb"[\x00-\x7f]{0,99}[\x80-\xff](?:[\x00-\x7f]{0,99}[\x80-\xff])*[\x00-\x7f]{0,99}")
_INSIDE = re.compile(r"(?<=\w)[^\x00-\x7f\w\s\u2010-\u203a](?=\w)")
_SAMPLE_BYTES = 1 << 18  # more changes no guess, and every candidate decodes all of it


def guess_encoding(sample: bytes) -> str:
    """Name the likeliest encoding of bytes that are no UTF-8; cp1252 if nothing speaks for another."""
    sample = sample[:_SAMPLE_BYTES]
    guess = _guessed(sample)
    if guess not in _EUROPEAN and _is_sprinkled(sample):
        return FALLBACK
    return _second_look(sample) if guess == FALLBACK else guess


def _second_look(sample: bytes) -> str:
    """Another encoding than the usual one, where what that makes of the sample is no Western text."""
    runs = _BEYOND.findall(sample)
    if len(runs) * _FEW < sum(map(len, runs)):  # whole words beyond ASCII
        return next((encoding for encoding in _LATER_CYRILLIC if _is_cyrillic(sample, encoding)), FALLBACK)
    west = sample.decode(FALLBACK, "replace").lower()
    n_signs = len(_MIDST.findall(west))
    if n_signs < 2:
        return FALLBACK
    wrong = {encoding: _misfits(sample, encoding) for encoding in ("cp1250", "iso8859_2")}
    best = min(wrong, key=lambda encoding: wrong[encoding])
    n_western = n_signs + sum(1 for char in west if char > "\x7f" and char.isalpha() and char not in _NORTHERN_LETTERS)
    return best if 4 * wrong[best] <= n_western else FALLBACK


def _misfits(sample: bytes, encoding: str) -> int:
    """Letters that no language of Central Europe has, and signs in the midst of words."""
    text = sample.decode(encoding, "replace").lower()
    n_foreign = sum(1 for char in text if char > "\x7f" and char.isalpha() and char not in _FARTHER_LETTERS)
    return n_foreign + len(_MIDST.findall(text))


def _is_cyrillic(sample: bytes, encoding: str) -> bool:
    """Whether nearly all that lies beyond ASCII are Cyrillic words, capital letters only at their beginnings."""
    text = sample.decode(encoding, "replace")
    n_right = sum(len(word) for word in _CYRILLIC_WORD.findall(text) if word[1:].islower() or len(word) == 1)
    n_beyond = sum(1 for char in text if char > "\x7f" and not char.isspace())
    return 10 * n_right >= 9 * n_beyond


def _guessed(sample: bytes) -> str:
    # a sample that ends inside a character would rule out the encoding it is in
    if end := max(sample.rfind(b"\n"), sample.rfind(b" ")) + 1:
        return _best(sample[:end]) or FALLBACK
    guesses = [_best(sample[: len(sample) - n_cut]) for n_cut in range(min(3, len(sample)))]
    return next((guess for guess in guesses if guess in _MULTIBYTE), next(filter(None, guesses), FALLBACK))


def _best(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes  # 30 ms, and most texts are UTF-8

    telling = b"\n".join(_TELLING.findall(sample))
    matches = list(from_bytes(telling, cp_isolation=list(_CANDIDATES), preemptive_behaviour=False))
    if not matches:
        return None
    # disorder alone takes Chinese for Korean: whether the letters are those of some language counts as well
    best = min(matches, key=lambda match: match.chaos - match.coherence / 2)
    if best.language not in _LANGUAGES.get(best.encoding, {best.language}):
        for match in matches:
            if FALLBACK in match.could_be_from_charset and match.chaos <= best.chaos:
                return FALLBACK
    if best.encoding in _CYRILLIC:  # each reads the others' small letters as capitals, or others
        return max(_CYRILLIC, key=lambda encoding: sum(map(str.islower, telling.decode(encoding, "replace"))))
    if _LANGUAGES.get(best.encoding) is _CENTRAL and _is_western(telling, best.encoding):
        return FALLBACK
    return best.encoding


def _is_sprinkled(sample: bytes) -> bool:
    """Whether single letters of Western Europe and its common signs stand in a text of ASCII, and nothing else.

    A few of them tell no language, and other scripts have words of their own, of several such bytes each.
    """
    runs = list(_BEYOND.finditer(sample))
    text = b"".join(run[0] for run in runs).decode(FALLBACK, "replace").lower()
    if not runs or not set(text) <= _WESTERN_LETTERS | _WESTERN_SIGNS:
        return False
    longest = max(len(run[0]) for run in runs)
    return longest == 1 or (longest == 2 and len(runs) <= _FEW and all(_is_in_a_word(sample, run) for run in runs))


def _is_in_a_word(sample: bytes, run: re.Match[bytes]) -> bool:
    """Whether a letter of ASCII stands in front of it, and another or nothing of a word behind."""
    before, behind = sample[run.start() - 1 : run.start()], sample[run.end() : run.end() + 1]
    return len(run[0]) == 1 or (before.isalpha() and (behind.isalpha() or not behind.strip()))


def _is_western(sample: bytes, central: str) -> bool:
    """Whether the letters make more sense in the West of Europe than where a text in `central` would come from."""
    west, centre = sample.decode(FALLBACK, "replace").lower(), sample.decode(central, "replace").lower()
    return _foreign(west, _WESTERN_LETTERS) < _foreign(centre, _CENTRAL_LETTERS)


def _foreign(text: str, letters: frozenset[str]) -> int:
    """Letters that are none of these, and signs in the midst of words."""
    inside = _INSIDE.findall(text)
    return sum(1 for letter in text if letter > "\x7f" and letter.isalpha() and letter not in letters) + len(inside)
