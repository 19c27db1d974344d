"""The one forward pass by which anything is read into a pot."""

from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, nn
from transformers import PreTrainedModel

from infinipot_cli.engine.pot import Pot
from infinipot_cli.model.cache_name import handed
from infinipot_cli.model.masks import columns_hidden
from infinipot_cli.model.port import body


def forward(model: PreTrainedModel, pot: Pot, ids: Tensor, **told: Tensor) -> Tensor:
    """Final states, (1, T, width), of ids (1, T) that are read into a pot behind what it holds; where the ids are.

    Where they do not follow one another, the model is `told` their positions and what they see.
    """
    hidden: AbstractContextManager[None] = nullcontext()
    if pot.n_empty is not None:
        hidden = columns_hidden(model, pot.n_empty)
    decoder: nn.Module = body(model)
    with hidden:
        states: Tensor = decoder(
            input_ids=ids, use_cache=True, **handed(decoder, pot), **(told or pot.positions(ids))
        ).last_hidden_state
    return states.to(ids.device)  # a model spread over several devices leaves them on the last
