"""One layer of a pot: keys and values in buffers of fixed size, turned to the places where they stand."""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import CacheLayerMixin

from infinipot_cli.model.rope import LayerRope


class PotLayer(CacheLayerMixin):
    """Keys (rotated to their places) and values of one layer.

    Args:
        capacity: most entries.
        rope: how the layer's keys turn with position.
        window: the layer's sliding window, None if it sees everything.
        grows: whether more than the capacity may come, for policies that promise no bound.

    Attributes:
        hole: place of each head, (K,), that the next token takes; None appends it.
    """

    is_compileable = False

    def __init__(self, capacity: int, rope: LayerRope, window: int | None, *, grows: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.capacity = capacity
        self.rope = rope
        self.is_sliding = window is not None
        self.is_local = window is not None and window < capacity
        self.grows = grows
        self.hole: Tensor | None = None
        self.n = 0
        self.peak = 0
        # half precision only: survivors' keys before rotation, so that repeated rounding cannot add up
        self.unrotated: Tensor | None = None
        # every key before rotation, for policies that turn some of them with each token
        self.plain: Tensor | None = None
        # every key turned to the position of its group, for policies that number far tokens so
        self.grouped: Tensor | None = None

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
        if self.grows and end > self.keys.shape[2]:
            self._make_longer(end)
        assert end <= self.keys.shape[2], f"the pot would overflow: {end} entries, capacity {self.capacity}"
        if self.hole is None:
            self.keys[:, :, self.n : end] = key_states
            self.values[:, :, self.n : end] = value_states
        else:
            heads = torch.arange(len(self.hole), device=self.keys.device)
            self.keys[0, heads, self.hole] = key_states[0, :, 0]
            self.values[0, heads, self.hole] = value_states[0, :, 0]
            self.hole = None
        self.n = end
        self.peak = max(self.peak, end)
        return self.keys[:, :, :end], self.values[:, :, :end]

    def _make_longer(self, end: int) -> None:
        """Reserve an eighth more than is wanted now, so that a growing cache is seldom copied."""
        assert self.keys is not None and self.values is not None
        with torch.inference_mode(False):
            for name in ("keys", "values", "grouped"):
                held: Tensor | None = getattr(self, name)
                if held is None:
                    continue
                longer = held.new_empty((1, held.shape[1], end + end // 8, held.shape[3]))
                longer[:, :, : self.n] = held[:, :, : self.n]
                setattr(self, name, longer)

    def rewind(self, n: int) -> None:
        """Forget every entry after the first n."""
        self.n = n
        if self.unrotated is not None:  # what comes to the places behind has keys of its own
            self.unrotated = self.unrotated[:, :, :n]

    def keep(self, indices: Tensor, *, resets: bool = True) -> None:
        """Keep these entries of each head, renumbered from 0 unless told otherwise.

        Paper: InfiniPot §3.5 (CR-RoPE). Keys are un-rotated with the angle of their old place and rotated with that of
        the new one in fp32; turning by the difference would add up rounding over hundreds of cycles.

        Args:
            indices: ascending, shape (K, C); -1 leaves a place empty, which holds zeros then, since attention that is
                told to skip a place still multiplies what is there by 0.
            resets: turn keys to their new places; else they stay turned as they are.
        """
        if not self.is_initialized:
            return
        assert self.keys is not None and self.values is not None
        indices = indices.to(self.keys.device)
        n, is_empty = indices.shape[-1], (indices < 0)[None, :, :, None]
        indices = indices.clamp(min=0)
        if resets:
            self._renumber(indices)
        else:
            for part in (self.keys, self.values):
                part[:, :, :n] = _chosen(part, indices)
        if bool(is_empty.any()):
            for part in (self.keys, self.values):
                part[:, :, :n].masked_fill_(is_empty, 0.0)
        self.n = n

    def _renumber(self, indices: Tensor) -> None:
        """Bring these entries, (K, C), to the front, turned to their new places."""
        assert self.keys is not None and self.values is not None
        n = indices.shape[-1]
        turning, still = (self.values, self.keys) if self.rope.is_in_values else (self.keys, self.values)
        bound = turning.shape[2]
        plain = _chosen(turning, indices).float()
        self.rope.rotate_(plain, indices[None], inverse=True, n_positions=bound)
        if turning.dtype != torch.float32 and self.rope.is_rotary:
            if self.unrotated is not None:
                known = self.unrotated.shape[2]
                old = _chosen(self.unrotated, indices.clamp(max=known - 1))
                plain = torch.where(indices[None, :, :, None] < known, old.float(), plain)
            self.unrotated = plain.to(turning.dtype)
        self.rope.rotate_(plain, torch.arange(n, device=turning.device), n_positions=bound)
        turning[:, :, :n] = plain.to(turning.dtype)
        still[:, :, :n] = _chosen(still, indices)

    @property
    def turning(self) -> Tensor:
        """What turns with position, (1, K, capacity, D): keys, or what a latent cache has in the place of values."""
        held = self.values if self.rope.is_in_values else self.keys
        assert held is not None
        return held

    def vacate(self, places: Tensor) -> None:
        """Let go of one entry of each head, by place (K,); the next token takes its place."""
        self.hole = places.to(self.turning.device)
        self.n -= 1

    def note_plain(self, n_before: int) -> None:
        """Un-rotate a copy of the entries behind the first `n_before`, which stand at their places."""
        if not self.rope.is_rotary:
            return
        if self.plain is None:
            with torch.inference_mode(False):
                self.plain = torch.empty_like(self.turning)
        places = torch.arange(n_before, self.n, device=self.turning.device)
        new = self.turning[:, :, n_before : self.n].float()
        self.plain[:, :, n_before : self.n] = self.rope.rotate(new, places, inverse=True).to(self.turning.dtype)

    def note_grouped(self, n_before: int, group: int) -> None:
        """Turn a copy of the entries behind the first `n_before`, which stand at their places, to their group's."""
        assert self.keys is not None
        if self.grouped is None:
            with torch.inference_mode(False):
                self.grouped = torch.empty_like(self.keys)
        places = torch.arange(n_before, self.n, device=self.keys.device)
        plain = self.rope.rotate(self.keys[:, :, n_before : self.n].float(), places, inverse=True)
        self.grouped[:, :, n_before : self.n] = self.rope.rotate(plain, places // group).to(self.keys.dtype)

    def note_newest(self, places: Tensor, position: int) -> None:
        """Un-rotate a copy of the entries at these places (K,), which stand at one position."""
        if self.plain is None:
            return
        heads, places = torch.arange(len(places), device=self.plain.device), places.to(self.plain.device)
        new = self.turning[0, heads, places].float()
        at = torch.tensor(position, device=self.plain.device)
        self.plain[0, heads, places] = self.rope.rotate(new, at, inverse=True).to(self.plain.dtype)

    def turn(self, places: Tensor, positions: Tensor) -> None:
        """Turn the entries at these places to positions, both (K, R)."""
        if self.plain is None:
            return
        places, positions = places.to(self.plain.device), positions.to(self.plain.device)
        turned = self.rope.rotate(_chosen(self.plain, places).float(), positions[None])
        heads = torch.arange(len(places), device=places.device)[:, None]
        self.turning[0, heads, places] = turned[0].to(self.turning.dtype)

    def reorder(self, order: Tensor) -> None:
        """Put all entries into another order, (K, N), and turn them to their places if they are kept un-rotated."""
        order = order.to(self.turning.device)
        for part in (self.keys, self.values, self.plain):
            if part is not None:
                part[:, :, : self.n] = _chosen(part, order)
        if self.plain is not None:
            places = torch.arange(self.n, device=order.device)
            turned = self.rope.rotate(self.plain[:, :, : self.n].float(), places)
            self.turning[:, :, : self.n] = turned.to(self.turning.dtype)

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
        held = (self.keys, self.values, self.unrotated, self.plain, self.grouped)
        return sum(t.numel() * t.element_size() for t in held if t is not None)


def _chosen(entries: Tensor, indices: Tensor) -> Tensor:
    """Entries (1, K, N, D) of each head by index (K, C), a copy of shape (1, K, C, D); whole rows, unlike `gather`."""
    n_heads, n = entries.shape[1], entries.shape[2]
    first = torch.arange(n_heads, device=indices.device)[:, None] * n
    rows = entries.flatten(0, 2).index_select(0, (first + indices).flatten())
    return rows.view(1, n_heads, indices.shape[-1], entries.shape[-1])
