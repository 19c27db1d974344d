"""Policies that distil a full pot equal slow references: kept sets in every cycle, logits, tokens."""

from functools import cache
from typing import Any

import pytest
import torch

from infinipot_cli.choice import Choice
from infinipot_cli.engine import Pot, Reader, generate, read
from infinipot_cli.engine.policies import Evidence, make
from infinipot_cli.errors import PotSizeError
from infinipot_cli.policies import Settings
from tests.engine.conftest import random_ids, tiny
from tests.engine.policies.slow import SlowDistilling
from tests.engine.reference import Outcome

CAPACITY, BUDGET, N_DOCUMENT, N_ANSWER = 40, 18, 100, 6
PREFIX, CATALYST, DOCUMENT, SUFFIX = random_ids(3, 1), random_ids(5, 3), random_ids(N_DOCUMENT, 2), random_ids(6, 4)

CASES: dict[str, tuple[str, Settings, dict[str, object]]] = {  # policy, its settings, the slow reference's
    "tova": ("tova", (), {"judge": "last", "novelty_ratio": 0.0}),
    "tova not reset": ("tova", (("reset", False),), {"judge": "last", "novelty_ratio": 0.0, "resets": False}),
    "sirllm": ("sirllm", (), {"judge": "nobody", "novelty_ratio": 1.0}),
    "sirllm not reset": ("sirllm", (("reset", False),), {"judge": "nobody", "novelty_ratio": 1.0, "resets": False}),
    "sirllm official": ("sirllm", (("official", True),),
                        {"judge": "nobody", "novelty_ratio": 1.0, "first": 4, "latest": 7}),
    "keydiff": ("keydiff", (), {"judge": "keys", "novelty_ratio": 0.0}),
    "keydiff not reset": ("keydiff", (("reset", False),), {"judge": "keys", "novelty_ratio": 0.0, "resets": False}),
    "without CaP": ("infinipot", (("cap", False),), {"judge": "last", "novelty_ratio": 0.5}),
    "without CR-RoPE": ("infinipot", (("reset", False),),
                        {"judge": "catalyst", "novelty_ratio": 0.5, "resets": False}),
    "without CaP and CR-RoPE": ("infinipot", (("cap", False), ("reset", False)),
                                {"judge": "last", "novelty_ratio": 0.5, "resets": False}),
}  # fmt: skip


@cache
def slow(model: str, case: str) -> Outcome:
    options = CASES[case][2]
    reference = SlowDistilling(tiny(model), capacity=CAPACITY, budget=BUDGET, **options)  # type: ignore[arg-type]
    return reference.run(prefix=PREFIX, document=DOCUMENT, catalyst=CATALYST, suffix=SUFFIX, n_answer=N_ANSWER)


def fast(model: str, name: str, settings: Settings = (), chunk: int = 7, novelty_ratio: float = 0.5) -> Pot:
    return read(
        tiny(model), DOCUMENT, catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=CAPACITY, budget=BUDGET,
        novelty_ratio=novelty_ratio, record=True, chunk=chunk, policy=make(name, settings),
    )  # fmt: skip


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("model", ["llama", "mistral-window"])
def test_a_policy_equals_its_slow_reference(model: str, case: str) -> None:
    wanted = slow(model, case)
    pot = fast(model, *CASES[case][:2])
    steps = list(generate(tiny(model), pot, SUFFIX, max_new_tokens=N_ANSWER, record=True))
    assert len(wanted.kept) >= 4
    assert [kept.tolist() for kept in pot.kept_history] == wanted.kept
    assert [step.token_id for step in steps] == wanted.tokens
    torch.testing.assert_close(torch.stack([s.logits for s in steps]), torch.stack(wanted.logits), atol=1e-4, rtol=1e-4)
    assert pot.peak <= CAPACITY


def test_tova_is_the_ablation_without_catalyst_and_novelty() -> None:
    """The paper's rows "L3-TOVA-4K" and "w/o CaP, NuC" are one and the same."""
    tova, ablated = fast("llama", "tova"), fast("llama", "infinipot", (("cap", False),), novelty_ratio=0.0)
    assert all(torch.equal(*pair) for pair in zip(tova.kept_history, ablated.kept_history, strict=True))


def test_sirllm_is_the_ablation_with_novelty_alone() -> None:
    """So are "L3-SirLLM-4K" and "100 % (NuC only)"; all heads then hold the same."""
    sirllm, ablated = fast("llama", "sirllm"), fast("llama", "infinipot", novelty_ratio=1.0)
    assert all(torch.equal(*pair) for pair in zip(sirllm.kept_history, ablated.kept_history, strict=True))
    assert torch.equal(sirllm.origins, sirllm.origins[:1, :1].expand_as(sirllm.origins))


def test_chance_depends_on_seed_and_stream_alone() -> None:
    first, again = fast("llama", "random", chunk=7), fast("llama", "random", chunk=11)
    other = fast("llama", "random", (("seed", 1),))
    assert all(torch.equal(*pair) for pair in zip(first.kept_history, again.kept_history, strict=True))
    assert not torch.equal(first.kept_history[0], other.kept_history[0])
    shares = [(kept < 19).float().mean() for kept in first.kept_history[:1]]
    assert 0.35 < float(shares[0]) < 0.75, "half of what is kept comes from the first half"


def test_chance_draws_anew_at_each_distillation_and_stands_where_it_is_told() -> None:
    reset, original = fast("llama", "random"), fast("llama", "random", (("reset", False),))
    assert torch.equal(reset.origins, original.origins), "what is drawn does not depend on positions"
    one, other = (pot.pot_layers[0].keys[..., : pot.n_held, :] for pot in (reset, original))
    assert not torch.allclose(one, other, atol=1e-3), "keys stand at other positions"
    heads = reset.kept_history[0].flatten(0, 1)
    assert len({tuple(head.tolist()) for head in heads}) == len(heads), "each head of each layer has its own draws"
    votes, origins = torch.zeros(1, 2, 9), torch.arange(9).expand(1, 2, 9)
    early, late = (make("random").rank(Evidence(votes, votes, origins, (), n_seen, 9)) for n_seen in (9, 18))
    assert not torch.equal(early, late)


@pytest.mark.parametrize("budget", range(1, 9))
def test_the_least_budget_beside_what_always_stays_works(budget: int) -> None:
    """SirLLM's own code keeps more the more there is."""
    sizes: dict[str, Any] = {
        "catalyst_ids": [5],
        "prefix_ids": [1],
        "capacity": 32,
        "policy": make("sirllm", (("official", True),)),
    }
    try:
        Reader(tiny("llama"), budget=budget, **sizes)
    except PotSizeError as error:
        least = int(error.hint.split()[1])
        assert Reader(tiny("llama"), budget=least, **sizes).pot.budget == least > budget
        with pytest.raises(PotSizeError):
            Reader(tiny("llama"), budget=least - 1, **sizes)


def test_where_no_budget_works_none_is_named() -> None:
    with pytest.raises(PotSizeError, match="31 entries that always stay") as caught:
        Reader(tiny("llama"), catalyst_ids=[5], prefix_ids=[1], capacity=32, budget=20, choice=Choice(sinks=30))
    assert caught.value.hint == "keep less, or take a larger pot with -s"
