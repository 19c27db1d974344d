"""The engine and the slow reference agree: kept sets in every cycle, novelty, logits, tokens and peak."""

from functools import cache

import pytest
import torch

from infinipot_cli.engine import Distilled, Reader, generate, read
from tests.engine.conftest import MAKERS, random_ids, tiny
from tests.engine.reference import Outcome, Reference

SETTINGS = [  # capacity, budget, novelty ratio, prefix, chunk, catalyst
    (48, 24, 0.5, 3, 7, 5),
    (48, 24, 0.0, 0, 512, 5),
    (40, 12, 0.9, 2, 5, 3),
    (64, 30, 0.25, 4, 64, 9),
    (33, 20, 1.0, 1, 1, 1),
]
Setting = tuple[int, int, float, int, int, int]


@cache
def reference(name: str, setting: Setting, n_document: int, n_answer: int) -> Outcome:
    capacity, budget, ratio, n_prefix, _, n_catalyst = setting
    return Reference(tiny(name), capacity=capacity, budget=budget, novelty_ratio=ratio).run(
        prefix=random_ids(n_prefix, 1), document=random_ids(n_document, 2), catalyst=random_ids(n_catalyst, 3),
        suffix=random_ids(6, 4), n_answer=n_answer,
    )  # fmt: skip


def options(setting: Setting) -> dict[str, object]:
    capacity, budget, ratio, n_prefix, chunk, n_catalyst = setting
    return {
        "catalyst_ids": random_ids(n_catalyst, 3), "prefix_ids": random_ids(n_prefix, 1), "capacity": capacity,
        "budget": budget, "novelty_ratio": ratio, "record": True, "chunk": chunk,
    }  # fmt: skip


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("name", list(MAKERS))
def test_engine_equals_reference(name: str, setting: Setting, attention: str) -> None:
    model = tiny(name)
    model.set_attn_implementation(attention)
    reader, novelty = Reader(model, **options(setting)), []
    n_document = 90 if setting[4] == 1 else 150  # token by token takes longest
    for event in reader.feed(iter(random_ids(n_document, 2))):
        if isinstance(event, Distilled):
            novelty.append(reader.pot.novelty)
    pot = reader.pot
    steps = list(generate(model, pot, random_ids(6, 4), max_new_tokens=6, record=True))
    wanted = reference(name, setting, n_document, 6)
    assert len(wanted.kept) >= 4
    assert [kept.tolist() for kept in pot.kept_history] == wanted.kept
    assert [step.token_id for step in steps] == wanted.tokens
    torch.testing.assert_close(torch.stack([s.logits for s in steps]), torch.stack(wanted.logits), atol=1e-4, rtol=1e-4)
    assert pot.peak == wanted.peak <= setting[0]
    if setting[2]:
        assert len(novelty) >= 3
        for got, held in zip(novelty, wanted.novelty, strict=False):
            torch.testing.assert_close(got, torch.tensor(held), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("setting", SETTINGS[:3], ids=str)
@pytest.mark.parametrize("name", ["llama", "mistral-window", "qwen3"])
def test_an_answer_longer_than_the_pot_equals_the_reference(name: str, setting: Setting) -> None:
    """It distills on the way, and a token after a distillation still comes from the logits before it."""
    model, n_answer = tiny(name), 2 * setting[0]
    pot = read(model, random_ids(60, 2), **options(setting))
    n_read = pot.n_cycles
    steps = list(generate(model, pot, random_ids(6, 4), max_new_tokens=n_answer, record=True))
    wanted = reference(name, setting, 60, n_answer)
    assert pot.n_cycles >= n_read + 3
    assert [kept.tolist() for kept in pot.kept_history] == wanted.kept
    assert [step.token_id for step in steps] == wanted.tokens
    torch.testing.assert_close(torch.stack([s.logits for s in steps]), torch.stack(wanted.logits), atol=1e-4, rtol=1e-4)
    assert pot.peak == wanted.peak == setting[0]
