"""Phrases weighed side by side are as likely as the same phrases answered one after the other, token by token."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from transformers import PreTrainedModel

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine import Pot, Reader, can_weigh, generate, weigh
from infinipot_cli.engine.consume import consume
from infinipot_cli.engine.phrases import LEAST_LIKELY
from infinipot_cli.engine.policies import make
from infinipot_cli.model.head import head
from infinipot_cli.model.port import port_of
from tests.engine.conftest import random_ids, some_windows, tiny

STOPS = (3, 4)
QUESTION = [9, 10, 11]
PHRASES: dict[tuple[int, ...], set[int]] = {
    (20, 21, 22, 23): {1, 3, 4},
    (20, 21, 30): {2, 3},
    (20, 21, 22, 23, 24): {5},
    (40,): {1},
    (50, 51): {2},
}


def asked(model: PreTrainedModel, *, n: int = 120, capacity: int = 90, choice: Choice = PAPER) -> Pot:
    reader = Reader(model, catalyst_ids=[5, 6, 7], prefix_ids=[1], capacity=capacity, budget=30, choice=choice)
    for _ in reader.feed(random_ids(n, seed=3)):
        pass
    consume(model, port_of(model), reader.pot, QUESTION)
    return reader.pot


@torch.no_grad()
def one_by_one(model: PreTrainedModel, pot: Pot, ids: Sequence[int]) -> float:
    """Log-probability of exactly this answer, in forwards of one token each."""
    pot, total = pot.fork(), 0.0
    for number, token in enumerate(ids):
        assert pot.last_state is not None
        total += float(head(model, pot.last_state[None])[0].log_softmax(-1)[token])
        consume(model, port_of(model), pot, ids[number : number + 1])
    assert pot.last_state is not None
    return total + float(head(model, pot.last_state[None])[0].log_softmax(-1)[list(STOPS)].logsumexp(-1))


@pytest.fixture(autouse=True)
def every_first_token_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infinipot_cli.engine.phrases.LEAST_LIKELY", 1e9)


@pytest.mark.parametrize("kind", ["llama", "llama-mha", "qwen2", "qwen3", "mistral", "spread"])
def test_side_by_side_is_one_after_the_other(kind: str) -> None:
    model = tiny("llama" if kind == "spread" else kind)
    pot = asked(model, choice=Choice(spread=0.5) if kind == "spread" else PAPER)
    assert pot.n_cycles and (pot.n_empty is not None) == (kind == "spread")
    found = weigh(model, pot, PHRASES, STOPS)
    assert set(found) == {ids[:end] for ids, ends in PHRASES.items() for end in ends}
    for ids, logprob in found.items():
        assert logprob == pytest.approx(one_by_one(model, pot, ids), abs=1e-4), ids


def test_eager_attention_weighs_alike(llama: PreTrainedModel) -> None:
    found = weigh(llama, asked(llama), PHRASES, STOPS)
    eager = tiny("llama")
    eager.set_attn_implementation("eager")
    for ids, logprob in weigh(eager, asked(eager), PHRASES, STOPS).items():
        assert logprob == pytest.approx(found[ids], abs=1e-4)


def test_the_pot_is_afterwards_as_before(llama: PreTrainedModel) -> None:
    weighed, plain = asked(llama), asked(llama)
    weigh(llama, weighed, PHRASES, STOPS)
    assert (weighed.n_held, weighed.n_seen) == (plain.n_held, plain.n_seen)
    answers = [[one.token_id for one in generate(llama, pot, [12], max_new_tokens=9)] for pot in (weighed, plain)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("n_free", [4, 5, 8])
def test_what_has_no_room_at_once_is_weighed_in_turn(llama: PreTrainedModel, n_free: int) -> None:
    pot = asked(llama)
    roomy = weigh(llama, pot, PHRASES, STOPS)
    pot.capacity = pot.n_held + n_free
    for layer in pot.pot_layers:
        assert layer.keys is not None and layer.values is not None
        layer.keys, layer.values = layer.keys[:, :, : pot.capacity], layer.values[:, :, : pot.capacity]
    found = weigh(llama, pot, PHRASES, STOPS)
    assert set(found) == {ids for ids in roomy if len(ids) <= n_free}
    for ids, logprob in found.items():
        assert logprob == pytest.approx(roomy[ids], abs=1e-4)


def test_phrases_whose_first_token_is_unlikely_are_left_out(
    llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pot = asked(llama)
    assert pot.last_state is not None
    firsts = head(llama, pot.last_state[None])[0].detach().log_softmax(-1)
    low, high = sorted(float(firsts[token]) for token in (20, 40, 50))[::2]
    monkeypatch.setattr("infinipot_cli.engine.phrases.LEAST_LIKELY", -(low + high) / 2)
    found = {ids[0] for ids in weigh(llama, pot, PHRASES, STOPS)}
    assert found == {token for token in (20, 40, 50) if float(firsts[token]) > (low + high) / 2}
    assert len(found) < 3 and LEAST_LIKELY > 0


def test_without_phrases_or_an_end_there_is_nothing_to_weigh(llama: PreTrainedModel) -> None:
    pot = asked(llama)
    assert weigh(llama, pot, {}, STOPS) == weigh(llama, pot, PHRASES, ()) == {}


def test_all_answers_of_two_tokens_are_as_likely_together_as_they_can_be(llama: PreTrainedModel) -> None:
    """Ending at once, or behind one token or another: what is left of 1 is what goes on."""
    every = {(token, 0): {1} for token in range(97)}
    found = weigh(llama, asked(llama), every, STOPS)
    firsts = head(llama, asked(llama).last_state[None])[0].detach().log_softmax(-1)  # type: ignore[index]
    total = sum(torch.tensor(logprob).exp() for logprob in found.values())
    assert 0 < total < 1 and all(logprob <= float(firsts[ids[0]]) for ids, logprob in found.items())


def test_where_a_mask_or_a_position_cannot_be_told_nothing_is_weighed(llama: PreTrainedModel) -> None:
    assert can_weigh(llama, asked(llama))
    windowed = some_windows()
    assert not can_weigh(windowed, asked(windowed))
    going_on = asked(llama)
    going_on.policy = make(settings=(("reset", False),))
    assert not can_weigh(llama, going_on)
    flash = tiny("llama")
    flash.config._attn_implementation = "flash_attention_2"
    assert not can_weigh(flash, asked(llama))


@pytest.mark.parametrize("n", [1, 3, 20])
def test_what_was_decided_is_answered_and_seen_by_the_pot(llama: PreTrainedModel, n: int) -> None:
    decided, stop = [20, 21, 22, 23], {3}
    pot, by_hand = asked(llama), asked(llama)
    steps = list(generate(llama, pot, [12], max_new_tokens=n, stop_ids=stop, decided_by=lambda: decided))
    assert [step.token_id for step in steps] == decided[:n]
    consume(llama, port_of(llama), by_hand, [12])
    for step, following in pairwise(steps):
        logits = head(llama, by_hand.last_state[None])[0].detach()  # type: ignore[index]
        assert step.logprob == pytest.approx(float(logits.log_softmax(-1)[step.token_id]), abs=1e-4)
        consume(llama, port_of(llama), by_hand, [step.token_id])
        assert following.n_held == by_hand.n_held
    free = [one.token_id for one in generate(llama, asked(llama), [12], max_new_tokens=6, decided_by=lambda: ())]
    assert free == [one.token_id for one in generate(llama, asked(llama), [12], max_new_tokens=6)]


@pytest.mark.parametrize("kind", ["llama", "spread"])
def test_pieces_weigh_as_the_whole(llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Forwards of few tokens and a head of few rows, which part phrases in the middle."""
    pot = asked(llama, choice=Choice(spread=0.5) if kind == "spread" else PAPER)
    whole, heads = weigh(llama, pot, PHRASES, STOPS), list[int]()

    def seen(model: PreTrainedModel, states: torch.Tensor) -> torch.Tensor:
        heads.append(len(states))
        return head(model, states)

    monkeypatch.setattr("infinipot_cli.engine.phrases.head", seen)
    monkeypatch.setattr("infinipot_cli.engine.phrases.rows_per_slice", lambda _: 2)
    monkeypatch.setattr("infinipot_cli.engine.phrases.CHUNK", 3)
    pieces = weigh(llama, pot, PHRASES, STOPS)
    assert len(heads) > 2 and max(heads) == 2
    assert pieces.keys() == whole.keys()
    for ids, logprob in whole.items():
        assert pieces[ids] == pytest.approx(logprob, abs=1e-4)
