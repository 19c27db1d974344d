"""Passages read again stand behind what the pot keeps, whole in every head, and never beyond the budget."""

import pytest
import torch
from transformers import PreTrainedModel

from infinipot_cli.engine import Reader, generate, reread
from infinipot_cli.engine.consume import consume
from infinipot_cli.engine.distill import distill
from infinipot_cli.model.port import port_of

SIZES = {"catalyst_ids": [5, 6, 7], "prefix_ids": [1], "capacity": 64, "budget": 40}
PASSAGES = [[11, 12, 13, 14, 15, 16], [21, 22, 23], [31, 32, 33, 34, 35]]


def filled(model: PreTrainedModel, n_tokens: int = 200) -> Reader:
    reader = Reader(model, **SIZES)  # type: ignore[arg-type]
    ids = torch.randint(8, 90, (n_tokens,), generator=torch.Generator().manual_seed(3))
    for _ in reader.feed(ids):
        pass
    return reader


def test_it_is_a_distillation_and_then_reading(llama: PreTrainedModel) -> None:
    pot, by_hand = filled(llama).pot, filled(llama).pot
    n_seen = pot.n_seen
    read = reread(llama, pot, PASSAGES, n_kept=26)
    assert [(one.number, one.origin) for one in read] == [(0, n_seen), (1, n_seen + 6), (2, n_seen + 9)], "best first"
    distill(llama, by_hand, n_kept=26)
    for passage in PASSAGES:
        consume(llama, port_of(llama), by_hand, passage)
    assert torch.equal(pot.origins, by_hand.origins)
    for one, other in zip(pot.pot_layers, by_hand.pot_layers, strict=True):
        assert torch.equal(one.keys[:, :, : pot.n_held], other.keys[:, :, : pot.n_held])
    assert pot.n_held == 40
    answers = [[step.token_id for step in generate(llama, held, [9, 10], max_new_tokens=8)] for held in (pot, by_hand)]
    assert answers[0] == answers[1]


def test_a_pot_with_room_for_them_is_not_distilled(llama: PreTrainedModel) -> None:
    pot = filled(llama).pot
    before, n_held, n_cycles = pot.origins, pot.n_held, pot.n_cycles
    assert n_held + 6 <= 61, "of 64 places the catalyst may want three"
    reread(llama, pot, PASSAGES[:1], n_kept=26, n_most=n_held)
    assert pot.n_cycles == n_cycles and pot.n_held == n_held + 6
    assert torch.equal(pot.origins[..., :n_held], before)


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("n_read", [30, 200])
def test_passages_stand_alone_as_if_nothing_else_had_been_read(
    llama: PreTrainedModel, n_read: int, pinned: bool
) -> None:
    pot, alone = filled(llama, n_read).pot, Reader(llama, **SIZES).pot  # type: ignore[arg-type]
    n_cycles = pot.n_cycles
    assert bool(n_cycles) == (n_read == 200)
    for passage in PASSAGES:
        consume(llama, port_of(llama), alone, passage)
    if pinned:
        pot.pinned = [(5, 6)]
    n_seen = pot.n_seen
    read = reread(llama, pot, PASSAGES, n_kept=1)
    assert [one.origin - n_seen for one in read] == [0, 6, 9]
    assert pot.n_cycles - n_cycles == int(pinned), "the catalyst is asked only where something is to be chosen"
    if not pinned:
        assert pot.n_held == alone.n_held
        for one, other in zip(pot.pot_layers, alone.pot_layers, strict=True):
            keys = [layer.keys[:, :, : pot.n_held] for layer in (one, other)]
            torch.testing.assert_close(*keys, atol=1e-5, rtol=1e-5)
        answers = [[one.token_id for one in generate(llama, held, [9, 10], max_new_tokens=8)] for held in (pot, alone)]
        assert answers[0] == answers[1]


def test_what_finds_no_room_is_left_out(llama: PreTrainedModel) -> None:
    pot = filled(llama).pot
    read = reread(llama, pot, PASSAGES, n_kept=31)
    assert [one.number for one in read] == [0, 1], "nine places: six, then three of them"
    assert pot.n_held == 40


@pytest.mark.parametrize("passages", [[], [[50] * 30]])
def test_where_nothing_can_be_read_again_the_pot_stays(llama: PreTrainedModel, passages: list[list[int]]) -> None:
    pot = filled(llama).pot
    before, n_cycles = pot.origins, pot.n_cycles
    assert reread(llama, pot, passages, n_kept=26) == []
    assert torch.equal(pot.origins, before) and pot.n_cycles == n_cycles


def test_favoured_entries_give_way_and_pins_stay(llama: PreTrainedModel) -> None:
    reader = filled(llama)
    pot = reader.pot
    held = pot.origins[0, 0].tolist()
    last = held[-1]
    pot.pinned, pot.favoured = [(last, last + 1)], [(held[5], held[5] + 1)]
    reread(llama, pot, PASSAGES, n_kept=2)
    assert pot.favoured == []
    assert all(last in head for layer in pot.origins.tolist() for head in layer)
    assert pot.n_held <= pot.budget
