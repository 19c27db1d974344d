"""Policies that let go of one entry a token equal slow references, however the stream is cut."""

import pytest
import torch
from transformers import DynamicCache, PreTrainedModel

from infinipot_cli.bench.tiny_models import FAMILIES, build
from infinipot_cli.engine import Attended, Pot, Reader, generate
from infinipot_cli.engine.policies import make
from infinipot_cli.errors import PotSizeError, UnsupportedModelError, UsageError
from infinipot_cli.model.cache_name import handed
from infinipot_cli.policies import Settings
from tests.engine.conftest import random_ids, tiny
from tests.engine.policies.slow import SlowStepping

CAPACITY, N_ANSWER = 24, 5
PREFIX, DOCUMENT, SUFFIX = random_ids(3, 1), random_ids(70, 2), random_ids(6, 4)

CASES: dict[str, tuple[str, Settings, dict[str, object]]] = {  # policy, its settings, the slow reference's
    "streaming_llm": ("streaming_llm", (), {"resets": True, "n_front": 4}),
    "streaming_llm as read": ("streaming_llm", (("reset", False), ("sinks", 2)), {"resets": False, "n_front": 2}),
    "sliding_window": ("sliding_window", (), {"resets": False}),
    "h2o": ("h2o", (), {"resets": True, "n_front": 4}),
    "h2o as read": ("h2o", (("heavy", 9), ("reset", False)), {"resets": False, "n_front": 9}),
    "h2o all heavy": ("h2o", (("heavy", 23),), {"resets": True, "n_front": 23}),
    "tova official": ("tova", (("official", True),), {"resets": False}),
}  # fmt: skip


def reader(model: PreTrainedModel, name: str, settings: Settings = (), *, chunk: int = 16) -> Reader:
    return Reader(
        model, catalyst_ids=[5], prefix_ids=PREFIX, capacity=CAPACITY, budget=12, chunk=chunk,
        policy=make(name, settings),
    )  # fmt: skip


def read(model: PreTrainedModel, name: str, settings: Settings = (), *, chunk: int = 16) -> Pot:
    made = reader(model, name, settings, chunk=chunk)
    for event in made.feed(DOCUMENT):
        assert event.n_held <= CAPACITY
    return made.pot


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("model", ["llama", "qwen3"])
def test_a_policy_equals_its_slow_reference(model: str, case: str) -> None:
    name, settings, options = CASES[case]
    slow = SlowStepping(tiny(model), leaves=name, capacity=CAPACITY, cut=len(PREFIX), **options)  # type: ignore[arg-type]
    wanted = slow.read([*PREFIX, *DOCUMENT], SUFFIX, N_ANSWER)
    pot = read(tiny(model), name, settings)
    assert pot.origins.tolist() == wanted.kept[0]
    steps = list(generate(tiny(model), pot, SUFFIX, max_new_tokens=N_ANSWER, record=True))
    assert pot.origins.tolist() == wanted.kept[1]
    assert [step.token_id for step in steps] == wanted.tokens
    torch.testing.assert_close(torch.stack([s.logits for s in steps]), torch.stack(wanted.logits), atol=1e-4, rtol=1e-4)
    assert pot.peak == wanted.peak == CAPACITY


@pytest.mark.parametrize("case", ["streaming_llm", "h2o", "tova official"])
def test_chunks_change_nothing(llama: PreTrainedModel, case: str) -> None:
    """Entries are put in order, and turned back to the first positions, at other moments."""
    once, often = (read(llama, *CASES[case][:2], chunk=chunk) for chunk in (512, 3))
    assert torch.equal(once.origins, often.origins)
    for one, other in zip(once.pot_layers, often.pot_layers, strict=True):
        torch.testing.assert_close(one.keys, other.keys, atol=1e-4, rtol=1e-4)


def test_what_is_kept_by_hand(llama: PreTrainedModel) -> None:
    last = len(PREFIX) + len(DOCUMENT)
    assert read(llama, "streaming_llm").origins[1, 1].tolist() == [0, 1, 2, 3, *range(last - 20, last)]
    assert read(llama, "sliding_window").origins[2, 0].tolist() == [*range(last - 24, last)]
    heavy = read(llama, "h2o").origins
    assert (heavy[..., 4:] == torch.arange(last - 20, last)).all()
    assert len(heavy[..., :4].unique()) > 4, "heads have their own heavy hitters"


def test_renumbered_keys_are_those_of_fresh_tokens_at_their_rank(llama: PreTrainedModel) -> None:
    """Layer 0 sees nothing but tokens and places, so its keys can be made again."""
    pot = read(llama, "streaming_llm")
    ids = torch.tensor([*PREFIX, *DOCUMENT])[pot.origins[0, 0]]
    with torch.no_grad():
        llama(input_ids=ids[None], use_cache=True, **handed(llama, cache := DynamicCache()))
    torch.testing.assert_close(pot.pot_layers[0].keys, cache.layers[0].keys, atol=2e-5, rtol=2e-5)


def test_what_an_answer_attends_to_is_told_in_order(llama: PreTrainedModel) -> None:
    """While it answers, a newcomer takes the place of what left; its weight must not be taken for another's."""
    attended, pot = Attended(), read(llama, "streaming_llm")
    steps = list(generate(llama, pot, SUFFIX, max_new_tokens=1, attended=attended))
    again, other = Attended(), read(llama, "streaming_llm", chunk=1)
    made = reader(llama, "streaming_llm")
    made.pot = other
    for token in SUFFIX[:-1]:
        list(made.feed([token]))
    list(generate(llama, other, SUFFIX[-1:], max_new_tokens=1, attended=again))
    assert len(steps) == 1
    assert torch.equal(attended.origins, pot.origins)
    torch.testing.assert_close(attended.total, again.total, atol=1e-5, rtol=1e-4)


def test_models_with_narrow_windows_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="see 20 tokens only"):
        reader(tiny("mistral-window"), "h2o")


def test_a_rotation_that_would_change_is_refused() -> None:
    model = build(next(family for family in FAMILIES if family.name == "Phi-3"))
    pot = Reader(model, catalyst_ids=[5], capacity=128, budget=12, policy=make("streaming_llm"))
    with pytest.raises(UnsupportedModelError, match="changes its rotation at 128 tokens"):
        list(pot.feed(random_ids(130, 3)))


@pytest.mark.parametrize(("name", "setting"), [("streaming_llm", "sinks"), ("h2o", "heavy")])
def test_more_than_the_pot_holds_cannot_stay(llama: PreTrainedModel, name: str, setting: str) -> None:
    with pytest.raises(PotSizeError, match="always stay"):
        reader(llama, name, ((setting, 24),))
    with pytest.raises(UsageError, match="0 or more, not -1"):
        make(name, ((setting, -1),))
