"""Which of two arms is better on the same questions: a paired mean with its interval, and a word for it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from infinipot_cli.bench.metrics import FEWEST, interval_of_differences, mean
from infinipot_cli.bench.report.items import Item

Scores = Mapping[Item, float]


@dataclass(frozen=True)
class Comparison:
    """One ordering of the paper, and what came of it here.

    Attributes:
        claim: what the paper finds.
        on: what was measured.
        n: questions that both arms answered in the same pot.
        better: mean score of the arm that should be better, percent.
        worse: that of the other.
        interval: 95 % interval of the difference, from resampled questions.
        is_strict: the first must be above the second, not only not below.
    """

    claim: str
    on: str
    n: int
    better: float
    worse: float
    interval: tuple[float, float]
    is_strict: bool = True

    @property
    def difference(self) -> float:
        """How much better, in points."""
        return self.better - self.worse

    @property
    def verdict(self) -> str:
        """`holds`, `does not hold`, or which way it leans where the interval leaves it open; `few` below `FEWEST`."""
        low, high = self.interval
        if self.n < FEWEST:
            return "few"
        if low > 0:
            return "holds"
        if high < 0:
            return "does not hold"
        if not self.difference:
            return "equal here" if self.is_strict else "holds (equal)"
        return "leans so, not sure" if self.difference > 0 else "leans against, not sure"


def compare(claim: str, on: str, better: Scores, worse: Scores, *, is_strict: bool = True) -> Comparison | None:
    """Two arms on the items that both answered; those of one question count as one, by their mean.

    Args:
        claim: what should hold.
        on: what was measured.
        better: score of each item, 0 to 1, of the arm that should be better.
        worse: of the other.
        is_strict: whether equality breaks the claim.

    Returns:
        None if there is no such item.
    """
    both: dict[Hashable, list[Item]] = {}
    for item in sorted(better.keys() & worse.keys(), key=str):
        both.setdefault(item.question, []).append(item)
    if not both:
        return None
    firsts = [mean([better[item] for item in items]) for items in both.values()]
    seconds = [mean([worse[item] for item in items]) for items in both.values()]
    low, high = interval_of_differences([first - second for first, second in zip(firsts, seconds, strict=True)])
    return Comparison(claim, on, len(both), 100 * mean(firsts), 100 * mean(seconds), (100 * low, 100 * high), is_strict)
