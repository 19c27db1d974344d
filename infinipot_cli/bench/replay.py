"""A second, slow InfiniPot for any model, to hold the engine against.

It shares nothing with the engine: entries are kept as the hidden states that tokens had when they were read, in Python
lists per layer and KV head, and before every forward the model's own attention modules make all keys anew at the places
where entries now stand. So it needs no knowledge of how a model rotates. Votes are the attention weights that
transformers itself reports.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache, PreTrainedModel

from infinipot_cli.model.cache_name import handed


@dataclass
class Outcome:
    """Everything two implementations can be compared by.

    Attributes:
        kept: origins of the survivors after each distillation, by layer and KV head.
        tokens: the answer.
        logits: the row behind each of its tokens, (V,).
        peak: most entries ever held.
    """

    kept: list[list[list[list[int]]]] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    logits: list[Tensor] = field(default_factory=list)
    peak: int = 0


@dataclass(frozen=True)
class Entry:
    """One token in one KV head of one layer: the state it came in with, (width,), and what travels with it."""

    state: Tensor
    origin: int
    novelty: float


class _Recorded(Exception):  # noqa: N818 - a signal, not an error
    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.pair = keys, values


class _Recorder(DynamicCache):
    """Stops an attention module as soon as it has made its keys."""

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> NoReturn:
        raise _Recorded(key_states, value_states)


class Attentions:
    """The attention modules of a model, asked for the keys they would make of any states at any places.

    Args:
        model: a decoder whose layers are handed their position embeddings.
        n_places: places that may be asked for.
    """

    def __init__(self, model: PreTrainedModel, n_places: int) -> None:
        found = {int(m.layer_idx): m for m in model.modules() if _is_attention(m)}  # type: ignore[arg-type]
        self.modules = [found[number] for number in sorted(found)]
        self._cache_name = ""
        self._embeddings: list[Any] = [None] * len(self.modules)
        self.states: list[Tensor] = [torch.empty(0)] * len(self.modules)
        with torch.no_grad(), self.watched():
            model(
                input_ids=torch.arange(2, 2 + n_places, device=model.device)[None] % 89,
                **handed(model, DynamicCache()),
            )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While it lasts, `states` holds what each layer's attention was last given, (T, width)."""

        def note(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            number = self.modules.index(module)
            self.states[number] = (args[0] if args else named["hidden_states"])[0]
            if self._embeddings[number] is None:
                self._embeddings[number] = named["position_embeddings"]
                self._cache_name = next(name for name, value in named.items() if isinstance(value, Cache))

        hooks = [module.register_forward_pre_hook(note, with_kwargs=True) for module in self.modules]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @torch.no_grad()
    def keys(self, number: int, states: Tensor) -> tuple[Tensor, Tensor]:
        """What layer `number` would cache of states standing at places 0, 1, …, each (K, N, D)."""
        embeddings, n = self._embeddings[number], states.shape[0]
        here = embeddings[:, :n] if isinstance(embeddings, Tensor) else tuple(part[:, :n] for part in embeddings)
        asked = {self._cache_name: _Recorder(), "position_embeddings": here, "attention_mask": None}
        try:
            self.modules[number](states[None], **asked)
        except _Recorded as found:
            return found.pair[0][0], found.pair[1][0]
        raise AssertionError("an attention module that does not use its cache")


def _is_attention(module: nn.Module) -> bool:
    return hasattr(module, "layer_idx") and "Attention" in type(module).__name__


class Replay:
    """One pot of Python lists.

    Args:
        model: copied, and switched to the attention that reports its weights.
        windows: sliding window of each layer, None where it sees everything.
        n_kv: KV heads of the cache.
        capacity: the paper's size of the pot.
        budget: entries kept by a distillation.
        novelty_ratio: share of the budget for the most novel tokens.
    """

    def __init__(
        self, model: PreTrainedModel, windows: Sequence[int | None], n_kv: int, *, capacity: int, budget: int,
        novelty_ratio: float,
    ) -> None:  # fmt: skip
        self.model = copy.deepcopy(model)
        self.model.set_attn_implementation("eager")
        self.attentions = Attentions(self.model, capacity)
        self.windows, self.n_kv = windows, n_kv
        self.capacity, self.budget, self.ratio = capacity, budget, novelty_ratio
        self.pot: list[list[list[Entry]]] = [[[] for _ in range(n_kv)] for _ in windows]
        self.n_seen = 0
        self.last_logits: Tensor | None = None
        self.outcome = Outcome()

    @property
    def n_held(self) -> int:
        """Entries in each head."""
        return len(self.pot[0][0])

    @torch.no_grad()
    def forward(self, ids: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Logits (T, V), and per layer the attention paid to the entries held, (K, N). The pot is not changed."""
        n, cache = self.n_held, DynamicCache()
        for number, heads in enumerate(self.pot if n else []):
            made = [self.attentions.keys(number, torch.stack([entry.state for entry in head])) for head in heads]
            keys = torch.stack([pair[0][kv] for kv, pair in enumerate(made)])
            values = torch.stack([pair[1][kv] for kv, pair in enumerate(made)])
            cache.update(keys[None], values[None], number)
        places = torch.arange(n, n + len(ids))[None]
        with self.attentions.watched():
            output = self.model(
                input_ids=torch.tensor([list(ids)]),
                position_ids=places,
                output_attentions=True,
                **handed(self.model, cache),
            )
        self.outcome.peak = max(self.outcome.peak, n + len(ids))
        votes = [weights[0, :, :, :n].sum(1).unflatten(0, (self.n_kv, -1)).sum(1) for weights in output.attentions]
        return output.logits[0], votes

    def consume(self, ids: Sequence[int]) -> None:
        """Read tokens into the pot."""
        logits, _ = self.forward(ids)
        for place, token in enumerate(ids):
            before = self.last_logits if place == 0 else logits[place - 1]
            novelty = math.inf if before is None else float(-torch.log_softmax(before, dim=-1)[token])
            for number, heads in enumerate(self.pot):
                for head in heads:
                    head.append(Entry(self.attentions.states[number][place], self.n_seen, novelty))
            self.n_seen += 1
        self.last_logits = logits[-1]

    def distill(self, catalyst: Sequence[int], n_prefix: int) -> None:
        """Keep the budget in every head."""
        _, votes = self.forward(catalyst)
        for number, heads in enumerate(self.pot):
            window = self.windows[number]
            for kv, entries in enumerate(heads):
                if window is not None and window < self.capacity:
                    heads[kv] = entries[-self.budget :]
                else:
                    heads[kv] = self._best(entries, votes[number][kv].tolist(), n_prefix)
        self.outcome.kept.append([[[entry.origin for entry in head] for head in layer] for layer in self.pot])

    def _best(self, entries: list[Entry], votes: list[float], n_prefix: int) -> list[Entry]:
        chosen = set(range(n_prefix))
        n_novel = min(int(self.ratio * self.budget), self.budget - n_prefix)
        for scores, n in (([entry.novelty for entry in entries], n_prefix + n_novel), (votes, self.budget)):
            rest = sorted((i for i in range(len(entries)) if i not in chosen), key=lambda i: (-scores[i], -i))
            chosen |= set(rest[: n - len(chosen)])
        return [entries[i] for i in sorted(chosen)]

    def run(
        self, *, prefix: Sequence[int], document: Sequence[int], catalyst: Sequence[int], suffix: Sequence[int],
        n_answer: int,
    ) -> Outcome:  # fmt: skip
        """Read, ask and answer."""
        if prefix:
            self.consume(prefix)
        full, done = self.capacity - len(catalyst), 0
        while done < len(document):
            if self.n_held == full:
                self.distill(catalyst, len(prefix))
            n = min(full - self.n_held, len(document) - done)
            self.consume(document[done : done + n])
            done += n
        if self.n_held + len(suffix) + n_answer > self.capacity and self.n_held > self.budget:
            self.distill(catalyst, len(prefix))
        self.consume(suffix)
        for number in range(n_answer):
            assert self.last_logits is not None
            self.outcome.tokens.append(int(self.last_logits.argmax()))
            self.outcome.logits.append(self.last_logits)
            if number + 1 < n_answer:
                self.consume(self.outcome.tokens[-1:])
        return self.outcome
