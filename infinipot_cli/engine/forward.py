"""The one forward pass by which anything is read into a pot."""

from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, nn
from transformers import PreTrainedModel

from infinipot_cli.engine.policies import Numbering
from infinipot_cli.engine.pot import Pot
from infinipot_cli.errors import UnsupportedModelError
from infinipot_cli.model.cache_name import handed
from infinipot_cli.model.masks import columns_hidden
from infinipot_cli.model.port import body
from infinipot_cli.model.rope import stable_length


def forward(model: PreTrainedModel, pot: Pot, ids: Tensor, **told: Tensor) -> Tensor:
    """Final states, (1, T, width), of ids (1, T) that are read into a pot behind what it holds; where the ids are.

    Where they do not follow one another, the model is `told` their positions and what they see.

    Raises:
        UnsupportedModelError: they would go past where the model turns its keys otherwise; nothing was read.
    """
    if not told:
        check_reach(model, pot, ids.shape[1])
    hidden: AbstractContextManager[None] = nullcontext()
    if pot.n_empty is not None:
        hidden = columns_hidden(model, pot.n_empty)
    decoder: nn.Module = body(model)
    with hidden:
        states: Tensor = decoder(
            input_ids=ids, use_cache=True, **handed(decoder, pot), **(told or pot.positions(ids))
        ).last_hidden_state
    return states.to(ids.device)  # a model spread over several devices leaves them on the last


def check_reach(model: PreTrainedModel, pot: Pot, n_new: int) -> None:
    """Refuse tokens at positions from which on a model turns its keys otherwise: those held are turned as before.

    Args:
        model: that reads.
        pot: before them.
        n_new: how many are read next, one behind the other.

    Raises:
        UnsupportedModelError: the last of them stands past the model's stable length.
    """
    goes_on = pot.policy.numbering is Numbering.ORIGINAL
    stable, end = stable_length(model), (pot.n_seen if goes_on else pot.n_held) + n_new
    if stable is None or end <= stable:
        return
    is_set = goes_on and getattr(pot.policy, "reset", True) is False
    raise UnsupportedModelError(
        f"{model.config.model_type} turns its keys otherwise past {stable} positions, and this policy goes past them",
        hint=("leave --set reset=off out, or take " if is_set else "") + "another --policy",
    )
