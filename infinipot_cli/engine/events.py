"""What the engine reports while it works: small frozen records, shown elsewhere."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Consumed:
    """Tokens went into the pot.

    Attributes:
        n_seen: prefix and document tokens consumed so far.
        n_held: entries held now.
        capacity: the most the pot holds.
    """

    n_seen: int
    n_held: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Distilled:
    """The pot was full and kept what matters.

    Attributes:
        cycle: distillations so far, this one included.
        n_seen: tokens consumed so far.
        n_before: entries held before.
        n_held: entries held after.
        seconds: wall time it took.
    """

    cycle: int
    n_seen: int
    n_before: int
    n_held: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """One generated token.

    Attributes:
        token_id: the token.
        logprob: its log-probability, nats.
        n_held: entries held when it was chosen.
        logits: fp32, shape (V,); only where they were asked for.
    """

    token_id: int
    logprob: float
    n_held: int
    logits: "Tensor | None" = None
