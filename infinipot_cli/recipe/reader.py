"""The Llama shape as training needs it: one text, many questions over it, and the pot's effects in between.

Inference runs transformers' own Llama. Training has its own forward because it needs three things that a plain one
has not: (1) several questions branch off one text and share its keys; (2) the attention of the question rows over the
text is a training target (the same sum that CaP takes, paper Eq. 2); (3) question rows may see a per-head subset of the
text, renumbered from 0, as after a distillation (paper sections 3.2 and 3.5). Parameter names are those of
`LlamaForCausalLM`, so the state is saved as it is; `test_reader_equals_transformers` holds the two together.

Axes: B texts, L text tokens, R question rows (all branches of a text, packed), E branches, H query heads, K KV heads,
D head dim, V vocabulary, C entries kept.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

QUERY_BLOCKS, SMALLEST_QUERY_BLOCK = 4, 128


@dataclass(frozen=True)
class ReaderConfig:
    """Shape of the model; `n_layers` and `width` are the size dial."""

    vocabulary: int = 8192
    width: int = 256
    n_layers: int = 6
    n_heads: int = 4
    n_kv_heads: int = 2
    hidden: int = 704
    context: int = 1024
    rope_theta: float = 10_000.0

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.width // self.n_heads

    def to_transformers(self) -> dict[str, object]:
        """The `config.json` of the same model."""
        return {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": self.vocabulary,
            "hidden_size": self.width, "intermediate_size": self.hidden, "num_hidden_layers": self.n_layers,
            "num_attention_heads": self.n_heads, "num_key_value_heads": self.n_kv_heads, "head_dim": self.head_dim,
            "max_position_embeddings": self.context, "rms_norm_eps": 1e-6, "hidden_act": "silu",
            "rope_parameters": {"rope_theta": self.rope_theta, "rope_type": "default"}, "tie_word_embeddings": True,
            "attention_bias": False, "mlp_bias": False, "bos_token_id": 0, "eos_token_id": 5, "pad_token_id": 1,
            "dtype": "bfloat16", "use_cache": True,
        }  # fmt: skip

    def to_dict(self) -> dict[str, object]:
        """Plain fields, for checkpoints."""
        return asdict(self)


@dataclass(frozen=True)
class Batch:
    """One training step's input.

    Attributes:
        text: text tokens, (B, L).
        rows: question and answer tokens of all branches, (B, R).
        offsets: place of each row in its branch, (B, R).
        branch: branch of each row, (B, R); -1 for padding.
        asked: rows that must predict a token, (B, A), padded with 0.
        labels: the token each of them must predict, -1 for padding, (B, A).
        is_question: rows that vote in a distillation (question and answer header), (B, R).
        support: tokens of the text that support each branch's answer, (B, E, L).
        kept: text places that question rows may see, ascending, per layer and KV head, (n_layers, B, K, C); None: all.
        scored: text places where the language-model loss is taken, (B, S).
        n_protected: tokens in front of each text that are always kept, its header, (B,).
    """

    text: Tensor
    rows: Tensor
    offsets: Tensor
    branch: Tensor
    asked: Tensor
    labels: Tensor
    is_question: Tensor
    support: Tensor
    scored: Tensor
    n_protected: Tensor
    kept: Tensor | None = None


@dataclass(frozen=True)
class Losses:
    """Means in nats, and the share of answer tokens predicted right."""

    answer: Tensor
    text: Tensor
    retention: Tensor
    accuracy: Tensor
    exact: Tensor


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding, half-split convention of Llama; x (..., D), cos and sin broadcastable (..., D / 2)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention in blocks of query rows, (B, H, L, D) from q (B, H, L, D) and k, v (B, K, L, D).

    Compiled for a CPU this took a quarter of the time of the built-in kernel at 448 tokens and 0.7 of it at 960.
    """
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    b, n_heads, n, dim = q.shape
    n_kv, groups = k.shape[1], n_heads // k.shape[1]
    q = q.reshape(b, n_kv, groups, n, dim) * dim**-0.5
    parts = []
    size = max(SMALLEST_QUERY_BLOCK, -(-n // QUERY_BLOCKS))
    for start in range(0, n, size):
        end = min(n, start + size)
        rows = q[:, :, :, start:end].reshape(b, n_kv, groups * (end - start), dim)
        scores = (rows @ k[:, :, :end].transpose(-1, -2)).view(b, n_kv, groups, end - start, end)
        seen = torch.ones(end - start, end, dtype=torch.bool, device=q.device).tril(start)
        weights = scores.masked_fill(~seen, float("-inf")).float().softmax(dim=-1).to(v.dtype)
        mixed = weights.view(b, n_kv, groups * (end - start), end) @ v[:, :, :end]
        parts.append(mixed.view(b, n_kv, groups, end - start, dim))
    return torch.cat(parts, dim=3).view(b, n_heads, n, dim)


class Attention(nn.Module):
    """Attention of the text over itself and of question rows over text and branch."""

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        self.n_heads, self.n_kv, self.dim = config.n_heads, config.n_kv_heads, config.head_dim
        self.q_proj = nn.Linear(config.width, self.n_heads * self.dim, bias=False)
        self.k_proj = nn.Linear(config.width, self.n_kv * self.dim, bias=False)
        self.v_proj = nn.Linear(config.width, self.n_kv * self.dim, bias=False)
        self.o_proj = nn.Linear(self.n_heads * self.dim, config.width, bias=False)

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        b, n, _ = x.shape
        return (
            self.q_proj(x).view(b, n, self.n_heads, self.dim).transpose(1, 2),
            self.k_proj(x).view(b, n, self.n_kv, self.dim).transpose(1, 2),
            self.v_proj(x).view(b, n, self.n_kv, self.dim).transpose(1, 2),
        )

    def forward(
        self, text: Tensor, rows: Tensor, angles: tuple[Tensor, Tensor], offsets: Tensor, own: Tensor,
        kept: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """Returns text output (B, L, W), row output (B, R, W), probabilities of rows over text (B, K, G, R, C)."""
        cos, sin = angles
        b, n, _ = text.shape
        r = rows.shape[1]
        q, k, v = self._heads(text)
        q_rotated, k_rotated = rotate(q, cos[:n], sin[:n]), rotate(k, cos[:n], sin[:n])
        seen = causal_attention(q_rotated, k_rotated, v)
        seen = seen.transpose(1, 2).reshape(b, n, -1)

        if kept is None:
            k_seen, v_seen, n_seen = k_rotated, v, n
        else:  # survivors of a distillation: gathered per head and renumbered from 0 (CR-RoPE)
            n_seen = kept.shape[-1]
            index = kept[..., None].expand(-1, -1, -1, self.dim)
            k_seen = rotate(k.gather(2, index), cos[:n_seen], sin[:n_seen])
            v_seen = v.gather(2, index)
        q_row, k_row, v_row = self._heads(rows)
        at = (offsets + n_seen)[:, None]
        q_row, k_row = rotate(q_row, cos[at], sin[at]), rotate(k_row, cos[at], sin[at])
        groups = self.n_heads // self.n_kv
        q_row = q_row.view(b, self.n_kv, groups * r, self.dim) * self.dim**-0.5
        over_text = q_row @ k_seen.transpose(-1, -2)
        over_own = (q_row @ k_row.transpose(-1, -2)).view(b, self.n_kv, groups, r, r)
        over_own = over_own.masked_fill(~own[:, None, None], float("-inf"))
        scores = torch.cat((over_text.view(b, self.n_kv, groups, r, n_seen), over_own), dim=-1).float()
        weights = scores.softmax(dim=-1).to(v_seen.dtype)
        mixed = weights.view(b, self.n_kv, groups * r, -1) @ torch.cat((v_seen, v_row), dim=2)
        mixed = mixed.view(b, self.n_heads, r, self.dim).transpose(1, 2).reshape(b, r, -1)
        return self.o_proj(seen), self.o_proj(mixed), weights[..., :n_seen]


class MLP(nn.Module):
    """SwiGLU feed-forward."""

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.up_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.down_proj = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    """One decoder layer over text and rows together."""

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = nn.RMSNorm(config.width, eps=1e-6)
        self.post_attention_layernorm = nn.RMSNorm(config.width, eps=1e-6)


class Body(nn.Module):
    """Embedding, layers and final norm."""

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.n_layers))
        self.norm = nn.RMSNorm(config.width, eps=1e-6)


class Reader(nn.Module):
    """The trainable model; embeddings and head are tied."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ReaderConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Body(config)
        half = torch.arange(0, config.head_dim, 2).float() / config.head_dim
        turns = torch.outer(torch.arange(config.context + 512).float(), config.rope_theta**-half)
        self.register_buffer("cos", turns.cos(), persistent=False)
        self.register_buffer("sin", turns.sin(), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                scale = (2 * config.n_layers) ** -0.5 if name.endswith(("o_proj.weight", "down_proj.weight")) else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)

    def forward(self, batch: Batch) -> Losses:
        """Losses of one batch."""
        text, rows, retention = self._run(batch)
        answer, accuracy, exact = self._answer_loss(rows, batch)
        index = batch.scored[..., None].expand(-1, -1, text.shape[-1])
        logits = F.linear(text.gather(1, index), self.model.embed_tokens.weight)
        following = batch.text.gather(1, batch.scored + 1)
        text_loss = F.cross_entropy(logits.flatten(0, 1).float(), following.flatten())
        return Losses(answer, text_loss, retention, accuracy, exact)

    def hidden(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Final hidden states of text (B, L, W) and rows (B, R, W)."""
        text, rows, _ = self._run(batch)
        return text, rows

    def _run(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        n_text = batch.text.shape[1]
        both = self.model.embed_tokens(torch.cat((batch.text, batch.rows), dim=1))
        same = (batch.branch[:, :, None] == batch.branch[:, None, :]) & (
            batch.offsets[:, :, None] >= batch.offsets[:, None, :]
        )
        own = same | torch.eye(batch.rows.shape[1], dtype=torch.bool, device=same.device)
        n_branches = batch.support.shape[1]
        voters = F.one_hot(batch.branch.clamp(min=0), n_branches) * (batch.is_question & (batch.branch >= 0))[..., None]
        retention = both.new_zeros((), dtype=torch.float32)
        for number, layer in enumerate(self.model.layers):
            assert isinstance(layer, Layer)
            normed = layer.input_layernorm(both)
            kept = None if batch.kept is None else batch.kept[number]
            text, rows, weights = layer.self_attn(
                normed[:, :n_text], normed[:, n_text:], (self.cos, self.sin), batch.offsets, own, kept
            )
            both = both + torch.cat((text, rows), dim=1)
            both = both + layer.mlp(layer.post_attention_layernorm(both))
            if number >= 2:  # the first layers cannot yet know what supports an answer
                retention = retention + _retention_loss(weights, voters, batch, kept)
        both = self.model.norm(both)
        return both[:, :n_text], both[:, n_text:], retention / max(1, self.config.n_layers - 2)

    def _answer_loss(self, rows: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        asking = rows.gather(1, batch.asked[..., None].expand(-1, -1, rows.shape[-1]))
        logits = F.linear(asking, self.model.embed_tokens.weight).float()
        losses = F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten().clamp(min=0), reduction="none")
        is_asked = batch.labels >= 0
        right = (logits.argmax(-1) == batch.labels) & is_asked
        total = is_asked.sum().clamp(min=1)
        branch = batch.branch.gather(1, batch.asked).clamp(min=0)
        one_hot = F.one_hot(branch, batch.support.shape[1]) * is_asked[..., None]
        wrong = (one_hot * (~right)[..., None]).sum(1)
        present = one_hot.sum(1) > 0
        exact = ((wrong == 0) & present).sum() / present.sum().clamp(min=1)
        return (losses * is_asked.flatten()).sum() / total, right.sum() / total, exact


def _retention_loss(weights: Tensor, voters: Tensor, batch: Batch, kept: Tensor | None) -> Tensor:
    """How far the catalyst's votes are from keeping the whole support, mean over branches and KV heads, nats.

    Cross-entropy between a uniform target on the supporting tokens and the summed votes of the question rows over the
    text (paper Eq. 2), normalised over the text only, so that rows stay free to look at their own branch.

    Args:
        weights: attention of rows over kept text places, (B, K, G, R, C).
        voters: which rows vote for which branch, (B, R, E).
        batch: with the supporting text tokens.
        kept: text place of each kept entry, (B, K, C), or None when all are kept.
    """
    votes = torch.einsum("bkgrc,bre->bkec", weights.float(), voters.float())
    target = batch.support[:, None].float().expand(-1, votes.shape[1], -1, -1)
    if kept is not None:
        target = target.gather(3, kept[:, :, None].expand(-1, -1, target.shape[2], -1))
    # What is protected soaks up attention and is no part of the comparison.
    places = torch.arange(batch.text.shape[1], device=votes.device)[None, None] if kept is None else kept
    votes = (votes + 1e-9) * (places >= batch.n_protected[:, None, None])[:, :, None]
    share = (votes / votes.sum(-1, keepdim=True)).clamp(min=1e-9)
    counts = target.sum(-1)
    loss = -(target * share.log()).sum(-1) / counts.clamp(min=1)
    present = counts > 0
    return (loss * present).sum() / present.sum().clamp(min=1)
