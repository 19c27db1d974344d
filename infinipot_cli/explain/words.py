"""The words of a question as they may stand in a text: without their endings, and without those that only ask."""

import re
from collections.abc import Iterator
from itertools import pairwise

MOST_WORDS = 24
# Letters of a word that count.
_STEM = 6

_WORD = re.compile(r"\w+")
# Some readers of PDFs leave the end of the line away.
_BROKEN = re.compile(r"(?<=[^\W\d_])-\n?(?=[^\W\d_])")
# Writing without blanks between words: each two neighbouring characters are taken for one.
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]{2,}")
_ENDINGS = ("ies", "ing", "ied", "es", "ed", "s", "y", "e")
# In a text that hardly has them these would pass for rare words. Of other languages, what is common in the text tells.
ASKING = frozenset(
    """a an the of in on at to for by with from as and or is was were are be been did do does done has have had
    what which who whom whose when where why how that this it its there their they he she his her
    s t d ll m re ve""".split()  # the last ones are what stands behind an apostrophe
)


class Words:
    """The words of one question that say where in a text to look; numbered from 0.

    Args:
        question: the user's words.

    Attributes:
        written: those that tell what is asked about, as they are written there; none where all of them only ask.
        is_cut: whether there are more than are looked for.
    """

    def __init__(self, question: str) -> None:
        words = _WORD.findall(question)
        self.written = tuple(dict.fromkeys(word for word in words if word.casefold() not in ASKING))
        telling = self.written or words
        spaced = dict.fromkeys(_stem(word) for word in telling if not UNSPACED.search(word))
        pairs = dict.fromkeys(pair for run in UNSPACED.findall(question) for pair in map("".join, pairwise(run)))
        self.is_cut = len(spaced) + len(pairs) > MOST_WORDS
        self._numbers = {stem: number for number, stem in enumerate([*spaced, *pairs][:MOST_WORDS])}
        starts = sorted((stem for stem in spaced if stem in self._numbers), key=len, reverse=True)
        self._spaced = re.compile(rf"\b(?:{'|'.join(map(_written, starts))})\w*", re.IGNORECASE) if starts else None
        self._pairs = [pair for pair in pairs if pair in self._numbers]

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, text: str) -> frozenset[int]:
        """Numbers of those that a text holds, where it breaks a word at the end of a line, too."""
        if "-" in text and (whole := _BROKEN.sub("", text)) != text:
            text = f"{text} {whole}"
        return frozenset(number for *_, number in self.places(text))

    def places(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Where they stand in a text: first character, the one behind the last, and number."""
        for found in self._spaced.finditer(text) if self._spaced is not None else ():
            number = self._numbers.get(_stem(found[0]))
            if number is not None:
                yield *found.span(), number
        for pair in self._pairs:
            for found in re.finditer(re.escape(pair), text):
                yield *found.span(), self._numbers[pair]


def _stem(word: str) -> str:
    """What "moves", "moved" and "moving" have in common, "city" and "cities", "appointed" and "appointment"."""
    word = word.casefold().replace("\u0307", "")  # which is left of the large i with a dot
    if not word[-1].isdigit():
        for ending in _ENDINGS:
            if len(word) - len(ending) >= 3 and word.endswith(ending):
                word = word[: -len(ending)]
                break
        if len(word) > 3 and word[-1] == word[-2]:
            word = word[:-1]
    return word[:_STEM]


def _written(stem: str) -> str:
    """A pattern for the ways in which the letters of a stem may stand in a text: where they are ss, as a sharp s."""
    pattern = re.escape(stem).replace("ss", "(?:ss|ß)")
    return f"{pattern[:-1]}[sß]" if pattern.endswith("s") else pattern
