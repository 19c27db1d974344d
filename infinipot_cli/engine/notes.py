"""What travels with the entries of a pot beside keys and values: where each came from, and how novel it was."""

import torch
from torch import Tensor


class Notes:
    """Origin and novelty of every entry, in the entries' own order.

    Attributes:
        shape: L and K.
    """

    def __init__(self, n_layers: int, n_kv_heads: int) -> None:
        self.shape = (n_layers, n_kv_heads)
        self._origins = torch.zeros((*self.shape, 0), dtype=torch.int64)
        self._novelty = torch.zeros((*self.shape, 0), dtype=torch.float32)

    def origins(self, n_held: int) -> Tensor:
        """Of the first entries, counted over prefix then document, int64, (L, K, n_held); -1 for an empty place."""
        return self._origins[..., :n_held].clone()

    def novelty(self, n_held: int) -> Tensor:
        """Of the first entries, nats, fp32, (L, K, n_held)."""
        return self._novelty[..., :n_held].clone()

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self._origins.nbytes + self._novelty.nbytes

    def reserve(self, n_places: int, device: torch.device) -> None:
        """Make room for the notes of so many entries; what was noted stays."""
        known = self._origins.shape[-1]
        if known == n_places:
            return
        with torch.inference_mode(False):
            origins = torch.zeros((*self.shape, n_places), dtype=torch.int64, device=device)
            novelty = torch.zeros((*self.shape, n_places), dtype=torch.float32, device=device)
        origins[..., :known], novelty[..., :known] = self._origins, self._novelty
        self._origins, self._novelty = origins, novelty

    def write(self, place: int, origin: int, novelty: Tensor) -> None:
        """Note entries that were read one after the other.

        Args:
            place: of the first of them, in every head.
            origin: of the first of them.
            novelty: of each, (T,).
        """
        there = slice(place, place + novelty.shape[0])
        self._origins[..., there] = torch.arange(origin, origin + novelty.shape[0], device=self._origins.device)
        self._novelty[..., there] = novelty.to(self._novelty.device)

    def overwrite(self, origins: Tensor, novelty: Tensor) -> None:
        """Put stored origins and novelty, (L, K, N), in the place of what was noted of the first N entries."""
        self._origins[..., : origins.shape[-1]] = origins.to(self._origins.device)
        self._novelty[..., : novelty.shape[-1]] = novelty.to(self._novelty.device)

    def replace(self, places: Tensor, origin: int) -> None:
        """Note that one token, of which no novelty is known, took these places, (L, K)."""
        self._origins.scatter_(-1, places[..., None], origin)
        self._novelty.scatter_(-1, places[..., None], 0.0)

    def keep(self, indices: Tensor, decay: float = 1.0) -> None:
        """Put the notes of these entries, (L, K, C), in front; an index of -1 leaves an empty place.

        Args:
            indices: ascending, or in another order if the entries themselves change theirs.
            decay: what the novelty of each is multiplied by.
        """
        is_empty, chosen, n = indices < 0, indices.clamp(min=0), indices.shape[-1]
        novelty = self._novelty.gather(-1, chosen).masked_fill(is_empty, 0.0)
        if decay != 1:  # the first token of all stays endlessly novel, faded to nothing or not
            novelty = torch.where(novelty.isinf(), novelty, novelty * decay)
        self._origins[..., :n] = self._origins.gather(-1, chosen).masked_fill(is_empty, -1)
        self._novelty[..., :n] = novelty
