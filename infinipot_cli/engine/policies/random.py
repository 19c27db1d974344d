"""Chance: the floor that every method must beat."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from infinipot_cli.engine.policies.policy import Evidence, Numbering, Policy
from infinipot_cli.engine.sampling import seeded


@dataclass(frozen=True)
class Random(Policy):
    """Each head of each layer keeps entries drawn at random at each distillation.

    Attributes:
        seed: of the draws; the same seed over the same stream keeps the same.
        reset: number the survivors from 0.
    """

    seed: int = 0
    reset: bool = True

    @property
    def numbering(self) -> Numbering:
        """From 0."""
        return Numbering.RESET if self.reset else Numbering.ORIGINAL

    def rank(self, evidence: Evidence) -> Tensor:
        """Uniform draws that depend on seed and place in the stream alone."""
        generator = seeded(random.Random(f"{self.seed} {evidence.n_seen}").getrandbits(32))
        return torch.rand(evidence.votes.shape, generator=generator).to(evidence.votes.device)
