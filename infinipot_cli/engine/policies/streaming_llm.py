"""StreamingLLM (arXiv:2309.17453): the first tokens as attention sinks, and the latest."""

from dataclasses import dataclass

from torch import Tensor

from infinipot_cli.engine.policies.policy import Evidence, Numbering, Policy, Timing
from infinipot_cli.errors import UsageError

_NEVER = 2**62


@dataclass(frozen=True)
class StreamingLLM(Policy):
    """A full pot lets go of its oldest entry behind the sinks for each token that comes.

    As InfiniPot's paper runs it (App. A), which is the method's own code fed token by token: keys stand at their rank.
    The sinks are the first tokens of all, of the chat format where there is one; nothing else of it is protected.

    Attributes:
        sinks: first entries that always stay.
        reset: keys stand at their rank; off, where they were read, as some rewritings have it.
    """

    sinks: int = 4
    reset: bool = True

    def __post_init__(self) -> None:
        if self.sinks < 0:
            raise UsageError(f"sinks must be 0 or more, not {self.sinks}")

    @property
    def timing(self) -> Timing:
        """With each token."""
        return Timing.EVERY_TOKEN

    @property
    def numbering(self) -> Numbering:
        """By rank."""
        return Numbering.RESET if self.reset else Numbering.ORIGINAL

    def always(self, budget: int) -> tuple[int, int]:
        """Sinks, and the rest of the pot."""
        return self.sinks, budget - self.sinks

    def evict(self, evidence: Evidence) -> Tensor:
        """The oldest that is no sink."""
        return evidence.origins.masked_fill(evidence.origins < self.sinks, _NEVER).argmin(dim=-1)
