"""TOVA (arXiv:2401.06104): what the token read last attends to stays."""

from dataclasses import dataclass

from torch import Tensor

from infinipot_cli.engine.policies.policy import Evidence, Numbering, Policy, Timing, Voters


@dataclass(frozen=True)
class Tova(Policy):
    """The last row's attention decides, at each distillation as InfiniPot's paper runs it (§4.1, "within CCD").

    Differs: per KV head, as the catalyst's votes are; the numbers of the paper's row equal those of its own ablation
    "w/o CaP, NuC".

    Attributes:
        official: as the method's own code does: from a full pot one entry leaves for each token, the same in all heads
            of a layer (the mean over them decides), and entries keep their positions.
        reset: number the survivors from 0; of no account where `official`.
    """

    official: bool = False
    reset: bool = True

    @property
    def timing(self) -> Timing:
        """With each distillation, or with each token."""
        return Timing.EVERY_TOKEN if self.official else Timing.WHEN_FULL

    @property
    def voters(self) -> Voters:
        """The last row."""
        return Voters.LAST

    @property
    def numbering(self) -> Numbering:
        """From 0, or as read."""
        return Numbering.RESET if self.reset and not self.official else Numbering.ORIGINAL

    def evict(self, evidence: Evidence) -> Tensor:
        """The entry that all heads of a layer together attend to least."""
        # entries stand at the same place in all heads, since they have left together
        least = evidence.votes.sum(dim=1).argmin(dim=-1)
        return least[:, None].expand(evidence.votes.shape[:2])
