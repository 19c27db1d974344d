"""Training's own forward is transformers' Llama, token for token, and its distilled view renumbers as the pot does."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from infinipot_cli.recipe.reader import Batch, Reader, ReaderConfig, causal_attention

CONFIG = ReaderConfig(vocabulary=96, width=32, n_layers=3, n_heads=4, n_kv_heads=2, hidden=48, context=64)


def make_batch(n_text: int, n_rows: int, *, kept: torch.Tensor | None = None) -> Batch:
    """Two branches of equal length over one random text."""
    half = n_rows // 2
    generator = torch.Generator().manual_seed(1)
    return Batch(
        text=torch.randint(6, 96, (1, n_text), generator=generator),
        rows=torch.randint(6, 96, (1, n_rows), generator=generator),
        offsets=torch.arange(half).repeat(2)[None],
        branch=torch.arange(2).repeat_interleave(half)[None],
        asked=torch.zeros(1, 4, dtype=torch.long),
        labels=torch.full((1, 4), 7),
        n_protected=torch.tensor([2]),
        is_question=torch.ones(1, n_rows, dtype=torch.bool),
        support=torch.zeros(1, 2, n_text, dtype=torch.bool),
        scored=torch.zeros(1, 2, dtype=torch.long),
        kept=kept,
    )


@pytest.fixture
def pair() -> tuple[Reader, LlamaForCausalLM]:
    torch.manual_seed(0)
    reader = Reader(CONFIG).eval()
    for parameter in reader.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    twin = LlamaForCausalLM(LlamaConfig(**CONFIG.to_transformers())).float().eval()
    missing, unexpected = twin.load_state_dict(reader.state_dict(), strict=False)
    assert missing == ["lm_head.weight"] and not unexpected  # tied to the embedding
    twin.tie_weights()
    return reader, twin


def test_reader_equals_transformers_on_every_branch(pair: tuple[Reader, LlamaForCausalLM]) -> None:
    reader, twin = pair
    batch = make_batch(20, 12)
    with torch.inference_mode():
        text, rows = reader.hidden(batch)
        for branch in range(2):
            mine = torch.cat((batch.text[0], batch.rows[0, branch * 6 : branch * 6 + 6]))[None]
            wanted = twin.model(mine).last_hidden_state
            torch.testing.assert_close(text, wanted[:, :20], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(rows[:, branch * 6 : branch * 6 + 6], wanted[:, 20:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 127, 128, 129, 300])
def test_blocked_attention_is_causal_attention(n: int) -> None:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn((2, 4, n, 8), generator=generator)
    k, v = torch.randn((2, 2, 2, n, 8), generator=generator)
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    torch.testing.assert_close(causal_attention(q, k, v), wanted, atol=1e-5, rtol=1e-5)


def test_keeping_every_entry_changes_nothing(pair: tuple[Reader, LlamaForCausalLM]) -> None:
    reader, _ = pair
    everything = torch.arange(20).expand(CONFIG.n_layers, 1, CONFIG.n_kv_heads, 20)
    with torch.inference_mode():
        plain, kept = reader.hidden(make_batch(20, 12)), reader.hidden(make_batch(20, 12, kept=everything))
    torch.testing.assert_close(plain[1], kept[1], atol=1e-5, rtol=1e-5)


def test_dropped_places_are_not_seen_and_the_rest_is_renumbered(pair: tuple[Reader, LlamaForCausalLM]) -> None:
    """With one layer, dropping a token equals a text that never had it: keys depend on the token and its place only."""
    config = ReaderConfig(**{**CONFIG.to_dict(), "n_layers": 1})  # type: ignore[arg-type]
    torch.manual_seed(0)
    reader = Reader(config).eval()
    survivors = np.delete(np.arange(20), [3, 11])
    kept = torch.from_numpy(survivors).expand(1, 1, config.n_kv_heads, 18)
    batch = make_batch(20, 12, kept=kept)
    shorter = make_batch(20, 12)
    shorter = Batch(**{**vars(shorter), "text": shorter.text[:, survivors], "support": shorter.support[..., :18]})
    with torch.inference_mode():
        torch.testing.assert_close(reader.hidden(batch)[1], reader.hidden(shorter)[1], atol=1e-5, rtol=1e-5)
