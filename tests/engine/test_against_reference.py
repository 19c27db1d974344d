"""The engine and the slow reference agree: kept sets in every cycle, novelty, logits, tokens and peak."""

import pytest
import torch

from infinipot_cli.engine import generate, read
from tests.engine.conftest import MAKERS, random_ids, tiny
from tests.engine.reference import Reference

SETTINGS = [  # capacity, budget, novelty ratio, prefix, chunk, catalyst
    (48, 24, 0.5, 3, 7, 5),
    (48, 24, 0.0, 0, 512, 5),
    (40, 12, 0.9, 2, 5, 3),
    (64, 30, 0.25, 4, 64, 9),
    (33, 20, 1.0, 1, 1, 1),
]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("name", list(MAKERS))
def test_engine_equals_reference(name: str, setting: tuple[int, int, float, int, int, int], attention: str) -> None:
    capacity, budget, ratio, n_prefix, chunk, n_catalyst = setting
    model = tiny(name)
    model.set_attn_implementation(attention)
    prefix, document = random_ids(n_prefix, 1), random_ids(150, 2)
    catalyst, suffix = random_ids(n_catalyst, 3), random_ids(6, 4)
    pot = read(
        model, iter(document), catalyst_ids=catalyst, prefix_ids=prefix, capacity=capacity, budget=budget,
        novelty_ratio=ratio, record=True, chunk=chunk,
    )  # fmt: skip
    steps = list(generate(model, pot, suffix, max_new_tokens=6, record=True))
    wanted = Reference(model, capacity=capacity, budget=budget, novelty_ratio=ratio).run(
        prefix=prefix, document=document, catalyst=catalyst, suffix=suffix, n_answer=6
    )
    assert len(wanted.kept) >= 4
    assert [kept.tolist() for kept in pot.kept_history] == wanted.kept
    assert [step.token_id for step in steps] == wanted.tokens
    torch.testing.assert_close(torch.stack([s.logits for s in steps]), torch.stack(wanted.logits), atol=1e-4, rtol=1e-4)
    assert pot.peak == wanted.peak <= capacity
    if ratio:
        held = torch.tensor(wanted.novelty[-1])
        torch.testing.assert_close(pot.novelty[..., : held.shape[-1]], held, atol=1e-4, rtol=1e-4)
