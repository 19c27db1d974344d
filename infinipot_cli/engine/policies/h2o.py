"""H2O (arXiv:2306.14048): the heavy hitters of all attention so far, and the latest tokens."""

from dataclasses import dataclass

from torch import Tensor

from infinipot_cli.engine.policies.policy import Evidence, Numbering, Policy, Timing, Voters
from infinipot_cli.errors import UsageError


@dataclass(frozen=True)
class H2O(Policy):
    """For each token that comes to a full pot, the entry leaves that drew least attention of those not recent.

    Attention is summed over every row since the entry came. As InfiniPot's paper runs it (App. A): 4 heavy hitters and
    the rest of the pot recent, the defaults of the method's code for streams, where keys stand at their rank.
    Differs: per KV head, its query heads' attention summed, where the method's code knows no grouped heads.

    Attributes:
        heavy: entries that stay for the attention they drew.
        reset: keys stand at their rank; off, where they were read, as in the method's code for whole texts.
    """

    heavy: int = 4
    reset: bool = True

    def __post_init__(self) -> None:
        if self.heavy < 0:
            raise UsageError(f"heavy must be 0 or more, not {self.heavy}")

    @property
    def timing(self) -> Timing:
        """With each token."""
        return Timing.EVERY_TOKEN

    @property
    def voters(self) -> Voters:
        """Every row."""
        return Voters.ALL

    @property
    def numbering(self) -> Numbering:
        """By rank, or as read."""
        return Numbering.RESET if self.reset else Numbering.ORIGINAL

    def always(self, budget: int) -> tuple[int, int]:
        """What is recent."""
        return 0, budget - self.heavy

    def evict(self, evidence: Evidence) -> Tensor:
        """The least of the heavy hitters and the entry that has just ceased to be recent; of equals the oldest."""
        n_candidates = min(self.heavy + 1, evidence.origins.shape[-1])
        oldest = evidence.origins.topk(n_candidates, largest=False, sorted=True).indices
        least = evidence.votes.gather(-1, oldest).argmin(dim=-1, keepdim=True)
        return oldest.gather(-1, least)[..., 0]
