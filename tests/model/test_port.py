"""Which models may use a pot, and why the others may not."""

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedModel,
    SmolLM3Config,
    SmolLM3ForCausalLM,
)

from infinipot_cli.errors import ModelError, UnsupportedModelError
from infinipot_cli.model.port import port_of
from infinipot_cli.model.rope import LayerRope

SMALL = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2}


def test_llama_turns_halves_with_its_own_frequencies() -> None:
    port = port_of(LlamaForCausalLM(LlamaConfig(**SMALL, num_key_value_heads=1, max_position_embeddings=99)).eval())
    assert port.context_length == 99
    assert port.windows == (None,) * 4
    for rope in port.ropes:
        assert (rope.is_interleaved, rope.is_last, rope.sign) == (False, False, 1)
        torch.testing.assert_close(rope.inv_freq, 10_000.0 ** (-torch.arange(0, 16, 2) / 16))


def test_partial_rotation_layers_without_positions_and_windows_are_found() -> None:
    phi = port_of(PhiForCausalLM(PhiConfig(**SMALL, partial_rotary_factor=0.5)).eval())
    assert {rope.inv_freq.numel() for rope in phi.ropes} == {4}
    smol = SmolLM3Config(**SMALL, num_key_value_heads=1, no_rope_layers=[1, 1, 1, 0], pad_token_id=0)
    assert [rope.is_rotary for rope in port_of(SmolLM3ForCausalLM(smol).eval()).ropes] == [True, True, True, False]
    gemma = Gemma3TextConfig(
        **SMALL, num_key_value_heads=1, head_dim=16, sliding_window=8, pad_token_id=0,
        layer_types=["sliding_attention", "full_attention"] * 2,
    )  # fmt: skip
    port = port_of(Gemma3ForCausalLM(gemma).eval())
    assert port.windows == (8, None, 8, None)
    assert not torch.equal(port.ropes[0].inv_freq, port.ropes[1].inv_freq)
    neox = GPTNeoXConfig(**SMALL, rotary_pct=0.25, use_parallel_residual=True)
    assert {rope.inv_freq.numel() for rope in port_of(GPTNeoXForCausalLM(neox).eval()).ropes} == {2}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=2)), "absolute positions"),
        (lambda: BloomForCausalLM(BloomConfig(vocab_size=64, hidden_size=32, n_layer=2, n_head=2)), "no rotary"),
        (lambda: MambaForCausalLM(MambaConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2)), "recurrent"),
    ],
)
def test_other_models_are_refused_with_the_reason(make: object, reason: str) -> None:
    model: PreTrainedModel = make().eval()  # type: ignore[operator]
    with pytest.raises(UnsupportedModelError, match=reason):
        port_of(model)


def test_a_model_whose_tokens_see_later_ones_is_refused() -> None:
    config = Gemma3TextConfig(**SMALL, num_key_value_heads=1, head_dim=16, pad_token_id=0)
    assert port_of(Gemma3ForCausalLM(config).eval())
    config.use_bidirectional_attention = True
    torch.manual_seed(1)
    model = Gemma3ForCausalLM(config).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    with pytest.raises(UnsupportedModelError, match="lets tokens see later ones"):
        port_of(model)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_that_are_no_numbers_are_said_to_be_damaged(dtype: torch.dtype) -> None:
    model = LlamaForCausalLM(LlamaConfig(**SMALL, num_key_value_heads=1)).eval().to(dtype).requires_grad_(False)
    model.model.layers[2].mlp.up_proj.weight[3, 4] = float("nan")
    with pytest.raises(ModelError, match="computes what is no number: its weights are damaged") as caught:
        port_of(model)
    assert caught.value.code == "damaged_model"
    assert ("--dtype float32" in caught.value.hint) == (dtype is torch.float16)


@pytest.mark.parametrize("problem", [AttributeError("'NoneType' object has no attribute 'shape'\nmore"), KeyError()])
def test_a_model_whose_own_code_fails_is_refused_and_exhausted_memory_is_not_its_fault(
    problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise problem

    model = LlamaForCausalLM(LlamaConfig(**SMALL, num_key_value_heads=1)).eval()
    monkeypatch.setattr(model.model.layers[0], "forward", failing)
    first_line = str(problem).partition("\n")[0] or type(problem).__name__
    with pytest.raises(UnsupportedModelError, match=f"llama fails where a pot is tried on it: {first_line}$") as caught:
        port_of(model)
    assert caught.value.__cause__ is problem
    problem = MemoryError()
    with pytest.raises(MemoryError):
        port_of(model)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_rotation_is_undone_exactly_and_adds_up(interleaved: bool, last: bool, sign: int) -> None:
    rope = LayerRope(10_000.0 ** (-torch.arange(0, 8, 2) / 8), interleaved, last, sign)
    keys = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0))
    places = torch.tensor([0, 3, 4, 90, 1000])
    turned = rope.rotate(keys, places)
    torch.testing.assert_close(rope.rotate(turned, places, inverse=True), keys, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(rope.rotate(keys, torch.zeros(5)), keys)
    torch.testing.assert_close(
        rope.rotate(rope.rotate(keys, places), 2 * places), rope.rotate(keys, 3 * places), atol=2e-3, rtol=0
    )
    torch.testing.assert_close(turned.norm(dim=-1), keys.norm(dim=-1))
    untouched = slice(0, 4) if last else slice(8, 12)
    assert torch.equal(turned[..., untouched], keys[..., untouched])
