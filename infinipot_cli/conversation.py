"""A conversation over one reading: questions whose answers stay in the pot, however many there are.

With history every question and answer stays behind the document, and is distilled with it when the pot is full, so a
conversation never ends for lack of room. Without history each question is asked of a copy of the pot, as `ask` does.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from infinipot_cli.errors import PotSizeError
from infinipot_cli.progress import Progress
from infinipot_cli.reading import Reading
from infinipot_cli.session import Session, ask
from infinipot_cli.sources import Input

if TYPE_CHECKING:
    from infinipot_cli.engine import Pot


class Conversation:
    """Questions to what was read.

    Args:
        session: that made the reading.
        reading: a finished one.
        keeps_history: whether answers are remembered; not where the model's format has no further turns.
    """

    def __init__(self, session: Session, reading: Reading, *, keeps_history: bool) -> None:
        self._session, self._reading = session, reading
        self.keeps_history = keeps_history and session.turn("?") is not None
        self.n_turns = 0

    def ask(self, question: str) -> Iterator[str]:
        """Answer in pieces of text.

        Raises:
            UsageError: the question is blank.
            PotSizeError: question and answer have no room beside what a distillation keeps.
        """
        prompt = self._session.plan(ask(question)).prompt
        turn = self._session.turn(question.strip()) if self._follows_an_answer else None
        suffix, catalyst = (turn.behind, turn.alone) if turn else (prompt.suffix_ids, prompt.catalyst_ids)
        n_asking = len(suffix) + (len(turn.opening) if turn else 0)
        lookout = self._reading.look_back(question)
        yield from self._reading.answer_from(
            lambda: self._pot(n_asking, catalyst),
            suffix,
            turn=turn,
            watch=True,
            lookout=lookout,
            goes_on=self.keeps_history,
        )
        self.n_turns += 1

    @property
    def _follows_an_answer(self) -> bool:
        """Whether an answer is the last that the pot holds, of this conversation or of one that was stored."""
        return self.keeps_history and (self.n_turns > 0 or self._reading.pot.n_seen > self._reading.trail.n_seen)

    def read_more(self, inputs: list[Input], n_tokens: int) -> Iterator[Progress]:
        """Read documents, or parts of them once more, behind what was read and said; room is made at once.

        Args:
            inputs: open, nothing of them was read.
            n_tokens: about as many as they have; room for them is made first, so that what fits is held in full.
        """
        from infinipot_cli.engine.distill import distill

        pot = self._reading.pot
        n_full = pot.capacity - len(pot.catalyst_ids)
        pot.rewind(min(pot.n_held, n_full))  # a long answer may stand in the way
        if pot.n_held + n_tokens > n_full and pot.n_held > pot.budget:
            distill(self._session.load().model, pot)
        return self._reading.read_more(inputs)

    def _pot(self, n_asking: int, catalyst: Sequence[int]) -> "Pot":
        """The pot with room for the question, its answer, and the catalyst of the next distillation."""
        from infinipot_cli.engine.distill import distill

        pot = self._reading.pot if self.keeps_history else self._reading.pot.fork()
        plan, n_full, model = self._reading.plan, pot.capacity - len(catalyst), self._session.load().model
        if pot.n_held > n_full:
            if n_full <= pot.budget:
                raise PotSizeError(
                    f"a question of {len(catalyst)} tokens has no room beside the {pot.budget} entries that are kept",
                    hint="ask in fewer words, or take a larger pot with -s",
                )
            # the end of a very long answer may have taken the places of the catalyst so far, which judges once more
            pot.rewind(min(pot.n_held, pot.capacity - len(pot.catalyst_ids)))
            if pot.n_held > n_full:
                distill(model, pot)
        pot.catalyst_ids = tuple(catalyst)
        if self.keeps_history and pot.n_held + n_asking + plan.max_tokens > n_full and pot.n_held > pot.budget:
            distill(model, pot)
        return pot
