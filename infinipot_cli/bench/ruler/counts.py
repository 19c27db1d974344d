"""RULER's counting tasks: the ten words that come most often in a list, and the three of a coded text."""

import math
import random
import string
from collections.abc import Sequence

from infinipot_cli.bench.ruler.sample import Sample
from infinipot_cli.bench.ruler.words import several

N_COMMON = 10
_LIST = (
    "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that "
    "appear most often.\n"
)
_LIST_QUESTION = "\nQuestion: What are the 10 most common words in the above list?"
_LIST_PREFIX = " Answer: The top 10 words that appear most often in the list are:"
_CODE = (
    "Read the following coded text and track the frequency of each coded word. Find the three most frequently appeared "
    "coded words. "
)
_CODE_QUESTION = (
    "\nQuestion: Do not provide any explanation. Please ignore the dots '....'. What are the three most frequently "
    "appeared words in the above coded text?"
)
_CODE_PREFIX = " Answer: According to the coded text above, the three most frequently appeared words are:"
# Texts shorter than this repeat words less often.
_SHORT = 4096
_LETTERS = 6


def common_words(size: int, length: int, rng: random.Random) -> Sample:
    """A worked example, then a list of so many different words, ten of which come ten times as often (or six times).

    Args:
        size: different words, more than ten.
        length: tokens that the prompt may have; below 4,096 words are repeated less.
        rng: of all choices.
    """
    (small, example), (often, seldom) = ((20, (3, 1)), (6, 1)) if length < _SHORT else ((40, (10, 3)), (30, 3))
    shown, top = _listed(small, *example, rng)
    asked, wanted = _listed(size, often, seldom, rng)
    answer = " ".join(f"{number}. {word}" for number, word in enumerate(top, start=1))
    text = f"{_LIST}{shown}{_LIST_QUESTION}{_LIST_PREFIX} {answer}\n{_LIST}{asked}"
    return Sample(text, _LIST_QUESTION, _LIST_PREFIX, tuple(wanted))


def _listed(n_words: int, often: int, seldom: int, rng: random.Random) -> tuple[str, Sequence[str]]:
    words = several(n_words, rng)
    listed = words[:N_COMMON] * often + words[N_COMMON:] * seldom
    rng.shuffle(listed)
    return " ".join(f"{number}. {word}" for number, word in enumerate(listed, start=1)), words[:N_COMMON]


def frequent_words(size: int, length: int, rng: random.Random) -> Sample:
    """A text of coded words whose frequencies fall with the square of their rank; the first rank is dots.

    Args:
        size: about so many words.
        length: tokens that the prompt may have; one coded word for every fifty.
        rng: of all choices.
    """
    found: dict[str, None] = {}
    while len(found) < max(length // 50, 4):
        found["".join(rng.choices(string.ascii_lowercase, k=_LETTERS))] = None
    vocabulary = ["...", *list(found)[1:]]
    zeta = math.pi**2 / 6  # of 2, RULER's exponent
    counts = [int(size / zeta / rank**2) for rank in range(1, len(vocabulary) + 1)]
    words = [word for word, count in zip(vocabulary, counts, strict=True) for _ in range(count)]
    rng.shuffle(words)
    return Sample(_CODE + " ".join(words), _CODE_QUESTION, _CODE_PREFIX, tuple(vocabulary[1:4]))
