"""Passages read once more in front of a question: what a pot holds of them was read long ago, among other entries.

Differs from the paper, which asks a pot as its last distillation has left it. The passages come from whoever has the
text; here they are token ids, and take places of the budget.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from infinipot_cli.engine.consume import consume
from infinipot_cli.engine.distill import distill
from infinipot_cli.engine.pot import Pot
from infinipot_cli.model.port import port_of


@dataclass(frozen=True)
class Reread:
    """A passage that was read again: which of those given, and the origin of its first token now."""

    number: int
    origin: int


@torch.no_grad()
def reread(
    model: PreTrainedModel, pot: Pot, passages: Sequence[Sequence[int]], *, n_kept: int, n_most: int | None = None,
    opening: Sequence[int] = (),
) -> list[Reread]:  # fmt: skip
    """Distil a pot and read passages behind what stays, the best first: what stands in front of it is read into it.

    Args:
        model: the model that filled the pot.
        pot: if it is distilled now, it holds no more than its budget with the passages, unless more must stay. One that
            shall keep no more than its prefix needs no catalyst to choose what stays.
        passages: token ids, the best first; those that find no room are left out.
        n_kept: entries that the pot keeps of its own.
        n_most: it is distilled only if it holds more than these, `n_kept` unless given.
        opening: token ids in front of the first passage, if any is read: what opens a turn of a conversation.

    Returns:
        The passages that were read, in the order of reading.

    Raises:
        PotSizeError: what must stay fills the pot.
    """
    room, chosen = pot.budget - n_kept - len(opening), list[int]()
    for number, passage in enumerate(passages):
        if 0 < len(passage) <= room:
            chosen.append(number)
            room -= len(passage)
    if not chosen:
        return []
    pot.favoured = []  # what was kept of them gives way to them
    if pot.n_held > max(n_kept, n_most or 0):
        if n_kept <= max(pot.n_prefix, 1) and _begins_alike(pot, n_kept):
            pot.rewind(n_kept)
        else:
            distill(model, pot, n_kept=n_kept)
    port, read = port_of(model), list[Reread]()
    for number in chosen:
        n_needed = len(passages[number]) + (len(opening) if not read else 0)
        if pot.n_held + n_needed > pot.capacity - len(pot.catalyst_ids):
            continue  # heads that share their places, and pins, may hold more than was wished
        if opening and not read:
            consume(model, port, pot, opening)
        read.append(Reread(number, pot.n_seen))
        consume(model, port, pot, passages[number])
    return read


def _begins_alike(pot: Pot, n: int) -> bool:
    """Whether every head begins with the first tokens of all, and may be left with nothing but these."""
    choice = pot.choice
    is_bound = bool(pot.pinned or choice.sinks or choice.recent or any(layer.is_local for layer in pot.pot_layers))
    if is_bound or pot.votes is not None:
        return False
    return bool((pot.origins[..., :n] == torch.arange(n, device=pot.origins.device)).all())
