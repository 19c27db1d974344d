"""Novelty found again against the compressed context: the second case of the paper's Eq. 4.

After a distillation heads hold different tokens, so there is no one text left to score. There is one question left,
though, that has an answer for each token: how surprising is it to a model that sees, in every layer and head, what that
head still holds of what came before? So the tokens that any head holds are read once more, each as a row of its own
that sees older entries of the pot and itself; each row predicts the next token of that list. A row stands in every head
where its token stands or would stand. In a pot from which nothing was dropped this is the novelty that was found when
the tokens were read; heads that agree on what they hold get the equation word for word.
"""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.consume import CHUNK
from infinipot_cli.engine.importance import ranked
from infinipot_cli.engine.layer import PotLayer
from infinipot_cli.engine.policies import Numbering
from infinipot_cli.engine.pot import Pot
from infinipot_cli.errors import UnsupportedModelError
from infinipot_cli.model.attention import ROWS_AT_ONCE, Heard, products, replaced_attention
from infinipot_cli.model.cache_name import handed
from infinipot_cli.model.head import negative_log_likelihood
from infinipot_cli.model.port import Port, body


@torch.no_grad()
def renewed_novelty(model: PreTrainedModel, port: Port, pot: Pot) -> Tensor:
    """Novelty of every entry given what the pot holds of what came before it, nats, fp32, (L, K, n_held).

    Paper: InfiniPot §3.3.2, Eq. 4, second case. The prefix, which stays whatever its novelty, and the first of all
    tokens, before which there is nothing, keep theirs. Costs one forward of as many rows as tokens are held by any
    head, at most L · K · |C|, in pieces that fit the free places of the pot and are no longer than a chunk, and the
    head over them. Beside the pot it takes what reading a chunk takes, and K · 512 · |C| bytes while a layer runs.

    Args:
        model: the model that filled the pot.
        port: of the model.
        pot: has a free place, and remembers its tokens; it is the same afterwards.

    Raises:
        UnsupportedModelError: the model's latent attention lays its rotated part out in a way that is not known.
    """
    carried = pot.novelty
    origins = pot.origins.to(carried.device)
    known = pot.text
    text = torch.tensor(known, device=origins.device)
    ids = torch.tensor([pot.token_ids[origin] for origin in known], device=model.device)
    first = max(0, int((text < pot.n_prefix).sum()) - 1)
    scored = text[first + 1 :]
    if not len(scored):
        return carried
    states = _reread(model, port, pot, text[first:-1], ids[first:-1])
    found = negative_log_likelihood(model, states, ids[first + 1 :].to(states.device), port.vocabulary_size)
    found = (ranked(found) if pot.choice.rank else found).to(carried.device)
    places = torch.searchsorted(scored, origins).clamp(max=len(scored) - 1)
    return torch.where(scored[places] == origins, found[places], carried)


def _reread(model: PreTrainedModel, port: Port, pot: Pot, origins: Tensor, ids: Tensor) -> Tensor:
    """Final states of tokens that were read before, (R, width), by origin and id; each sees what came before it."""
    decoder, n_held, states = body(model), pot.n_held, []
    size = min(pot.capacity - n_held, CHUNK)
    assert size > 0
    for at in range(0, len(ids), size):
        rows, fed = origins[at : at + size], ids[None, at : at + size]
        numbered = {} if pot.policy.numbering is Numbering.RESET else {"position_ids": rows[None].to(model.device)}
        looking = _Looking(port, pot, rows)
        try:
            with replaced_attention(model, looking.attend):
                output = decoder(input_ids=fed, use_cache=True, **handed(decoder, pot), **numbered)
        finally:
            pot.rewind(n_held)
        states.append(output.last_hidden_state[0].to(ids.device))
    return torch.cat(states)


