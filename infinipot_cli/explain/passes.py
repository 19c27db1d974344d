"""The distillations behind an answer: those of the reading, and the one that made room for the question."""

from collections import deque
from copy import deepcopy
from typing import TYPE_CHECKING

from infinipot_cli.explain.record import Pass
from infinipot_cli.explain.trail import Trail

if TYPE_CHECKING:
    from infinipot_cli.engine import Distilled, Pot
    from infinipot_cli.explain.evictions import Evictions

# Distillations that a report lists; an endless pipe has no end of them.
MOST_PASSES = 10_000


class Passes:
    """Takes note of distillations as they happen.

    Attributes:
        of_reading: the latest ones while documents were read.
        last: the one that made room for the latest question and its answer, if there was one.
    """

    def __init__(self) -> None:
        self.of_reading: deque[Pass] = deque(maxlen=MOST_PASSES)
        self.last: Pass | None = None
        self._evictions: Evictions | None = None
        self._with_last: Evictions | None = None

    @property
    def all(self) -> list[Pass]:
        """Those that led to the pot that the latest answer came from."""
        return [*self.of_reading, *filter(None, [self.last])]

    @property
    def evictions(self) -> "Evictions | None":
        """What each of them took; None unless that is watched."""
        return self._with_last or self._evictions

    def watch_evictions(self) -> None:
        """Take note of what each distillation takes, too."""
        from infinipot_cli.explain.evictions import Evictions

        self._evictions = Evictions()

    def begin(self, trail: Trail, pot: "Pot") -> None:
        """Take a pot as it is before anything is read into it now."""
        if self._evictions is not None:
            self._evictions.begin(trail, pot.origins, pot.n_cycles)

    def see(self, done: "Distilled", trail: Trail, pot: "Pot") -> None:
        """Note a distillation that has just made room for more of the documents."""
        self.of_reading.append(Pass(done.cycle, done.n_seen, done.n_before, done.n_held))
        if self._evictions is not None:
            self._evictions.see(done.cycle, trail, pot.origins, pot.n_seen)

    def see_before_rereading(self, trail: Trail, pot: "Pot") -> None:
        """Note what the latest distillation took of text that had not been read as a whole then.

        What making room for passages takes is no loss of this kind: reports are on the pot as the question found it.
        """
        if self._evictions is not None:
            self._with_last = deepcopy(self._evictions)
            self._with_last.see(pot.n_cycles, trail, pot.origins, pot.n_seen)

    def see_last(
        self, trail: Trail, pot: "Pot", *, n_cycles: int, n_seen: int, n_held: int, has_reread: bool
    ) -> None:  # fmt: skip
        """Note the distillation that made room for a question, which the pot that was asked has behind it now.

        A copy of the pot may have been asked: what was noted while reading stays as it is for the next question.

        Args:
            trail: of what was read.
            pot: that was asked.
            n_cycles: its distillations before it was asked.
            n_seen: tokens that it had read then.
            n_held: entries of each slot then.
            has_reread: passages were read once more since.
        """
        self.last = None
        if not has_reread:
            self._with_last = None
        if pot.n_cycles == n_cycles:
            return
        self.last = Pass(pot.n_cycles, n_seen, n_held, pot.n_held - (pot.n_seen - n_seen))
        if self._evictions is not None and not has_reread:
            self._with_last = deepcopy(self._evictions)
            self._with_last.see(pot.n_cycles, trail, pot.origins, n_seen)
