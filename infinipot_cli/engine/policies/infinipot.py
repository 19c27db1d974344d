"""InfiniPot (arXiv:2410.01518): a catalyst prompt judges a full pot, and the most novel tokens stay besides."""

from dataclasses import dataclass

from infinipot_cli.engine.policies.policy import Numbering, Policy, Voters


@dataclass(frozen=True)
class InfiniPot(Policy):
    """Continual Context Distillation with catalyst and novelty (§3.2, §3.3), and its ablations.

    Attributes:
        cap: let the catalyst judge; off, the token read last does ("w/o CaP" in Tables 3 and 4).
        reset: number the survivors from 0 (CR-RoPE, §3.5); off, they stay where they were read ("w/o Re-RoPE").
    """

    cap: bool = True
    reset: bool = True

    @property
    def voters(self) -> Voters:
        """The catalyst."""
        return Voters.CATALYST if self.cap else Voters.LAST

    @property
    def numbering(self) -> Numbering:
        """From 0."""
        return Numbering.RESET if self.reset else Numbering.ORIGINAL

    def novelty_ratio(self, asked: float) -> float:
        """α, as asked for; 0 is "w/o NuC"."""
        return asked
