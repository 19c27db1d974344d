"""Truncation ("TR", LongBench arXiv:2308.14508): the beginning and the end of the text, the middle unread."""

from dataclasses import dataclass

from infinipot_cli.engine.policies.policy import Policy, Timing


@dataclass(frozen=True)
class Truncation(Policy):
    """What fits beside question and answer is read, half of it from the beginning and half from the end.

    Differs: token ids are cut and put together, where LongBench joins the halves as text and tokenizes that again;
    `infinipot bench longbench` does it LongBench's way.
    """

    @property
    def timing(self) -> Timing:
        """Once the question is known."""
        return Timing.CUT
