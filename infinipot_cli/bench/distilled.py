"""Whether a pot did what it was measured for: scores of a pot that never dropped anything say nothing about it."""

from dataclasses import replace
from typing import Protocol

from infinipot_cli.errors import PotError
from infinipot_cli.plan import Plan
from infinipot_cli.policies import DEFAULT, listed


class Counts(Protocol):
    """What a pot says of itself."""

    @property
    def n_cycles(self) -> int:
        """Distillations."""

    @property
    def n_held(self) -> int:
        """Entries of each head."""


def fits(plan: Plan, n_tokens: int) -> bool:
    """Whether a text needs nothing dropped in a pot of this size, whoever would decide what."""
    return not replace(plan, policy=DEFAULT, policy_settings=()).n_cycles(n_tokens)


def check_distilled(plan: Plan, n_tokens: int, pot: Counts) -> None:
    """Refuse a measurement in which a text did not fit the pot, and nothing was dropped all the same.

    Args:
        plan: sizes and policy that were measured.
        n_tokens: document tokens that were read.
        pot: after reading.

    Raises:
        PotError: compression was silently inactive.
    """
    must_distill = plan.n_cycles(n_tokens) and not pot.n_cycles
    is_over = listed(plan.policy).is_bounded and pot.n_held > plan.capacity
    if must_distill or is_over:
        raise PotError(
            f"{n_tokens} tokens went into a pot of {plan.capacity} and nothing was distilled",
            hint="this is a mistake in infinipot: the score would not be the pot's",
            code="nothing_distilled",
        )
