"""Which of two arms is better on the same items: a paired mean with its interval, and a word for it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from infinipot_cli.bench.metrics import FEWEST, interval_of_differences, mean

Scores = Mapping[Hashable, float]


@dataclass(frozen=True)
class Comparison:
    """One ordering of the paper, and what came of it here.

    Attributes:
        claim: what the paper finds.
        on: what was measured.
        n: items that both arms answered.
        better: mean score of the arm that should be better, percent.
        worse: that of the other.
        interval: 95 % interval of the difference, from resampled items.
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
    """Two arms on the items that both answered.

    Args:
        claim: what should hold.
        on: what was measured.
        better: score of each item, 0 to 1, of the arm that should be better.
        worse: of the other.
        is_strict: whether equality breaks the claim.

    Returns:
        None if there is no such item.
    """
    both = sorted(better.keys() & worse.keys(), key=str)
    if not both:
        return None
    low, high = interval_of_differences([better[key] - worse[key] for key in both])
    return Comparison(
        claim,
        on,
        len(both),
        100 * mean([better[key] for key in both]),
        100 * mean([worse[key] for key in both]),
        (100 * low, 100 * high),
        is_strict,
    )
