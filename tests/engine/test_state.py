"""A pot that was captured and restored goes on as if it had never been away."""

import pytest
import torch
from transformers import PreTrainedModel

from infinipot_cli.bench.tiny_models import FAMILIES, Family, build
from infinipot_cli.engine import Pot, Reader, capture, generate, restore
from infinipot_cli.errors import PotError

CATALYST = (5, 6, 7)


def ids(n: int, seed: int) -> list[int]:
    return torch.randint(8, 90, (n,), generator=torch.Generator().manual_seed(seed)).tolist()


def reader(model: PreTrainedModel) -> Reader:
    return Reader(model, catalyst_ids=CATALYST, prefix_ids=(1, 2), capacity=40, budget=18)


def read_on(one: Reader, pieces: list[list[int]]) -> None:
    for piece in pieces:
        for _ in one.feed(piece):
            pass


def answer(model: PreTrainedModel, pot: Pot) -> list[int]:
    return [step.token_id for step in generate(model, pot, (9, 10, 11), max_new_tokens=30)]


NAMES = {"Llama", "Mistral 0.1", "Gemma 3", "DeepSeek-V3", "GPT-OSS"}
CHOSEN = [family for family in FAMILIES if family.name in NAMES]


@pytest.mark.parametrize("family", CHOSEN, ids=[family.name for family in CHOSEN])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_reading_on_and_answering_equal_never_having_stopped(family: Family, dtype: torch.dtype) -> None:
    model = build(family).to(dtype)
    pieces = [ids(n, seed) for seed, n in enumerate((5, 25, 100, 50))]
    whole, half, answers = reader(model), reader(model), []
    read_on(whole, pieces)
    for n_read, piece in enumerate(pieces):
        again = Reader.resumed(model, restore(model, capture(half.pot)))
        read_on(again, pieces[n_read:])
        assert torch.equal(whole.pot.origins, again.pot.origins)
        assert torch.equal(whole.pot.novelty, again.pot.novelty)
        assert (whole.pot.n_seen, whole.pot.n_cycles, whole.pot.peak) == (
            again.pot.n_seen, again.pot.n_cycles, again.pot.peak,
        )  # fmt: skip
        answers.append(answer(model, again.pot))
        read_on(half, [piece])
    assert answers == [answer(model, whole.pot)] * len(pieces)


def test_tensors_of_another_shape_are_refused() -> None:
    model = build(next(family for family in FAMILIES if family.name == "Llama"))
    one = reader(model)
    for _ in one.feed(ids(50, 0)):
        pass
    for name in ("keys.0", "values.2", "origins"):
        state = capture(one.pot)
        state.tensors[name] = state.tensors[name][..., 1:, :]
        with pytest.raises(PotError):
            restore(model, state)
    state = capture(one.pot)
    del state.tensors["keys.1"]
    with pytest.raises(PotError):
        restore(model, state)


@pytest.fixture(scope="module")
def filled() -> Reader:
    made = reader(build(next(family for family in FAMILIES if family.name == "Llama")))
    for _ in made.feed(ids(60, 1)):
        pass
    return made


@pytest.mark.parametrize("name", ["capacity", "n_seen", "choice", "catalyst_ids"])
@pytest.mark.parametrize("wrong", [None, "x", {"x": 1}, [[]]])
def test_numbers_that_make_no_sense_are_a_damaged_pot(name: str, wrong: object, filled: Reader) -> None:
    state = capture(filled.pot)
    assert restore(filled.model, state).n_seen == filled.pot.n_seen
    state.numbers[name] = wrong
    with pytest.raises(PotError):
        restore(filled.model, state)
