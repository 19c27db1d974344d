"""The language part of a model that also sees pictures or hears sound, as a model of its own.

Such a model is a decoder of text with encoders in front of it, which turn a picture into rows that stand among the
embeddings of tokens. Without pictures it computes what its decoder computes, so the decoder alone can use a pot.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.modeling_outputs import CausalLMOutput

from infinipot_cli.errors import UnsupportedModelError
from infinipot_cli.model.cache_name import handed
from infinipot_cli.model.kinds import WANTED


def whole_class(config: PretrainedConfig) -> type[PreTrainedModel] | None:
    """The class of a whole model with encoders, as its configuration names it; None where transformers has none."""
    import transformers

    for name in config.architectures or ():
        found = getattr(transformers, name, None)
        if isinstance(found, type) and issubclass(found, PreTrainedModel):
            return found
    return None


@torch.no_grad()
def text_part(whole: PreTrainedModel, name: str) -> PreTrainedModel:
    """Take the decoder of text and its head out of a whole model; the encoders are left behind.

    Args:
        whole: in evaluation mode, on its device.
        name: what the user calls it.

    Returns:
        A model of transformers' own class for that decoder where there is one, else the decoder with its head alone,
        which is proved to give the logits of the whole model.

    Raises:
        UnsupportedModelError: it has no such parts, or its head does more than multiply.
    """
    decoder, head = whole.get_decoder(), whole.get_output_embeddings()
    config = whole.config.get_text_config(decoder=True)
    if not isinstance(decoder, PreTrainedModel) or decoder is whole or not isinstance(head, nn.Module):
        raise UnsupportedModelError(
            f"{name} cannot use a pot: its language part cannot be told from the rest", hint=WANTED
        )
    part = _of_known_class(config, decoder, head)
    if part is None:
        part = _DecoderAndHead(config, decoder, head)
        ids = torch.arange(2, 10, device=whole.device)[None] % config.vocab_size
        found = (model(input_ids=ids, use_cache=False).logits for model in (part, whole))
        mine, theirs = (logits.to(ids.device).float() for logits in found)
        if not torch.allclose(mine, theirs, rtol=1e-3, atol=1e-3):
            raise UnsupportedModelError(f"{name} cannot use a pot: its head does more than multiply", hint=WANTED)
    for remembered in ("hf_device_map", "generation_config", "is_loaded_in_4bit", "is_loaded_in_8bit"):
        if hasattr(whole, remembered):
            setattr(part, remembered, getattr(whole, remembered))
    alone: PreTrainedModel = part.eval()
    return alone


def _of_known_class(config: PretrainedConfig, decoder: nn.Module, head: nn.Module) -> PreTrainedModel | None:
    """The decoder in transformers' class of models that write text with it; None without one that has the same."""
    if type(config) not in AutoModelForCausalLM._model_mapping:
        return None
    with torch.device("meta"):
        part: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    if type(getattr(part, part.base_model_prefix, None)) is not type(decoder):
        return None
    setattr(part, part.base_model_prefix, decoder)
    part.set_output_embeddings(head)
    is_whole = all(weight.device.type != "meta" for weight in (*part.parameters(), *part.buffers()))
    return part if is_whole else None


class _DecoderAndHead(PreTrainedModel):
    """A decoder whose family has no class of its own for text alone, and its head."""

    base_model_prefix = "model"
    _supports_sdpa = _supports_flash_attn = True

    def __init__(self, config: PretrainedConfig, decoder: nn.Module, head: nn.Module) -> None:
        super().__init__(copy.copy(config))
        self.config = config  # the decoder's own, so that a change of its attention changes both
        self.model = decoder
        self.lm_head = head

    def forward(self, input_ids: Tensor | None = None, cache: Cache | None = None, **more: Any) -> CausalLMOutput:
        """Logits of every row, shape (1, n, V)."""
        held = {} if cache is None else handed(self.model, cache)
        found = self.model(input_ids=input_ids, **held, **more)
        return CausalLMOutput(logits=self.lm_head(found.last_hidden_state), attentions=found.attentions)
