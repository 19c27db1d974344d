"""The probe finds each layer's rotation, and the rotation found is the one that the model applies."""

import copy
from collections.abc import Callable

import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    DynamicCache,
    GlmConfig,
    GlmForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Olmo3Config,
    Olmo3ForCausalLM,
    PreTrainedModel,
)

from infinipot_cli.errors import UnsupportedModelError
from infinipot_cli.model.cache_name import handed
from infinipot_cli.model.rope import LayerRope, _fit, probe_rope

SMALL = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 256,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10_000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 64}
MAKERS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SMALL)),
    "llama3-scaled": lambda: LlamaForCausalLM(LlamaConfig(**SMALL, rope_parameters=LLAMA3)),
    "yarn": lambda: LlamaForCausalLM(LlamaConfig(**SMALL, rope_parameters=YARN)),
    "interleaved": lambda: CohereForCausalLM(CohereConfig(**SMALL, pad_token_id=0, bos_token_id=1, eos_token_id=2)),
    "interleaved-partial": lambda: GlmForCausalLM(GlmConfig(**SMALL, head_dim=16, pad_token_id=0, eos_token_id=2)),
}


def cached_keys(model: PreTrainedModel, token: int, places: list[int]) -> list[torch.Tensor]:
    """What each layer caches for a token that stands alone at each place, (places, heads, D)."""
    cache = DynamicCache(config=model.config)
    with torch.inference_mode():
        model(
            input_ids=torch.full((len(places), 1), token), position_ids=torch.tensor(places)[:, None],
            use_cache=True, **handed(model, cache),
        )  # fmt: skip
    return [layer.keys[:, :, 0].float() for layer in cache.layers]


@pytest.mark.parametrize("name", list(MAKERS))
def test_turning_a_key_to_another_place_gives_what_the_model_writes_there(name: str) -> None:
    """Places and token are others than those of the probe."""
    torch.manual_seed(0)
    model = MAKERS[name]().eval()
    start, places = 5, [0, 1, 30, 64, 200, 255]
    found = probe_rope(model, 256)
    assert {rope.is_interleaved for rope in found} == {name.startswith("interleaved")}
    for rope, keys in zip(found, cached_keys(model, 11, [start, *places]), strict=True):
        plain = rope.rotate(keys[:1].transpose(0, 1), torch.tensor([start]), inverse=True)
        turned = rope.rotate(plain.expand(-1, len(places), -1), torch.tensor(places)).transpose(0, 1)
        assert (turned - keys[1:]).norm() / keys[1:].norm() < 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_finds_the_same_rotation(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SMALL)).eval()
    wanted = probe_rope(model, 256)
    for rope, expected in zip(probe_rope(model.to(dtype), 256), wanted, strict=True):
        assert (rope.is_interleaved, rope.is_last, rope.sign) == (False, False, 1)
        torch.testing.assert_close(rope.inv_freq, expected.inv_freq, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("n_positions", [128, 8192])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_two_rotations_that_are_alike_in_fast_pairs_each_layer_has_its_own(
    dtype: torch.dtype, n_positions: int
) -> None:
    """In bf16 the keys of the one are straight within rounding under the other as well, near the beginning."""
    torch.manual_seed(0)
    scaled = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}  # fmt: skip
    config = Olmo3Config(
        **SMALL | {"hidden_size": 256, "num_attention_heads": 2, "num_key_value_heads": 2}, head_dim=128,
        layer_types=["sliding_attention", "full_attention"], sliding_window=4096,
        rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 5e5}, "full_attention": scaled},
    )  # fmt: skip
    model = Olmo3ForCausalLM(config).eval().to(dtype)
    rotary = model.model.rotary_emb
    wanted = [rotary.sliding_attention_inv_freq.float(), rotary.full_attention_inv_freq.float()]
    for rope, inv_freq in zip(probe_rope(model, n_positions), wanted, strict=True):
        assert torch.equal(rope.inv_freq, inv_freq)


def test_a_token_without_an_embedding_is_not_taken_for_a_model_without_positions() -> None:
    model = LlamaForCausalLM(LlamaConfig(**SMALL, pad_token_id=7)).eval()
    assert not model.model.embed_tokens.weight[7].any()
    assert all(rope.is_rotary for rope in probe_rope(model, 256))


def test_a_trained_context_shorter_than_the_probe_is_respected() -> None:
    model = LlamaForCausalLM(LlamaConfig(**SMALL | {"max_position_embeddings": 8})).eval()
    seen: list[int] = []
    model.model.rotary_emb.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(int(kwargs["position_ids"].max())), with_kwargs=True
    )
    assert all(rope.is_rotary for rope in probe_rope(model, 8))
    assert max(seen) < 8


def test_keys_that_are_no_rotation_of_one_vector_are_refused() -> None:
    """As with a norm that has weights and comes after the rotation."""
    inv_freq = 10_000.0 ** (-torch.arange(0, 16, 2) / 16)
    places = torch.tensor([0, 1, 2, 3, 7, 19])
    plain = torch.randn(1, 1, 16, generator=torch.Generator().manual_seed(0)).expand(-1, 6, -1)
    turned = LayerRope(inv_freq).rotate(plain, places).transpose(0, 1)
    assert _fit(turned, places, 6, [inv_freq], 1e-5, "a model") == LayerRope(inv_freq)
    with pytest.raises(UnsupportedModelError, match="keys of a model are not a rotation"):
        _fit(turned * torch.linspace(0.5, 2.0, 16), places, 6, [inv_freq], 1e-5, "a model")


def test_a_layer_without_rotation_leaves_keys_alone() -> None:
    keys = torch.randn(2, 3, 8)
    assert torch.equal(LayerRope(torch.empty(0)).rotate(keys, torch.tensor([4, 5, 6])), keys)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("inverse", [False, True])
def test_angles_from_the_table_are_those_computed(sign: int, inverse: bool) -> None:
    rope, keys = LayerRope(10_000.0 ** (-torch.arange(0, 16, 2) / 16), sign=sign), torch.randn(1, 2, 9, 20)
    for n_positions in (50, 40, 60):  # the table grows, and serves less
        places = torch.randint(40, (1, 2, 9))
        wanted = rope.rotate(keys, places, inverse=inverse)
        assert torch.equal(rope.rotate(keys, places, inverse=inverse, n_positions=n_positions), wanted)
    assert copy.deepcopy(rope) is rope
