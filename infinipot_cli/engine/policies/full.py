"""Everything is kept ("AllKV" in the paper's Figure 7): what a plain cache does. Its memory grows with the document."""

from dataclasses import dataclass

from infinipot_cli.engine.policies.policy import Policy, Timing


@dataclass(frozen=True)
class Full(Policy):
    """Nothing leaves, whatever the capacity; past the trained context positions are out of the model's experience."""

    @property
    def timing(self) -> Timing:
        """Never."""
        return Timing.NEVER
