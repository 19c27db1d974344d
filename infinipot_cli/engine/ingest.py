"""Continual Context Distillation: fill the pot, distill when it is full and more is to come, read on (paper §3.2)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine.distill import distill
from infinipot_cli.engine.events import Consumed, Distilled
from infinipot_cli.engine.pot import Pot
from infinipot_cli.errors import UsageError
from infinipot_cli.model.head import negative_log_likelihood
from infinipot_cli.model.port import Port, body, port_of

CHUNK = 512


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

    Raises:
        PotSizeError: the sizes do not fit each other.
        UsageError: a chunk of no tokens, or ids of more than one sequence.
        UnsupportedModelError: the model cannot use a pot.
    """

    def __init__(
        self, model: PreTrainedModel, *, catalyst_ids: Sequence[int], prefix_ids: Sequence[int] = (), capacity: int,
        budget: int, novelty_ratio: float = 0.5, record: bool = False, chunk: int = CHUNK,
        choice: Choice = PAPER,
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
            record=record, choice=choice,
        )  # fmt: skip
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

        Raises:
            PotSizeError: an answer from this very pot has taken the places of the catalyst.
        """
        pot, stream = self.pot, plain_ids(ids)
        n_full = pot.capacity - len(pot.catalyst_ids)
        while True:
            room = max(0, n_full - pot.n_held)
            # never more than the next forward can take, so that no forward is cut in two by a full pot
            taken = list(islice(stream, min(self.chunk, room or n_full - pot.budget)))
            if not taken:
                return
            if not room:
                yield distill(self.model, pot)
            consume(self.model, self.port, pot, taken)
            yield Consumed(pot.n_seen, pot.n_held, pot.capacity)


def plain_ids(ids: Iterable[int]) -> Iterator[int]:
    """Token ids one by one, from any iterable or from a tensor of shape (T,) or (1, T).

    Raises:
        UsageError: a tensor holds several sequences; a pot reads one.
    """
    if not isinstance(ids, Tensor):
        return map(int, ids)
    if ids.ndim > 1 and ids.shape[0] != 1:
        raise UsageError(f"a pot reads one sequence of token ids, not a tensor of shape {tuple(ids.shape)}")
    return iter(ids.flatten().tolist())  # far faster than one small tensor after the other


@torch.no_grad()
def consume(model: PreTrainedModel, port: Port, pot: Pot, ids: Sequence[int], novelty: Tensor | None = None) -> Tensor:
    """One forward of T tokens into the pot; returns the final hidden state of the last, (width,).

    Their novelty is computed unless the caller knows it already, (T,). Interrupted, the pot is as before.
    """
    tokens, n_before = torch.tensor(ids, device=model.device), pot.n_held
    try:
        states: Tensor = body(model)(input_ids=tokens[None], past_key_values=pot, use_cache=True).last_hidden_state[0]
        if novelty is None:
            novelty = _novelty(model, port, pot, tokens, states)
    except BaseException:
        pot.rewind(n_before)  # some layers have the tokens already, others not
        raise
    pot.note(novelty)
    pot.last_state = states[-1].clone()  # a view would keep the whole chunk alive
    return pot.last_state


def _novelty(model: PreTrainedModel, port: Port, pot: Pot, tokens: Tensor, states: Tensor) -> Tensor:
    """Novelty under Compression of new tokens: −log P given the pot that read them, (T,), nats, fp32.

    Paper: InfiniPot §3.3.2, Eq. 4. Differs: entries of the compressed region keep the score from when they were read,
    since after the first cycle heads hold different tokens and no sequence is left to score again. The very first token
    of all counts as most novel; the first after a distillation is scored by the state before it.
    """
    if pot.novelty_ratio == 0:
        return torch.zeros(len(tokens), device=states.device)
    if pot.last_state is None:
        first = torch.full((1,), float("inf"), device=states.device)
        predicting, targets = states[:-1], tokens[1:]
    else:
        first = torch.empty(0, device=states.device)
        predicting, targets = torch.cat((pot.last_state[None], states[:-1])), tokens
    found = torch.cat((first, negative_log_likelihood(model, predicting, targets, port.vocabulary_size)))
    return found.argsort().argsort() / max(1, len(found) - 1) if pot.choice.rank else found


def read(
    model: PreTrainedModel, document_ids: Iterable[int], *, catalyst_ids: Sequence[int],
    prefix_ids: Sequence[int] = (), capacity: int, budget: int, novelty_ratio: float = 0.5, record: bool = False,
    chunk: int = CHUNK, choice: Choice = PAPER,
) -> Pot:  # fmt: skip
    """Read a document of any length into a pot, ready for the suffix.

    `document_ids` is any iterable of token ids; it is consumed once and never held. All other arguments, and the
    errors, are those of `Reader`.
    """
    reader = Reader(
        model, catalyst_ids=catalyst_ids, prefix_ids=prefix_ids, capacity=capacity, budget=budget,
        novelty_ratio=novelty_ratio, record=record, chunk=chunk, choice=choice,
    )  # fmt: skip
    for _ in reader.feed(document_ids):
        pass
    return reader.pot
