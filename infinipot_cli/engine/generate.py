"""Answer from a pot: the suffix, then one token after the other, never past the capacity."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.attended import Attended
from infinipot_cli.engine.consume import plain_ids
from infinipot_cli.engine.distill import distill, n_staying
from infinipot_cli.engine.events import Step
from infinipot_cli.engine.ingest import absorb
from infinipot_cli.engine.policies import Timing
from infinipot_cli.engine.pot import Pot
from infinipot_cli.engine.question import read_both_ends, read_question
from infinipot_cli.engine.sampling import choose, seeded
from infinipot_cli.errors import PotSizeError
from infinipot_cli.model.head import head
from infinipot_cli.model.port import port_of

RECENT = 64


def generate(
    model: PreTrainedModel, pot: Pot, suffix_ids: Sequence[int], *, max_new_tokens: int,
    stop_ids: Collection[int] = (), record: bool = False, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0,
    attended: Attended | None = None, decided_by: Callable[[], Sequence[int]] | None = None, goes_on: bool = False,
) -> Iterator[Step]:  # fmt: skip
    """Answer, greedily unless told otherwise; distills once more if pot, suffix and answer would not fit together.

    An answer longer than the room left distills again on the way, protecting prefix, suffix and the latest tokens.

    Args:
        model: the model that filled the pot.
        pot: changed in place; fork it to ask again.
        suffix_ids: what follows the document (question, end of turn, answer header).
        max_new_tokens: most tokens to yield.
        stop_ids: tokens that end the answer; not yielded.
        record: attach logits to each step.
        temperature: 0 takes the likeliest token, more draws one.
        top_p: share of the probability that takes part in a draw.
        seed: of the draws.
        attended: filled with what the answer attends to; changes no token.
        decided_by: called when the question was read, gives the whole answer; none of its tokens leaves the choice to
            the logits.
        goes_on: more will be read into this very pot, so that the last token is read as well, once it was taken.

    Raises:
        PotSizeError: suffix or answer do not fit beside what a distillation keeps; the pot is as before.
        UnsupportedModelError: the policy counts positions on to where the model turns its keys otherwise.
    """
    suffix = list(plain_ids(suffix_ids))
    if not suffix and pot.last_state is None and pot.withheld is None:
        raise PotSizeError("there is nothing to continue: prefix, document and suffix are all empty")
    if pot.policy.timing is Timing.WHEN_FULL:
        _make_room_for(model, pot, len(suffix), max_new_tokens)
    elif pot.policy.timing is Timing.CUT:
        read_both_ends(model, port_of(model), pot, len(suffix) + max_new_tokens)
    generator = seeded(seed) if temperature else None
    chosen_by = partial(choose, temperature=temperature, top_p=top_p, generator=generator)
    decoding = _Decoding(model, pot, suffix, max_new_tokens, chosen_by, attended, goes_on=goes_on)
    if decided_by is not None and (decided := decided_by()):
        decoding.decide(decided)
    yield from decoding.run(frozenset(map(int, stop_ids)), record)


def _make_room_for(model: PreTrainedModel, pot: Pot, n_suffix: int, max_new_tokens: int) -> None:
    """Distill if suffix and answer would not fit."""
    must_distill = pot.n_held + n_suffix + max_new_tokens > pot.capacity and pot.n_held > pot.budget
    n_stays = n_staying(pot)
    n_met = max(pot.budget, n_stays) if must_distill else pot.n_held
    _check_room(pot, n_met, n_stays, n_suffix, max_new_tokens)
    if must_distill:
        n_room = pot.capacity - n_suffix - max_new_tokens
        n_kept = max(pot.budget, min(n_room, pot.n_held)) if pot.choice.fill else None
        distill(model, pot, n_kept=n_kept, n_places=max(n_room, 0))


def _check_room(pot: Pot, n_kept: int, n_stays: int, n_suffix: int, max_new_tokens: int) -> None:
    """Refuse, before anything is done, what cannot fit beside the `n_kept` entries that suffix and answer will meet.

    Of these `n_stays` stay whatever is distilled while answering.
    """
    n_asked, n_full = n_kept + n_suffix, pot.capacity - len(pot.catalyst_ids)
    if n_asked > pot.capacity:
        raise PotSizeError(f"{n_kept} entries and a question of {n_suffix} tokens do not fit a pot of {pot.capacity}")
    if n_asked + max_new_tokens > pot.capacity and (
        n_asked > n_full or pot.budget < pot.n_prefix + n_suffix + 2 or n_stays + n_suffix + 2 >= n_full
    ):
        raise PotSizeError(
            f"an answer of {max_new_tokens} tokens does not fit beside {n_kept} entries and a question of {n_suffix}"
            f" (capacity {pot.capacity}), and the pot is too small to distill while answering"
        )


class _Decoding:
    """State of one answer."""

    def __init__(
        self, model: PreTrainedModel, pot: Pot, suffix: Sequence[int], max_new_tokens: int,
        chosen_by: Callable[[Tensor], int], attended: Attended | None, *, goes_on: bool,
    ) -> None:  # fmt: skip
        self.attended = attended
        self.chosen_by, self.goes_on = chosen_by, goes_on
        self.model, self.pot, self.max_new_tokens = model, pot, max_new_tokens
        self.port = port_of(model)
        self.suffix_start, self.suffix_end = pot.n_seen, pot.n_seen + len(suffix)
        if pot.policy.timing is Timing.AFTER_PROMPT:
            with self._watching():
                read_question(model, self.port, pot, suffix)
        elif suffix:
            self._consume(suffix)

    def decide(self, ids: Sequence[int]) -> None:
        """Let the answer be these tokens."""
        left = iter(ids)
        self.chosen_by = lambda _: next(left)
        self.max_new_tokens = min(self.max_new_tokens, len(ids))

    def run(self, stop_ids: frozenset[int], record: bool) -> Iterator[Step]:
        """Choose, yield, feed back."""
        for n_done in range(1, self.max_new_tokens + 1):
            step, novelty = self._choose(record)
            if step.token_id in stop_ids:
                return
            if self.attended is not None:
                self.attended.chose(step.token_id)
            yield step
            n_left = self.max_new_tokens - n_done
            if n_left or self.goes_on:
                self._make_room(n_left + self.goes_on)
                self._consume([step.token_id], novelty)

    def _consume(self, ids: Sequence[int], novelty: Tensor | None = None) -> None:
        with self._watching():
            absorb(self.model, self.port, self.pot, ids, novelty)

    def _watching(self) -> AbstractContextManager[None]:
        return self.attended.watching(self.model, self.pot) if self.attended is not None else nullcontext()

    @torch.no_grad()
    def _choose(self, record: bool) -> tuple[Step, Tensor]:
        assert self.pot.last_state is not None
        logits = head(self.model, self.pot.last_state[None])[0]
        token = self.chosen_by(logits)
        logprob = logits[token] - logits.logsumexp(dim=-1)
        return Step(token, float(logprob), self.pot.n_held, logits if record else None), -logprob[None]

    def _make_room(self, n_to_feed: int) -> None:
        """Distill while the catalyst still fits, if the rest of the answer might not.

        The next token still comes from the state before, since `last_state` is untouched by a distillation.
        """
        pot = self.pot
        if pot.policy.timing is not Timing.WHEN_FULL:
            return
        if pot.n_held + n_to_feed <= pot.capacity or pot.n_held < pot.capacity - len(pot.catalyst_ids):
            return
        n_suffix = self.suffix_end - self.suffix_start
        n_free = pot.capacity - len(pot.catalyst_ids) - n_staying(pot) - n_suffix
        n_recent = min(RECENT, (pot.budget - pot.n_prefix - n_suffix) // 2, max(1, n_free // 2))
        origins = pot.origins
        protected = (origins >= self.suffix_start) & (origins < self.suffix_end)
        protected |= (origins >= self.suffix_end) & (origins >= pot.n_seen - n_recent)
        distill(self.model, pot, protected=protected)
