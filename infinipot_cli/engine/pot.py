"""The pot: a KV cache of fixed capacity that knows where each of its entries came from.

Position and place are one: entry i of every head stands at position i, so shrinking the pot is all that CR-RoPE needs
from the model's side (paper §3.5). Heads hold different tokens but equally many.
"""

import copy
from typing import Any, Self

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.errors import PotSizeError
from infinipot_cli.model.rope import LayerRope


class PotLayer(CacheLayerMixin):
    """Keys (rotated to their places) and values of one layer.

    Args:
        capacity: most entries.
        rope: how the layer's keys turn with position.
        window: the layer's sliding window, None if it sees everything.
    """

    is_compileable = False

    def __init__(self, capacity: int, rope: LayerRope, window: int | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.capacity = capacity
        self.rope = rope
        self.is_sliding = window is not None
        self.is_local = window is not None and window < capacity
        self.n = 0
        self.peak = 0
        # half precision only: survivors' keys before rotation, so that repeated rounding cannot add up
        self.unrotated: Tensor | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Reserve the whole capacity once the shapes are known."""
        self.dtype, self.device = key_states.dtype, key_states.device
        heads, width = key_states.shape[1], key_states.shape[3]
        with torch.inference_mode(False):  # else what was read in inference mode could not be written to outside it
            self.keys = key_states.new_empty((1, heads, self.capacity, width))
            self.values = value_states.new_empty((1, heads, self.capacity, value_states.shape[3]))
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append T entries and return all that are held, (1, K, N + T, D)."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        end = self.n + key_states.shape[2]
        assert end <= self.capacity, f"the pot would overflow: {end} entries, capacity {self.capacity}"
        self.keys[:, :, self.n : end] = key_states
        self.values[:, :, self.n : end] = value_states
        self.n = end
        self.peak = max(self.peak, end)
        return self.keys[:, :, :end], self.values[:, :, :end]

    def keep(self, indices: Tensor) -> None:
        """Keep these entries of each head, renumbered from 0.

        Paper: InfiniPot §3.5 (CR-RoPE). Keys are un-rotated with the angle of their old place and rotated with that of
        the new one in fp32; turning by the difference would add up rounding over hundreds of cycles.

        Args:
            indices: ascending, shape (K, C).
        """
        if not self.is_initialized:
            return
        assert self.keys is not None and self.values is not None
        indices = indices.to(self.keys.device)
        n = indices.shape[-1]
        turning, still = (self.values, self.keys) if self.rope.is_in_values else (self.keys, self.values)
        plain = self.rope.rotate(_chosen(turning, indices).float(), indices[None], inverse=True)
        if turning.dtype != torch.float32 and self.rope.is_rotary:
            if self.unrotated is not None:
                known = self.unrotated.shape[2]
                old = _chosen(self.unrotated, indices.clamp(max=known - 1))
                plain = torch.where(indices[None, :, :, None] < known, old.float(), plain)
            self.unrotated = plain.to(turning.dtype)
        places = torch.arange(n, device=turning.device)
        turning[:, :, :n] = self.rope.rotate(plain, places).to(turning.dtype)
        still[:, :, :n] = _chosen(still, indices)
        self.n = n

    def get_mask_sizes(self, query_length: Any) -> tuple[int, int]:
        """Keys that a forward of this many queries sees, and the place of the first."""
        length = query_length if isinstance(query_length, int) else int(query_length.shape[0])
        return self.n + length, 0

    def get_seq_length(self) -> int:
        """Entries held, which is the position of the next token."""
        return self.n

    def get_max_length(self) -> int:
        """The capacity."""
        return self.capacity

    get_max_cache_shape = get_max_length  # its name before transformers 5.20

    @property
    def nbytes(self) -> int:
        """Bytes reserved."""
        held = (self.keys, self.values, self.unrotated)
        return sum(t.numel() * t.element_size() for t in held if t is not None)


class Pot(Cache):
    """A transformers cache with a fixed number of entries per layer and KV head (the paper's memory pot).

    Attributes:
        capacity: |M|, the most entries ever held, catalyst included.
        budget: |C|, entries kept by one distillation.
        novelty_ratio: α, share of the budget for the most novel tokens.
        catalyst_ids: the prompt that judges the entries.
        n_prefix: protected entries in front.
        n_seen: tokens consumed: prefix and document, then suffix and answer.
        n_cycles: distillations so far.
        n_seen_distilled: the same at the latest distillation.
        choice: what is kept, where that differs from the paper.
        pinned: origins that no distillation may drop, as ranges without their ends, ascending.
        kept_history: `origins` after each distillation, when recording.
        last_state: final hidden state of the last consumed token, (width,), None before the first.
    """

    def __init__(
        self, ropes: tuple[LayerRope, ...], windows: tuple[int | None, ...], n_kv_heads: int, *, capacity: int,
        budget: int, novelty_ratio: float, catalyst_ids: tuple[int, ...], n_prefix: int, record: bool,
        choice: Choice = PAPER,
    ) -> None:  # fmt: skip
        n_protected = n_prefix + choice.sinks + choice.recent
        _check_sizes(capacity, budget, novelty_ratio, len(catalyst_ids), n_protected)
        super().__init__(layers=[PotLayer(capacity, rope, window) for rope, window in zip(ropes, windows, strict=True)])
        self.capacity = capacity
        self.budget = budget
        self.novelty_ratio = novelty_ratio
        self.catalyst_ids = catalyst_ids
        self.n_prefix = n_prefix
        self.choice = choice
        self.n_seen = 0
        self.n_seen_distilled = 0
        self.n_cycles = 0
        self.n_kv_heads = n_kv_heads
        self.pinned: list[tuple[int, int]] = []
        self.last_state: Tensor | None = None
        self.kept_history: list[Tensor] = []
        self.record = record
        self._origins: Tensor | None = None
        self._novelty: Tensor | None = None

    @property
    def pot_layers(self) -> list[PotLayer]:
        """The layers, typed."""
        return self.layers  # type: ignore[return-value]

    @property
    def n_held(self) -> int:
        """Entries held per layer and KV head."""
        return self.pot_layers[0].n

    @property
    def peak(self) -> int:
        """Most entries ever held, catalyst included."""
        return max(layer.peak for layer in self.pot_layers)

    @property
    def origins(self) -> Tensor:
        """Where each entry came from, counted over prefix then document; int, ascending, (L, K, n_held)."""
        return self._empty() if self._origins is None else self._origins[..., : self.n_held].clone()

    @property
    def novelty(self) -> Tensor:
        """NuC of each entry when it was read, nats, fp32, (L, K, n_held); inf for the very first token.

        With a novelty ratio of 0 nobody asks for it, the head does not run, and all that is read counts as 0.
        """
        return self._empty().float() if self._novelty is None else self._novelty[..., : self.n_held].clone()

    @property
    def nbytes(self) -> int:
        """Bytes of keys, values and what travels with the entries."""
        carried = (self._origins, self._novelty)
        return sum(layer.nbytes for layer in self.pot_layers) + sum(
            t.numel() * t.element_size() for t in carried if t is not None
        )

    def note(self, novelty: Tensor) -> None:
        """Write down origin and novelty of the T entries that a forward has just appended; novelty (T,)."""
        n_new = novelty.shape[0]
        if self._origins is None or self._novelty is None:
            keys = self.pot_layers[0].keys
            assert keys is not None
            shape = (len(self.layers), self.n_kv_heads, self.capacity)
            with torch.inference_mode(False):
                self._origins = torch.zeros(shape, dtype=torch.int64, device=keys.device)
                self._novelty = torch.zeros(shape, dtype=torch.float32, device=keys.device)
        here = slice(self.n_held - n_new, self.n_held)
        self._origins[..., here] = torch.arange(self.n_seen, self.n_seen + n_new, device=self._origins.device)
        self._novelty[..., here] = novelty.to(self._novelty.device)
        self.n_seen += n_new

    def overwrite_notes(self, origins: Tensor, novelty: Tensor) -> None:
        """Put stored origins and novelty, (L, K, n_held), in the place of what `note` wrote."""
        assert self._origins is not None and self._novelty is not None
        self._origins[..., : self.n_held] = origins.to(self._origins.device)
        self._novelty[..., : self.n_held] = novelty.to(self._novelty.device)

    def pin(self, origin: int) -> None:
        """Keep the entry of this origin for ever; origins come in ascending order."""
        if self.pinned and self.pinned[-1][1] == origin:
            self.pinned[-1] = (self.pinned[-1][0], origin + 1)
        else:
            self.pinned.append((origin, origin + 1))

    def rewind(self, n_held: int) -> None:
        """Forget every entry after the first `n_held`; what was written there is never read again."""
        for layer in self.pot_layers:
            layer.n = n_held

    def keep(self, indices: Tensor) -> None:
        """Keep these entries of each layer and head, ascending, (L, K, C); local layers keep their most recent."""
        assert self._origins is not None and self._novelty is not None
        n = indices.shape[-1]
        for number, layer in enumerate(self.pot_layers):
            if layer.is_local:
                indices[number] = torch.arange(self.n_held - n, self.n_held, device=indices.device)
        self._origins[..., :n] = self._origins.gather(-1, indices)
        self._novelty[..., :n] = self._novelty.gather(-1, indices) * self.choice.decay
        for number, layer in enumerate(self.pot_layers):
            layer.keep(indices[number])
        self.n_cycles += 1
        self.n_seen_distilled = self.n_seen
        if self.record:
            self.kept_history.append(self.origins)

    def fork(self) -> Self:
        """An independent copy, for several questions over one reading."""
        with torch.inference_mode(False):
            return copy.deepcopy(self)

    def _empty(self) -> Tensor:
        return torch.zeros((len(self.layers), self.n_kv_heads, 0), dtype=torch.int64)


def _chosen(entries: Tensor, indices: Tensor) -> Tensor:
    """Entries (1, K, N, D) of each head by index (K, C), a copy of shape (1, K, C, D); whole rows, unlike `gather`."""
    n_heads, n = entries.shape[1], entries.shape[2]
    first = torch.arange(n_heads, device=indices.device)[:, None] * n
    rows = entries.flatten(0, 2).index_select(0, (first + indices).flatten())
    return rows.view(1, n_heads, indices.shape[-1], entries.shape[-1])


def _check_sizes(capacity: int, budget: int, novelty_ratio: float, n_catalyst: int, n_prefix: int) -> None:
    if budget >= capacity:
        raise PotSizeError(f"the budget must be below the capacity (got {budget} and {capacity})")
    if n_catalyst < 1:
        raise PotSizeError("the catalyst prompt is empty")
    if budget + n_catalyst + 1 > capacity:
        raise PotSizeError(
            f"budget {budget} and a catalyst of {n_catalyst} tokens leave no place to read into (capacity {capacity})"
        )
    if budget <= n_prefix:
        raise PotSizeError(f"the budget must be above the protected prefix (got {budget} and {n_prefix})")
    if not 0.0 <= novelty_ratio <= 1.0:
        raise PotSizeError(f"the novelty ratio must lie between 0 and 1 (got {novelty_ratio})")
