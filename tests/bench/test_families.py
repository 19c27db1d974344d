"""Every family of models keeps the engine's promises, and the checks would notice if one did not."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench import families
from infinipot_cli.bench.record import FamilyRow
from infinipot_cli.bench.replay import Replay
from infinipot_cli.bench.tiny_models import _LONGROPE, FAMILIES, Family, build
from infinipot_cli.display.tables import families_markdown
from infinipot_cli.engine import Reader
from infinipot_cli.errors import PotSizeError, UnsupportedModelError
from infinipot_cli.model.port import port_of
from infinipot_cli.model.rope import LayerRope, stable_length
from tests.engine.conftest import random_ids, tiny
from tests.engine.reference import Reference

EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
INDEXED = {
    "num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16,
    "v_head_dim": 12, "n_routed_experts": 4, "n_group": 2, "topk_group": 1, "moe_intermediate_size": 32,
    "index_n_heads": 2, "index_head_dim": 16, "index_topk": 8,
}  # fmt: skip
SHARED = {
    "head_dim": 16, "num_kv_shared_layers": 1, "vocab_size_per_layer_input": 97, "hidden_size_per_layer_input": 8,
    "laurel_rank": 4, "activation_sparsity_pattern": [0.0] * 3,
    "layer_types": ["sliding_attention", "full_attention", "full_attention"],
}  # fmt: skip
OLD = {"n_embd": 48, "n_head": 4, "n_layer": 2}
REFUSED = (
    Family("BLOOM", "bloom", "no rotary positions", {"hidden_size": 48, "n_head": 4, "n_layer": 2}),
    Family("MPT", "mpt", "no rotary positions", {"d_model": 48, "n_heads": 4, "n_layers": 2}),
    Family("GPT-2", "gpt2", "absolute positions", OLD),
    Family("OPT", "opt", "absolute positions", {"word_embed_proj_dim": 48, "ffn_dim": 64}),
    Family("Mamba", "mamba", "recurrent"),
    Family("Jamba", "jamba", "recurrent", {"num_experts": 2, "mamba_d_state": 8, "use_mamba_kernels": False}),
    Family("RWKV", "rwkv", "keeps no keys"),
    Family(
        "Qwen3-Next",
        "qwen3_next",
        "recurrent",
        EXPERTS,
    ),
    Family("Llama 4", "llama4_text", "attends in fixed chunks", {"num_local_experts": 2, "head_dim": 16}),
    Family("Hunyuan", "hunyuan_v1_dense", "not a rotation", {"head_dim": 16}),
    Family("DeepSeek-V3.2", "deepseek_v32", "index of its own", INDEXED),
    Family("Gemma 3n", "gemma3n_text", "entries of others", SHARED),
    Family("Falcon", "falcon", "transformers' interface", {"alibi": False}),
    Family("GPT-J", "gptj", "not a rotation", {"rotary_dim": 8, **OLD}),
    Family("CodeGen", "codegen", "not a rotation", {"rotary_dim": 8, **OLD}),
)
PER_LAYER = ("layer_types", "no_rope_layers")
README = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")


def named(*names: str) -> list[Family]:
    return [family for family in FAMILIES if family.name in names]


def of_two_layers(family: Family) -> Family:
    """One with a layer of each kind that it has: the first and the last."""
    kinds = {name: [kinds[0], kinds[-1]] for name in PER_LAYER if (kinds := family.options.get(name))}
    return replace(family, options={**family.options, **kinds, "num_hidden_layers": 2})


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_keeps_every_promise(family: Family) -> None:
    row = families.check(family, cycles=8)
    assert row.n_compared >= 18
    assert all(row.verdicts), row


@pytest.mark.parametrize(
    "family",
    [
        Family("AFMoE", "afmoe", "takes views of its attention's output", {"head_dim": 16, **EXPERTS}),
        Family("JetMoE", "jetmoe", "takes views of its attention's output", EXPERTS),
        Family("Qwen2-MoE", "qwen2_moe", "shared experts", EXPERTS),
        Family("ModernBERT decoder", "modernbert-decoder", "fused projections, windows"),
    ],
    ids=lambda family: family.name,
)
def test_a_family_that_no_table_names_works_as_well(family: Family) -> None:
    model = build(family)
    assert families.fitting_error(model) <= 1e-4
    n_equal, n_compared, answer = families.compared_to_replay(model)
    assert 0 < n_equal == n_compared
    assert answer <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_keys_do_not_drift_over_hundreds_of_distillations(family: Family) -> None:
    model = build(of_two_layers(family))
    assert families.rotation_error(model, 250) <= 1e-5
    assert families.rotation_error(model.bfloat16(), 250) <= 8e-3


LONG = {**_LONGROPE, "original_max_position_embeddings": 64}
TURNED = {"rope_type": "default", "rope_theta": 10_000.0}
DYNAMIC = {**TURNED, "rope_type": "dynamic", "factor": 2.0}
CHANGING = [
    Family("longrope", "phi3", "", {"original_max_position_embeddings": 64, "rope_parameters": LONG}),
    Family("dynamic", "llama", "", {"max_position_embeddings": 64, "rope_parameters": DYNAMIC}),
    Family(
        "by layer", "gemma3_text", "",
        {"head_dim": 12, "sliding_window": 20, "layer_types": ["sliding_attention", "full_attention", "full_attention"],
         "rope_parameters": {"sliding_attention": TURNED, "full_attention": {
             **LONG, "partial_rotary_factor": 1.0, "short_factor": [1.1] * 6, "long_factor": [2.0] * 6}}},
    ),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", CHANGING, ids=lambda family: family.name)
def test_a_rotation_that_changes_with_length_is_that_of_short_texts(family: Family, dtype: torch.dtype) -> None:
    model = build(family)
    assert stable_length(model) == 64
    small = Reader(model, catalyst_ids=[5, 6], capacity=64, budget=32)
    for _ in small.feed(random_ids(60, 3)):
        pass
    with pytest.raises(PotSizeError, match="past 64 positions"):
        Reader(model, catalyst_ids=[5, 6], capacity=65, budget=32)
    error = families.rotation_error(model.to(dtype), 12)
    assert error <= (1e-5 if dtype == torch.float32 else 1e-2)


@pytest.mark.parametrize("family", REFUSED, ids=lambda family: family.name)
def test_a_family_that_cannot_is_refused_with_the_reason(family: Family) -> None:
    with pytest.raises(UnsupportedModelError, match=family.trait) as caught:
        port_of(build(family))
    assert "bench families" in caught.value.hint
    assert "\n" not in caught.value.message
    assert family.name in README


@pytest.mark.parametrize("family", named("Llama", "GLM-4", "DeepSeek-V3"), ids=lambda family: family.name)
def test_keys_that_are_not_turned_are_noticed(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(family)
    port_of(model)
    monkeypatch.setattr(LayerRope, "rotate_", lambda self, keys, positions, **_: None)
    assert families.rotation_error(model, 3) > 1e-2
    n_equal, n_compared, answer = families.compared_to_replay(model)
    assert n_equal < n_compared or answer > 1e-2


@pytest.mark.parametrize("name", ["llama", "mistral-window", "qwen3"])
def test_the_two_references_agree(name: str) -> None:
    """The one replays any model's own modules, the other reads weights and knows a few shapes; they share nothing."""
    model = tiny(name)
    sizes = {"capacity": 36, "budget": 16, "novelty_ratio": 0.5}
    run = {"prefix": random_ids(2, 1), "document": random_ids(90, 2), "catalyst": random_ids(4, 3),
           "suffix": random_ids(5, 4), "n_answer": 4}  # fmt: skip
    replayed = Replay(model, port_of(model).windows, 2, **sizes).run(**run)
    wanted = Reference(model, **sizes).run(**run)
    assert (replayed.kept, replayed.tokens, replayed.peak) == (wanted.kept, wanted.tokens, wanted.peak)
    torch.testing.assert_close(torch.stack(replayed.logits), torch.stack(wanted.logits), atol=1e-4, rtol=1e-4)


