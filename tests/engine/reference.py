"""An independent, slow InfiniPot: what the engine must agree with to the token.

Nothing is shared with the package or with transformers' caches, masks and position code: weights are read from the
model's state dict, un-rotated keys are kept per layer and KV head in Python lists, and every forward rotates all keys
afresh and loops over heads. Covers the Llama, Mistral, Qwen2 and Qwen3 shapes.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Outcome:
    """Everything two implementations can be compared by."""

    kept: list[list[list[list[int]]]] = field(default_factory=list)  # [cycle][layer][kv head] -> origins
    novelty: list[list[list[list[float]]]] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    logits: list[Tensor] = field(default_factory=list)
    peak: int = 0


class Reference:
    """One model's weights and a pot of Python lists."""

    def __init__(self, model: torch.nn.Module, *, capacity: int, budget: int, novelty_ratio: float) -> None:
        self.config = model.config
        self.w = {name: value.detach().float() for name, value in model.state_dict().items()}
        self.capacity, self.budget, self.ratio = capacity, budget, novelty_ratio
        c = self.config
        self.n_layers, self.n_heads, self.n_kv = c.num_hidden_layers, c.num_attention_heads, c.num_key_value_heads
        self.dim = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
        theta = c.rope_parameters["rope_theta"]
        self.inv_freq = torch.tensor([theta ** (-2 * i / self.dim) for i in range(self.dim // 2)], dtype=torch.float64)
        types = getattr(c, "layer_types", None)
        window = getattr(c, "sliding_window", None)
        self.windows = [
            window if window and (types is None or types[i] == "sliding_attention") else None
            for i in range(self.n_layers)
        ]
        if c.model_type.startswith("qwen") and not getattr(c, "use_sliding_window", False):
            self.windows = [None] * self.n_layers
        # entry = (un-rotated key, value, origin, novelty)
        self.pot: list[list[list[tuple[Tensor, Tensor, int, float]]]] = [
            [[] for _ in range(self.n_kv)] for _ in range(self.n_layers)
        ]
        # of the latest forward, [layer][kv head]: attention of its last row, and sums over all rows, (n held + new)
        self.last_row: list[list[Tensor]] = []
        self.columns: list[list[Tensor]] = []
        self.n_seen = 0
        self.last_logits: Tensor | None = None
        self.outcome = Outcome()

    def norm(self, x: Tensor, name: str) -> Tensor:
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.config.rms_norm_eps) * self.w[name]

    def turn(self, x: Tensor, positions: int | list[int]) -> Tensor:
        """A row for each position, turned to there."""
        turns = torch.tensor(positions, dtype=torch.float64)[..., None] * self.inv_freq
        cos, sin = turns.cos().float(), turns.sin().float()
        left, right = x.chunk(2, dim=-1)
        return torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1)

    def linear(self, x: Tensor, name: str) -> Tensor:
        y = x @ self.w[name + ".weight"].T
        return y + self.w[name + ".bias"] if name + ".bias" in self.w else y

    def place(self, slot: int, origin: int) -> int:
        """Position of an entry: where it stands."""
        return slot

    def turned(self, keys: list[Tensor], places: list[int]) -> Tensor:
        """Keys at their positions, ready for `products`."""
        return self.turn(torch.stack(keys), places)

    def products(self, turned: Tensor, q: Tensor, at: list[int], places: list[int]) -> Tensor:
        """Of each query, at its position, with all keys at theirs: a row for each query."""
        return self.turn(q, at) @ turned.T

    def forward(self, ids: list[int]) -> tuple[Tensor, list, list]:
        """Logits of all rows; new entries and votes per layer and KV head. The pot itself is not changed."""
        x = self.w["model.embed_tokens.weight"][torch.tensor(ids)]
        group, n_new = self.n_heads // self.n_kv, len(ids)
        new_entries, votes = [], []
        self.last_row, self.columns = [], []
        for layer in range(self.n_layers):
            at = f"model.layers.{layer}."
            h = self.norm(x, at + "input_layernorm.weight")
            q = self.linear(h, at + "self_attn.q_proj").view(n_new, self.n_heads, self.dim)
            k = self.linear(h, at + "self_attn.k_proj").view(n_new, self.n_kv, self.dim)
            v = self.linear(h, at + "self_attn.v_proj").view(n_new, self.n_kv, self.dim)
            if at + "self_attn.q_norm.weight" in self.w:
                q = self.norm(q, at + "self_attn.q_norm.weight")
                k = self.norm(k, at + "self_attn.k_norm.weight")
            mixed = torch.zeros(n_new, self.n_heads, self.dim)
            layer_votes, layer_entries = [], []
            self.last_row.append([])
            self.columns.append([])
            for kv in range(self.n_kv):
                held = self.pot[layer][kv]
                n = len(held)
                keys = [entry[0] for entry in held] + [k[i, kv] for i in range(n_new)]
                places = [self.place(i, entry[2]) for i, entry in enumerate(held)]
                places += [self.place(n + i, self.n_seen + i) for i in range(n_new)]
                values = torch.stack([entry[1] for entry in held] + [v[i, kv] for i in range(n_new)])
                stacked = self.turned(keys, places)
                vote, last = torch.zeros(n + n_new), torch.zeros(n + n_new)
                behind = n + torch.arange(n_new)[:, None] - torch.arange(n + n_new)
                hidden = (behind < 0) | (behind >= (self.windows[layer] or n + n_new))
                for head in range(kv * group, (kv + 1) * group):
                    scores = self.products(stacked, q[:, head], places[n:], places) / math.sqrt(self.dim)
                    p = torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1)
                    mixed[:, head] = p @ values
                    vote += p.sum(0)
                    last += p[-1]
                layer_votes.append(vote[:n])
                self.columns[-1].append(vote)
                self.last_row[-1].append(last)
                layer_entries.append([(k[i, kv], v[i, kv]) for i in range(n_new)])
            votes.append(layer_votes)
            new_entries.append(layer_entries)
            x = x + self.linear(mixed.reshape(n_new, -1), at + "self_attn.o_proj")
            h = self.norm(x, at + "post_attention_layernorm.weight")
            gate = torch.nn.functional.silu(self.linear(h, at + "mlp.gate_proj"))
            x = x + self.linear(gate * self.linear(h, at + "mlp.up_proj"), at + "mlp.down_proj")
        x = self.norm(x, "model.norm.weight")
        head_name = "lm_head.weight" if "lm_head.weight" in self.w else "model.embed_tokens.weight"
        self.outcome.peak = max(self.outcome.peak, self.n_held + n_new)
        return x @ self.w[head_name].T, new_entries, votes

    @property
    def n_held(self) -> int:
        return len(self.pot[0][0])

    def consume(self, ids: list[int]) -> None:
        logits, entries, _ = self.forward(ids)
        for i, token in enumerate(ids):
            before = self.last_logits if i == 0 else logits[i - 1]
            novelty = math.inf if before is None else float(-torch.log_softmax(before, dim=-1)[token])
            for layer in range(self.n_layers):
                for kv in range(self.n_kv):
                    key, value = entries[layer][kv][i]
                    self.pot[layer][kv].append((key, value, self.n_seen, novelty))
            self.n_seen += 1
        self.last_logits = logits[-1]

    def distill(self, catalyst: list[int], n_prefix: int, protected: Collection[int] = ()) -> None:
        """Keep the prefix, entries of protected origins, then novel ones, then those the catalyst attends to."""
        _, _, votes = self.forward(catalyst)
        for layer in range(self.n_layers):
            for kv in range(self.n_kv):
                entries = self.pot[layer][kv]
                n = len(entries)
                if self.windows[layer] is not None and self.windows[layer] < self.capacity:
                    chosen = set(range(n - self.budget, n))
                else:
                    chosen = set(range(n_prefix)) | {i for i in range(n) if entries[i][2] in protected}
                    n_novel = min(int(self.ratio * self.budget), self.budget - len(chosen))
                    rest = sorted((i for i in range(n) if i not in chosen), key=lambda i: (-entries[i][3], -i))
                    chosen |= set(rest[:n_novel])
                    vote = votes[layer][kv].tolist()
                    rest = sorted((i for i in range(n) if i not in chosen), key=lambda i: (-vote[i], -i))
                    chosen |= set(rest[: self.budget - len(chosen)])
                self.pot[layer][kv] = [entries[i] for i in sorted(chosen)]
        self.outcome.kept.append([[[e[2] for e in head] for head in layer] for layer in self.pot])
        self.outcome.novelty.append([[[e[3] for e in head] for head in layer] for layer in self.pot])

    def run(
        self, *, prefix: list[int], document: list[int], catalyst: list[int], suffix: list[int], n_answer: int
    ) -> Outcome:
        """Read, ask and answer; one token a forward pass where that is simplest."""
        if prefix:
            self.consume(prefix)
        full = self.capacity - len(catalyst)
        position = 0
        while position < len(document):
            if self.n_held == full:
                self.distill(catalyst, len(prefix))
            n = min(full - self.n_held, len(document) - position)
            self.consume(document[position : position + n])
            position += n
        if self.n_held + len(suffix) + n_answer > self.capacity and self.n_held > self.budget:
            self.distill(catalyst, len(prefix))
        asked = range(self.n_seen, self.n_seen + len(suffix))
        if suffix:
            self.consume(suffix)
        n_recent = min(64, (self.budget - len(prefix) - len(suffix)) // 2)
        for _ in range(n_answer):
            assert self.last_logits is not None
            token = int(self.last_logits.argmax())
            self.outcome.tokens.append(token)
            self.outcome.logits.append(self.last_logits)
            n_left = n_answer - len(self.outcome.tokens)
            if n_left and self.n_held + n_left > self.capacity and self.n_held == full:
                latest = range(max(asked.stop, self.n_seen - n_recent), self.n_seen)
                self.distill(catalyst, len(prefix), protected={*asked, *latest})
            if n_left:
                self.consume([token])
        return self.outcome
