"""One forward of new tokens into the pot, and how surprising they were to it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.grouped import grouped_attention
from infinipot_cli.engine.policies import Numbering, Timing, Voters
from infinipot_cli.engine.pot import Pot
from infinipot_cli.errors import UsageError
from infinipot_cli.model.attention import captured_last_row
from infinipot_cli.model.head import negative_log_likelihood
from infinipot_cli.model.port import Port, body


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
    looks = pot.policy.timing is Timing.WHEN_FULL and pot.policy.voters is Voters.LAST
    rows: dict[int, Tensor] = {}
    pot.reordered = None
    try:
        with ExitStack() as stack:
            if looks:
                rows = stack.enter_context(captured_last_row(model))
            if pot.policy.numbering is Numbering.GROUPED:
                group, near = pot.policy.grouping(port.context_length or pot.capacity)
                pot.rows = stack.enter_context(grouped_attention(model, pot, group=group, near=near))
            output = body(model)(
                input_ids=tokens[None], past_key_values=pot, use_cache=True, **pot.positions(tokens[None])
            )
        states: Tensor = output.last_hidden_state[0]
        if novelty is None:
            novelty = _novelty(model, port, pot, tokens, states)
    except BaseException:
        pot.rewind(n_before)  # some layers have the tokens already, others not
        raise
    pot.note(novelty)
    pot.latest_ids.extend(ids)
    if looks:
        pot.votes = by_kv_head(rows, pot.n_kv_heads, group_max=pot.choice.group_max)
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


def by_kv_head(rows: Mapping[int, Tensor], n_kv_heads: int, *, group_max: bool = False) -> Tensor:
    """Rows of query heads (H, N) by layer to votes of each KV head's group, (L, K, N): their sum, or the highest."""
    device = rows[0].device
    by_group: Tensor = torch.stack([rows[number].to(device) for number in sorted(rows)]).unflatten(1, (n_kv_heads, -1))
    return by_group.amax(2) if group_max else by_group.sum(2)
