"""How likely a model is to answer with each of many phrases, all weighed in one forward behind what a pot holds."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.forward import forward
from infinipot_cli.engine.policies import Numbering
from infinipot_cli.engine.pot import Pot
from infinipot_cli.model.attention import implementation
from infinipot_cli.model.head import head, rows_per_slice
from infinipot_cli.model.port import port_of

# Phrases whose first token is less likely than this, in nats, are left out without a forward.
LEAST_LIKELY = 6.0


class _Tree:
    """Phrases as a tree of tokens: those that begin alike share their beginning.

    Attributes:
        tokens: of each node, parents before their children.
        parents: node in front of each; -1 for the first token of a phrase.
        ends: nodes behind which an answer may end.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.ends: set[int] = set()
        self._children: dict[tuple[int, int], int] = {}

    def add(self, ids: Sequence[int], ends: Collection[int]) -> None:
        """Take a phrase, and the numbers of its tokens behind which an answer may end."""
        node = -1
        for number, token in enumerate(ids, start=1):
            following = self._children.setdefault((node, token), len(self.tokens))
            if following == len(self.tokens):
                self.tokens.append(token)
                self.parents.append(node)
            node = following
            if number in ends:
                self.ends.add(node)

    def seen(self) -> Tensor:
        """Which nodes each node sees: itself and those in front of it, boolean, (T, T)."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return seen


def can_weigh(model: PreTrainedModel, pot: Pot) -> bool:
    """Whether a model's attention can be told which phrase a token belongs to, and a pot gives each its position."""
    takes_masks = implementation(model) in ("sdpa", "eager")
    is_reset = pot.policy.numbering is Numbering.RESET
    return takes_masks and is_reset and not any(layer.is_local for layer in pot.pot_layers)


@torch.no_grad()
def weigh(
    model: PreTrainedModel, pot: Pot, phrases: Mapping[tuple[int, ...], Collection[int]], stop_ids: Collection[int]
) -> dict[tuple[int, ...], float]:
    """Log-probability, in nats, that the answer is exactly one of these phrases.

    Args:
        model: the model that filled the pot.
        pot: has read the question; it is afterwards as before.
        phrases: token ids, and after how many of them an answer may end.
        stop_ids: tokens that end an answer.

    Returns:
        Those that are likely at all, by their token ids up to where they end.
    """
    assert can_weigh(model, pot), "whoever asks has asked this before"
    assert pot.last_state is not None, "the question was not read yet"
    first = _log_probabilities(model, pot.last_state[None])[0]
    likely = {ids: ends for ids, ends in phrases.items() if ids and float(first[ids[0]]) > -LEAST_LIKELY}
    stops = torch.tensor(sorted(stop_ids), dtype=torch.long, device=first.device)
    found: dict[tuple[int, ...], float] = {}
    if not len(stops):
        return found
    for tree in _trees(likely, pot.capacity - pot.n_held):
        following = _following(model, pot, tree)
        paths: list[tuple[tuple[int, ...], float]] = []
        for node, (token, parent) in enumerate(zip(tree.tokens, tree.parents, strict=True)):
            ids, so_far = paths[parent] if parent >= 0 else ((), 0.0)
            row = following[parent] if parent >= 0 else first
            paths.append(((*ids, token), so_far + float(row[token])))
            if node in tree.ends:
                found[paths[-1][0]] = paths[-1][1] + float(following[node, stops].logsumexp(dim=-1))
    return found


def _trees(phrases: Mapping[tuple[int, ...], Collection[int]], room: int) -> Iterator[_Tree]:
    """All phrases, in trees that a forward has room for; what is longer than the room is cut there."""
    tree = _Tree()
    for ids in sorted(phrases):
        if tree.tokens and len(tree.tokens) + len(ids) > room:
            yield tree
            tree = _Tree()
        tree.add(ids[:room], phrases[ids])
    if tree.tokens:
        yield tree


def _following(model: PreTrainedModel, pot: Pot, tree: _Tree) -> Tensor:
    """What follows each node, log-probabilities, (T, V)."""
    n_held, seen = pot.n_held, tree.seen()
    hidden = torch.zeros((1, 1, len(seen), n_held + len(seen)), dtype=model.dtype)
    hidden[0, 0, :, n_held:].masked_fill_(~seen, torch.finfo(model.dtype).min)
    told = {
        "attention_mask": hidden.to(model.device),
        "position_ids": (n_held - 1 + seen.sum(dim=1))[None].to(model.device),
    }
    try:
        states = forward(model, pot, torch.tensor([tree.tokens], device=model.device), **told)[0]
    finally:
        pot.rewind(n_held)
    return _log_probabilities(model, states)


def _log_probabilities(model: PreTrainedModel, states: Tensor) -> Tensor:
    size = rows_per_slice(port_of(model).vocabulary_size)
    parts = [head(model, states[at : at + size]).log_softmax(dim=-1) for at in range(0, len(states), size)]
    return torch.cat(parts)
