"""Policies that keep everything, choose from everything, or read both ends only."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.bench.tiny_models import FAMILIES, build
from infinipot_cli.engine import Attended, Pot, Reader, generate, read
from infinipot_cli.engine.policies import make
from infinipot_cli.engine.withheld import Withheld
from infinipot_cli.errors import PotSizeError, UnsupportedModelError, UsageError
from infinipot_cli.policies import Settings
from tests.engine.conftest import random_ids, tiny
from tests.engine.policies.slow import SlowSelfExtend, SlowSnapKV

CAPACITY, N_ANSWER = 30, 5
PREFIX, DOCUMENT, SUFFIX = random_ids(3, 1), random_ids(80, 2), random_ids(6, 4)


def pot_of(model: PreTrainedModel, name: str, settings: Settings = (), document: Sequence[int] = DOCUMENT) -> Pot:
    return read(
        model, document, catalyst_ids=[5], prefix_ids=PREFIX, capacity=CAPACITY, budget=12, chunk=16,
        policy=make(name, settings),
    )  # fmt: skip


def answer(model: PreTrainedModel, pot: Pot, suffix: Sequence[int] = SUFFIX) -> tuple[list[int], Tensor]:
    steps = list(generate(model, pot, suffix, max_new_tokens=N_ANSWER, record=True))
    return [step.token_id for step in steps], torch.stack([step.logits for step in steps])


def plain(model: PreTrainedModel, prompt: Sequence[int]) -> tuple[list[int], Tensor]:
    ids, rows = list(prompt), []
    for _ in range(N_ANSWER):
        with torch.no_grad():
            rows.append(model(torch.tensor([ids]), use_cache=False).logits[0, -1])
        ids.append(int(rows[-1].argmax()))
    return ids[len(prompt) :], torch.stack(rows)


def check(got: tuple[list[int], Tensor], wanted: tuple[list[int], Tensor]) -> None:
    assert got[0] == wanted[0]
    torch.testing.assert_close(got[1], wanted[1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["llama", "mistral-window", "qwen3"])
def test_full_is_plain_transformers(name: str) -> None:
    pot = pot_of(tiny(name), "full")
    assert pot.n_held == pot.n_seen == 83
    check(answer(tiny(name), pot), plain(tiny(name), [*PREFIX, *DOCUMENT, *SUFFIX]))
    assert pot.peak > CAPACITY


@pytest.mark.parametrize("n", [0, 10, 17, 40, 80])
def test_truncation_is_plain_transformers_on_both_ends(llama: PreTrainedModel, n: int) -> None:
    """30 places, of which prefix, question and answer take 14: 8 from either end where 16 are too few."""
    document = DOCUMENT[:n]
    pot = pot_of(llama, "truncation", document=document)
    assert (pot.n_held, pot.n_seen) == (3, 3 + n)
    left = [*range(n)] if n <= 16 else [*range(8), *range(n - 8, n)]
    fork = pot.fork()
    check(answer(llama, pot), plain(llama, [*PREFIX, *(document[i] for i in left), *SUFFIX]))
    assert pot.peak <= CAPACITY
    assert pot.origins[0, 0, 3 : 3 + len(left)].tolist() == [3 + i for i in left]
    longer = random_ids(9, 8)
    left = [*range(n)] if n <= 13 else [*range(6), *range(n - 6, n)]
    check(answer(llama, fork, longer), plain(llama, [*PREFIX, *(document[i] for i in left), *longer]))


def test_an_endless_stream_is_withheld_in_flat_memory() -> None:
    held = Withheld()
    for start in range(0, 1000, 7):
        held.add(range(start, min(start + 7, 1000)), 20)
    assert len(held.head) + len(held.tail) == 40
    assert held.ends(15) == ([*range(7)], [*range(993, 1000)])


def test_truncation_without_room_is_refused(llama: PreTrainedModel) -> None:
    with pytest.raises(PotSizeError, match="leave no room"):
        answer(llama, pot_of(llama, "truncation"), random_ids(24, 3))


SNAPS = [(8, 5, False), (8, 5, True), (3, 1, False), (20, 7, False)]


@pytest.mark.parametrize("settings", SNAPS, ids=str)
@pytest.mark.parametrize("model", ["llama", "qwen3"])
def test_snapkv_equals_a_slow_reference(model: str, settings: tuple[int, int, bool]) -> None:
    window, kernel, average = settings
    slow = SlowSnapKV(tiny(model), capacity=CAPACITY, window=window, kernel=kernel, average=average)
    wanted = slow.read([*PREFIX, *DOCUMENT, *SUFFIX], N_ANSWER)
    pot = pot_of(tiny(model), "snapkv", (("average", average), ("kernel", kernel), ("window", window)))
    assert pot.n_held == 83, "everything is there until the question comes"
    check(answer(tiny(model), pot), (wanted.tokens, torch.stack(wanted.logits)))
    assert pot.origins[..., :CAPACITY].tolist() == wanted.kept[0]
    assert pot.n_cycles == 1
    assert pot.n_held == CAPACITY + N_ANSWER - 1


def test_snapkv_keeps_a_short_prompt_whole(llama: PreTrainedModel) -> None:
    document = DOCUMENT[:20]
    pot = pot_of(llama, "snapkv", (("window", 8),), document)
    check(answer(llama, pot), plain(llama, [*PREFIX, *document, *SUFFIX]))
    assert pot.n_cycles == 0


def test_a_window_larger_than_the_pot_is_refused_before_anything_is_read(llama: PreTrainedModel) -> None:
    assert pot_of(llama, "snapkv", (("window", CAPACITY),)).n_held == 83
    with pytest.raises(PotSizeError, match="the last 31 rows of a prompt shall vote and stay, and the pot has 30"):
        pot_of(llama, "snapkv", (("window", CAPACITY + 1),))


def test_snapkv_by_hand() -> None:
    """Eight entries, a window of two, places for three more: the neighbours of the highest vote come with it."""
    from infinipot_cli.engine.policies import Evidence
    from infinipot_cli.engine.policies.snapkv import SnapKV

    assert make("snapkv") == SnapKV(window=32, kernel=7, average=False), (
        "the defaults of the method's own LongBench runs"
    )
    votes = torch.tensor([[[0.1, 0.2, 0.9, 0.3, 0.1, 0.8, 0.0, 0.0]]])
    evidence = Evidence(votes, torch.zeros_like(votes), torch.arange(8)[None, None], (), 8, 5)
    assert make("snapkv", (("kernel", 3), ("window", 2))).keep(evidence, 2).tolist() == [[[1, 2, 3, 6, 7]]]
    assert make("snapkv", (("kernel", 1), ("window", 2))).keep(evidence, 2).tolist() == [[[2, 3, 5, 6, 7]]]


@pytest.mark.parametrize(("group", "near"), [(1, 7), (4, 16), (3, 10), (2, 200)])
def test_self_extend_equals_a_slow_reference(group: int, near: int) -> None:
    slow = SlowSelfExtend(tiny("llama"), group=group, near=near)
    slow.consume([*PREFIX, *DOCUMENT, *SUFFIX])
    for _ in range(N_ANSWER):
        token = int(slow.last_logits.argmax())
        slow.outcome.tokens.append(token)
        slow.outcome.logits.append(slow.last_logits)
        slow.consume([token])
    wanted = slow.outcome.tokens, torch.stack(slow.outcome.logits)
    for attention in ("sdpa", "eager"):
        model = tiny("llama")
        model.set_attn_implementation(attention)
        pot = pot_of(model, "self_extend", (("group", group), ("window", near)))
        check(answer(model, pot), wanted)
    if group == 1 or near >= 100:
        check(wanted, plain(tiny("llama"), [*PREFIX, *DOCUMENT, *SUFFIX]))


@pytest.mark.parametrize("name", ["snapkv", "self_extend", "full", "truncation"])
def test_an_answer_can_be_watched(llama: PreTrainedModel, name: str) -> None:
    settings: Settings = (("window", 5),) if name in ("snapkv", "self_extend") else ()
    attended = Attended()
    plainly, _ = answer(llama, pot_of(llama, name, settings))
    pot = pot_of(llama, name, settings)
    steps = list(generate(llama, pot, SUFFIX, max_new_tokens=N_ANSWER, attended=attended))
    assert [step.token_id for step in steps] == plainly
    assert attended.n_rows == N_ANSWER
    assert torch.equal(attended.origins, pot.origins[..., : attended.origins.shape[-1]])
    # all attention of the first row, and of later ones what does not lie on the answer itself
    assert float(attended.total.sum(-1).min()) > 0.5
    assert float(attended.total.sum(-1).max()) <= N_ANSWER + 1e-4


@pytest.mark.parametrize("family", ["Mistral 0.1", "DeepSeek-V2", "Phi-3"])
def test_models_whose_positions_cannot_be_grouped_are_refused(family: str) -> None:
    with pytest.raises(UnsupportedModelError, match=r"grouped|far"):
        pot_of(build(next(found for found in FAMILIES if found.name == family)), "self_extend")


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("snapkv", (("window", 0),), "window must be 1"), ("snapkv", (("kernel", 4),), "an odd number"),
        ("self_extend", (("group", 0),), "group must be 1"), ("self_extend", (("window", -1),), "window 0 or more"),
    ],
)  # fmt: skip
def test_settings_out_of_bounds_are_refused(name: str, settings: Settings, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        make(name, settings)


CHANGING = {"longrope": "Phi-3", "dynamic": "Llama"}
GOING_ON: dict[str, tuple[str, Settings]] = {
    "full": ("full", ()), "snapkv": ("snapkv", ()), "sliding_window": ("sliding_window", ()),
    "reset off": ("infinipot", (("reset", False),)), "stepping, reset off": ("streaming_llm", (("reset", False),)),
}  # fmt: skip


def changing(kind: str) -> PreTrainedModel:
    """A model that turns its keys otherwise past 128 positions."""
    family = next(found for found in FAMILIES if found.name == CHANGING[kind])
    dynamic = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 4.0}
    shorter = {"max_position_embeddings": 128, "rope_parameters": dynamic}
    return build(family if kind == "longrope" else replace(family, options=shorter))


def read_by(model: PreTrainedModel, way: str, n: int, chunk: int) -> Reader:
    """A reader that has read n tokens."""
    policy = make(*GOING_ON[way])
    reader = Reader(model, catalyst_ids=[5], capacity=100, budget=40, chunk=chunk, policy=policy)
    for _ in reader.feed(random_ids(n, 2)):
        pass
    return reader


@pytest.mark.parametrize("kind", list(CHANGING))
@pytest.mark.parametrize("way", list(GOING_ON))
def test_no_position_goes_past_where_the_keys_would_turn_otherwise(kind: str, way: str) -> None:
    model = changing(kind)
    for chunk in (64, 512):
        with pytest.raises(UnsupportedModelError, match="past 128 positions"):
            read_by(model, way, 180, chunk)
    reader = read_by(model, way, 120, 64)
    with pytest.raises(UnsupportedModelError) as caught:
        list(generate(model, reader.pot, SUFFIX, max_new_tokens=20))
    assert "another --policy" in caught.value.hint
    assert ("reset=off" in caught.value.hint) == ("reset off" in way)


@pytest.mark.parametrize("kind", list(CHANGING))
def test_up_to_there_a_text_is_read_as_by_plain_transformers(kind: str) -> None:
    model, n = changing(kind), 128 - len(SUFFIX) - N_ANSWER + 1
    for chunk in (64, 512):
        pot = read_by(model, "full", n, chunk).pot
        check(answer(model, pot), plain(model, [*random_ids(n, 2), *SUFFIX]))


@pytest.mark.parametrize("way", list(GOING_ON))
def test_a_refused_token_leaves_the_pot_as_it_was(way: str) -> None:
    reader = read_by(changing("longrope"), way, 120, 64)
    origins = reader.pot.origins.clone()
    with pytest.raises(UnsupportedModelError):
        list(reader.feed(random_ids(30, 3)))
    assert reader.pot.n_seen <= 128
    if way != "reset off":  # which is distilled on the way
        assert torch.equal(reader.pot.origins, origins)
    reader.pot.check_whole()
