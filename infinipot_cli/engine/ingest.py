"""Continual Context Distillation: fill the pot, distill when it is full and more is to come, read on (paper §3.2)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Self

from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine.consume import CHUNK, Hearing, consume, consume_and_hear, plain_ids
from infinipot_cli.engine.distill import distill
from infinipot_cli.engine.events import Consumed, Distilled
from infinipot_cli.engine.policies import Numbering, Policy, Timing, Voters
from infinipot_cli.engine.pot import Pot
from infinipot_cli.engine.stepwise import step_through
from infinipot_cli.errors import PotSizeError, UnsupportedModelError, UsageError
from infinipot_cli.model.masks import check_takes_masks_by_head
from infinipot_cli.model.port import Port, check_known, port_of
from infinipot_cli.model.rope import stable_length


class Reader:
    """Reads a stream of token ids into a pot of fixed size.

    Args:
        model: any rotary decoder of transformers.
        catalyst_ids: the catalyst prompt P; it takes the last |P| places of a full pot.
        prefix_ids: read first and always kept (chat header, BOS).
        capacity: |M|.
        budget: |C|.
        novelty_ratio: α.
        record: keep `pot.kept_history`.
        chunk: tokens per forward; changes speed and memory only.
        choice: settings beyond the paper.
        policy: who decides what stays; the paper by default.

    Raises:
        PotSizeError: the sizes do not fit each other.
        UsageError: a chunk of no tokens, or ids of more than one sequence.
        ModelError: the catalyst or the prefix holds tokens that the model does not know.
        UnsupportedModelError: the model cannot use a pot, or not one of this size under this policy.
    """

    def __init__(
        self, model: PreTrainedModel, *, catalyst_ids: Sequence[int], prefix_ids: Sequence[int] = (), capacity: int,
        budget: int, novelty_ratio: float = 0.5, record: bool = False, chunk: int = CHUNK,
        choice: Choice = PAPER, policy: Policy | None = None,
    ) -> None:  # fmt: skip
        if chunk < 1:
            raise UsageError(f"a chunk must hold at least 1 token, not {chunk}")
        self.model = model
        self.chunk = chunk
        self.port: Port = port_of(model)
        prefix = tuple(plain_ids(prefix_ids))
        self.pot = Pot(
            self.port.ropes, self.port.windows, self.port.n_kv_heads, capacity=capacity, budget=budget,
            novelty_ratio=novelty_ratio, catalyst_ids=tuple(plain_ids(catalyst_ids)), n_prefix=len(prefix),
            record=record, choice=choice, policy=policy,
        )  # fmt: skip
        check_known(self.pot.catalyst_ids, self.port)
        _check_model(model, self.port, self.pot)
        for _ in self.feed(prefix):
            pass

    @classmethod
    def resumed(cls, model: PreTrainedModel, pot: Pot, *, chunk: int = CHUNK) -> Self:
        """A reader that goes on with a pot which this model has filled."""
        reader = cls.__new__(cls)
        reader.model, reader.chunk, reader.port, reader.pot = model, chunk, port_of(model), pot
        return reader

    def feed(self, ids: Iterable[int]) -> Iterator[Consumed | Distilled]:
        """Read more tokens; a distillation happens only when more is to come, so none is wasted at the end.

        To know that, one token may have been taken that was not read yet: read on by going on with this iterator.

        Raises:
            PotSizeError: an answer from this very pot has taken the places of the catalyst.
            ModelError: there are tokens that the model does not know; the pot is as before these.
            UnsupportedModelError: the policy counts positions on to where the model turns its keys otherwise; likewise.
        """
        pot, stream = self.pot, plain_ids(ids)
        if pot.policy.timing is not Timing.WHEN_FULL:
            while taken := list(islice(stream, self.chunk)):
                if pot.policy.timing is Timing.CUT and pot.n_seen >= pot.n_prefix:
                    pot.withhold(taken)
                else:
                    absorb(self.model, self.port, pot, taken)
                yield Consumed(pot.n_seen, pot.n_held, pot.capacity)
            return
        yield from self._fill_and_distill(stream)

    def _fill_and_distill(self, stream: Iterator[int]) -> Iterator[Consumed | Distilled]:
        """Chunks until the pot is full, a distillation when more is to come, and on."""
        pot = self.pot
        n_full = pot.capacity - len(pot.catalyst_ids)
        ahead: list[int] = []
        hearing: Hearing | None = None
        while True:
            room = max(0, n_full - pot.n_held)
            taken = [*ahead, *islice(stream, min(self.chunk, room or 1) - len(ahead))]
            if not taken:
                return
            if not room:  # more than the budget may be kept: how much can follow is known once room has been made
                yield distill(self.model, pot, hearing=hearing)
                hearing, room = None, n_full - pot.n_held
                taken += islice(stream, min(self.chunk, room) - 1)
            # tokens that fill the pot bring the catalyst with them if it will be asked for, that is if more is to come
            fills = len(taken) == room and pot.policy.voters is Voters.CATALYST
            ahead = list(islice(stream, 1)) if fills else []
            if ahead:
                hearing = consume_and_hear(self.model, self.port, pot, taken)
            else:
                consume(self.model, self.port, pot, taken)
            yield Consumed(pot.n_seen, pot.n_held, pot.capacity)


def absorb(model: PreTrainedModel, port: Port, pot: Pot, ids: Sequence[int], novelty: Tensor | None = None) -> Tensor:
    """Bring tokens into a pot as its policy has it; arguments and result are those of `consume`.

    Where a full pot is distilled instead, the tokens must have room.
    """
    if pot.policy.timing is Timing.EVERY_TOKEN:
        check_known(ids, port)
        return step_through(model, pot, ids)
    return consume(model, port, pot, ids, novelty)


def _check_model(model: PreTrainedModel, port: Port, pot: Pot) -> None:
    """Refuse a model whose attention or positions do not go with the policy."""
    stable = stable_length(model)
    if stable is not None and pot.capacity > stable:
        raise PotSizeError(
            f"{model.config.model_type} turns its keys otherwise past {stable} positions, so no pot can be larger",
            hint=f"-s {stable}",
        )
    name, windows = model.config.model_type, [window for window in port.windows if window is not None]
    narrow = min((window for window in windows if window < pot.capacity), default=0)
    if narrow and pot.policy.timing is Timing.EVERY_TOKEN:
        raise UnsupportedModelError(
            f"some layers of {name} see {narrow} tokens only, and under this policy no pot can be larger",
            hint=f"-s {narrow}, or another --policy",
        )
    if pot.choice.spread:
        check_takes_masks_by_head(model)
    if pot.policy.numbering is not Numbering.GROUPED:
        return
    if windows:
        raise UnsupportedModelError(f"some layers of {name} see {min(windows)} tokens only, so none are far for them")
    if any(rope.is_in_values for rope in port.ropes) or stable is not None:
        raise UnsupportedModelError(f"the positions of {name} cannot be grouped", hint="another --policy")


def read(
    model: PreTrainedModel, document_ids: Iterable[int], *, catalyst_ids: Sequence[int],
    prefix_ids: Sequence[int] = (), capacity: int, budget: int, novelty_ratio: float = 0.5, record: bool = False,
    chunk: int = CHUNK, choice: Choice = PAPER, policy: Policy | None = None,
) -> Pot:  # fmt: skip
    """Read a document of any length into a pot, ready for the suffix.

    `document_ids` is any iterable of token ids; it is consumed once and never held. All other arguments, and the
    errors, are those of `Reader`.
    """
    reader = Reader(
        model, catalyst_ids=catalyst_ids, prefix_ids=prefix_ids, capacity=capacity, budget=budget,
        novelty_ratio=novelty_ratio, record=record, chunk=chunk, choice=choice, policy=policy,
    )  # fmt: skip
    for _ in reader.feed(document_ids):
        pass
    return reader.pot
