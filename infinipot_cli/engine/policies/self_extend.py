"""Self-Extend ("LongLM", arXiv:2401.01325): far tokens stand in groups, so that positions stay within what was trained.

Nothing leaves: its memory grows with the document, and so does the work of each token.
"""

from dataclasses import dataclass

from infinipot_cli.engine.policies.policy import Numbering, Policy, Timing
from infinipot_cli.errors import UsageError


@dataclass(frozen=True)
class SelfExtend(Policy):
    """Tokens nearer than the window are seen at their distance, others by groups.

    A far key stands at floor(k / G) and the query that sees it at floor(q / G) + W - floor(W / G); one softmax goes
    over both kinds. A model of L trained positions then reaches (L - W)·G + W tokens. The paper's best for 8K models
    are group 4 and window 2,048, which is a quarter of the trained context.

    Attributes:
        group: G, tokens that share a position where they are far.
        window: W, distance from which tokens are far; 0 takes a quarter of the trained context.
    """

    group: int = 4
    window: int = 0

    def __post_init__(self) -> None:
        if self.group < 1 or self.window < 0:
            raise UsageError(f"group must be 1 or more and window 0 or more, not {self.group} and {self.window}")

    @property
    def timing(self) -> Timing:
        """Never."""
        return Timing.NEVER

    @property
    def numbering(self) -> Numbering:
        """In groups."""
        return Numbering.GROUPED

    def grouping(self, context_length: int) -> tuple[int, int]:
        """As set."""
        return self.group, self.window or max(1, context_length // 4)
