"""Hit rates against choices made by hand and by plain transformers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.hitrate import (
    LAST_TOKEN,
    NO_NOVELTY,
    QUESTION,
    RECENT,
    agreement,
    everything,
    global_choice,
    measure,
    overlap_share,
)
from infinipot_cli.bench.hitrate import by_last_token as keep_by_last_token
from infinipot_cli.bench.tiny_models import FAMILIES, build
from infinipot_cli.plan import Plan, Prompt

DOCUMENT = [(7 * i * i + 3 * i) % 89 + 2 for i in range(90)]


def plan(novelty_ratio: float = 0.5, capacity: int = 32, budget: int = 14) -> Plan:
    return Plan(Prompt((1, 5), (9, 11, 3), (9, 11, 3, 8)), capacity, budget, 4, novelty_ratio, chunk=16)


def model(name: str) -> torch.nn.Module:
    return build(next(family for family in FAMILIES if family.name == name))


def test_global_scoring_is_the_attention_of_plain_transformers() -> None:
    plain = model("Llama")
    plain.set_attn_implementation("eager")
    ids = torch.tensor([[1, 5, *DOCUMENT, 9, 11, 3, 8]])
    with torch.no_grad():
        output = plain(ids, output_attentions=True)
    wanted = torch.stack([row[0, :, -1, :92].unflatten(0, (2, -1)).sum(1) for row in output.attentions])
    nll = torch.nn.functional.cross_entropy(output.logits[0, :91], ids[0, 1:92], reduction="none")
    found = everything(model("Llama"), plan(), DOCUMENT)
    torch.testing.assert_close(found.votes, wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.novelty[1:], nll, atol=1e-4, rtol=0)


def test_the_choice_and_the_overlap_by_hand() -> None:
    votes = torch.tensor([[[9.0, 0.1, 0.5, 0.3, 0.4, 0.2]]])
    assert global_choice(votes, 3, 1).tolist() == [[[0, 2, 4]]]
    kept = torch.tensor([[[0, 2, 5]]])
    assert overlap_share(kept, global_choice(votes, 3, 1), 6, 1).tolist() == [0.5]


def test_heads_of_unequal_size_are_held_against_as_many_as_they_hold() -> None:
    held = torch.tensor([[[-1, -1, 0, 1, 40], [0, 1, 7, 33, 80]], [[0, 1, 2, 3, 4]] * 2, [[-1, 0, 1, 50, 91]] * 2])
    votes = everything(model("Llama"), plan(), DOCUMENT).votes
    wanted = []
    for layer, heads in enumerate(held.tolist()):
        shares = []
        for kv, head in enumerate(heads):
            own = [origin for origin in head if origin >= 2]
            best = sorted(range(2, 92), key=lambda at: float(-votes[layer, kv, at]))[: len(own)]
            shares.append(len(set(own) & set(best)) / len(own))
        wanted.append(round(sum(shares) / 2, 4))
    assert agreement(model("Llama"), plan(), DOCUMENT, held) == pytest.approx(tuple(wanted), abs=1e-4)
    assert max(wanted) > 0


def test_the_last_token_judges_what_it_attends_to() -> None:
    plain = model("Llama")
    plain.set_attn_implementation("eager")
    n_first = 32 - 3
    with torch.no_grad():
        ids = torch.tensor([[1, 5, *DOCUMENT]])[:, :n_first]
        rows = plain(ids, output_attentions=True).attentions
    votes = torch.stack([row[0, :, -1].unflatten(0, (2, -1)).sum(1) for row in rows])
    (n_seen, kept), *later = keep_by_last_token(model("Llama"), plan(), DOCUMENT)
    assert n_seen == n_first
    assert torch.equal(kept.long(), global_choice(votes, 14, 2))
    assert [seen - n_first for seen, _ in later] == [15 * cycle for cycle in range(1, 1 + len(later))]


@pytest.mark.parametrize("name", ["Llama", "Gemma 2"])
def test_every_way_is_measured_alike(name: str) -> None:
    trial = measure(model(name), plan(), plan(), DOCUMENT, question="?", depth=0.5)
    windows_of_gemma = [1] if name == "Gemma 2" else [0, 1, 2]
    assert list(trial.layers) == windows_of_gemma
    by_way = {way: [row for row in trial.rows if row.way == way] for way in (QUESTION, NO_NOVELTY, LAST_TOKEN, RECENT)}
    assert len({tuple(row.n_seen for row in rows) for rows in by_way.values()}) == 1
    for row in trial.rows:
        assert len(row.hits) == len(trial.layers)
        assert 0 <= min(row.hits) <= max(row.hits) <= 1
        assert row.chance == 12 / (row.n_seen - 2)
    assert all(row.novelty >= 0 for row in trial.rows)
    for histogram in trial.histograms:
        assert sum(histogram.shares) == pytest.approx(1)
    recent = next(h for h in trial.histograms if h.way == RECENT)
    assert recent.shares[0] == 0 < recent.shares[-1]


def test_without_novelty_both_ways_are_one() -> None:
    trial = measure(model("Llama"), plan(0.0), plan(0.0), DOCUMENT, question="?", depth=0.5)
    assert set(trial.novelty_overlap) == {1.0}
    with_novelty = measure(model("Llama"), plan(0.5), plan(0.5), DOCUMENT, question="?", depth=0.5)
    assert min(with_novelty.novelty_overlap) < 1


def test_the_command_prints_tables_or_one_record(story: Path, tiny_model: Path) -> None:
    words = ["bench", "hitrate", "--book", str(story), "--trials", "1", "-m", str(tiny_model)]
    words += ["--tokens", "300", "-s", "250"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert "no CaP" in shown.stdout
    record = json.loads(CliRunner().invoke(app, [*words, "--json", "--set", "pool=3"]).stdout)
    assert (record["bench"], record["set"]) == ("hitrate", {"pool": 3})
    assert len({len(rates) for rates in record["hit_rate_by_cycle"].values()}) == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--tokens", "1m"], "trained for"),
        (["--tokens", "100", "-s", "300"], "fit the pot"),
        (["--set", "mass=0.9"], "equal numbers"),
        (["--set", "spread=0.5"], "every head keep a number of its own"),
    ],
)
def test_what_cannot_be_compared_is_said(words: list[str], reason: str, story: Path, tiny_model: Path) -> None:
    result = CliRunner().invoke(app, ["bench", "hitrate", "--book", str(story), "-m", str(tiny_model), *words])
    assert result.exit_code == 2
    assert reason in result.output


def test_another_policy_is_measured_beside() -> None:
    trial = measure(model("Llama"), replace(plan(), policy="keydiff"), plan(), DOCUMENT, question="?", depth=0.5)
    rows = {way: [row for row in trial.rows if row.way == way] for way in ("keydiff", QUESTION)}
    assert [row.n_seen for row in rows["keydiff"]] == [row.n_seen for row in rows[QUESTION]]
    assert rows["keydiff"][-1].hits != rows[QUESTION][-1].hits
