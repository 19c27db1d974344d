"""How likely a model is to answer with each of many phrases, all weighed in one forward behind what a pot holds."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.consume import CHUNK
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
    first = head(model, pot.last_state[None])[0].log_softmax(dim=-1)
    likely = {ids: ends for ids, ends in phrases.items() if ids and float(first[ids[0]]) > -LEAST_LIKELY}
    stops = torch.tensor(sorted(stop_ids), dtype=torch.long, device=first.device)
    found: dict[tuple[int, ...], float] = {}
    if not len(stops):
        return found
    for tree in _trees(likely, pot.capacity - pot.n_held):
        steps, stopping = _steps(model, _states(model, pot, tree), tree, first, stops)
        paths: list[tuple[tuple[int, ...], float]] = []
        for node, (token, parent) in enumerate(zip(tree.tokens, tree.parents, strict=True)):
            ids, so_far = paths[parent] if parent >= 0 else ((), 0.0)
            paths.append(((*ids, token), so_far + steps[node]))
            if node in tree.ends:
                found[paths[-1][0]] = paths[-1][1] + stopping[node]
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


def _states(model: PreTrainedModel, pot: Pot, tree: _Tree) -> Tensor:
    """Final states of all nodes, (T, width), in forwards of no more than a chunk; the pot is afterwards as before."""
    n_held, seen, states = pot.n_held, tree.seen(), list[Tensor]()
    positions = n_held - 1 + seen.sum(dim=1)
    try:
        for at in range(0, len(seen), CHUNK):
            rows = seen[at : at + CHUNK, : at + CHUNK]
            hidden = torch.zeros((1, 1, len(rows), n_held + rows.shape[1]), dtype=model.dtype)
            hidden[0, 0, :, n_held:].masked_fill_(~rows, torch.finfo(model.dtype).min)
            told = {
                "attention_mask": hidden.to(model.device),
                "position_ids": positions[None, at : at + CHUNK].to(model.device),
            }
            ids = torch.tensor([tree.tokens[at : at + CHUNK]], device=model.device)
            states.append(forward(model, pot, ids, **told)[0])
    finally:
        pot.rewind(n_held)
    return torch.cat(states)


def _steps(
    model: PreTrainedModel, states: Tensor, tree: _Tree, first: Tensor, stops: Tensor
) -> tuple[list[float], list[float]]:
    """Log-probability of each node behind its parent, and of an end behind each node, nats.

    Only these are kept of what the head gives, a slice at a time: nodes times vocabulary would dwarf the pot.

    Args:
        model: has the head.
        states: of the nodes, (T, width).
        tree: has them.
        first: log-probabilities of the first token of a phrase, (V,).
        stops: tokens that end an answer, (S,).
    """
    tokens, parents = torch.tensor([tree.tokens, tree.parents], device=states.device)
    steps, stopping = first[tokens], list[Tensor]()
    size = rows_per_slice(port_of(model).vocabulary_size)
    for at in range(0, len(states), size):
        following = head(model, states[at : at + size]).log_softmax(dim=-1)
        behind = ((parents >= at) & (parents < at + size)).nonzero()[:, 0]
        steps[behind] = following[parents[behind] - at, tokens[behind]]
        stopping.append(following[:, stops].logsumexp(dim=-1))
        del following  # before the next, so that there is only one
    return steps.tolist(), torch.cat(stopping).tolist()
