"""How each layer of a model turns its keys with position, found from the model's own behaviour at load time.

One forward of eight rows, one token a row, each row at another position: with a single key attention is the identity,
so all rows of a purely rotary model have equal hidden states and a layer's cached key is exactly R(position) applied to
one vector. The convention that explains the eight keys is that layer's convention; a model that none explains is
refused. This tests behaviour, not names, so a new architecture either fits or fails loudly.
"""

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Self

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from infinipot_cli.errors import ModelError, UnsupportedModelError
from infinipot_cli.model.cache_name import handed

PROBE_POSITIONS = (0, 1, 2, 3, 7, 19, 43, 101)
# Where frequencies part that are alike in their fast pairs; as far as the model was trained.
FAR_POSITIONS = (1009, 4001)
# Rotations whose angles depend on how many positions there are.
CHANGING_ROPES = {"dynamic", "longrope"}
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
    _tables: dict[torch.device, tuple[Tensor, Tensor]] = field(
        default_factory=dict[torch.device, tuple[Tensor, Tensor]], init=False, repr=False, compare=False
    )

    def __deepcopy__(self, _: object) -> Self:
        return self  # nothing of it ever changes, and forks of a pot shall not hold tables of their own

    @property
    def is_rotary(self) -> bool:
        """Whether keys depend on position at all."""
        return self.inv_freq.numel() > 0

    def is_like(self, other: "LayerRope") -> bool:
        """Whether another layer turns its keys in the same way."""
        kind = (self.is_interleaved, self.is_last, self.sign, self.is_in_values)
        same_kind = kind == (other.is_interleaved, other.is_last, other.sign, other.is_in_values)
        return same_kind and torch.equal(self.inv_freq, other.inv_freq)

    def rotate(
        self, keys: Tensor, positions: Tensor, *, inverse: bool = False, n_positions: int | None = None
    ) -> Tensor:
        """Turn un-rotated keys to positions, or back.

        Args:
            keys: shape (..., N, D), fp32.
            positions: shape (N,) or broadcastable to (..., N).
            inverse: undo the rotation.
            n_positions: all positions are below this one, so that sines can be looked up instead of being computed.

        Returns:
            A new tensor of the same shape, fp32.
        """
        turned = keys.clone()
        self.rotate_(turned, positions, inverse=inverse, n_positions=n_positions)
        return turned

    def rotate_(
        self, keys: Tensor, positions: Tensor, *, inverse: bool = False, n_positions: int | None = None
    ) -> None:  # fmt: skip
        """The same in place."""
        if not self.is_rotary:
            return
        if n_positions is None:
            cos, sin = self._turns(positions.to(keys.device))
        else:
            rows, shape = positions.flatten().to(keys.device), positions.shape
            cos, sin = (
                values.index_select(0, rows).view(*shape, -1) for values in self._table(n_positions, keys.device)
            )
        if (self.sign < 0) is not inverse:
            sin = -sin
        n_rotated = 2 * self.inv_freq.numel()
        turning = keys[..., keys.shape[-1] - n_rotated :] if self.is_last else keys[..., :n_rotated]
        if self.is_interleaved:
            first, second = turning[..., 0::2], turning[..., 1::2]
        else:
            first, second = turning.chunk(2, dim=-1)
        moved = first * sin
        first.mul_(cos).addcmul_(second, sin, value=-1)
        second.mul_(cos).add_(moved)

    def _turns(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of each pair's angle, (..., N, n_pairs)."""
        turn = positions[..., None].float() * self.inv_freq.to(positions.device)
        return turn.cos(), turn.sin()

    def _table(self, n_positions: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """The same of all positions up to one."""
        known = self._tables.get(device)
        if known is None or len(known[0]) < n_positions:
            known = self._tables[device] = self._turns(torch.arange(n_positions, device=device))
        return known


NO_ROTATION = LayerRope(torch.empty(0))


def stable_length(model: PreTrainedModel) -> int | None:
    """Positions up to which the angles of every layer stay the same; None where no length changes them."""
    config = model.config.get_text_config(decoder=True)
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = [kind for kind in (rope, *rope.values()) if isinstance(kind, dict)]  # some have one for each kind of layer
    lengths = [
        int(kind.get("original_max_position_embeddings") or config.max_position_embeddings)
        for kind in kinds
        if kind.get("rope_type") in CHANGING_ROPES
    ]
    return min(lengths, default=None)


@torch.no_grad()
def probe_rope(model: PreTrainedModel, n_positions: int) -> list[LayerRope]:
    """The rotation of every layer.

    Args:
        model: a decoder in evaluation mode.
        n_positions: positions known to be valid; probing stays below.

    Raises:
        UnsupportedModelError: the keys are not a rotation of one vector.
        ModelError: the weights hold what is no number.
    """
    valid = [place for place in (*PROBE_POSITIONS, *FAR_POSITIONS) if place < n_positions]
    positions, n_near = torch.tensor(valid, device=model.device), sum(place <= max(PROBE_POSITIONS) for place in valid)
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    ids = torch.full((len(positions), 1), _probe_id(model), device=model.device)
    logits = (
        model(input_ids=ids, position_ids=positions[:, None], use_cache=True, **handed(model, cache))
        .logits[:n_near]
        .float()
    )
    if not bool(logits.isfinite().all()):
        is_narrow = model.dtype is not torch.float32
        raise ModelError(
            f"{model.config.model_type} computes what is no number: its weights are damaged"
            + (f", or too large for {str(model.dtype).removeprefix('torch.')}" if is_narrow else ""),
            hint="fetch the model again in full" + (", or try --dtype float32" if is_narrow else ""),
            code="damaged_model",
        )
    tolerance = TOLERANCE.get(model.dtype, 3e-2)
    if relative_error(logits, logits[:1].expand_as(logits)) > 10 * tolerance:
        raise UnsupportedModelError(
            f"{model.config.model_type} adds absolute positions to its tokens, so its entries cannot be renumbered"
        )
    frequencies = _frequencies(model)
    layers: list[LayerRope] = []
    for layer in cache.layers:
        rope = _fit_layer(layer, positions, n_near, frequencies, tolerance, model.config.model_type)
        # layers that turn alike share one object, and its table
        layers.append(next((known for known in layers if known.is_like(rope)), rope))
    if not any(layer.is_rotary for layer in layers):
        raise UnsupportedModelError(
            f"{model.config.model_type} has no rotary positions (ALiBi or none), so it cannot use a pot"
        )
    return layers


def _probe_id(model: PreTrainedModel) -> int:
    """A token whose embedding is not all zeros, as that of padding may be: zeros look alike at every position."""
    n_tokens = int(model.config.get_text_config(decoder=True).vocab_size)
    embed = model.get_input_embeddings()
    for token in (7, 11, 19, 5):
        if bool(embed(torch.tensor([token % n_tokens], device=model.device)).any()):
            return token % n_tokens
    return 7 % n_tokens


def _fit_layer(
    layer: object, positions: Tensor, n_near: int, frequencies: list[Tensor], tolerance: float, name: str
) -> LayerRope:
    """The rotation of one cached layer, wherever in the cache it is."""
    keys, values = (getattr(layer, part, None) for part in ("keys", "values"))
    if not isinstance(keys, Tensor) or not isinstance(values, Tensor):
        raise UnsupportedModelError(f"{name} keeps no keys and values to choose from")
    keys, values = keys[:, :, 0].float(), values[:, :, 0].float()
    if _is_same(values[:n_near], tolerance):
        return _fit(keys, positions, n_near, frequencies, tolerance, name)
    if not _is_same(keys[:n_near], tolerance):
        raise UnsupportedModelError(f"in {name} both keys and values depend on position, so they cannot be renumbered")
    return replace(_fit(values, positions, n_near, frequencies, tolerance, name), is_in_values=True)


def _frequencies(model: nn.Module) -> list[Tensor]:
    found: dict[tuple[float, ...], Tensor] = {}
    for name, buffer in model.named_buffers():
        if name.endswith("inv_freq") and not name.endswith("original_inv_freq"):
            value = buffer.detach().float().cpu().clone()  # some models change it in place
            found.setdefault(tuple(value.tolist()), value)
    return list(found.values())


def _fit(
    keys: Tensor, positions: Tensor, n_near: int, frequencies: list[Tensor], tolerance: float, name: str
) -> LayerRope:
    """The convention that explains one layer's keys, (rows, heads, D).

    Of several that explain those of the `n_near` rows in front as well as their number format lets see, the one that
    explains all rows best: frequencies that are told apart by slow pairs alone differ far from the beginning only.
    """
    if _is_same(keys[:n_near], tolerance):
        return NO_ROTATION
    stacked, fitting = keys.transpose(0, 1), []
    for inv_freq, interleaved, last, sign in product(frequencies, (False, True), (False, True), (1, -1)):
        if 2 * inv_freq.numel() > keys.shape[-1]:
            continue
        rope = LayerRope(inv_freq, interleaved, last, sign)
        straight = rope.rotate(stacked, positions, inverse=True)
        off = straight - straight[:, :1]
        if relative_error(straight[:, :n_near], straight[:, :1].expand(-1, n_near, -1)) <= tolerance:
            fitting.append((float(off.norm()), rope))
    if fitting:
        return min(fitting, key=lambda fit: fit[0])[1]
    raise UnsupportedModelError(
        f"the keys of {name} are not a rotation known here of one vector, so they cannot be renumbered exactly"
    )


def _is_same(rows: Tensor, tolerance: float) -> bool:
    return relative_error(rows, rows[:1].expand_as(rows)) <= tolerance


def relative_error(got: Tensor, wanted: Tensor) -> float:
    """How far two tensors are apart, by the length of the second."""
    return float((got - wanted).norm() / wanted.norm().clamp(min=1e-9))
