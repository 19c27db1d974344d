"""Every policy once more, slowly: what the fast ones must agree with to the token.

Built on the slow reference, whose entries are Python tuples in Python lists; each method is written down again as its
paper has it, one head and one entry at a time.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.engine.reference import Outcome, Reference


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


class SlowStepping(Reference):
    """Policies that let go of one entry for each token, once the pot is full.

    Args:
        leaves: `streaming_llm`, `sliding_window`, `h2o` or `tova`.
        resets: whether an entry's position is its rank.
        n_front: sinks or heavy hitters.
    """

    def __init__(
        self, model: nn.Module, *, leaves: str, resets: bool, n_front: int = 0, capacity: int, cut: int = 0
    ) -> None:
        super().__init__(model, capacity=capacity, budget=0, novelty_ratio=0.0)
        self.leaves, self.resets, self.n_front, self.cut = leaves, resets, n_front, cut

    def place(self, slot: int, origin: int) -> int:
        return slot if self.resets else origin

    def leaver(self, layer: int, kv: int) -> int:
        entries = self.pot[layer][kv]
        if self.leaves == "sliding_window":
            return 0
        if self.leaves == "streaming_llm":
            return next(i for i, entry in enumerate(entries) if entry[2] >= self.n_front)
        if self.leaves == "h2o":
            return min(range(self.n_front + 1), key=lambda i: entries[i][3])
        total = sum(self.last_row[layer]).tolist()
        return min(range(len(entries)), key=lambda i: total[i])

    def absorb(self, ids: list[int]) -> None:
        if self.n_held == self.capacity:
            for layer in range(self.n_layers):
                # all heads choose before one lets go, since a layer's heads may choose together
                leavers = [self.leaver(layer, kv) for kv in range(self.n_kv)]
                for kv, leaver in enumerate(leavers):
                    del self.pot[layer][kv][leaver]
        self.consume(ids)
        for layer in range(self.n_layers):
            for kv in range(self.n_kv):
                sums = self.columns[layer][kv].tolist()
                n_old = self.n_held - len(ids)
                self.pot[layer][kv] = [
                    (key, value, origin, (score if i < n_old else 0.0) + sums[i])
                    for i, (key, value, origin, score) in enumerate(self.pot[layer][kv])
                ]

    def read(self, stream: list[int], suffix: list[int], n_answer: int) -> Outcome:
        """The whole stream, token by token from a full pot on; kept are the origins before and after the answer."""
        start = [part for part in (stream[: self.cut], stream[self.cut : self.capacity]) if part]
        for part in start:
            self.absorb(part)
        for token in stream[self.capacity :]:
            self.absorb([token])
        self.note()
        for token in suffix:
            self.absorb([token])
        for number in range(n_answer):
            assert self.last_logits is not None
            token = int(self.last_logits.argmax())
            self.outcome.tokens.append(token)
            self.outcome.logits.append(self.last_logits)
            if number < n_answer - 1:
                self.absorb([token])
        self.note()
        return self.outcome

    def note(self) -> None:
        self.outcome.kept.append([[[e[2] for e in head] for head in layer] for layer in self.pot])


class SlowSnapKV(Reference):
    """Reads everything, lets the last rows vote once, goes on with the winners and those rows."""

    def __init__(self, model: nn.Module, *, capacity: int, window: int, kernel: int, average: bool) -> None:
        super().__init__(model, capacity=capacity, budget=0, novelty_ratio=0.0)
        self.window, self.kernel, self.average = window, kernel, average

    def place(self, slot: int, origin: int) -> int:
        return origin

    def read(self, prompt: list[int], n_answer: int) -> Outcome:
        self.consume(prompt[: -self.window])
        self.consume(prompt[-self.window :])
        n, half = len(prompt) - self.window, self.kernel // 2
        for layer in range(self.n_layers if len(prompt) > self.capacity else 0):
            for kv in range(self.n_kv):
                votes = self.columns[layer][kv][:n].tolist()
                around = [votes[max(0, i - half) : i + half + 1] for i in range(n)]
                shared = [sum(part) / self.kernel if self.average else max(part) for part in around]
                best = sorted(range(n), key=lambda i: (-shared[i], -i))[: self.capacity - self.window]
                entries = self.pot[layer][kv]
                self.pot[layer][kv] = [entries[i] for i in sorted(best)] + entries[n:]
        self.outcome.kept.append([[[e[2] for e in head] for head in layer] for layer in self.pot])
        for _ in range(n_answer):
            assert self.last_logits is not None
            token = int(self.last_logits.argmax())
            self.outcome.tokens.append(token)
            self.outcome.logits.append(self.last_logits)
            self.consume([token])
        return self.outcome


class SlowSelfExtend(Reference):
    """Near keys at their place, far ones at their group's; each query is turned twice."""

    def __init__(self, model: nn.Module, *, group: int, near: int) -> None:
        super().__init__(model, capacity=0, budget=0, novelty_ratio=0.0)
        self.group, self.near = group, near

    def turned(self, keys: list[Tensor], places: list[int]) -> Tensor:
        far = [place // self.group for place in places]
        return torch.stack([self.turn(torch.stack(keys), where) for where in (places, far)])

    def products(self, turned: Tensor, q: Tensor, at: list[int], places: list[int]) -> Tensor:
        near = self.turn(q, at) @ turned[0].T
        far = self.turn(q, [place // self.group + self.near - self.near // self.group for place in at]) @ turned[1].T
        return torch.where(torch.tensor(at)[:, None] - torch.tensor(places) < self.near, near, far)
