"""What a transformers model must tell the engine, proved once per model object and remembered with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from infinipot_cli.errors import ModelError, UnsupportedModelError
from infinipot_cli.model.attention import captured_votes
from infinipot_cli.model.cache_name import handed
from infinipot_cli.model.device import is_exhausted
from infinipot_cli.model.head import head
from infinipot_cli.model.kinds import RECURRENT, layer_reason
from infinipot_cli.model.rope import TOLERANCE, LayerRope, probe_rope, relative_error, stable_length

HINT = "models of the Llama, Mistral, Qwen, Gemma, Phi and other rotary families work: infinipot bench families"

_KNOWN: "WeakKeyDictionary[PreTrainedModel, Port]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Cached:
    """What one layer caches of a token: heads, width of a key and of a value, their number format, and where."""

    n_heads: int
    key_width: int
    value_width: int
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True)
class Port:
    """The engine's view of one decoder.

    Attributes:
        ropes: rotation of each layer's keys.
        windows: sliding window of each layer, None where a layer sees everything.
        n_kv_heads: heads that a layer caches.
        vocabulary_size: columns of the logits.
        context_length: longest trained context, None where the configuration does not say.
        cached: what each layer caches of a token.
        state_width: width of a final hidden state.
    """

    ropes: tuple[LayerRope, ...]
    windows: tuple[int | None, ...]
    n_kv_heads: int
    vocabulary_size: int
    context_length: int | None
    cached: tuple[Cached, ...]
    state_width: int

    @cached_property
    def n_layers(self) -> int:
        """Decoder layers."""
        return len(self.windows)


def body(model: PreTrainedModel) -> nn.Module:
    """The decoder without its head."""
    found: nn.Module = getattr(model, model.base_model_prefix)
    return found


def port_of(model: PreTrainedModel) -> Port:
    """Prove that a model can use a pot, or recall the proof.

    Raises:
        UnsupportedModelError: with the reason.
        ModelError: its weights are damaged.
    """
    known = _KNOWN.get(model)
    if known is None:
        try:
            known = _KNOWN[model] = _prove(model)
        except UnsupportedModelError as error:
            error.hint = error.hint or HINT
            raise
        except ModelError:
            raise
        except Exception as error:  # code of anybody's model: it may fail in any way
            if is_exhausted(error):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise UnsupportedModelError(
                f"{model.config.model_type} fails where a pot is tried on it: {reason}", hint=HINT
            ) from error
    return known


def check_known(ids: Sequence[int], port: Port) -> None:
    """Refuse tokens that a model has no embedding of, before they end as an error of the device.

    Raises:
        ModelError: the tokenizer gives more tokens than the model knows.
    """
    unknown = next((token for token in ids if not 0 <= token < port.vocabulary_size), None)
    if unknown is not None:
        raise ModelError(
            f"the tokenizer makes token {unknown} of this text, and the model knows {port.vocabulary_size} from 0 on",
            hint="tokenizer and weights are of two models: fetch both again from one place",
            code="foreign_tokenizer",
        )


@torch.no_grad()
def _prove(model: PreTrainedModel) -> Port:
    config = model.config.get_text_config(decoder=True)
    windows = _windows(model)
    context = getattr(config, "max_position_embeddings", None)
    ropes = probe_rope(model, min(context or 128, stable_length(model) or context or 128))
    if len(ropes) != len(windows):
        raise UnsupportedModelError(f"{config.model_type} keeps {len(ropes)} caches for {len(windows)} layers")
    cached, state_width = _check_capture(model, len(windows))
    _check_head(model)
    _check_causal(model)
    return Port(tuple(ropes), windows, cached[0].n_heads, int(config.vocab_size), context, cached, state_width)


def _windows(model: PreTrainedModel) -> tuple[int | None, ...]:
    config = model.config.get_text_config(decoder=True)
    if reason := layer_reason(config.to_dict()):
        raise UnsupportedModelError(f"{config.model_type} {reason}")
    windows: list[int | None] = []
    for layer in DynamicCache(config=config).layers:
        if type(layer) is DynamicSlidingWindowLayer:
            windows.append(int(layer.sliding_window))
        elif type(layer) is DynamicLayer:
            windows.append(None)
        elif "Linear" in type(layer).__name__:
            raise UnsupportedModelError(f"{config.model_type} {RECURRENT}")
        else:
            raise UnsupportedModelError(
                f"{config.model_type} has layers whose entries no pot can hold ({type(layer).__name__})"
            )
    if not windows:
        windows = [None] * int(config.num_hidden_layers)
    return tuple(windows)


def _check_capture(model: PreTrainedModel, n_layers: int) -> tuple[tuple[Cached, ...], int]:
    """Run a catalyst of two tokens; returns what was cached in each layer, and the width of a hidden state."""
    ids = torch.tensor([[5, 6]], device=model.device)
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    with captured_votes(model, 0) as votes:
        decoder = body(model)
        states: Tensor = decoder(input_ids=ids, use_cache=True, **handed(decoder, cache)).last_hidden_state
    if sorted(votes) != list(range(n_layers)):
        raise UnsupportedModelError(
            f"{model.config.model_type} does not run its attention through transformers' interface"
        )
    cached = tuple(
        Cached(layer.keys.shape[1], layer.keys.shape[3], layer.values.shape[3], layer.keys.dtype, layer.keys.device)
        for layer in cache.layers
        if isinstance(layer, DynamicLayer) and layer.keys is not None and layer.values is not None
    )
    if len({layer.n_heads for layer in cached}) != 1:
        raise UnsupportedModelError(f"{model.config.model_type} caches different numbers of heads in its layers")
    return cached, states.shape[-1]


def _check_head(model: PreTrainedModel) -> None:
    ids = torch.arange(2, 10, device=model.device)[None] % model.config.get_text_config(decoder=True).vocab_size
    states: Tensor = body(model)(input_ids=ids, use_cache=False).last_hidden_state.to(ids.device)
    wanted = model(input_ids=ids, use_cache=False).logits[0].to(ids.device).float()
    if not torch.allclose(head(model, states[0]), wanted, rtol=1e-3, atol=1e-3):
        raise UnsupportedModelError(f"the head of {model.config.model_type} needs more than the final hidden states")


def _check_causal(model: PreTrainedModel) -> None:
    """Refuse a model whose tokens see later ones: what it makes of a text depends on how much is read at once."""
    ids = torch.arange(2, 10, device=model.device)[None] % model.config.get_text_config(decoder=True).vocab_size
    others = torch.cat((ids[:, :4], ids[:, 4:].flip(1)), dim=1)
    one, other = (body(model)(input_ids=each, use_cache=False).last_hidden_state for each in (ids, others))
    one, other = one[:, :4].float(), other[:, :4].float()
    if relative_error(one, other) > 10 * TOLERANCE.get(model.dtype, 3e-2):
        raise UnsupportedModelError(
            f"{model.config.model_type} lets tokens see later ones, so a text cannot be read in pieces"
        )
