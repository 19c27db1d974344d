"""What callers do to a pot: odd inputs, several answers, interruptions, inference mode, many cycles."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import torch
from transformers import DynamicCache, PreTrainedModel

from infinipot_cli.choice import Choice
from infinipot_cli.engine import Pot, Reader, generate, read
from infinipot_cli.engine.policies import make
from infinipot_cli.errors import PotError, PotSizeError, UsageError
from infinipot_cli.model.cache_name import handed
from tests.engine.conftest import random_ids, tiny

SIZES = {"catalyst_ids": [3, 4, 5], "capacity": 40, "budget": 20}


@pytest.mark.parametrize("make", [list, tuple, iter, torch.tensor, lambda ids: torch.tensor([ids])])
def test_ids_may_be_any_iterable_or_a_tensor_of_one_sequence(
    llama: PreTrainedModel, make: Callable[[list[int]], Iterable[int]]
) -> None:
    document, options = random_ids(100, 1), {"capacity": 40, "budget": 20}
    plain = read(llama, document, catalyst_ids=[3, 4], prefix_ids=[1, 2], **options)
    pot = read(llama, make(document), catalyst_ids=make([3, 4]), prefix_ids=make([1, 2]), **options)
    assert (pot.n_prefix, pot.n_seen, pot.catalyst_ids) == (2, 102, (3, 4))
    assert torch.equal(pot.origins, plain.origins)
    tokens = [step.token_id for step in generate(llama, plain, [7, 8], max_new_tokens=4)]
    assert [step.token_id for step in generate(llama, pot, make([7, 8]), max_new_tokens=4)] == tokens


def test_several_sequences_at_once_are_refused(llama: PreTrainedModel) -> None:
    with pytest.raises(UsageError, match="one sequence"):
        read(llama, torch.tensor([[5, 6], [7, 8]]), **SIZES)


@pytest.mark.parametrize("chunk", [0, -1])
def test_a_chunk_of_no_tokens_is_refused_and_not_an_empty_reading(llama: PreTrainedModel, chunk: int) -> None:
    with pytest.raises(UsageError, match="at least 1 token"):
        read(llama, [5, 6], chunk=chunk, **SIZES)


def test_an_empty_pot_has_the_model_s_shape_and_answers(llama: PreTrainedModel) -> None:
    pot = read(llama, [], record=True, **SIZES)
    assert pot.origins.shape == pot.novelty.shape == (3, 2, 0)
    assert (pot.n_held, pot.n_seen, pot.peak, pot.kept_history) == (0, 0, 0, [])
    steps = list(generate(llama, pot.fork(), [7, 8], max_new_tokens=3, record=True))
    with torch.inference_mode():
        wanted = llama(torch.tensor([[7, 8]])).logits[0, -1]
    torch.testing.assert_close(steps[0].logits, wanted, atol=1e-4, rtol=1e-4)
    assert list(generate(llama, pot, [7, 8], max_new_tokens=0)) == []


@pytest.mark.parametrize("where", ["read", "fork", "generate", "everywhere"])
def test_inference_mode_may_cover_any_part(llama: PreTrainedModel, where: str) -> None:
    def inside(part: str) -> torch.inference_mode:
        return torch.inference_mode(where in (part, "everywhere"))

    plain = read(llama, random_ids(100, 1), **SIZES)
    wanted = [step.token_id for step in generate(llama, plain, [7], max_new_tokens=50)]
    with inside("read"):
        reader = Reader(llama, **SIZES)
        list(reader.feed(random_ids(100, 1)))
    with inside("fork"):
        pot = reader.pot.fork()
    with inside("generate"):
        steps = list(generate(llama, pot, [7], max_new_tokens=50))
    assert [step.token_id for step in steps] == wanted
    list(reader.feed(random_ids(60, 2)))
    assert reader.pot.n_held <= 37


def test_nothing_is_kept_for_gradients(llama: PreTrainedModel) -> None:
    pot = read(llama, random_ids(100, 1), **SIZES)
    tensors = [pot.last_state, pot.novelty, *(layer.keys for layer in pot.layers)]
    assert not any(tensor.requires_grad for tensor in tensors)
    assert pot.last_state.untyped_storage().nbytes() == 4 * 48  # not a view that keeps the chunk alive


@pytest.mark.parametrize("n_suffix", [21, 300])
def test_a_refused_answer_leaves_the_pot_as_it_was(llama: PreTrainedModel, n_suffix: int) -> None:
    pot = read(llama, random_ids(100, 1), **SIZES)
    before, n_cycles = pot.origins, pot.n_cycles
    with pytest.raises(PotSizeError, match=rf"20 entries and a question of {n_suffix} tokens do not fit a pot of 40"):
        list(generate(llama, pot, random_ids(n_suffix, 2), max_new_tokens=3))
    with pytest.raises(PotSizeError, match=r"an answer of 90 tokens .* 20 entries and a question of 18 .*capacity 40"):
        list(generate(llama, pot, random_ids(18, 2), max_new_tokens=90))
    assert pot.n_cycles == n_cycles
    assert torch.equal(pot.origins, before)


def test_a_second_answer_from_one_pot_works_or_says_to_fork(llama: PreTrainedModel) -> None:
    roomy = read(llama, random_ids(10, 1), **SIZES)
    for _ in range(2):
        assert len(list(generate(llama, roomy, [7, 8], max_new_tokens=5))) == 5
    full = read(llama, random_ids(100, 1), **SIZES)
    list(generate(llama, full, [7, 8], max_new_tokens=5))
    assert full.n_held > 40 - 3
    for go_on in (lambda: generate(llama, full, [7, 8], max_new_tokens=5), lambda: read_on(llama, full)):
        with pytest.raises(PotSizeError, match="no room for a catalyst of 3 tokens") as refused:
            list(go_on())
        assert "fork" in refused.value.hint
    assert full.peak <= 40


def read_on(model: PreTrainedModel, pot: object) -> Iterator[object]:
    reader = Reader(model, **SIZES)
    reader.pot = pot
    return reader.feed([5, 6])


@pytest.mark.parametrize("held", [10, 37])  # in the middle of a chunk, in the middle of a catalyst
def test_after_an_interruption_the_pot_is_as_before_the_forward(llama: PreTrainedModel, held: int) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    reader = Reader(llama, **SIZES)
    list(reader.feed(random_ids(held, 1)))
    hook = llama.model.layers[1].register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(reader.feed([5, 6]))
    hook.remove()
    assert [layer.n for layer in reader.pot.layers] == [held] * 3
    list(reader.feed(random_ids(60, 2)))
    wanted = read(llama, random_ids(held, 1) + random_ids(60, 2), **SIZES)
    assert torch.equal(reader.pot.origins, wanted.origins)


def test_forks_share_nothing(llama: PreTrainedModel) -> None:
    pot = read(llama, random_ids(100, 6), record=True, **SIZES)

    def tensors(p: Pot) -> list[torch.Tensor | None]:
        notes = [part for part in vars(p._notes).values() if isinstance(part, torch.Tensor)]
        assert len(notes) == 2
        return [p.last_state, *notes, *(t for layer in p.layers for t in (layer.keys, layer.values))]

    addresses = {tensor.data_ptr() for tensor in tensors(pot)}
    assert not addresses & {tensor.data_ptr() for tensor in tensors(pot.fork())}
    fork = pot.fork()
    list(generate(llama, fork, [5, 6], max_new_tokens=60))
    assert len(fork.kept_history) > len(pot.kept_history) == pot.n_cycles


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 8e-3), (torch.float16, 1e-3)])
@pytest.mark.parametrize("name", ["llama", "qwen3", "mistral-window"])
def test_survivors_keys_are_the_model_s_own_after_many_cycles(name: str, dtype: torch.dtype, tolerance: float) -> None:
    """Keys of the first layer depend on token and place alone, so the model itself can say what they should be."""
    model, document = tiny(name).to(dtype), random_ids(700, 1)
    pot = read(model, document, **SIZES)
    assert pot.n_cycles >= 35
    keys = pot.layers[0].keys[0, :, : pot.n_held].float()
    for head, origins in enumerate(pot.origins[0].tolist()):
        cache = DynamicCache()
        with torch.inference_mode():
            model.model(torch.tensor([[document[origin] for origin in origins]]), **handed(model.model, cache))
        wanted = cache.layers[0].keys[0, head].float()
        assert (keys[head] - wanted).norm() / wanted.norm() < tolerance


@pytest.mark.parametrize(
    ("sinks", "recent", "n_pinned"), [(8, 16, 26), (0, 20, 28), (0, 10, 26), (0, 0, 28), (0, 0, 20)]
)
@pytest.mark.parametrize(("n_suffix", "n_answer"), [(4, 8), (10, 200), (20, 8)])
def test_what_must_stay_leaves_room_for_an_answer_or_is_refused_before_it_begins(
    llama: PreTrainedModel, sinks: int, recent: int, n_pinned: int, n_suffix: int, n_answer: int
) -> None:
    reader = Reader(
        llama, catalyst_ids=random_ids(5, 3), prefix_ids=random_ids(4, 1), capacity=64, budget=32,
        choice=Choice(sinks=sinks, recent=recent),
    )  # fmt: skip
    for origin in range(10, 10 + n_pinned):
        reader.pot.pin(origin)
    for _ in reader.feed(random_ids(300, 2)):
        pass
    before = reader.pot.origins
    answer = generate(llama, reader.pot, random_ids(n_suffix, 4), max_new_tokens=n_answer)
    try:
        first = next(answer)
    except PotSizeError:
        assert torch.equal(reader.pot.origins, before), "nothing was done"
        return
    assert len([first, *answer]) == n_answer
    assert reader.pot.peak <= 64
    kept = reader.pot.origins
    assert all((kept == origin).any(-1).all() for origin in range(10, 10 + n_pinned))


def stopped(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_pot_that_was_interrupted_while_layers_changed_is_not_gone_on_with(
    llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(llama, **SIZES)
    for _ in reader.feed(random_ids(30, 1)):
        pass
    fork = reader.pot.fork()
    with monkeypatch.context() as patched:
        patched.setattr(reader.pot.pot_layers[1], "keep", stopped)
        with pytest.raises(KeyboardInterrupt):
            list(reader.feed(random_ids(20, 2)))
    for go_on in (
        lambda: list(reader.feed(random_ids(3, 3))), lambda: list(generate(llama, reader.pot, [7, 8], max_new_tokens=2))
    ):  # fmt: skip
        with pytest.raises(PotError, match="was interrupted while it was changed"):
            go_on()
    assert list(generate(llama, fork, [7, 8], max_new_tokens=2)), "a copy made before is whole"


def test_a_policy_that_evicts_for_each_token_is_not_gone_on_with_either(
    llama: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(llama, **SIZES | {"policy": make("streaming_llm", ())})
    for _ in reader.feed(random_ids(50, 1)):
        pass
    with monkeypatch.context() as patched:
        patched.setattr(Pot, "replace_notes", stopped)
        with pytest.raises(KeyboardInterrupt):
            list(reader.feed(random_ids(5, 2)))
    with pytest.raises(PotError, match="interrupted"):
        list(reader.feed(random_ids(3, 3)))


@pytest.mark.parametrize("capacity", [60, 34])
@pytest.mark.parametrize("decided", [(), (20, 21, 22)])
def test_a_pot_that_goes_on_holds_all_of_an_answer(
    llama: PreTrainedModel, capacity: int, decided: tuple[int, ...]
) -> None:
    """It is the pot that has read question and answer as text, but for an answer that is distilled on the way."""
    options: dict[str, Any] = {"catalyst_ids": [2, 3], "capacity": capacity, "budget": 12}
    ids, suffix = random_ids(25, 3), [9, 10, 11]
    pot = read(llama, ids, **options)
    steps = list(generate(llama, pot, suffix, max_new_tokens=20, goes_on=True, decided_by=lambda: decided))
    said = [step.token_id for step in steps]
    assert said == list(decided) or len(said) == 20
    assert pot.n_seen == len(ids) + len(suffix) + len(said)
    assert pot.peak <= capacity
    assert (pot.origins == pot.n_seen - 1).any(dim=-1).all()
    if capacity == 60:
        by_hand = read(llama, [*ids, *suffix, *said], **options)
        torch.testing.assert_close(pot.last_state, by_hand.last_state, atol=1e-4, rtol=1e-4)


def test_a_stop_token_stays_out_of_a_pot_that_goes_on(llama: PreTrainedModel) -> None:
    pot = read(llama, random_ids(20, 3), catalyst_ids=[2], capacity=60, budget=12)
    steps = generate(llama, pot, [9], max_new_tokens=9, stop_ids=[4], decided_by=lambda: [20, 21, 4], goes_on=True)
    assert [step.token_id for step in steps] == [20, 21]
    assert pot.n_seen == 20 + 1 + 2
