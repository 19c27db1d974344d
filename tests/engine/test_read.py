"""What a reading promises whatever the model: bounds, no trace of the catalyst, no influence of chunks."""

import tracemalloc
from collections.abc import Iterator

import pytest
import torch
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from infinipot_cli.engine import Consumed, Distilled, Reader, generate, read
from infinipot_cli.engine.consume import consume, consume_and_hear
from infinipot_cli.engine.distill import catalyst_votes, distill
from infinipot_cli.engine.policies import make
from infinipot_cli.engine.pot import PotLayer
from infinipot_cli.errors import ModelError, PotSizeError
from infinipot_cli.model.attention import captured_votes
from infinipot_cli.model.cache_name import handed
from infinipot_cli.model.head import rows_per_slice
from infinipot_cli.model.port import body
from infinipot_cli.model.rope import LayerRope
from tests.engine.conftest import VOCABULARY, random_ids, tiny


@pytest.mark.parametrize("name", ["llama", "mistral-window", "qwen3"])
@pytest.mark.parametrize("chunk", [1, 9, 512])
def test_a_document_that_fits_is_plain_attention(name: str, chunk: int) -> None:
    model = tiny(name)
    document, suffix = random_ids(70, 5), random_ids(8, 6)
    pot = read(
        model, document, catalyst_ids=[2, 3], prefix_ids=[4, 5], capacity=128, budget=40, record=True, chunk=chunk
    )
    steps = list(generate(model, pot, suffix, max_new_tokens=5, record=True))
    ids, got = [4, 5, *document, *suffix], []
    with torch.inference_mode():
        for _ in range(5):
            got.append(model(torch.tensor([ids])).logits[0, -1])
            ids.append(int(got[-1].argmax()))
    assert not pot.kept_history
    assert [step.token_id for step in steps] == ids[-5:]
    torch.testing.assert_close(torch.stack([s.logits for s in steps]), torch.stack(got), atol=1e-4, rtol=1e-4)


def test_novelty_is_the_cross_entropy_of_a_plain_forward(llama: PreTrainedModel) -> None:
    document = random_ids(60, 7)
    pot = read(llama, document, catalyst_ids=[2], capacity=100, budget=20, chunk=13)
    with torch.inference_mode():
        logprobs = llama(torch.tensor([document])).logits[0].log_softmax(-1)
    wanted = -logprobs[:-1].gather(1, torch.tensor(document[1:])[:, None])[:, 0]
    assert torch.isinf(pot.novelty[..., 0]).all()
    torch.testing.assert_close(pot.novelty[0, 0, 1:], wanted, atol=1e-4, rtol=1e-4)
    assert (pot.novelty == pot.novelty[:1, :1]).all()


