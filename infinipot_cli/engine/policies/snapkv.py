"""SnapKV (arXiv:2404.14469): what the end of the prompt attends to, chosen once all of it has been read.

The whole prompt stands in the cache before anything leaves, so its memory grows with the document.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from infinipot_cli.engine.importance import pooled, top
from infinipot_cli.engine.policies.policy import Evidence, Numbering, Policy, Timing
from infinipot_cli.errors import UsageError


@dataclass(frozen=True)
class SnapKV(Policy):
    """The last rows of the prompt vote, neighbours share the highest vote, and the winners stay beside those rows.

    The defaults are those of the method's own runs of LongBench; its configuration files have kernel 5 and the average.
    As much as the capacity stays of a prompt, and the answer comes on top.
    Differs: per KV head, its query heads' attention summed, where the method's code stores every query head.

    Attributes:
        window: last rows of the prompt, which vote and stay.
        kernel: neighbours that share a vote, an odd number.
        average: share the mean of the votes instead of the highest.
    """

    window: int = 32
    kernel: int = 7
    average: bool = False

    def __post_init__(self) -> None:
        if self.window < 1:
            raise UsageError(f"window must be 1 or more, not {self.window}")
        if self.kernel < 1 or not self.kernel % 2:
            raise UsageError(f"kernel must be an odd number, not {self.kernel}")

    @property
    def timing(self) -> Timing:
        """When the question has been read."""
        return Timing.AFTER_PROMPT

    @property
    def numbering(self) -> Numbering:
        """As read."""
        return Numbering.ORIGINAL

    @property
    def n_window(self) -> int:
        """The window."""
        return self.window

    def keep(self, evidence: Evidence, n_window: int) -> Tensor:
        """The winners and the window, ascending, int64, (L, K, capacity)."""
        n = evidence.votes.shape[-1]
        votes = evidence.votes[..., : n - n_window]
        if self.average:
            shared = F.avg_pool1d(votes, self.kernel, stride=1, padding=self.kernel // 2)
        else:
            shared = pooled(votes, self.kernel)
        winners = top(shared, evidence.capacity - n_window)
        window = torch.arange(n - n_window, n, device=votes.device).expand(*votes.shape[:2], n_window)
        return torch.cat((winners, window), dim=-1).sort(dim=-1).values
