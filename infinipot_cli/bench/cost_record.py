"""What `infinipot bench cost` writes down: every repetition, and the median of each cell with its spread."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True)
class CostRow:
    """What one run took.

    Attributes:
        method: as asked for.
        n_tokens: document tokens read.
        read_seconds: wall time of reading.
        distill_seconds: of those, what distillations took.
        first_token_seconds: from the end of the document to the first token of the answer.
        answer_seconds: from there to the last token.
        n_answer: tokens of the answer.
        peak_bytes: largest resident memory of the process, or of the CUDA allocator.
        base_bytes: the same before reading: libraries and weights.
        cache_bytes: keys, values and what travels with them, at the end.
        n_distilled: distillations on the way.
        repetition: of the same measurement, from 0.
    """

    method: str
    n_tokens: int
    read_seconds: float
    distill_seconds: float
    first_token_seconds: float
    answer_seconds: float
    n_answer: int
    peak_bytes: int
    base_bytes: int
    cache_bytes: int
    n_distilled: int
    repetition: int = 0

    @property
    def ttft_seconds(self) -> float:
        """From the first token of the document to the first of the answer."""
        return self.read_seconds + self.first_token_seconds

    @property
    def wall_seconds(self) -> float:
        """From the first token of the document to the last of the answer."""
        return self.ttft_seconds + self.answer_seconds

    @property
    def tokens_per_second(self) -> float:
        """Speed of the answer behind its first token."""
        return (self.n_answer - 1) / self.answer_seconds if self.answer_seconds else 0.0

    @property
    def distill_share(self) -> float:
        """Part of the reading time that distillations took."""
        return self.distill_seconds / self.read_seconds if self.read_seconds else 0.0

    @property
    def distill_ratio(self) -> float:
        """Part of the time to the first token that distillations took ("CD ratio" in the paper's Table 5)."""
        return self.distill_seconds / self.ttft_seconds if self.ttft_seconds else 0.0

    @property
    def grown_bytes(self) -> int:
        """What reading and answering added to the peak."""
        return self.peak_bytes - self.base_bytes


# What Tables 5 and 6 and Figure 7 are about.
QUANTITIES: dict[str, Callable[[CostRow], float]] = {
    "ttft_seconds": lambda row: row.ttft_seconds,
    "distill_seconds": lambda row: row.distill_seconds,
    "distill_ratio": lambda row: row.distill_ratio,
    "answer_seconds": lambda row: row.answer_seconds,
    "tokens_per_second": lambda row: row.tokens_per_second,
    "wall_seconds": lambda row: row.wall_seconds,
    "cache_bytes": lambda row: row.cache_bytes,
    "grown_bytes": lambda row: row.grown_bytes,
}


@dataclass(frozen=True)
class Spread:
    """A quantity measured several times: the median, the least and the most."""

    median: float
    low: float
    high: float

    @property
    def furthest(self) -> float | None:
        """The largest distance from the median, as a share of it; None where that is nothing."""
        return max(self.high - self.median, self.median - self.low) / self.median if self.median > 0 else None


@dataclass(frozen=True)
class CostCell:
    """One method at one length.

    Attributes:
        method: as asked for.
        n_tokens: document tokens.
        rows: its repetitions, at least one.
    """

    method: str
    n_tokens: int
    rows: tuple[CostRow, ...]

    def spread(self, quantity: str) -> Spread:
        """A quantity of `QUANTITIES` over the repetitions."""
        values = [QUANTITIES[quantity](row) for row in self.rows]
        return Spread(median(values), min(values), max(values))

    def median(self, quantity: str) -> float:
        """The median alone."""
        return self.spread(quantity).median

    def ratio(self, base: "CostCell", quantity: str) -> float | None:
        """How many times that of another cell; None where that is nothing."""
        below = base.median(quantity)
        return self.median(quantity) / below if below > 0 else None

    @property
    def is_distilled(self) -> bool:
        """Whether there were distillations."""
        return any(row.n_distilled for row in self.rows)


def cells(rows: Iterable[CostRow]) -> list[CostCell]:
    """Repetitions put together, in the order of their first."""
    found: dict[tuple[str, int], list[CostRow]] = {}
    for row in rows:
        found.setdefault((row.method, row.n_tokens), []).append(row)
    return [CostCell(method, n_tokens, tuple(mine)) for (method, n_tokens), mine in found.items()]


def first_of_length(found: Sequence[CostCell], n_tokens: int) -> CostCell:
    """The cell that the others of its length are compared with: the first method."""
    return next(cell for cell in found if cell.n_tokens == n_tokens)


def to_record(
    settings: dict[str, object], rows: Sequence[CostRow], promises: dict[str, object], made_with: dict[str, object]
) -> dict[str, object]:
    """For JSON: settings, medians with spreads and ratios, then every repetition."""
    found = cells(rows)
    return {
        "schema": 1,
        "bench": "cost",
        "model": settings["model"],
        "settings": settings,
        "made_with": made_with,
        "promises": promises,
        "cells": [_cell(cell, first_of_length(found, cell.n_tokens)) for cell in found],
        "rows": [{**asdict(row), "distill_share": row.distill_share, "ttft_seconds": row.ttft_seconds} for row in rows],
    }


def _cell(cell: CostCell, base: CostCell) -> dict[str, object]:
    return {
        "method": cell.method,
        "n_tokens": cell.n_tokens,
        "n": len(cell.rows),
        **{quantity: asdict(cell.spread(quantity)) for quantity in QUANTITIES},
        "ratios": {quantity: cell.ratio(base, quantity) for quantity in QUANTITIES},
    }
