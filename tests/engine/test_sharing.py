"""Heads of a layer that share their places (`--set spread`)."""

from collections.abc import Collection

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.bench.tiny_models import FAMILIES, Family, build
from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine import Attended, Distilled, Pot, Reader, capture, generate, read, restore
from infinipot_cli.engine.importance import select
from infinipot_cli.engine.renewal import renewed_novelty
from infinipot_cli.engine.sharing import select_shared, widest_head
from infinipot_cli.errors import PotError, UnsupportedModelError
from infinipot_cli.explain.held import saved_by
from infinipot_cli.model.port import port_of
from tests.engine.conftest import random_ids, some_windows, tiny
from tests.engine.reference import Reference

CATALYST, PREFIX, SUFFIX = random_ids(5, 3), random_ids(3, 1), random_ids(6, 4)


class SharingReference(Reference):
    """Ragged lists of entries; each head numbers its own from 0, and nothing is ever padded."""

    def __init__(self, model: torch.nn.Module, *, spread: float, n_read: int, n_room: int, **sizes: float) -> None:
        super().__init__(model, **sizes)  # type: ignore[arg-type]
        self.spread, self.n_read, self.n_room = spread, n_read, n_room

    @property
    def n_held(self) -> int:
        return max(len(head) for layer in self.pot for head in layer)

    def distill(self, catalyst: list[int], n_prefix: int, protected: Collection[int] = ()) -> None:
        _, _, votes = self.forward(catalyst)
        budget = self.budget
        widest = budget + (self.capacity - len(catalyst) - budget) // 2
        if self.n_seen == self.n_read:  # everything was read: the question comes
            widest = max(budget, min(widest, self.n_room))
        for layer, heads in enumerate(self.pot):
            if self.windows[layer] is not None and self.windows[layer] < self.capacity:
                self.pot[layer] = [head[-budget:] for head in heads]
                continue
            chosen: list[set[int]] = []
            contest: list[tuple[float, int, int]] = []
            n_shared = 0
            for kv, entries in enumerate(heads):
                stay = {i for i, entry in enumerate(entries) if entry[2] < n_prefix or entry[2] in protected}
                rest = sorted(set(range(len(entries))) - stay, key=lambda i: (-entries[i][3], -i))
                stay |= set(rest[: min(int(self.ratio * budget), budget - len(stay))])
                own = budget - len(stay)
                vote = votes[layer][kv].tolist()
                rest = sorted(set(range(len(entries))) - stay, key=lambda i: (-vote[i], -i))
                floor = min(own - int(own * self.spread), len(rest))
                contest += [(vote[i], kv, i) for i in rest[floor : widest - len(stay)]]
                n_shared += own - floor
                chosen.append(stay | set(rest[:floor]))
            for _, kv, i in sorted(contest, reverse=True)[:n_shared]:
                chosen[kv].add(i)
            self.pot[layer] = [[head[i] for i in sorted(some)] for head, some in zip(heads, chosen, strict=True)]
        self.outcome.kept.append([[[e[2] for e in head] for head in layer] for layer in self.pot])


def ragged(kept: Tensor) -> list[list[list[int]]]:
    return [[[origin for origin in head if origin >= 0] for head in layer] for layer in kept.tolist()]


@pytest.mark.parametrize(
    ("name", "attention", "spread", "ratio", "chunk", "n_answer"),
    [
        ("llama", "sdpa", 0.75, 0.5, 7, 6), ("llama", "eager", 0.75, 0.5, 512, 6),
        ("llama-mha", "sdpa", 1.0, 0.0, 9, 6), ("qwen3", "eager", 0.5, 0.25, 1, 6),
        ("some-windows", "sdpa", 1.0, 0.25, 5, 6), ("some-windows", "eager", 0.5, 0.5, 64, 6),
        ("qwen2", "sdpa", 0.75, 0.25, 11, 90),
        ("mistral-wide-window", "sdpa", 1.0, 0.5, 512, 6), ("llama", "sdpa", 1.0, 0.25, 8, 17),
    ],
)  # fmt: skip
def test_the_engine_equals_a_reference_of_ragged_heads(
    name: str, attention: str, spread: float, ratio: float, chunk: int, n_answer: int
) -> None:
    model = some_windows() if name == "some-windows" else tiny(name)
    model.set_attn_implementation(attention)
    document, capacity, budget = random_ids(150, 2), 48, 24
    reference = SharingReference(
        model, spread=spread, n_read=len(PREFIX) + len(document), n_room=capacity - len(SUFFIX) - n_answer,
        capacity=capacity, budget=budget, novelty_ratio=ratio,
    )  # fmt: skip
    wanted = reference.run(prefix=PREFIX, document=document, catalyst=CATALYST, suffix=SUFFIX, n_answer=n_answer)
    pot = read(
        model, iter(document), catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=capacity, budget=budget,
        novelty_ratio=ratio, record=True, chunk=chunk, choice=Choice(spread=spread),
    )  # fmt: skip
    steps = list(generate(model, pot, SUFFIX, max_new_tokens=n_answer, record=True))
    sizes = {len(head) for kept in wanted.kept for layer in kept for head in layer}
    assert len(wanted.kept) >= 4
    assert len(sizes) > 3, "heads must differ"
    assert [ragged(kept) for kept in pot.kept_history] == wanted.kept
    assert [step.token_id for step in steps] == wanted.tokens
    torch.testing.assert_close(torch.stack([s.logits for s in steps]), torch.stack(wanted.logits), atol=1e-4, rtol=1e-4)
    assert pot.peak == wanted.peak <= capacity


