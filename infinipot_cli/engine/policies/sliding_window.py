"""Sliding window attention (arXiv:2004.05150): the latest tokens and nothing else."""

from dataclasses import dataclass

from torch import Tensor

from infinipot_cli.engine.policies.policy import Evidence, Numbering, Policy, Timing


@dataclass(frozen=True)
class SlidingWindow(Policy):
    """A full pot lets go of its oldest entry for each token that comes; positions count on without an end."""

    @property
    def timing(self) -> Timing:
        """With each token."""
        return Timing.EVERY_TOKEN

    @property
    def numbering(self) -> Numbering:
        """As read."""
        return Numbering.ORIGINAL

    def always(self, budget: int) -> tuple[int, int]:
        """All but the oldest."""
        return 0, budget

    def evict(self, evidence: Evidence) -> Tensor:
        """The oldest."""
        return evidence.origins.argmin(dim=-1)