@pytest.mark.parametrize(("capacity", "budget", "n_catalyst"), [(32, 16, 4), (32, 16, 15), (50, 48, 1), (8, 2, 2)])
@pytest.mark.parametrize("n_document", [0, 1, 27, 28, 29, 140])
def test_the_pot_never_holds_more_than_its_capacity(
    llama: PreTrainedModel, capacity: int, budget: int, n_catalyst: int, n_document: int
) -> None:
    document = random_ids(n_document, 8)
    reader = Reader(llama, catalyst_ids=random_ids(n_catalyst, 9), prefix_ids=[1], capacity=capacity, budget=budget)
    for event in reader.feed(document):
        assert event.n_held <= capacity - n_catalyst
    n_expected = max(0, -(-(n_document + 1 - (capacity - n_catalyst)) // (capacity - n_catalyst - budget)))
    assert reader.pot.n_cycles == n_expected
    assert reader.pot.n_seen == n_document + 1
    assert reader.pot.peak == (capacity if n_expected else reader.pot.n_held)
    origins = reader.pot.origins
    assert origins.shape == (3, 2, reader.pot.n_held)
    assert (origins[..., 1:] > origins[..., :-1]).all()
    assert (origins[..., 0] == 0).all()


def test_a_full_pot_is_not_distilled_before_more_arrives(llama: PreTrainedModel) -> None:
    reader = Reader(llama, catalyst_ids=[2, 3], capacity=30, budget=10)
    assert not any(isinstance(event, Distilled) for event in reader.feed(random_ids(28, 1)))
    events = list(reader.feed([5]))
    assert [type(event) for event in events] == [Distilled, Consumed]
    assert (events[0].n_before, events[0].n_held, events[1].n_held) == (28, 10, 11)


@pytest.mark.parametrize("pieces", [1, 3, 1000])
def test_feeding_in_pieces_keeps_the_same_entries(llama: PreTrainedModel, pieces: int) -> None:
    document, options = random_ids(200, 2), {"catalyst_ids": [3, 4, 5], "capacity": 40, "budget": 20}
    reader = Reader(llama, **options)
    for at in range(0, len(document), pieces):
        for _ in reader.feed(document[at : at + pieces]):
            pass
    whole = read(llama, document, **options)
    assert torch.equal(reader.pot.origins, whole.origins)


def test_the_catalyst_leaves_no_trace(llama: PreTrainedModel) -> None:
    """A distillation with nothing to evict changes neither entries, novelty nor what comes next."""
    pots = [read(llama, random_ids(20, 3), catalyst_ids=[9, 10, 11], capacity=40, budget=19) for _ in range(2)]
    with captured_votes(llama, 20), torch.no_grad():
        body(llama)(input_ids=torch.tensor([[9, 10, 11]]), use_cache=True, **handed(body(llama), pots[1]))
    pots[1].rewind(20)
    pots[1].keep(torch.arange(20).repeat(3, 2, 1))
    assert torch.equal(pots[0].origins, pots[1].origins)
    assert torch.equal(pots[0].novelty, pots[1].novelty)
    plain, distilled = (list(generate(llama, pot, [7, 8], max_new_tokens=4, record=True)) for pot in pots)
    torch.testing.assert_close(
        torch.stack([s.logits for s in plain]), torch.stack([s.logits for s in distilled]), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", ["llama", "mistral-window", "qwen3"])
def test_a_catalyst_that_rides_along_says_and_leaves_what_it_does_alone(name: str) -> None:
    """The chunk that fills a pot may carry it; nothing but time tells."""
    model = tiny(name)
    document, catalyst = random_ids(57, 3), random_ids(7, 4)
    apart, along = (Reader(model, catalyst_ids=catalyst, capacity=64, budget=32) for _ in range(2))
    for reader in (apart, along):
        for _ in reader.feed(document[:40]):
            pass
    consume(model, apart.port, apart.pot, document[40:])
    hearing = consume_and_hear(model, along.port, along.pot, document[40:])
    torch.testing.assert_close(hearing.votes, catalyst_votes(model, apart.pot), atol=1e-5, rtol=1e-4)
    assert along.pot.n_held == apart.pot.n_held == 57
    assert along.pot.peak == apart.pot.peak == 64
    assert apart.pot.last_state is not None and along.pot.last_state is not None
    torch.testing.assert_close(along.pot.last_state, apart.pot.last_state, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(along.pot.novelty, apart.pot.novelty, atol=1e-5, rtol=1e-4)
    for one, other in zip(along.pot.pot_layers, apart.pot.pot_layers, strict=True):
        assert one.keys is not None and other.keys is not None
        torch.testing.assert_close(one.keys[:, :, :57], other.keys[:, :, :57], atol=1e-5, rtol=1e-4)
    before = along.pot.fork()
    assert distill(model, along.pot, hearing=hearing).seconds > hearing.seconds > 0
    distill(model, before)
    assert torch.equal(along.pot.origins, before.origins)


def test_what_was_heard_of_other_entries_is_not_used(llama: PreTrainedModel) -> None:
    reader = Reader(llama, catalyst_ids=[2, 3], capacity=64, budget=32)
    stale = consume_and_hear(llama, reader.port, reader.pot, random_ids(40, 3))
    consume(llama, reader.port, reader.pot, random_ids(10, 4))
    other = reader.pot.fork()
    distill(llama, reader.pot, hearing=stale)
    distill(llama, other)
    assert torch.equal(reader.pot.origins, other.origins)


def test_votes_equal_the_rows_of_explicit_attention() -> None:
    """What the capture sums is what transformers itself reports as attention weights."""
    model = tiny("qwen3")
    model.set_attn_implementation("eager")
    ids = torch.tensor([random_ids(30, 3)])
    with torch.no_grad():
        with captured_votes(model, 25) as votes:
            body(model)(input_ids=ids, use_cache=False)
        explicit = model(input_ids=ids, output_attentions=True).attentions
    for number, weights in enumerate(explicit):
        wanted = weights[0].view(2, 2, 30, 30).sum(dim=(1, 2))[:, :25]
        torch.testing.assert_close(votes[number], wanted, atol=1e-5, rtol=1e-5)


def test_without_suffix_the_next_token_comes_from_before_the_catalyst(llama: PreTrainedModel) -> None:
    document = random_ids(38, 4)
    pot = read(llama, document, catalyst_ids=[3, 4], capacity=40, budget=20, record=True)
    step = next(generate(llama, pot, [], max_new_tokens=30, record=True))  # distills once more first
    with torch.inference_mode():
        wanted = llama(torch.tensor([document])).logits[0, -1]
    assert pot.n_cycles == 1
    torch.testing.assert_close(step.logits, wanted, atol=1e-4, rtol=1e-4)


def test_the_head_never_runs_on_more_rows_than_a_slice(llama: PreTrainedModel) -> None:
    seen: list[int] = []
    hook = llama.lm_head.register_forward_hook(lambda _, args, __: seen.append(args[0].shape[1]))
    read(llama, random_ids(700, 5), catalyst_ids=[2], capacity=250, budget=100)
    hook.remove()
    assert seen and max(seen) <= rows_per_slice(VOCABULARY) == 256
    assert sum(seen) == 699
    assert (rows_per_slice(32_000), rows_per_slice(128_256), rows_per_slice(1_000_000)) == (256, 65, 32)


def test_without_novelty_the_head_does_not_run(llama: PreTrainedModel) -> None:
    seen: list[int] = []
    hook = llama.lm_head.register_forward_hook(lambda *_: seen.append(1))
    read(llama, random_ids(200, 5), catalyst_ids=[2], capacity=100, budget=50, novelty_ratio=0.0)
    hook.remove()
    assert not seen


def test_the_attention_table_is_restored_after_a_failure(llama: PreTrainedModel) -> None:
    before = ALL_ATTENTION_FUNCTIONS["sdpa"]

    def interrupted() -> None:
        with captured_votes(llama, 0):
            assert ALL_ATTENTION_FUNCTIONS["sdpa"] is not before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is before


def test_a_document_is_consumed_as_it_comes(llama: PreTrainedModel) -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 5

    reader = Reader(llama, catalyst_ids=[2], capacity=64, budget=32, chunk=16)
    tracemalloc.start()
    for event in reader.feed(endless()):
        if event.n_seen > 2_000:
            break
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert reader.pot.n_held <= 63


def test_a_fork_answers_without_touching_its_origin(llama: PreTrainedModel) -> None:
    pot = read(llama, random_ids(100, 6), catalyst_ids=[2, 3], capacity=48, budget=24)
    before = pot.origins
    first = [step.token_id for step in generate(llama, pot.fork(), [5, 6], max_new_tokens=5)]
    assert torch.equal(pot.origins, before)
    assert [step.token_id for step in generate(llama, pot, [5, 6], max_new_tokens=5)] == first


@pytest.mark.parametrize("name", ["llama", "mistral-window", "qwen3"])
def test_an_answer_three_times_the_pot_never_overflows(name: str) -> None:
    model = tiny(name)
    pot = read(model, random_ids(90, 7), catalyst_ids=[2, 3, 4], prefix_ids=[1], capacity=48, budget=24)
    steps = list(generate(model, pot, random_ids(5, 8), max_new_tokens=3 * 48))
    assert len(steps) == 3 * 48
    assert pot.peak == 48
    assert max(step.n_held for step in steps) <= 48
    assert (pot.origins[..., 0] == 0).all() or name == "mistral-window"
    if name != "mistral-window":
        asked = set(range(91, 96))
        assert all(asked <= set(head.tolist()) for layer in pot.origins for head in layer)


def test_a_stop_token_ends_the_answer_and_is_not_yielded(llama: PreTrainedModel) -> None:
    options = {"catalyst_ids": [2], "capacity": 64, "budget": 20}
    steps = list(generate(llama, read(llama, random_ids(30, 9), **options), [3], max_new_tokens=8))
    stop = steps[2].token_id
    first = next(i for i, step in enumerate(steps) if step.token_id == stop)
    again = list(generate(llama, read(llama, random_ids(30, 9), **options), [3], max_new_tokens=8, stop_ids=[stop]))
    assert [step.token_id for step in again] == [step.token_id for step in steps[:first]]
    assert all(step.logprob <= 0 and step.logits is None for step in again)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"capacity": 20, "budget": 20}, "below the capacity"),
        ({"capacity": 20, "budget": 18}, "no place to read into"),
        ({"capacity": 20, "budget": 3, "prefix_ids": [1, 2, 3]}, "above the 3 entries that always stay"),
        ({"capacity": 20, "budget": 10, "catalyst_ids": []}, "catalyst prompt is empty"),
        ({"capacity": 20, "budget": 10, "novelty_ratio": 1.5}, "between 0 and 1"),
    ],
)
def test_sizes_that_cannot_work_are_refused(llama: PreTrainedModel, options: dict[str, object], words: str) -> None:
    with pytest.raises(PotSizeError, match=words):
        read(llama, [5, 6], **{"catalyst_ids": [2, 3], **options})


