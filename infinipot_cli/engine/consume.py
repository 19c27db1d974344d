"""One forward of new tokens into the pot, how surprising they were to it, and what the catalyst makes of it then."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.forward import forward
from infinipot_cli.engine.grouped import grouped_attention
from infinipot_cli.engine.importance import ranked
from infinipot_cli.engine.policies import Numbering, Timing, Voters
from infinipot_cli.engine.pot import Pot
from infinipot_cli.errors import UsageError
from infinipot_cli.model.attention import captured_last_row, captured_votes
from infinipot_cli.model.device import clock
from infinipot_cli.model.head import negative_log_likelihood
from infinipot_cli.model.port import Port, check_known

# Tokens of one forward, which bounds what it needs beside the pot.
CHUNK = 512


@dataclass(frozen=True)
class Hearing:
    """What the catalyst said of the entries held.

    Attributes:
        votes: its attention to each, fp32, (L, K, n_held).
        seconds: wall time of counting them, and the catalyst's share, by rows, of the forward it was part of.
    """

    votes: Tensor
    seconds: float


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

    Their novelty is computed unless the caller knows it already, nats, (T,). Interrupted, the pot is as before.
    """
    looks = pot.policy.timing is Timing.WHEN_FULL and pot.policy.voters is Voters.LAST
    rows: dict[int, Tensor] = {}
    with ExitStack() as stack:
        if looks:
            rows = stack.enter_context(captured_last_row(model))
        if pot.policy.numbering is Numbering.GROUPED:
            group, near = pot.policy.grouping(port.context_length or pot.capacity)
            pot.rows = stack.enter_context(grouped_attention(model, pot, group=group, near=near))
        check_known(ids, port)
        with all_or_nothing(pot):
            states = _read(model, pot, ids)
            if novelty is None:
                novelty = _novelty(model, port, pot, ids, states)
            elif pot.choice.rank:
                novelty = ranked(novelty)
        _note(pot, ids, novelty, states)
    if looks:
        pot.votes = by_kv_head(rows, pot.n_kv_heads, group_max=pot.choice.group_max)
    assert pot.last_state is not None
    return pot.last_state


@torch.no_grad()
def consume_and_hear(model: PreTrainedModel, port: Port, pot: Pot, ids: Sequence[int]) -> Hearing:
    """As `consume`, with the catalyst's rows behind the tokens; returns what it has said of all entries.

    For tokens that fill the pot when a distillation follows: the catalyst sees and leaves what it would see and leave
    in a forward of its own, and the weights of the model are gone through once instead of twice.
    """
    catalyst, n_held = pot.catalyst_ids, pot.n_held + len(ids)
    check_known([*ids, *catalyst], port)
    with all_or_nothing(pot):
        start = clock(model.device)
        with captured_votes(model, n_held, group_max=pot.choice.group_max, n_rows=len(catalyst)) as votes:
            states = _read(model, pot, ids, behind=catalyst)
        spent = clock(model.device) - start - votes.seconds
        novelty = _novelty(model, port, pot, ids, states)
    pot.rewind(n_held)
    _note(pot, ids, novelty, states)
    seconds = votes.seconds + spent * len(catalyst) / (len(ids) + len(catalyst))
    return Hearing(by_kv_head(votes, pot.n_kv_heads, group_max=pot.choice.group_max), seconds)


@contextmanager
def all_or_nothing(pot: Pot) -> Iterator[None]:
    """Leave a whole pot as it was where a forward ends early: some layers have its tokens then, others not."""
    pot.check_whole()
    n_before = pot.n_held
    try:
        yield
    except BaseException:
        pot.rewind(n_before)
        raise


def _read(model: PreTrainedModel, pot: Pot, ids: Sequence[int], *, behind: Sequence[int] = ()) -> Tensor:
    """Bring T tokens into the pot, with those `behind` them, which see it all; final states of the T, (T, width)."""
    pot.reordered = None
    return forward(model, pot, torch.tensor([[*ids, *behind]], device=model.device))[0, : len(ids)]


def _note(pot: Pot, ids: Sequence[int], novelty: Tensor, states: Tensor) -> None:
    """What a pot remembers of T tokens beside their entries: novelty (T,), the tokens, the last of their states."""
    pot.note(novelty, ids)
    pot.latest_ids.extend(ids)
    pot.last_state = states[-1].clone()  # a view would keep the whole chunk alive


def _novelty(model: PreTrainedModel, port: Port, pot: Pot, ids: Sequence[int], states: Tensor) -> Tensor:
    """Novelty under Compression of new tokens: −log P given the pot that read them, (T,), nats, fp32.

    Paper: InfiniPot §3.3.2, Eq. 4. Differs: entries of the compressed region keep the score from when they were read,
    since after the first cycle heads hold different tokens and no sequence is left to score again; `Choice.renew` does
    so as far as that goes. The very first token of all counts as most novel; the first after a distillation is
    scored by the state before it.
    """
    tokens = torch.tensor(ids, device=states.device)
    if pot.novelty_ratio == 0:
        return torch.zeros(len(tokens), device=states.device)
    if pot.last_state is None:
        first = torch.full((1,), float("inf"), device=states.device)
        predicting, targets = states[:-1], tokens[1:]
    else:
        first = torch.empty(0, device=states.device)
        predicting, targets = torch.cat((pot.last_state[None], states[:-1])), tokens
    found = torch.cat((first, negative_log_likelihood(model, predicting, targets, port.vocabulary_size)))
    return ranked(found) if pot.choice.rank else found


def by_kv_head(rows: Mapping[int, Tensor], n_kv_heads: int, *, group_max: bool = False) -> Tensor:
    """Rows of query heads (H, N) by layer to votes of each KV head's group, (L, K, N): their sum, or the highest."""
    # latent attention spreads one cached head over all query heads; their votes meet again where the entries are
    device = rows[0].device
    by_group: Tensor = torch.stack([rows[number].to(device) for number in sorted(rows)]).unflatten(1, (n_kv_heads, -1))
    return by_group.amax(2) if group_max else by_group.sum(2)
