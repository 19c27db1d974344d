"""Cost is measured on the engine itself, in processes of their own."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench import cost
from infinipot_cli.bench.cost import CostRun, measure
from infinipot_cli.bench.cost_record import CostRow, cells
from infinipot_cli.bench.cost_run import build, through_a_pot, with_everything_kept
from infinipot_cli.display.cost_table import cost_tables
from infinipot_cli.errors import PotError

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
    first, second = measure(CostRun("infinipot", 300, 128, SHAPE, n_repeats=2))
    assert (first.repetition, second.repetition) == (0, 1)
    assert first.n_distilled == second.n_distilled > 0
    assert second.peak_bytes >= first.peak_bytes >= first.base_bytes == second.base_bytes > 50_000_000


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--methods", "infinipot,h3o"], "h3o"),
        (["--tokens", "100"], "fits the pot"),
        (["--tokens", "x"], "x"),
        (["-s", "8"], "a pot of 8 places is too small"),
        (["-s", "0"], "a pot of 0 places"),
        (["-s", "-1"], "a pot of -1 places"),
    ],
)
def test_what_cannot_be_compared_is_said(words: list[str], reason: str) -> None:
    result = CliRunner().invoke(app, ["bench", "cost", *words], standalone_mode=True)
    assert result.exit_code != 0
    assert reason in str(result.exception) + result.output


def test_repetitions_are_resumed_and_told_as_medians(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken: list[tuple[str, int]] = []
    n_left = [2]

    def measured(run: CostRun) -> list[CostRow]:
        n_left[0] -= 1
        if n_left[0] < 0:
            raise KeyboardInterrupt
        taken.append((run.method, run.n_repeats))
        slow = 2 if run.method == "full" else 1
        return [
            CostRow(run.method, run.n_tokens, slow * (1 + number), 0.5, 0.0, 1.5, 4, 300, 100, slow * 40, 2, number)
            for number in range(run.n_repeats)
        ]

    monkeypatch.setattr(cost, "measure", measured)
    monkeypatch.setattr(cost, "novelty_memory", lambda *_: (0, 2**40))
    record = tmp_path / "cost.jsonl"
    words = ["bench", "cost", "-s", "128", "--methods", "infinipot,full,snapkv", "--tokens", "200", "--json", "-q"]
    assert CliRunner().invoke(app, [*words, "--record", str(record)]).exit_code == 130
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(lines[:-1]))  # killed before the last repetition was written
    n_left[0] = 9
    done = CliRunner().invoke(app, [*words, "--record", str(record)])
    assert taken == [("infinipot", 3), ("full", 3), ("full", 1), ("snapkv", 3)]
    assert done.exit_code == 1, "a promise was broken, and the record is whole all the same"
    told = json.loads(done.stdout)
    assert told["promises"]["kept"] == {"distilling": False, "novelty": False}
    infinipot, full, _ = told["cells"]
    assert infinipot["ttft_seconds"] == {"median": 2.0, "low": 1.0, "high": 3.0}
    assert (full["ttft_seconds"]["median"], full["ratios"]["ttft_seconds"], full["ratios"]["cache_bytes"]) == (2, 1, 2)
    assert {"versions", "machine"} <= set(told["made_with"])
    assert told["settings"]["repeat"] == 3
    other = CliRunner().invoke(app, [*words, "--record", str(record), "--repeat", "2"])
    assert other.exit_code == 2 and "other settings" in other.stderr


def test_only_infinipots_own_distilling_is_held_to_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = {"infinipot": 0.01, "tova": 0.5, "full": 0.0}

    def measured(run: CostRun) -> list[CostRow]:
        return [CostRow(run.method, run.n_tokens, 1.0, shares[run.method], 0.1, 1.5, 4, 300, 100, 40, 2)]

    monkeypatch.setattr(cost, "measure", measured)
    monkeypatch.setattr(cost, "novelty_memory", lambda *_: (0, 0))
    told = {}
    for methods in ("infinipot,tova", "full,tova"):
        words = ["bench", "cost", "-s", "128", "--methods", methods, "--tokens", "200", "--repeat", "1", "--json", "-q"]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        told[methods] = json.loads(done.stdout)["promises"]
    assert told["infinipot,tova"]["distill_share"] == 0.01
    assert told["infinipot,tova"]["kept"] == {"distilling": True, "novelty": True}
    assert told["full,tova"]["kept"] == {"novelty": True}


def test_tables_fit_a_narrow_screen() -> None:
    rows = [
        CostRow(method, length, 1234.5, 99.9, 0.4, 88.8, 16, 99 * 10**9, 10**9, 10**9 * (3 - number), 3, number)
        for length in (4096, 1048576)
        for method in ("infinipot", "streaming_llm", "sliding_window")
        for number in range(3)
    ]
    shown = Console(width=80, file=io.StringIO())
    tables = cost_tables(cells(rows))
    assert [heading for heading, _ in tables] == ["medians of 3", "times that of infinipot", "furthest from the median"]
    for _, table in tables:
        shown.print(table)
    text = shown.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    assert "1048576" in text and "sliding_window" in text and "…" not in text
    assert len(cost_tables(cells(rows[:1]))) == 1


def test_a_pot_that_silently_did_not_distil_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    row = json.dumps([asdict(CostRow("tova", 200, 1.0, 0.0, 0.1, 0.1, 4, 2, 1, 1, 0))])
    answered = CompletedProcess([], 0, stdout=f"{row}\n")
    monkeypatch.setattr(cost.subprocess, "run", lambda *_, **__: answered)
    with pytest.raises(PotError, match="nothing was distilled"):
        measure(CostRun("tova", 200, 128, SHAPE))
    assert measure(CostRun("tova", 100, 128, SHAPE)) and measure(CostRun("full", 200, 128, SHAPE))