def test_a_suffix_that_cannot_fit_is_refused(llama: PreTrainedModel) -> None:
    pot = read(llama, random_ids(60, 1), catalyst_ids=[2], capacity=40, budget=20)
    with pytest.raises(PotSizeError, match="do not fit"):
        list(generate(llama, pot, random_ids(21, 2), max_new_tokens=1))
    empty = read(llama, [], catalyst_ids=[2], capacity=40, budget=20)
    with pytest.raises(PotSizeError, match="nothing to continue"):
        list(generate(llama, empty, [], max_new_tokens=1))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 8e-3), (torch.float16, 1e-3)])
def test_half_precision_keys_do_not_drift(dtype: torch.dtype, tolerance: float) -> None:
    """Moved to a random place in every cycle, a survivor's key is still one rounding away from its first one there."""
    generator = torch.Generator().manual_seed(0)
    rope = LayerRope(10_000.0 ** (-torch.arange(0, 32, 2) / 32))
    plain = torch.randn((1, 2, 40, 32), generator=generator)
    layer, at = PotLayer(64, rope, None), torch.arange(8)
    layer.update(rope.rotate(plain, torch.arange(40)).to(dtype), plain.to(dtype))
    for _ in range(250):
        new = torch.randn((1, 2, 64 - layer.n, 32), generator=generator).to(dtype)
        layer.update(new, torch.zeros_like(new))
        others = torch.tensor(sorted(set(range(64)) - set(at.tolist())))[torch.randperm(56, generator=generator)[:24]]
        order = torch.cat((at, others))[torch.randperm(32, generator=generator)]
        layer.keep(order.expand(2, -1))
        at = (order == at[:, None]).int().argmax(dim=1)
    assert layer.keys is not None
    wanted = rope.rotate(plain[:, :, :8], at)
    error = (layer.keys[:, :, at].float() - wanted).norm() / wanted.norm()
    assert error < tolerance


@pytest.mark.parametrize("policy", ["infinipot", "h2o"])
def test_a_token_that_the_model_does_not_know_is_named_and_the_pot_stays_whole(
    llama: PreTrainedModel, policy: str
) -> None:
    sizes = {"catalyst_ids": [2, 3], "capacity": 32, "budget": 16, "policy": make(policy, {}), "chunk": 8}
    reader = Reader(llama, **sizes)
    for _ in reader.feed(random_ids(40, 1)):
        pass
    n_seen, origins = reader.pot.n_seen, reader.pot.origins.clone()
    with pytest.raises(ModelError, match=f"makes token {VOCABULARY} .* knows {VOCABULARY} from 0"):
        list(reader.feed([4, VOCABULARY]))
    assert (reader.pot.n_seen, reader.pot.origins.tolist()) == (n_seen, origins.tolist())
    for ids in ({"catalyst_ids": [2, VOCABULARY]}, {"prefix_ids": [VOCABULARY]}):
        with pytest.raises(ModelError, match=f"token {VOCABULARY} ") as caught:
            Reader(llama, **{**sizes, **ids})
        assert "two models" in caught.value.hint
