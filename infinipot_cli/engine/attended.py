"""What an answer attends to: weights of its tokens over the entries of the pot, per layer and query head.

Only sums are kept, so the memory is that of two numbers per entry and query head however long the answer is. The rows
are taken where the model computes its attention and nothing of the computation changes, so the tokens are the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.pot import Pot
from infinipot_cli.model.attention import captured_last_row

# Origins of shape (L, K, N) to the token ids that stood there; -1 where that is not known.
TokenLookup = Callable[[Tensor], Tensor]


class Attended:
    """Filled by `generate` while it answers.

    Args:
        token_at: which token an entry was, to tell heads that copy from heads that do not.

    Attributes:
        origins: of the entries that the answer began with, int64, ascending, shape (L, K, N).
        novelty: of the same entries, nats, fp32, same shape.
        total: attention of all answer tokens to them, fp32, shape (L, H, N).
        copied: the part of it that lay on entries which were the very token that was then chosen: copying heads attend
            to what they copy, others seldom do.
        n_rows: tokens that were chosen.
        n_cycles: distillations before the answer.
        n_seen_distilled: tokens that the latest of them had seen.
    """

    def __init__(self, token_at: TokenLookup | None = None) -> None:
        self.origins = torch.zeros((0, 0, 0), dtype=torch.int64)
        self.novelty = torch.zeros((0, 0, 0))
        self.total = torch.zeros((0, 0, 0))
        self.copied = torch.zeros((0, 0, 0))
        self.n_rows = 0
        self.n_cycles = 0
        self.n_seen_distilled = 0
        self._token_at = token_at
        self._tokens: Tensor | None = None
        self._row: Tensor | None = None

    @property
    def n_groups(self) -> int:
        """Query heads of each KV head."""
        return self.total.shape[1] // max(1, self.origins.shape[1])

    @contextmanager
    def watching(self, model: PreTrainedModel, pot: Pot) -> Iterator[None]:
        """Take the last row of the forward that is run inside; it chooses the next token."""
        with captured_last_row(model) as rows:
            yield
        rows = rows or pot.rows
        if rows:
            if not self.n_rows:
                self.novelty = pot.novelty.cpu()
                self.n_cycles, self.n_seen_distilled = pot.n_cycles, pot.n_seen_distilled
            taken = torch.stack([rows[number].cpu() for number in sorted(rows)])
            if pot.reordered is not None:
                taken = taken.gather(-1, pot.reordered.cpu().repeat_interleave(taken.shape[1] // pot.n_kv_heads, dim=1))
            self._take(taken, pot.origins.cpu())

    def chose(self, token: int) -> None:
        """Add the row that was taken last, which has led to this token."""
        if self._row is None:
            return
        self.total += self._row
        if self._tokens is not None:
            is_it = (self._tokens == token).repeat_interleave(self.n_groups, dim=1)
            self.copied += self._row * is_it
        self.n_rows += 1
        self._row = None

    def _take(self, row: Tensor, origins: Tensor) -> None:
        """Lay the weights (L, H, M) of a forward over the entries of the beginning; others are left out."""
        if not self.n_rows and self._row is None:
            self.origins = origins
            self.total, self.copied = torch.zeros_like(row), torch.zeros_like(row)
            self._tokens = self._token_at(origins) if self._token_at is not None else None
        if row.shape[-1] >= self.origins.shape[-1] and torch.equal(
            origins[..., : self.origins.shape[-1]], self.origins
        ):
            self._row = row[..., : self.origins.shape[-1]]
            return
        # a distillation inside the answer has taken some of them away
        places = torch.searchsorted(self.origins, origins.contiguous()).clamp(max=self.origins.shape[-1] - 1)
        held = (self.origins.gather(-1, places) == origins).repeat_interleave(self.n_groups, dim=1)
        self._row = torch.zeros_like(self.total).scatter_add_(
            -1, places.repeat_interleave(self.n_groups, dim=1), row * held
        )