def random_evidence(n: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    votes, novelty = (torch.rand(3, 2, n, generator=generator) for _ in range(2))
    return votes, novelty, torch.arange(n).expand(3, 2, n)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_where_nothing_is_spread_every_head_keeps_its_budget(ratio: float) -> None:
    votes, novelty, origins = random_evidence(60)
    protected = (origins < 4) | (origins == 30)
    wanted = select(votes, novelty, budget=20, novelty_ratio=ratio, n_prefix=4, protected=protected)
    got = select_shared(
        votes, novelty, origins, budget=20, novelty_ratio=ratio, protected=protected, spread=0.0, widest=40
    )
    assert torch.equal(got, wanted)


@pytest.mark.parametrize("spread", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("widest", [20, 26, 60])
def test_a_layer_keeps_as_many_as_ever(spread: float, widest: int) -> None:
    votes, novelty, origins = random_evidence(60)
    votes[:, 1] *= 100.0  # the second head of each layer draws everything
    protected = origins < 4
    kept = select_shared(
        votes, novelty, origins, budget=20, novelty_ratio=0.5, protected=protected, spread=spread, widest=widest
    )
    n_kept = (kept >= 0).sum(-1)
    assert n_kept.sum(-1).tolist() == [40, 40, 40]
    n_own = 20 - 4 - 10
    most = min(widest, 20 + int(n_own * spread))
    assert n_kept.tolist() == [[40 - most, most]] * 3
    assert kept.shape[-1] == int(n_kept.max())
    assert bool(((kept < 0).int().diff(dim=-1) <= 0).all()), "empty places stand in front"
    assert all(set(range(4)) <= set(head) for layer in kept.tolist() for head in layer)


def test_what_a_head_lacks_goes_to_the_others() -> None:
    votes, novelty, origins = random_evidence(60)
    origins = origins.clone()
    origins[:, 0, :54] = -1
    kept = select_shared(
        votes, novelty, origins, budget=20, novelty_ratio=0.2, protected=origins == 55, spread=0.2, widest=36
    )
    assert (kept >= 0).sum(-1).tolist() == [[6, 34]] * 3
    assert kept[:, 0, -6:].tolist() == [[*range(54, 60)]] * 3
    bounded = select_shared(
        votes, novelty, origins, budget=20, novelty_ratio=0.2, protected=origins == 55, spread=0.2, widest=30
    )
    assert (bounded >= 0).sum(-1).tolist() == [[6, 30]] * 3, "no bound is crossed for it"


def pot_of(model: PreTrainedModel, choice: Choice, n: int = 150, **more: object) -> Pot:
    options = {"catalyst_ids": CATALYST, "prefix_ids": PREFIX, "capacity": 48, "budget": 24, "record": True, **more}
    return read(model, random_ids(n, 2), choice=choice, **options)  # type: ignore[arg-type]


def test_every_layer_holds_its_total_and_no_head_crosses_the_bound(llama: PreTrainedModel) -> None:
    pot, plain = pot_of(llama, Choice(spread=1.0, sinks=2, recent=3), novelty_ratio=0.1), pot_of(llama, PAPER)
    assert plain.n_empty is None
    assert all(kept.shape[-1] == 24 for kept in plain.kept_history)
    assert max(kept.shape[-1] for kept in pot.kept_history) <= widest_head(pot) < 48 - len(CATALYST)
    for kept in pot.kept_history:
        assert ((kept >= 0).sum(-1).sum(-1) == 2 * 24).all()
        last = int(kept.max())
        for must in (*range(3 + 2), *range(last - 2, last + 1)):
            assert bool((kept == must).any(-1).all()), "what is protected stays in every head"
    assert pot.peak <= 48
    assert pot.nbytes == plain.nbytes
    assert len(pot.kept_history) > len(plain.kept_history), "empty places are places that nothing can be read into"


CHOSEN = [
    family
    for family in FAMILIES
    if family.name in {"Gemma 2", "Gemma 3", "GPT-OSS", "SmolLM3", "Phi-3", "GLM-4", "DeepSeek-V3"}
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", CHOSEN, ids=[family.name for family in CHOSEN])
def test_a_stored_pot_goes_on_and_a_fork_stands_alone(family: Family, dtype: torch.dtype) -> None:
    model, held = build(family).to(dtype), []
    for stored in (False, True):
        reader = Reader(
            model, catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=48, budget=24, novelty_ratio=0.25,
            choice=Choice(spread=1.0, renew=True),
        )  # fmt: skip
        for _ in reader.feed(random_ids(90, 2)):
            pass
        if stored:
            reader = Reader.resumed(model, restore(model, capture(reader.pot)))
        fork = reader.pot.fork()
        first = [step.token_id for step in generate(model, fork, SUFFIX, max_new_tokens=30)]
        for _ in reader.feed(random_ids(60, 5)):
            pass
        pot = reader.pot
        assert bool(pot.last_state is not None and pot.last_state.isfinite().all())
        held.append((first, pot.origins.tolist(), pot.novelty.tolist(), pot.n_cycles))
        if port_of(model).n_kv_heads > 1:  # latent attention has one head, which shares with nobody
            assert pot.n_empty is not None
    assert held[0] == held[1]


@pytest.mark.parametrize("damage", ["spread", "middle", "below", "prefix"])
def test_stored_empty_places_that_make_no_sense_are_refused(llama: PreTrainedModel, damage: str) -> None:
    state = capture(
        pot_of(llama, Choice(spread=1.0), novelty_ratio=0.0, prefix_ids=PREFIX if damage == "prefix" else ())
    )
    restore(llama, state)
    origins = state.tensors["origins"]
    layer, head = (origins < 0).sum(-1).nonzero()[0].tolist()
    if damage == "spread":
        state.numbers["choice"]["spread"] = 0.0
    elif damage == "middle":
        origins[layer, head, -2] = -1
    elif damage == "below":
        origins[layer, head, 0] = -2
    else:
        origins[layer, head, int((origins[layer, head] < 0).sum())] = -1
    with pytest.raises(PotError):
        restore(llama, state)


def test_renewed_novelty_is_that_of_reading_behind_empty_places(llama: PreTrainedModel) -> None:
    """Entries moved behind empty places by hand are seen as they were."""
    pot = read(
        llama, random_ids(30, 2), catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=64, budget=30,
        choice=Choice(renew=True, spread=0.5),
    )  # fmt: skip
    before = pot.novelty
    shift = torch.cat((torch.full((3, 2, 5), -1), torch.arange(33).expand(3, 2, 33)), dim=-1)
    pot.keep(shift)
    assert pot.n_held == 38
    found = renewed_novelty(llama, port_of(llama), pot)[..., 5:]
    torch.testing.assert_close(found, before, atol=1e-4, rtol=1e-4)


def test_an_answer_knows_what_saved_each_entry_of_unequal_heads(llama: PreTrainedModel) -> None:
    pot, attended = pot_of(llama, Choice(spread=1.0), novelty_ratio=0.75), Attended()
    list(generate(llama, pot, SUFFIX, max_new_tokens=4, attended=attended))
    assert pot.n_empty is not None
    there = attended.origins >= 0
    empty = (~there).repeat_interleave(2, dim=1)
    assert float(attended.total[empty].abs().sum()) == 0.0
    rules = saved_by(pot, attended)
    judged = there & (attended.origins < attended.n_seen_distilled)
    counts = torch.stack([((rules == rule) & judged).sum(-1) for rule in range(3)])
    assert bool((counts[2] == len(PREFIX)).all())
    assert bool((counts[1] == 18).all())
    assert bool((counts.sum(0).sum(-1) == 2 * 24).all())
    assert counts[0].unique().numel() > 1


def test_attention_that_takes_no_mask_of_each_head_is_refused(llama: PreTrainedModel) -> None:
    llama.config._attn_implementation, before = "flash_attention_2", llama.config._attn_implementation
    try:
        with pytest.raises(UnsupportedModelError, match="mask each") as caught:
            Reader(llama, catalyst_ids=CATALYST, capacity=48, budget=24, choice=Choice(spread=0.5))
    finally:
        llama.config._attn_implementation = before
    assert "--attn sdpa" in caught.value.hint


def test_settings_hold_together(llama: PreTrainedModel) -> None:
    choice = Choice(spread=0.9, pool=3, group_max=True, mass=0.4, fresh=0.3, decay=0.9, fill=True, recent=2)
    pot = pot_of(llama, choice, novelty_ratio=0.25)
    totals = [(kept >= 0).sum(-1).sum(-1) for kept in pot.kept_history]
    assert all(bool((total == total[0]).all()) and 12 <= int(total[0]) <= 48 for total in totals)
    assert len(list(generate(llama, pot, SUFFIX, max_new_tokens=10))) == 10
    assert pot.peak <= 48


def test_a_pot_whose_spread_was_taken_back_still_distills(llama: PreTrainedModel) -> None:
    reader = Reader.resumed(llama, pot_of(llama, Choice(spread=1.0), novelty_ratio=0.0))
    reader.pot.choice = PAPER
    events = [event for event in reader.feed(random_ids(80, 6)) if isinstance(event, Distilled)]
    assert len(events) > 2
    assert bool(((reader.pot.kept_history[-1] >= 0).sum(-1).sum(-1) == 48).all())
