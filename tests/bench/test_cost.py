"""Cost is measured on the engine itself, in processes of their own."""

import pytest
import torch
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.cost import CostRun, measure
from infinipot_cli.bench.cost_run import build, through_a_pot, with_everything_kept

SHAPE = {"vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip


@pytest.mark.parametrize(("method", "run"), [("infinipot", through_a_pot), ("full", with_everything_kept)])
def test_a_run_says_what_it_held(method: str, run: object) -> None:
    wanted = CostRun(method, 700, 128, SHAPE, n_answer=5)
    row = run(build(wanted), wanted, torch.arange(700).remainder(97).tolist())  # type: ignore[operator]
    per_entry = 2 * 2 * 2 * 8 * 4  # keys and values, layers, KV heads, width, bytes
    assert row.n_answer == 5
    assert 0 <= row.distill_seconds <= row.read_seconds
    if method == "full":
        assert (row.n_distilled, row.cache_bytes) == (0, (700 + 16 + 4) * per_entry)
    else:
        assert row.n_distilled >= (700 - 128) // 64
        assert row.cache_bytes == 128 * (per_entry + 2 * 2 * (8 + 4))


def test_methods_are_measured_alike() -> None:
    """What each says it holds is what its method promises, at the end of an answer of five tokens."""
    entries, cycles = {}, {}
    for method in ("snapkv", "streaming_llm", "tova", "self_extend"):
        wanted = CostRun(method, 300, 128, SHAPE, n_answer=5)
        row = through_a_pot(build(wanted), wanted, torch.arange(300).remainder(97).tolist())
        entries[method], cycles[method] = row.cache_bytes / (2 * 2 * 2 * 8 * 4), row.n_distilled
        assert row.ttft_seconds == row.read_seconds + row.first_token_seconds
    assert cycles == {"snapkv": 0, "streaming_llm": 0, "tova": cycles["tova"], "self_extend": 0}
    assert cycles["tova"] > 0
    assert entries["tova"] < entries["streaming_llm"] < 300 < entries["snapkv"] < entries["self_extend"]


@pytest.mark.slow
def test_a_process_of_its_own_gives_the_same_kind_of_row() -> None:
    row = measure(CostRun("infinipot", 300, 128, SHAPE))
    assert row.n_distilled > 0
    assert row.peak_bytes >= row.base_bytes > 50_000_000


@pytest.mark.parametrize(
    ("words", "reason"),
    [(["--methods", "infinipot,h3o"], "h3o"), (["--tokens", "100"], "fits the pot"), (["--tokens", "x"], "x")],
)
def test_what_cannot_be_compared_is_said(words: list[str], reason: str) -> None:
    result = CliRunner().invoke(app, ["bench", "cost", *words], standalone_mode=True)
    assert result.exit_code != 0
    assert reason in str(result.exception) + result.output
