"""The small interface of all policies: when a pot makes room, who votes on its entries, and which of them stay.

Attention-based methods differ only in which query rows vote on the keys, so a policy names its voters and is handed
their votes; what it needs of earlier forwards travels with the entries in the pot. A policy has settings and no state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from torch import Tensor


class Timing(Enum):
    """When entries leave the pot."""

    WHEN_FULL = auto()
    """A full pot is distilled down to its budget (CCD, paper §3.2)."""
    EVERY_TOKEN = auto()
    """The pot is filled; from then on one entry leaves for each token that comes."""
    AFTER_PROMPT = auto()
    """Everything is kept until the question has been read, and then once as much as the capacity."""
    NEVER = auto()
    """Nothing leaves."""
    CUT = auto()
    """Nothing is read until the question is known, and then only both ends of the stream, as far as they fit."""


class Voters(Enum):
    """Whose attention to the entries is measured."""

    NONE = auto()
    CATALYST = auto()
    """All rows of the catalyst prompt, summed (paper Eq. 2)."""
    LAST = auto()
    """The row of the token that was read last."""
    ALL = auto()
    """Every row that could see the entry, summed since the entry came."""


class Numbering(Enum):
    """Which positions entries stand at."""

    RESET = auto()
    """0 to n - 1, again after each eviction (CR-RoPE, paper §3.5)."""
    ORIGINAL = auto()
    """Where they were read."""
    GROUPED = auto()
    """Where they were read for near tokens, in groups for far ones."""


@dataclass(frozen=True)
class Evidence:
    """What a policy decides by.

    Attributes:
        votes: attention of its voters, fp32, shape (L, K, N); zeros where it has none.
        novelty: what travels with each entry: NuC when it was read, nats, fp32, (L, K, N).
        origins: place of each entry in the stream, int64, (L, K, N).
        keys: of each layer as they stand in the pot, (K, N, D).
        n_seen: tokens read so far.
        capacity: most entries.
    """

    votes: Tensor
    novelty: Tensor
    origins: Tensor
    keys: Sequence[Tensor]
    n_seen: int
    capacity: int


@dataclass(frozen=True)
class Policy:
    """One method. Its file overrides what differs from here, and `rank` or `evict`."""

    @property
    def timing(self) -> Timing:
        """When entries leave."""
        return Timing.WHEN_FULL

    @property
    def voters(self) -> Voters:
        """Whose attention counts."""
        return Voters.NONE

    @property
    def numbering(self) -> Numbering:
        """How entries are numbered."""
        return Numbering.RESET

    @property
    def is_bounded(self) -> bool:
        """Whether the pot never holds more than its capacity."""
        return self.timing not in (Timing.AFTER_PROMPT, Timing.NEVER)

    def novelty_ratio(self, asked: float) -> float:
        """The share of the budget for the most novel entries, of which `asked` is the user's wish."""
        return 0.0

    @property
    def n_window(self) -> int:
        """Last rows of a prompt that vote on all of it, where they do."""
        return 0

    def grouping(self, context_length: int) -> tuple[int, int]:
        """Tokens that share a position where they are far, and the distance from which they are."""
        return 1, context_length

    def always(self, budget: int) -> tuple[int, int]:
        """How many of the first and of the latest entries stay whatever else is known, of `budget` that stay at all.

        Where one entry leaves for each token, the budget is the capacity less one.
        """
        return 0, 0

    def rank(self, evidence: Evidence) -> Tensor:
        """How much each entry deserves to stay when a full pot is distilled, fp32, (L, K, N); higher stays."""
        return evidence.votes

    def keep(self, evidence: Evidence, n_window: int) -> Tensor:
        """What stays of a whole prompt whose last `n_window` rows voted, ascending, int64, (L, K, capacity)."""
        raise NotImplementedError

    def evict(self, evidence: Evidence) -> Tensor:
        """The one entry of each layer and head that leaves for the next token, int64, (L, K)."""
        raise NotImplementedError