class _Looking:
    """Attention of rows that see older entries and themselves, but not each other.

    Args:
        port: of the model.
        pot: where the entries are.
        rows: origin of each row, ascending, (R,).
    """

    def __init__(self, port: Port, pot: Pot, rows: Tensor) -> None:
        self.port, self.pot, self.n_held = port, pot, pot.n_held
        self.origins, self.rows = pot.origins, rows

    def attend(self, heard: Heard) -> Tensor:
        """Output of one layer, (1, R, H, E)."""
        layer, n = self.pot.pot_layers[heard.layer], self.n_held
        origins, rows = self.origins[heard.layer].to(heard.query.device)[:, None], self.rows.to(heard.query.device)
        seen = origins < rows[:, None]  # (K, R, N), empty places as well
        at = seen.sum(-1)  # where each row's token stands or would stand, (K, R)
        seen = seen & (origins >= 0)
        window = self.port.windows[heard.layer]
        if window is not None:
            seen = seen & (torch.arange(n, device=at.device) > at[..., None] - window)
        query = heard.query.float()
        if self.pot.policy.numbering is Numbering.RESET:
            query = _turned(layer, heard, n, at)
        parts = [
            _mixed(heard, query[:, :, piece], seen[:, piece], piece, n)
            for start in range(0, query.shape[2], ROWS_AT_ONCE)
            for piece in [slice(start, start + ROWS_AT_ONCE)]
        ]
        return torch.cat(parts, dim=1)


def _turned(layer: PotLayer, heard: Heard, n_held: int, at: Tensor) -> Tensor:
    """Queries (1, H, R, D), which stand behind all entries, at their places (K, R) in each head; fp32."""
    query = heard.query.float()
    own = torch.arange(n_held, n_held + query.shape[2], device=query.device)
    places = at.repeat_interleave(query.shape[1] // len(at), dim=0)[None]
    if not layer.rope.is_in_values:
        return layer.rope.rotate(layer.rope.rotate(query, own, inverse=True), places)
    # latent attention: what turns lies behind what does not, in queries as in keys
    latest = layer.turning[:, :, n_held : n_held + query.shape[2]]
    width = latest.shape[-1]
    if not torch.equal(heard.key[:, :, n_held:, -width:], latest.expand(-1, heard.key.shape[1], -1, -1)):
        raise UnsupportedModelError("the rotated part of this model's latent attention is not where others have it")
    turning = layer.rope.rotate(layer.rope.rotate(query[..., -width:], own, inverse=True), places)
    return torch.cat((query[..., :-width], turning), dim=-1)


def _mixed(heard: Heard, query: Tensor, seen: Tensor, rows: slice, n: int) -> Tensor:
    """What some rows attend to, (1, R, H, E).

    Args:
        heard: of all rows.
        query: of these, turned to their places, fp32, (1, H, R, D).
        seen: entries that each may see, (K, R, N).
        rows: which rows these are.
        n: entries held.
    """
    scaling, softcap, sinks = (heard.scoring[name] for name in ("scaling", "softcap", "sinks"))
    n_kv, n_rows = heard.key.shape[1], query.shape[2]
    found = products(query, heard.key[:, :, :n], scaling, softcap)
    # a row and its own key stand at one place wherever that is, so their product needs no turning
    own_query, own_key = heard.query[0, :, rows].float(), heard.key[0, :, n:][:, rows].float()
    own = scaling * (own_query.unflatten(0, (n_kv, -1)) * own_key[:, None]).sum(-1)
    own = own if softcap is None else softcap * torch.tanh(own / softcap)
    seen = seen.repeat_interleave(n_kv // len(seen), dim=0)[:, None]
    logits = [found.masked_fill_(~seen, float("-inf")), own[..., None]]
    if sinks is not None:
        logits.append(sinks.float().view(n_kv, -1, 1, 1).expand(-1, -1, n_rows, 1))
    weights = torch.cat(logits, dim=-1).softmax(dim=-1)
    values = heard.value[0].float()
    mixed = torch.bmm(weights[..., :n].flatten(1, 2), values[:, :n]).view(n_kv, -1, n_rows, values.shape[-1])
    mixed += weights[..., n : n + 1] * values[:, None, n:][:, :, rows]
    return mixed.flatten(0, 1).transpose(0, 1)[None].to(heard.value.dtype)
