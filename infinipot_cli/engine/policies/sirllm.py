"""SirLLM (ACL 2024, acl-long.143): the tokens that were hardest to predict stay."""

from dataclasses import dataclass

from infinipot_cli.engine.policies.policy import Numbering, Policy


@dataclass(frozen=True)
class SirLLM(Policy):
    """Token entropy decides, at each distillation as InfiniPot's paper runs it (§4.1; its "100 % NuC").

    All heads keep the same tokens. `--set decay=0.7` lets old entropies fade, as the method's own code can.
    Differs: the method's code gives each token the score of the one before it; here a token has its own.

    Attributes:
        official: keep the first 4 tokens and the latest half of the budget besides, as the method's code does.
        reset: number the survivors from 0.
    """

    official: bool = False
    reset: bool = True

    @property
    def numbering(self) -> Numbering:
        """From 0."""
        return Numbering.RESET if self.reset else Numbering.ORIGINAL

    def novelty_ratio(self, asked: float) -> float:
        """All of it."""
        return 1.0

    def always(self, budget: int) -> tuple[int, int]:
        """First and latest entries that stay whatever their scores."""
        return (4, (budget - 4) // 2) if self.official else (0, 0)
