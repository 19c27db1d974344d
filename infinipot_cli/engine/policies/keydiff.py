"""KeyDiff (arXiv:2504.15364): keys that point elsewhere than the others stay. A method the paper does not have."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from infinipot_cli.engine.policies.policy import Evidence, Numbering, Policy


@dataclass(frozen=True)
class KeyDiff(Policy):
    """The lower a key's cosine with the mean of all normalised keys of its head, the more it deserves to stay.

    No attention is looked at. Its paper reads blocks of 128 tokens into a full cache: `--budget` 128 below the pot.

    Attributes:
        reset: number the survivors from 0.
    """

    reset: bool = True

    @property
    def numbering(self) -> Numbering:
        """From 0."""
        return Numbering.RESET if self.reset else Numbering.ORIGINAL

    def rank(self, evidence: Evidence) -> Tensor:
        """Minus the cosine with the anchor."""
        return torch.stack([_unlike(keys.float()).to(evidence.votes.device) for keys in evidence.keys])


def _unlike(keys: Tensor) -> Tensor:
    """Keys of one layer (K, N, D) to scores (K, N)."""
    anchor = F.normalize(keys, dim=-1).mean(dim=1, keepdim=True)
    return -F.cosine_similarity(keys, anchor, dim=-1)
