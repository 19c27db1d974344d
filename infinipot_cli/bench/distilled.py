"""Whether a pot did what it was measured for: scores of a pot that never distilled say nothing about it."""

from infinipot_cli.errors import PotError
from infinipot_cli.plan import Plan


def check_distilled(plan: Plan, n_tokens: int, n_cycles: int) -> None:
    """Refuse a measurement in which a text did not fit the pot, and nothing was distilled all the same.

    Args:
        plan: sizes that were measured with.
        n_tokens: document tokens that were read.
        n_cycles: distillations that there were.

    Raises:
        PotError: compression was silently inactive.
    """
    if plan.n_cycles(n_tokens) and not n_cycles:
        raise PotError(
            f"{n_tokens} tokens went into a pot of {plan.capacity} and nothing was distilled",
            hint="this is a mistake in infinipot: the score would not be the pot's",
            code="nothing_distilled",
        )
