"""What was evicted, and in which distillation: how much of every block of the trail was held after each of them.

Only changes of a sixteenth or more are written down, so that a block has few of them however long is read. Blocks whose
text is forgotten are watched on as one with their neighbours.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from infinipot_cli.explain.evidence import held_counts
from infinipot_cli.explain.trail import Trail

_STEP = 1 / 16
_ROUNDING = 1e-9

# Number of a distillation, and the share of a text's entries that it evicted.
Evicted = tuple[int, float]
_Range = tuple[int, int]


@dataclass
class _Held:
    share: float = 1.0
    losses: dict[int, float] = field(default_factory=dict)


class Evictions:
    """Watches a pot from distillation to distillation.

    Attributes:
        n_unseen: distillations that were over before it began.
    """

    def __init__(self) -> None:
        self.n_unseen = 0
        self._held: dict[_Range, _Held] = {}  # by the origins of a block, or of a row that is forgotten; ascending

    def begin(self, trail: Trail, origins: Tensor, n_cycles: int) -> None:
        """Take a stored pot as it is: what its distillations evicted before is not known."""
        self.n_unseen = n_cycles
        self._held = {ends: _Held(share) for ends, share in _shares(trail.all_ranges, origins)}

    def see(self, cycle: int, trail: Trail, origins: Tensor, n_seen: int) -> None:
        """Look at the pot after a distillation.

        Args:
            cycle: its number, from 1.
            trail: of what was read.
            origins: of the pot's entries, (L, K, N).
            n_seen: tokens that the model has read.
        """
        known = _regrouped(self._held, trail.all_ranges)
        self._held = {}
        for ends, share in _shares(trail.all_ranges, origins):
            if ends[1] > n_seen:
                break
            held = self._held[ends] = known.get(ends) or _Held()
            lost = held.share - share
            if lost >= _STEP or (not share and lost > _ROUNDING):
                held.losses[cycle], held.share = lost, share

    def of(self, ranges: Iterable[_Range]) -> tuple[Evicted, ...]:
        """What the distillations evicted of some text, in their order.

        Args:
            ranges: origins of its tokens, from the first to behind the last of each unbroken row.
        """
        lost: dict[int, float] = {}
        n_all, known = 0, list(self._held)
        for ends in ranges:
            n_all += ends[1] - ends[0]
            for number, n_shared in _overlaps(known, ends):
                for cycle, share in self._held[known[number]].losses.items():
                    lost[cycle] = lost.get(cycle, 0.0) + share * n_shared
        return tuple((cycle, lost[cycle] / n_all) for cycle in sorted(lost)) if n_all else ()


def _shares(ranges: Sequence[_Range], origins: Tensor) -> Iterator[tuple[_Range, float]]:
    """Share of its entries that a pot holds of each range, over all layers and heads."""
    n_slots = origins.shape[0] * origins.shape[1]
    for ends, count in zip(ranges, held_counts(origins, ranges), strict=True):
        yield ends, count / ((ends[1] - ends[0]) * n_slots)


def _regrouped(held: dict[_Range, _Held], ranges: Sequence[_Range]) -> dict[_Range, _Held]:
    """What is known of ranges, after some of them were joined or cut: the mean over their tokens."""
    found = {ends: held[ends] for ends in ranges if ends in held}
    for ends, piece in held.items():
        if ends in found:
            continue
        for number, n_shared in _overlaps(ranges, ends):
            whole, part = found.setdefault(ranges[number], _Held()), n_shared / (ranges[number][1] - ranges[number][0])
            whole.share -= (1 - piece.share) * part
            for cycle, share in piece.losses.items():
                whole.losses[cycle] = whole.losses.get(cycle, 0.0) + share * part
    return found


def _overlaps(ranges: Sequence[_Range], ends: _Range) -> Iterator[tuple[int, int]]:
    """Places of the ranges that share tokens with one, and how many."""
    for number in range(max(0, bisect_right(ranges, ends[0], key=lambda other: other[0]) - 1), len(ranges)):
        start, end = ranges[number]
        if start >= ends[1]:
            break
        if end > ends[0]:
            yield number, min(end, ends[1]) - max(start, ends[0])
