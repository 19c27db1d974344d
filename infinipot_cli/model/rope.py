"""How each layer of a model turns its keys with position, found from the model's own behaviour at load time.

One forward of eight rows, one token a row, each row at another position: with a single key attention is the identity,
so all rows of a purely rotary model have equal hidden states and a layer's cached key is exactly R(position) applied to
one vector. The convention that explains the eight keys is that layer's convention; a model that none explains is
refused. This tests behaviour, not names, so a new architecture either fits or fails loudly.
"""

from dataclasses import dataclass, field, replace
from itertools import product

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from infinipot_cli.errors import UnsupportedModelError

PROBE_POSITIONS = (0, 1, 2, 3, 7, 19, 43, 101)
TOLERANCE = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}


@dataclass(frozen=True)
class LayerRope:
    """Rotation of one layer's keys.

    Attributes:
        inv_freq: angle per position of each pair of dimensions, fp32, shape (n_pairs,); empty for a layer without
            rotation.
        is_interleaved: whether pairs are neighbours (2i, 2i + 1) instead of halves (i, i + n_pairs).
        is_last: whether the rotated dimensions are the last of the head instead of the first.
        sign: +1, or -1 where the model turns the other way.
        is_in_values: whether the cache holds what turns in the place of the values (latent attention, which keeps an
            unturned latent in the place of the keys and one small rotary key beside it).
    """

    inv_freq: Tensor
    is_interleaved: bool = False
    is_last: bool = False
    sign: int = 1
    is_in_values: bool = False
    _angles: dict[torch.device, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def is_rotary(self) -> bool:
        """Whether keys depend on position at all."""
        return self.inv_freq.numel() > 0

    def rotate(self, keys: Tensor, positions: Tensor, *, inverse: bool = False) -> Tensor:
        """Turn un-rotated keys to positions, or back.

        Args:
            keys: shape (..., N, D), fp32.
            positions: shape (N,) or broadcastable to (..., N).
            inverse: undo the rotation.

        Returns:
            A new tensor of the same shape, fp32.
        """
        if not self.is_rotary:
            return keys
        turns = positions[..., None].float() * self.inv_freq.to(keys.device)
        return self.turn_(keys.clone(), turns.cos(), turns.sin(), inverse=inverse)

    def turn_(self, keys: Tensor, cos: Tensor, sin: Tensor, *, inverse: bool = False) -> Tensor:
        """Turn keys where they lie.

        Args:
            keys: shape (..., N, D), fp32; written to.
            cos: of the angles, shape (..., N, n_pairs).
            sin: likewise.
            inverse: turn the other way.

        Returns:
            The keys.
        """
        n_rotated, sign = 2 * self.inv_freq.numel(), -self.sign if inverse else self.sign
        turning = keys[..., keys.shape[-1] - n_rotated :] if self.is_last else keys[..., :n_rotated]
        if self.is_interleaved:
            first, second = turning[..., 0::2], turning[..., 1::2]
        else:
            first, second = turning.chunk(2, dim=-1)
        moved = first * sin
        first.mul_(cos).addcmul_(second, sin, value=-sign)
        second.mul_(cos).add_(moved, alpha=sign)
        return keys

    def angles(self, n: int, device: torch.device) -> Tensor:
        """Cosines and sines of the first n positions or more, side by side, fp32, (n, 2 · n_pairs); computed once."""
        known = self._angles.get(device)
        if known is None or known.shape[0] < n:
            with torch.inference_mode(False):
                turns = torch.arange(n, device=device)[:, None].float() * self.inv_freq.to(device)
                known = self._angles[device] = torch.cat((turns.cos(), turns.sin()), dim=-1)
        return known

    def __deepcopy__(self, memo: dict[int, object]) -> "LayerRope":
        """Nothing of a rotation changes, so copies of a pot share it."""
        return self


NO_ROTATION = LayerRope(torch.empty(0))


@torch.no_grad()
def probe_rope(model: PreTrainedModel, n_positions: int) -> list[LayerRope]:
    """The rotation of every layer.

    Args:
        model: a decoder in evaluation mode.
        n_positions: positions known to be valid; probing stays below.

    Raises:
        UnsupportedModelError: the keys are not a rotation of one vector.
    """
    positions = torch.tensor([p for p in PROBE_POSITIONS if p < n_positions], device=model.device)
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    ids = torch.full(
        (len(positions), 1), 7 % model.config.get_text_config(decoder=True).vocab_size, device=model.device
    )
    logits = model(input_ids=ids, position_ids=positions[:, None], past_key_values=cache, use_cache=True).logits.float()
    tolerance = TOLERANCE.get(model.dtype, 3e-2)
    if _error(logits, logits[:1].expand_as(logits)) > 10 * tolerance:
        raise UnsupportedModelError(
            f"{model.config.model_type} adds absolute positions to its tokens, so its entries cannot be renumbered"
        )
    frequencies = _frequencies(model)
    layers = [_fit_layer(layer, positions, frequencies, tolerance, model.config.model_type) for layer in cache.layers]
    layers = _shared(layers)
    if not any(layer.is_rotary for layer in layers):
        raise UnsupportedModelError(
            f"{model.config.model_type} has no rotary positions (ALiBi or none), so it cannot use a pot"
        )
    return layers


def _shared(layers: list[LayerRope]) -> list[LayerRope]:
    """The same rotations, those of equal layers as one object, so that their angles are computed once."""
    known: dict[tuple[object, ...], LayerRope] = {}
    return [
        known.setdefault((id(rope.inv_freq), rope.is_interleaved, rope.is_last, rope.sign, rope.is_in_values), rope)
        for rope in layers
    ]


def _fit_layer(layer: object, positions: Tensor, frequencies: list[Tensor], tolerance: float, name: str) -> LayerRope:
    """The rotation of one cached layer, wherever in the cache it is."""
    keys, values = (getattr(layer, part, None) for part in ("keys", "values"))
    if not isinstance(keys, Tensor) or not isinstance(values, Tensor):
        raise UnsupportedModelError(f"{name} keeps no keys and values to choose from")
    keys, values = keys[:, :, 0].float(), values[:, :, 0].float()
    if _is_same(values, tolerance):
        return _fit(keys, positions, frequencies, tolerance, name)
    if not _is_same(keys, tolerance):
        raise UnsupportedModelError(f"in {name} both keys and values depend on position, so they cannot be renumbered")
    return replace(_fit(values, positions, frequencies, tolerance, name), is_in_values=True)


def _frequencies(model: nn.Module) -> list[Tensor]:
    found: dict[tuple[float, ...], Tensor] = {}
    for name, buffer in model.named_buffers():
        if name.endswith("inv_freq") and not name.endswith("original_inv_freq"):
            value = buffer.detach().float().cpu()
            found.setdefault(tuple(value.tolist()), value)
    return list(found.values())


def _fit(keys: Tensor, positions: Tensor, frequencies: list[Tensor], tolerance: float, name: str) -> LayerRope:
    """The convention that explains one layer's keys, (rows, heads, D)."""
    if _is_same(keys, tolerance):
        return NO_ROTATION
    stacked = keys.transpose(0, 1)
    for inv_freq, interleaved, last, sign in product(frequencies, (False, True), (False, True), (1, -1)):
        if 2 * inv_freq.numel() > keys.shape[-1]:
            continue
        rope = LayerRope(inv_freq, interleaved, last, sign)
        straight = rope.rotate(stacked, positions, inverse=True)
        if _error(straight, straight[:, :1].expand_as(straight)) <= tolerance:
            return rope
    raise UnsupportedModelError(
        f"the keys of {name} are not a rotation known here of one vector, so they cannot be renumbered exactly"
    )


def _is_same(rows: Tensor, tolerance: float) -> bool:
    return _error(rows, rows[:1].expand_as(rows)) <= tolerance


def _error(got: Tensor, wanted: Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm().clamp(min=1e-9))
