"""Scores of the catalyst against attention written out row by row, and an attention table left as it was found."""

import math

import pytest
import torch
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from infinipot_cli.bench.tiny_models import FAMILIES, Family, build
from infinipot_cli.engine import read
from infinipot_cli.model.attention import attention_weights, cap_scores, captured_votes
from infinipot_cli.model.port import port_of
from tests.engine.conftest import random_ids, tiny

HEADS, KV_HEADS, ROWS, HELD, WIDTH = 6, 2, 4, 9, 8


def tensors() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn((1, HEADS, ROWS, WIDTH), generator=generator)
    return query, torch.randn((1, KV_HEADS, HELD + ROWS, WIDTH), generator=generator)


def explicit(
    query: Tensor, key: Tensor, *, window: int | None = None, softcap: float | None = None, sinks: Tensor | None = None
) -> Tensor:
    """Equation 2 in loops: query head h belongs to KV head h // group; columns of the catalyst leave at the end."""
    votes = torch.zeros(KV_HEADS, HELD)
    for head in range(HEADS):
        kv = head // (HEADS // KV_HEADS)
        for row in range(ROWS):
            place = HELD + row
            seen = range(max(0, place + 1 - window) if window else 0, place + 1)
            scores = {c: float(query[0, head, row] @ key[0, kv, c]) * 0.3 for c in seen}
            if softcap:
                scores = {c: softcap * math.tanh(s / softcap) for c, s in scores.items()}
            total = sum(map(math.exp, scores.values())) + (math.exp(float(sinks[head])) if sinks is not None else 0.0)
            for column in seen:
                if column < HELD:
                    votes[kv, column] += math.exp(scores[column]) / total
    return votes


@pytest.mark.parametrize("window", [None, 3, 6])
@pytest.mark.parametrize("mask", ["none", "boolean", "additive"])
@pytest.mark.parametrize("extra", ["", "softcap", "sinks"])
def test_scores_equal_attention_written_out(window: int | None, mask: str, extra: str) -> None:
    query, key = tensors()
    rows, columns = torch.arange(HELD, HELD + ROWS)[:, None], torch.arange(HELD + ROWS)
    seen = (columns <= rows) & (columns > rows - (window or HELD + ROWS))
    additive = torch.zeros(ROWS, HELD + ROWS).masked_fill(~seen, torch.finfo(torch.float32).min)
    options = {"softcap": {"softcap": 0.7}, "sinks": {"sinks": torch.linspace(-1, 2, HEADS)}, "": {}}[extra]
    given = {"none": None, "boolean": seen[None, None], "additive": additive[None, None]}[mask]
    own_window = window if mask == "none" else None
    weights = attention_weights(query, key, given, scaling=0.3, window=own_window, **options)
    got = cap_scores(weights, n_held=HELD)
    assert (got.shape, got.dtype) == ((KV_HEADS, HELD), torch.float32)
    torch.testing.assert_close(got, explicit(query, key, window=window, **options), atol=1e-5, rtol=1e-5)


def test_scores_of_half_precision_are_fp32() -> None:
    query, key = (tensor.bfloat16() for tensor in tensors())
    got = cap_scores(attention_weights(query, key, None, scaling=0.3), n_held=HELD)
    torch.testing.assert_close(got, explicit(query.float(), key.float()), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_table_is_overridden_only_while_the_catalyst_runs(attention: str) -> None:
    """Every forward of a reading is watched; only those that carry the catalyst may meet another function."""
    model, own = tiny("llama"), {"sdpa": sdpa_attention_forward, "eager": None}[attention]
    model.set_attn_implementation(attention)
    port_of(model)  # its proof runs a catalyst of its own
    met: set[tuple[bool, bool]] = set()
    catalyst = [5] * 13

    def watch(_: object, __: object, named: dict[str, Tensor]) -> None:
        met.add((named["input_ids"][0, -13:].tolist() == catalyst, ALL_ATTENTION_FUNCTIONS.get(attention) is own))

    model.model.register_forward_pre_hook(watch, with_kwargs=True)
    read(model, random_ids(300, 1), catalyst_ids=catalyst, capacity=64, budget=32, chunk=7)
    assert met == {(True, False), (False, True)}
    assert ALL_ATTENTION_FUNCTIONS.get(attention) is own


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_being_overheard_changes_nothing(family: Family) -> None:
    """A catalyst has the states that any other tokens would have, with the usual attention and with eager."""
    model, ids = build(family), torch.tensor([random_ids(40, 2)])
    for attention in {model.config._attn_implementation, "eager"}:
        model.set_attn_implementation(attention)
        with torch.inference_mode():
            wanted = model(ids).logits
            with captured_votes(model, 0):
                got = model(ids).logits
        torch.testing.assert_close(got, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_somebody_else_s_override_is_called_and_put_back(attention: str) -> None:
    model = tiny("llama")
    model.set_attn_implementation(attention)
    plain, calls = ALL_ATTENTION_FUNCTIONS["sdpa"], []

    def theirs(*args: object, **kwargs: object) -> object:
        calls.append(1)
        return plain(*args, **kwargs)

    ALL_ATTENTION_FUNCTIONS[attention] = theirs
    try:
        with captured_votes(model, 0), torch.inference_mode():
            model(torch.tensor([[1, 2, 3]]))
        assert len(calls) == 3
        assert ALL_ATTENTION_FUNCTIONS[attention] is theirs
    finally:
        del ALL_ATTENTION_FUNCTIONS[attention]
    assert ALL_ATTENTION_FUNCTIONS.get(attention) is (plain if attention == "sdpa" else None)
