"""Scores of answers, and how sure a mean of them is: SQuAD's F1 and exact match, ROUGE-L, intervals of means."""

import math
import random
import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_TOKEN = re.compile(r"[a-z0-9]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
N_RESAMPLES = 1000
# With fewer items an interval promises more than it can keep.
FEWEST = 10
_Z = 1.959964  # standard deviations that 95 % lie within


def answer_words(text: str) -> list[str]:
    """Words of an answer as SQuAD compares them: lower case, no ASCII punctuation, no articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(given: str, wanted: Sequence[str]) -> float:
    """1 if the answer equals any wanted one after SQuAD's normalisation, else 0."""
    return float(any(answer_words(given) == answer_words(one) for one in wanted))


def f1(given: str, wanted: Sequence[str]) -> float:
    """Best overlap of words with any wanted answer: harmonic mean of precision and recall, 0 to 1."""
    return max((_f1(answer_words(given), answer_words(one)) for one in wanted), default=0.0)


def _f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    return 2 * sum((Counter(given) & Counter(wanted)).values()) / (len(given) + len(wanted))


def rouge_l(given: str, wanted: Sequence[str]) -> float:
    """ROUGE-L (Lin 2004): F of the longest common subsequence of words, without stemming, best of the references."""
    return max((_rouge_l(_TOKEN.findall(given.lower()), _TOKEN.findall(one.lower())) for one in wanted), default=0.0)


def _rouge_l(given: Sequence[str], wanted: Sequence[str]) -> float:
    if not given or not wanted:
        return 0.0
    return 2 * longest_common(given, wanted) / (len(given) + len(wanted))


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for one in first:
        diagonal = 0
        for place, other in enumerate(second, start=1):
            above = row[place]
            row[place] = diagonal + 1 if one == other else max(above, row[place - 1])
            diagonal = above
    return row[-1]


def first_sentences(text: str, n: int) -> str:
    """The first `n` sentences of a text: the lead baseline of summaries."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return (text[: ends[n - 1]] if len(ends) >= n else text).strip()


def mean(scores: Sequence[float]) -> float:
    """The mean; of nothing it is 0."""
    return sum(scores) / len(scores) if scores else 0.0


def bootstrap(scores: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean, from resamples of the scores with replacement; repeatable."""
    if not scores:
        return (0.0, 0.0)
    rng = random.Random(seed)
    means = sorted(mean(rng.choices(scores, k=len(scores))) for _ in range(N_RESAMPLES))
    return means[round(0.025 * N_RESAMPLES)], means[round(0.975 * N_RESAMPLES) - 1]


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a true share of which `share` was seen in `n` trials; (0, 1) without any."""
    if not n:
        return (0.0, 1.0)
    middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z / (1 + _Z * _Z / n) * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    return (max(0.0, middle - half), min(1.0, middle + half))


def interval(scores: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of scores from 0 to 1: resampled, or Wilson's where resampling sees too little.

    That is where every score is 0 or 1, and where all are equal: resampled they seem certain, however few they are.
    Wilson's is wide enough for any score, since none from 0 to 1 scatters more about its mean than 0 and 1 do.
    """
    if set(scores) <= {0.0, 1.0} or len(set(scores)) == 1:
        return wilson(min(1.0, mean(scores)), len(scores))
    return bootstrap(scores)


def interval_of_means(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """95 % interval of the mean of the groups' means, each group of scores from 0 to 1; (0, 1) without any.

    The groups' own intervals are put together as Zou and Donner (2008) do it, by the squares of their distances from
    the means: what lies between groups is no uncertainty, and no end lies outside 0 to 1.
    """
    if not groups:
        return (0.0, 1.0)
    means, ends = [mean(scores) for scores in groups], [interval(scores) for scores in groups]
    below = math.hypot(*(one - low for one, (low, _) in zip(means, ends, strict=True)))
    above = math.hypot(*(high - one for one, (_, high) in zip(means, ends, strict=True)))
    middle, n = mean(means), len(groups)
    return (max(0.0, middle - below / n), min(1.0, middle + above / n))


def interval_of_differences(differences: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of paired differences from -1 to 1.

    Resampled, but where all are equal, which resampling takes for certain, that of Bonett and Price (2012) for paired
    shares: as if one pair more spoke for either side.
    """
    if len(set(differences)) > 1:
        return bootstrap(differences)
    n = len(differences) + 2
    more, less = ((1 + sum(max(0.0, sign * one) for one in differences)) / n for sign in (1, -1))
    middle, half = more - less, _Z * math.sqrt((more + less - (more - less) ** 2) / n)
    return (max(-1.0, middle - half), min(1.0, middle + half))
