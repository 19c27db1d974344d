"""The head stub gives the model's own logits, in slices, and always puts the body back."""

from collections.abc import Callable

import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from infinipot_cli.model.head import head, negative_log_likelihood, rows_per_slice
from infinipot_cli.model.port import body

SMALL = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1, "pad_token_id": 0,
}  # fmt: skip
MAKERS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SMALL)),
    "llama-tied": lambda: LlamaForCausalLM(LlamaConfig(**SMALL, tie_word_embeddings=True)),
    "gemma2-soft-cap": lambda: Gemma2ForCausalLM(Gemma2Config(**SMALL, head_dim=16, final_logit_softcapping=0.5)),
    "cohere-scale": lambda: CohereForCausalLM(CohereConfig(**SMALL, logit_scale=0.25, bos_token_id=1, eos_token_id=2)),
    "granite-scaling": lambda: GraniteForCausalLM(GraniteConfig(**SMALL, logits_scaling=3.0)),
}


@pytest.mark.parametrize("name", list(MAKERS))
def test_logits_of_given_states_are_the_model_s_own(name: str) -> None:
    """A head is more than its matrix: caps and scales count."""
    torch.manual_seed(0)
    model, ids = MAKERS[name]().eval(), torch.arange(2, 30)[None]
    with torch.inference_mode():
        states = body(model)(ids).last_hidden_state[0]
        wanted = model(ids).logits[0]
        torch.testing.assert_close(head(model, states), wanted, atol=0, rtol=0)
        losses = negative_log_likelihood(model, states[:-1], ids[0, 1:], 64)
    torch.testing.assert_close(losses, torch.nn.functional.cross_entropy(wanted[:-1], ids[0, 1:], reduction="none"))


def test_slices_do_not_change_the_losses_and_never_exceed_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = MAKERS["llama"]().eval()
    states, targets = torch.randn(600, 32), torch.randint(64, (600,))
    rows: list[int] = []
    model.lm_head.register_forward_hook(lambda _, args, __: rows.append(args[0].shape[1]))
    with torch.inference_mode():
        wide = negative_log_likelihood(model, states, targets, 64)
        assert rows == [256, 256, 88]
        rows.clear()
        monkeypatch.setattr("infinipot_cli.model.head.SLICE_BYTES", 1)
        narrow = negative_log_likelihood(model, states, targets, 64)
    assert max(rows) == rows_per_slice(64) == 32
    torch.testing.assert_close(wide, narrow)


def test_half_precision_losses_are_summed_in_fp32() -> None:
    torch.manual_seed(0)
    model = MAKERS["llama"]().eval().to(torch.bfloat16)
    with torch.inference_mode():
        states = torch.randn(4, 32, dtype=torch.bfloat16)
        logits, losses = head(model, states), negative_log_likelihood(model, states, torch.arange(4), 64)
    assert logits.dtype == losses.dtype == torch.float32
    torch.testing.assert_close(losses, torch.nn.functional.cross_entropy(logits, torch.arange(4), reduction="none"))


def test_no_rows_give_no_losses() -> None:
    empty = negative_log_likelihood(MAKERS["llama"](), torch.empty(0, 32), torch.empty(0, dtype=torch.long), 64)
    assert (empty.shape, empty.dtype) == ((0,), torch.float32)


def test_the_body_is_put_back_after_a_failure() -> None:
    model = MAKERS["llama"]().eval()
    before = body(model)
    with pytest.raises(RuntimeError):
        head(model, torch.randn(3, 31))
    assert body(model) is before
