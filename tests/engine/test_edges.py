"""What is seldom met: rewinding in half precision, breaking off under each policy, votes and windows after odd cuts."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from infinipot_cli.bench.tiny_models import FAMILIES, build
from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine import Pot, Reader, capture, generate, read, reread
from infinipot_cli.engine.consume import consume
from infinipot_cli.engine.distill import distill
from infinipot_cli.engine.policies import make
from infinipot_cli.errors import PotError, PotSizeError, UsageError
from infinipot_cli.model.port import port_of
from tests.engine.conftest import random_ids, some_windows

SIZES: dict[str, Any] = {"catalyst_ids": [3, 4, 5], "capacity": 40, "budget": 20}
STEPPING = ["streaming_llm", "h2o", "sliding_window", "self_extend"]


@contextmanager
def broken_off(model: PreTrainedModel) -> Iterator[None]:
    """Ctrl-C in the second layer of the next forward."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    hook = model.model.layers[1].register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        yield
    hook.remove()


def answer(model: PreTrainedModel, pot: Pot, n: int = 6) -> list[int]:
    return [step.token_id for step in generate(model, pot, [7, 8], max_new_tokens=n)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_comes_to_a_rewound_place_keeps_keys_of_its_own(llama: PreTrainedModel, dtype: torch.dtype) -> None:
    """In half precision keys are kept unrotated too, and those of what stood there before are others."""
    model = copy.deepcopy(llama).to(dtype)
    sizes: dict[str, Any] = {
        "catalyst_ids": [5, 6],
        "prefix_ids": [1],
        "capacity": 64,
        "budget": 40,
        "novelty_ratio": 0,
    }
    passage = random_ids(30, 4)
    pot, alone = read(model, random_ids(200, 3), **sizes), Reader(model, **sizes).pot
    reread(model, pot, [passage], n_kept=1)
    consume(model, port_of(model), alone, passage)
    for held in (pot, alone):
        answer(model, held, 45)
    assert pot.n_cycles > alone.n_cycles > 0
    for one, other in zip(pot.pot_layers, alone.pot_layers, strict=True):
        assert one.n == other.n
        torch.testing.assert_close(one.keys[:, :, : one.n], other.keys[:, :, : one.n], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("policy", STEPPING)
def test_an_interruption_while_the_pot_fills_leaves_it_as_before(llama: PreTrainedModel, policy: str) -> None:
    reader = Reader(llama, policy=make(policy), **SIZES)
    list(reader.feed(random_ids(9, 1)))
    with broken_off(llama):
        list(reader.feed(random_ids(10, 2)))
    assert {layer.n for layer in reader.pot.pot_layers} == {9}
    list(reader.feed(random_ids(50, 3)))
    wanted = read(llama, random_ids(9, 1) + random_ids(50, 3), policy=make(policy), **SIZES)
    assert answer(llama, reader.pot) == answer(llama, wanted)


@pytest.mark.parametrize(("policy", "settings"), [("truncation", ()), ("snapkv", (("window", 6),))])
def test_an_interruption_while_the_question_is_read_leaves_the_pot_as_before(
    llama: PreTrainedModel, policy: str, settings: tuple[tuple[str, int], ...]
) -> None:
    pot = read(llama, random_ids(60, 1), policy=make(policy, settings), **SIZES)
    wanted = answer(llama, pot.fork())
    with broken_off(llama):
        answer(llama, pot)
    assert answer(llama, pot) == wanted


@pytest.mark.parametrize("policy", STEPPING)
def test_what_was_read_in_inference_mode_is_used_outside(llama: PreTrainedModel, policy: str) -> None:
    wanted = answer(llama, read(llama, random_ids(50, 1), policy=make(policy), **SIZES))
    with torch.inference_mode():
        pot = read(llama, random_ids(50, 1), policy=make(policy), **SIZES)
    assert answer(llama, pot) == wanted


@pytest.mark.parametrize("policy", [*STEPPING, "truncation", "snapkv"])
def test_a_pot_that_is_more_than_entries_is_not_captured(llama: PreTrainedModel, policy: str) -> None:
    pot = read(llama, random_ids(30, 1), policy=make(policy), **SIZES)
    with pytest.raises(UsageError, match=f"under {policy} cannot be stored"):
        capture(pot)


def test_a_pot_that_was_half_changed_is_not_captured(llama: PreTrainedModel) -> None:
    pot = read(llama, random_ids(60, 1), **SIZES)
    with pytest.raises(KeyboardInterrupt), pot.changing():
        raise KeyboardInterrupt
    with pytest.raises(PotError, match="interrupted"):
        capture(pot)


def test_votes_of_the_last_token_stay_with_their_entries(llama: PreTrainedModel) -> None:
    pot = read(llama, random_ids(60, 1), policy=make("tova"), **SIZES)
    assert pot.votes is not None
    seen = dict(zip(pot.origins[1, 0].tolist(), pot.votes[1, 0].tolist(), strict=True))
    distill(llama, pot, n_kept=16)
    assert pot.votes[1, 0].tolist() == [seen[origin] for origin in pot.origins[1, 0].tolist()]
    left = dict(zip(pot.origins[1, 0].tolist(), pot.votes[1, 0].tolist(), strict=True))
    distill(llama, pot, n_kept=8)
    best = sorted(left, key=lambda origin: left[origin], reverse=True)[:8]
    assert pot.origins[1, 0].tolist() == sorted(best)


def test_truncation_refuses_what_has_no_room_before_anything_is_read(llama: PreTrainedModel) -> None:
    policy = make("truncation")
    empty = read(llama, [], policy=policy, prefix_ids=[1, 2], **SIZES)
    with pytest.raises(PotSizeError, match="leave no room"):
        answer(llama, empty, 60)
    used = read(llama, random_ids(100, 1), policy=policy, **SIZES)
    answer(llama, used, 20)
    with pytest.raises(PotSizeError, match="leave no room"):
        answer(llama, used, 20)
    with pytest.raises(PotSizeError, match="prefix of 40 tokens fills a pot of 40"):
        Reader(llama, policy=policy, prefix_ids=random_ids(40, 2), **SIZES)
    one = read(llama, [9], policy=policy, **SIZES)
    assert len(answer(llama, one, 37)) == 37, "a text of one token takes one place"


@pytest.mark.parametrize("n_new", [8, 14])
def test_empty_places_are_never_counted_as_entries(n_new: int) -> None:
    """A layer with a window keeps its latest entries, as many as there are of them."""
    model = some_windows(40)
    sizes: dict[str, Any] = {"catalyst_ids": [3, 4, 5, 6, 7], "capacity": 48, "budget": 24}
    for n_read in range(120, 150):
        pot = read(model, random_ids(n_read, 1), choice=Choice(spread=1.0, fill=True), **sizes)
        list(generate(model, pot, [7, 8, 9, 10, 11, 12], max_new_tokens=n_new))
        n_empty = torch.zeros_like(pot.origins[..., 0]) if pot.n_empty is None else pot.n_empty
        assert torch.equal((pot.origins < 0).sum(-1), n_empty)


def test_an_answer_that_pins_leave_no_room_for_is_refused_before_it_begins(llama: PreTrainedModel) -> None:
    reader = Reader(llama, prefix_ids=[1, 2, 8, 9], catalyst_ids=[3, 4, 5, 6, 7], capacity=64, budget=32)
    list(reader.feed(random_ids(28, 1)))
    reader.pot.pinned = [(4, 32)]
    with pytest.raises(PotSizeError, match="too small to distill while answering"):
        next(generate(llama, reader.pot, random_ids(26, 2), max_new_tokens=100))
    assert reader.pot.n_held == 32


def test_the_highest_vote_of_a_group_counts_where_one_head_is_shared_by_all() -> None:
    model = build(next(family for family in FAMILIES if family.model_type == "deepseek_v3"))
    kept = [
        read(
            model, random_ids(200, 1), catalyst_ids=[3, 4, 5], capacity=64, budget=24, novelty_ratio=0.0, choice=choice
        )
        for choice in (PAPER, Choice(group_max=True))
    ]
    assert not torch.equal(kept[0].origins, kept[1].origins)


def test_empty_passages_are_left_out(llama: PreTrainedModel) -> None:
    pot = read(llama, random_ids(60, 1), **SIZES)
    n_cycles = pot.n_cycles
    assert reread(llama, pot, [[]], n_kept=5) == [] and pot.n_cycles == n_cycles
