"""The moment the question comes, for policies that choose what stays no sooner than that."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.consume import CHUNK, by_kv_head, consume
from infinipot_cli.engine.policies import Evidence
from infinipot_cli.engine.pot import Pot
from infinipot_cli.errors import PotSizeError
from infinipot_cli.model.attention import captured_votes
from infinipot_cli.model.port import Port


def read_both_ends(model: PreTrainedModel, port: Port, pot: Pot, n_more: int) -> None:
    """Read what fits beside `n_more` tokens of question and answer.

    Raises:
        PotSizeError: nothing fits.
    """
    held, room = pot.withheld, pot.capacity - pot.n_held - n_more
    n_held = 0 if held is None else held.n
    if room < min(2, n_held):
        raise PotSizeError(
            f"question and answer of {n_more} tokens leave no room in a pot of {pot.capacity}",
            hint="take a larger pot with -s, or a shorter answer with -n",
        )
    if held is None or not n_held:
        return
    head, tail = held.ends(room)
    start, end = pot.n_seen - n_held, pot.n_seen
    with _as_before_if_broken_off(pot):
        for first, ids in ((start, head), (end - len(tail), tail)):
            pot.n_seen = first
            for at in range(0, len(ids), CHUNK):
                consume(model, port, pot, ids[at : at + CHUNK])
    pot.n_seen, pot.withheld = end, None


def read_question(model: PreTrainedModel, port: Port, pot: Pot, suffix: Sequence[int]) -> None:
    """Read the question, let the last rows of the prompt vote, and keep as much as the capacity.

    Rows of the window that stand in front of the question were read before; they are taken back and read once more,
    since only then everything is there that they see.
    """
    n_window, latest = pot.policy.n_window, list(pot.latest_ids)
    n_again = max(0, min(n_window - len(suffix), len(latest)))
    ids = [*latest[len(latest) - n_again :], *suffix]
    window = ids[-n_window:]
    with _as_before_if_broken_off(pot):
        pot.rewind(pot.n_held - n_again)
        pot.n_seen -= n_again
        for at in range(0, len(ids) - n_window, CHUNK):
            consume(model, port, pot, ids[at : min(at + CHUNK, len(ids) - n_window)])
        with captured_votes(model, pot.n_held) as votes:
            consume(model, port, pot, window)
    if pot.n_held > pot.capacity:
        pot.reordered = pot.keep(pot.policy.keep(_evidence(pot, votes, len(window)), len(window)))


@contextmanager
def _as_before_if_broken_off(pot: Pot) -> Iterator[None]:
    """Leave a pot as it was where reading ends early; what is read again is written over with the same."""
    n_held, n_seen, state, latest = pot.n_held, pot.n_seen, pot.last_state, tuple(pot.latest_ids)
    try:
        yield
    except BaseException:
        pot.rewind(n_held)
        pot.n_seen, pot.last_state = n_seen, state
        pot.latest_ids.extend(latest)
        raise


def _evidence(pot: Pot, votes: dict[int, Tensor], n_window: int) -> Evidence:
    by_head = by_kv_head(votes, pot.n_kv_heads)
    device = by_head.device
    return Evidence(
        votes=torch.cat((by_head, by_head.new_zeros((*by_head.shape[:2], n_window))), dim=-1),
        novelty=pot.novelty.to(device),
        origins=pot.origins.to(device),
        keys=(),
        n_seen=pot.n_seen,
        capacity=pot.capacity,
    )
