"""TOVA (arXiv:2401.06104): what the token read last attends to stays."""

from dataclasses import dataclass

from infinipot_cli.engine.policies.policy import Numbering, Policy, Voters


@dataclass(frozen=True)
class Tova(Policy):
    """The last row's attention decides, at each distillation as InfiniPot's paper runs it (§4.1, "within CCD").

    Differs: per KV head, as the catalyst's votes are; the numbers of the paper's row equal those of its own ablation
    "w/o CaP, NuC".

    Attributes:
        reset: number the survivors from 0.
    """

    reset: bool = True

    @property
    def voters(self) -> Voters:
        """The last row."""
        return Voters.LAST

    @property
    def numbering(self) -> Numbering:
        """From 0."""
        return Numbering.RESET if self.reset else Numbering.ORIGINAL
