"""What was evicted, and in which distillation: how much of every block of the trail was held after each of them.

Only changes of a sixteenth or more are written down, so that a block has few of them however long is read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import Tensor

from infinipot_cli.explain.evidence import held_counts
from infinipot_cli.explain.trail import Trail

_STEP = 1 / 16

# Number of a distillation, and the share of a text's entries that it evicted.
Evicted = tuple[int, float]


@dataclass
class _Held:
    share: float = 1.0
    losses: list[Evicted] = field(default_factory=list)


class Evictions:
    """Watches a pot from distillation to distillation.

    Attributes:
        n_unseen: distillations that were over before it began.
    """

    def __init__(self) -> None:
        self.n_unseen = 0
        self._blocks: dict[int, _Held] = {}

    def begin(self, trail: Trail, origins: Tensor, n_cycles: int) -> None:
        """Take a stored pot as it is: what its distillations evicted before is not known."""
        self.n_unseen = n_cycles
        n_slots = origins.shape[0] * origins.shape[1]
        for block, count in zip(trail.blocks, held_counts(origins, trail.edges), strict=True):
            self._blocks[block.origin] = _Held(count / (len(block.ids) * n_slots))

    def see(self, cycle: int, trail: Trail, origins: Tensor, n_seen: int) -> None:
        """Look at the pot after a distillation.

        Args:
            cycle: its number, from 1.
            trail: of what was read.
            origins: of the pot's entries, (L, K, N).
            n_seen: tokens that the model has read.
        """
        n_slots = origins.shape[0] * origins.shape[1]
        known = {block.origin for block in trail.blocks}
        self._blocks = {origin: held for origin, held in self._blocks.items() if origin in known}
        for block, count in zip(trail.blocks, held_counts(origins, trail.edges), strict=True):
            if block.origin + len(block.ids) > n_seen:
                break
            held = self._blocks.setdefault(block.origin, _Held())
            share = count / (len(block.ids) * n_slots)
            if held.share - share >= _STEP or (not share and held.share):
                held.losses.append((cycle, held.share - share))
                held.share = share

    def of(self, blocks: Iterable[tuple[int, int]]) -> tuple[Evicted, ...]:
        """What the distillations evicted of some text, in their order.

        Args:
            blocks: origin of each block of the text, and how many of its tokens belong to it.
        """
        lost: dict[int, float] = {}
        n_all = 0
        for origin, n_tokens in blocks:
            n_all += n_tokens
            for cycle, share in self._blocks[origin].losses if origin in self._blocks else ():
                lost[cycle] = lost.get(cycle, 0.0) + share * n_tokens
        return tuple((cycle, lost[cycle] / n_all) for cycle in sorted(lost)) if n_all else ()