def test_the_table_of_the_readme_is_what_the_command_prints() -> None:
    good = [FamilyRow(f.name, f.model_type, f.trait, 0.0, 1, 1, 250, 0.0, 0.0, 0.0) for f in FAMILIES]
    assert "\n" + families_markdown(good) in README
    words = ["bench", "families", "qwen2", "glm4", "--cycles", "2", "-q", "--markdown"]
    printed = CliRunner().invoke(app, words).stdout.strip().splitlines()
    assert len(printed) == 4
    assert all(line in README for line in printed)


def test_the_command_prints_a_table_or_a_record() -> None:
    words = ["bench", "families", "Cohere", "--cycles", "2"]
    shown = CliRunner().invoke(app, words, env={"COLUMNS": "140"})
    assert shown.exit_code == 0
    assert re.search(r"Cohere +│ \S+ +│ 36/36", shown.stdout)
    (row,) = json.loads(CliRunner().invoke(app, [*words, "--json", "-q"]).stdout)["rows"]
    assert (row["family"], row["n_equal"], row["verdicts"]) == ("Cohere", 36, [True] * 4)


def test_a_failed_check_is_marked_and_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = FamilyRow("Odd", "odd", "nothing", 1.0, 1, 2, 3, 0.0, 0.0, float("inf"))
    monkeypatch.setattr(families, "run", lambda *_: iter([wrong]))
    shown = CliRunner().invoke(app, ["bench", "families"], env={"COLUMNS": "140"})
    assert shown.exit_code == 1
    assert shown.stdout.count("✗") == 3
    assert json.loads(CliRunner().invoke(app, ["bench", "families", "--json"]).stdout)["rows"][0]["generation"] is None


def test_an_unknown_family_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["bench", "families", "unheard-of"])
    assert result.exit_code == 2
    assert "one of llama, mistral" in result.stderr
