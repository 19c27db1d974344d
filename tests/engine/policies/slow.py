"""Every policy once more, slowly: what the fast ones must agree with to the token.

Built on the slow reference, whose entries are Python tuples in Python lists; each method is written down again as its
paper has it, one head and one entry at a time.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.engine.reference import Reference


class SlowDistilling(Reference):
    """Policies that empty a full pot in one go.

    Args:
        judge: `catalyst`, `last`, `keys` or `nobody`.
        resets: whether survivors are numbered from 0.
        first: entries behind the prefix that always stay.
        latest: entries at the end that always stay.
    """

    def __init__(
        self, model: nn.Module, *, judge: str, resets: bool = True, first: int = 0, latest: int = 0, capacity: int,
        budget: int, novelty_ratio: float,
    ) -> None:  # fmt: skip
        super().__init__(model, capacity=capacity, budget=budget, novelty_ratio=novelty_ratio)
        self.judge, self.resets, self.first, self.latest = judge, resets, first, latest

    def place(self, slot: int, origin: int) -> int:
        return slot if self.resets else origin

    def distill(self, catalyst: list[int], n_prefix: int, protected: object = ()) -> None:
        protected = set(protected)  # type: ignore[call-overload]
        protected |= {*range(n_prefix, n_prefix + self.first), *range(self.n_seen - self.latest, self.n_seen)}
        last = self.last_row
        _, _, votes = self.forward(catalyst) if self.judge == "catalyst" else (None, None, last)
        for layer in range(self.n_layers):
            for kv in range(self.n_kv):
                entries = self.pot[layer][kv]
                n = len(entries)
                vote = self.unlikeness(entries) if self.judge == "keys" else votes[layer][kv].tolist()
                if self.windows[layer] is not None and self.windows[layer] < self.capacity:
                    chosen = set(range(n - self.budget, n))
                else:
                    chosen = set(range(n_prefix)) | {i for i in range(n) if entries[i][2] in protected}
                    n_novel = min(int(self.ratio * self.budget), self.budget - len(chosen))
                    rest = sorted((i for i in range(n) if i not in chosen), key=lambda i: (-entries[i][3], -i))
                    chosen |= set(rest[:n_novel])
                    rest = sorted((i for i in range(n) if i not in chosen), key=lambda i: (-vote[i], -i))
                    chosen |= set(rest[: self.budget - len(chosen)])
                self.pot[layer][kv] = [entries[i] for i in sorted(chosen)]
        self.outcome.kept.append([[[e[2] for e in head] for head in layer] for layer in self.pot])
        self.outcome.novelty.append([[[e[3] for e in head] for head in layer] for layer in self.pot])

    def unlikeness(self, entries: list[tuple[Tensor, Tensor, int, float]]) -> list[float]:
        keys = [self.turn(entry[0], self.place(i, entry[2])) for i, entry in enumerate(entries)]
        units = [key / key.norm() for key in keys]
        anchor = sum(units, torch.zeros(self.dim)) / len(units)
        return [-float(F.cosine_similarity(key, anchor, dim=0)) for key in keys]
