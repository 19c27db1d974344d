"""RULER's eight needle tasks: one of several magic numbers stands among noise, prose or other magic numbers."""

import random
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

from infinipot_cli.bench.ruler.sample import NOISE, Sample
from infinipot_cli.bench.ruler.words import another, value

_NEEDLE = "One of the special magic {values} for {key} is: {value}."
_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)]*\s+")
# Places in prose are taken from forty that lie evenly over it.
_N_DEPTHS = 40


@dataclass(frozen=True)
class Needles:
    """What one of the tasks hides.

    Attributes:
        haystack: `noise`, `essay` or `needle`.
        keys: kind of the keys, `words` or `uuids`.
        values: kind of the values, `numbers` or `uuids`.
        n_keys: different keys.
        n_values: values of each.
        n_queries: keys asked for.
    """

    haystack: str
    keys: str = "words"
    values: str = "numbers"
    n_keys: int = 1
    n_values: int = 1
    n_queries: int = 1

    @property
    def first_size(self) -> int:
        """A size to start the search for the largest with: words of prose, or lines."""
        return 500 if self.haystack == "essay" else 25

    @property
    def smallest(self) -> int:
        """The smallest size with a place for every needle."""
        return 50 if self.haystack == "essay" else self.n_keys * self.n_values

    def make(self, size: int, essay: Sequence[str], rng: random.Random) -> Sample:
        """A sample.

        Args:
            size: words of prose, or lines of noise or needles.
            essay: words of the prose, repeated where they are fewer.
            rng: of all choices.
        """
        planted: dict[str, list[str]] = {}
        for _ in range(self.n_keys):
            key = another(self.keys, planted, rng)
            planted[key] = [value(self.values, rng) for _ in range(self.n_values)]
        needles = [self._needle(key, one) for key, values in planted.items() for one in values]
        rng.shuffle(needles)
        context = self._in_prose(size, essay, needles, rng) if self.haystack == "essay" else self._in_lines(
            size, needles, planted, rng
        )  # fmt: skip
        asked = rng.sample(list(planted.items()), self.n_queries)
        return self._asked(context, [key for key, _ in asked], [one for _, values in asked for one in values])

    def _needle(self, key: str, one: str) -> str:
        return _NEEDLE.format(values=self.values, key=key, value=one)

    def _in_prose(self, size: int, essay: Sequence[str], needles: Sequence[str], rng: random.Random) -> str:
        words = (list(essay) * -(-size // len(essay)))[:size]
        sentences = _SENTENCE.split(" ".join(words))
        shares = rng.sample(range(_N_DEPTHS), len(needles))
        places = sorted(len(sentences) * share // (_N_DEPTHS - 1) for share in shares)
        for place, needle in reversed(list(zip(places, needles, strict=True))):
            sentences.insert(place, needle)
        return " ".join(sentences)

    def _in_lines(self, size: int, needles: Sequence[str], planted: Container[str], rng: random.Random) -> str:
        lines = [NOISE if self.haystack == "noise" else self._straw(planted, rng) for _ in range(size)]
        for place, needle in zip(sorted(rng.sample(range(size), len(needles)), reverse=True), needles, strict=True):
            lines.insert(place, needle)
        return "\n".join(lines)

    def _straw(self, planted: Container[str], rng: random.Random) -> str:
        """A line like the needles, with a key that none of them has."""
        return self._needle(another(self.keys, planted, rng), value(self.values, rng))

    def _asked(self, context: str, keys: Sequence[str], answers: Sequence[str]) -> Sample:
        query = keys[0] if len(keys) == 1 else f"{', '.join(keys[:-1])}, and {keys[-1]}"
        if self.n_queries * self.n_values == 1:
            some, are, what, values = "A", "is", "What is", self.values.removesuffix("s")
        else:
            some, are, what, values = "Some", "are", "What are all", self.values
        text = (
            f"{some} special magic {values} {are} hidden within the following text. Make sure to memorize it. I will "
            f"quiz you about the {values} afterwards.\n{context}"
        )
        about = f"the special magic {values} for {query} mentioned in the provided text"
        return Sample(text, f"\n{what} {about}?", f" {about[0].upper()}{about[1:]} {are}", tuple(answers))
