"""From a full pot one entry leaves for each token that comes: StreamingLLM, H2O, a sliding window.

Nothing moves inside the buffers while tokens go by: the newcomer takes the place of the entry that left, and once a run
of tokens is over all entries are put in order. Where entries are renumbered (the method's keys stand at their rank),
only their distances matter, so the token that comes stands one further, those behind the gap stay where they are, and
the few in front of it follow by one; all are turned from copies that were never rotated.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.consume import all_or_nothing, by_kv_head
from infinipot_cli.engine.forward import check_reach, forward
from infinipot_cli.engine.policies import Evidence, Numbering, Voters
from infinipot_cli.engine.pot import Pot
from infinipot_cli.errors import UnsupportedModelError
from infinipot_cli.model.attention import captured_columns, captured_last_row
from infinipot_cli.model.rope import stable_length


def most_ahead(model: PreTrainedModel, pot: Pot) -> int:
    """Tokens until entries are turned back to the first positions, so that numbers do not grow without an end.

    Raises:
        UnsupportedModelError: the model turns its keys otherwise from a position on that a full pot reaches.
    """
    wanted, stable = max(1, pot.capacity // 2), stable_length(model)
    if stable is None:
        return wanted
    if stable <= pot.capacity:
        raise UnsupportedModelError(
            f"{model.config.model_type} changes its rotation at {stable} tokens, so under this policy a pot must be"
            f" smaller than {pot.capacity} places",
            hint=f"-s {stable - 1}, or another --policy",
        )
    return min(wanted, stable - pot.capacity)


@torch.no_grad()
def step_through(model: PreTrainedModel, pot: Pot, ids: Sequence[int]) -> Tensor:
    """Read tokens: at once as far as the pot has room, then one by one; returns the last final state, (width,).

    Raises:
        UnsupportedModelError: the model turns its keys otherwise at positions that the tokens would come to.
    """
    pot.check_whole()
    if pot.policy.numbering is Numbering.ORIGINAL:
        check_reach(model, pot, len(ids))
    pot.reordered = None
    n_free = pot.capacity - pot.n_held
    state = _fill(model, pot, ids[:n_free]) if n_free else pot.last_state
    if len(ids) > n_free:
        with pot.changing():  # entries lose their order on the way
            state = _Steps(model, pot).run(ids[n_free:])
            pot.put_in_order()
    assert state is not None
    pot.last_state = state.clone()
    return pot.last_state


def _fill(model: PreTrainedModel, pot: Pot, ids: Sequence[int]) -> Tensor:
    tokens, n_before = torch.tensor([ids], device=model.device), pot.n_held
    with all_or_nothing(pot), _voters(model, pot) as rows:
        states = forward(model, pot, tokens)[0]
    with pot.changing():
        pot.note(torch.zeros(len(ids), device=states.device))
        if pot.policy.numbering is Numbering.RESET:
            for layer in pot.pot_layers:
                layer.note_plain(n_before)
    if rows:
        votes = by_kv_head(rows, pot.n_kv_heads)
        if pot.policy.voters is Voters.ALL and pot.votes is not None:
            votes[..., :n_before] += pot.votes[..., :n_before]
        pot.votes = votes
    return states[-1]


def _voters(model: PreTrainedModel, pot: Pot) -> AbstractContextManager[dict[int, Tensor]]:
    if pot.policy.voters is Voters.ALL:
        return captured_columns(model)
    return captured_last_row(model) if pot.policy.voters is Voters.LAST else nullcontext({})


class _Steps:
    """A run of single tokens through a full pot, whose entries lose their order on the way.

    Args:
        model: that reads.
        pot: full, and in order.
    """

    def __init__(self, model: PreTrainedModel, pot: Pot) -> None:
        self.model, self.pot = model, pot
        self.resets = pot.policy.numbering is Numbering.RESET
        self.origins = pot.origins
        self.no_scores = torch.zeros_like(self.origins, dtype=torch.float32)
        self.most_ahead = most_ahead(model, pot)
        self._number()

    def run(self, ids: Sequence[int]) -> Tensor:
        """Read the tokens; returns the final state of the last."""
        state = torch.empty(0)
        for token in ids:
            if self.first >= self.pot.capacity + self.most_ahead:
                self.pot.put_in_order()
                self.origins = self.pot.origins
                self._number()
            state = self._step(token)
        return state

    def _number(self) -> None:
        """Entries stand in order, at their places; the next token stands behind them, if numbers are reset."""
        self.first = self.pot.capacity
        self.positions = torch.arange(self.pot.n_held, device=self.origins.device).expand_as(self.origins).clone()

    def _step(self, token: int) -> Tensor:
        pot, n_before = self.pot, self.pot.n_held
        leaving = pot.policy.evict(self._evidence())
        if self.resets:
            self._close_up(leaving)
        try:
            for number, layer in enumerate(pot.pot_layers):
                layer.vacate(leaving[number])
            ids = torch.tensor([[token]], device=self.model.device)
            position = self.first if self.resets else pot.n_seen
            with _voters(self.model, pot) as rows:
                states = forward(self.model, pot, ids, position_ids=torch.full_like(ids, position))
        except BaseException:
            pot.rewind(n_before)
            for layer in pot.pot_layers:
                layer.hole = None
            raise
        self.origins.scatter_(-1, leaving[..., None], pot.n_seen)
        pot.replace_notes(leaving)
        if self.resets:
            self.positions.scatter_(-1, leaving[..., None], self.first)
            for number, layer in enumerate(pot.pot_layers):
                layer.note_newest(leaving[number], self.first)
            self.first += 1
        if rows:
            self._vote(by_kv_head(rows, pot.n_kv_heads), leaving)
        return states[0, -1]

    def _evidence(self) -> Evidence:
        votes = self.pot.votes if self.pot.votes is not None else self.no_scores
        return Evidence(votes, self.no_scores, self.origins, (), self.pot.n_seen, self.pot.capacity)

    def _close_up(self, leaving: Tensor) -> None:
        """Let the entries in front of those that leave, (L, K), follow the token that comes by one position."""
        is_older = self.origins < self.origins.gather(-1, leaving[..., None])
        n_moving = int(is_older.sum(-1).max())
        if not n_moving:
            return
        places = self.origins.topk(n_moving, largest=False).indices
        moved = self.positions.gather(-1, places) + is_older.gather(-1, places)
        self.positions.scatter_(-1, places, moved)
        for number, layer in enumerate(self.pot.pot_layers):
            layer.turn(places[number], moved[number])

    def _vote(self, row: Tensor, taken: Tensor) -> None:
        pot = self.pot
        if pot.policy.voters is Voters.ALL and pot.votes is not None:
            row = row + pot.votes.scatter(-1, taken[..., None], 0.0)
        pot.votes = row
