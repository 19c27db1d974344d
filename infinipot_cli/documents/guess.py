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
_CYRILLIC = ("cp1251", "koi8_r")
# Letters that the languages of either part of Europe have beyond ASCII; the other's are foreign there.
_WESTERN_LETTERS = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœšžßªº")
_CENTRAL_LETTERS = frozenset("ąćęłńóśźżčďéěňřšťůúýžáíőűöüľäôđßë")
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
    return FALLBACK if guess not in _EUROPEAN and _is_sprinkled(sample) else guess


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
    if best.encoding in _CYRILLIC:  # each reads the other's text with small and capital letters swapped
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
