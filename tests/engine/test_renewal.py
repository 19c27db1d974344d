"""Novelty that is found again against what the pot holds (`--set renew`)."""

import itertools

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.bench.tiny_models import FAMILIES, Family, build
from infinipot_cli.choice import Choice
from infinipot_cli.engine import Distilled, Pot, Reader, capture, generate, read, restore
from infinipot_cli.engine.policies import make
from infinipot_cli.engine.renewal import renewed_novelty
from infinipot_cli.errors import PotError, UsageError
from infinipot_cli.model.port import port_of
from tests.engine.conftest import random_ids, some_windows, tiny
from tests.engine.reference import Reference

CATALYST, PREFIX = random_ids(4, 3), random_ids(3, 1)
SIZES = {"capacity": 44, "budget": 20}


class RenewingReference(Reference):
    """After each distillation every token that any head holds is scored by a forward of the one before it."""

    def __init__(self, model: torch.nn.Module, prefix: list[int], document: list[int]) -> None:
        super().__init__(model, novelty_ratio=0.5, **SIZES)
        self.stream = [*prefix, *document]
        self.n_reread: list[int] = []

    def distill(self, catalyst: list[int], n_prefix: int, protected: object = ()) -> None:
        super().distill(catalyst, n_prefix)
        full, peak = self.pot, self.outcome.peak
        text = sorted({entry[2] for layer in full for head in layer for entry in head})
        fresh: dict[int, float] = {}
        for before, after in itertools.pairwise(text):
            if after >= n_prefix:
                self.pot = [[[entry for entry in head if entry[2] < before] for head in layer] for layer in full]
                logits, _, _ = self.forward([self.stream[before]])
                fresh[after] = float(-torch.log_softmax(logits[-1], dim=-1)[self.stream[after]])
        self.pot = [
            [[(key, value, at, fresh.get(at, old)) for key, value, at, old in head] for head in layer] for layer in full
        ]
        self.n_reread.append(len(fresh))
        self.outcome.peak = peak
        self.outcome.novelty[-1] = [[[entry[3] for entry in head] for head in layer] for layer in self.pot]


@pytest.mark.parametrize("n_prefix", [3, 0])
@pytest.mark.parametrize("name", ["llama", "qwen3", "mistral-window", "some-windows"])
def test_the_engine_equals_a_reference_that_reads_token_by_token(name: str, n_prefix: int) -> None:
    model = some_windows() if name == "some-windows" else tiny(name)
    document, prefix = random_ids(90, 2), PREFIX[:n_prefix]
    wanted = RenewingReference(model, prefix, document)
    wanted.run(prefix=prefix, document=document, catalyst=CATALYST, suffix=[], n_answer=0)
    reader = Reader(
        model, catalyst_ids=CATALYST, prefix_ids=prefix, record=True, chunk=7, choice=Choice(renew=True), **SIZES
    )
    novelty = [reader.pot.novelty for event in reader.feed(iter(document)) if isinstance(event, Distilled)]
    assert len(novelty) >= 3
    if name != "mistral-window":  # whose heads all keep the latest
        assert max(wanted.n_reread) > SIZES["budget"], "heads must hold different tokens"
    assert [kept.tolist() for kept in reader.pot.kept_history] == wanted.outcome.kept
    for got, held in zip(novelty, wanted.outcome.novelty, strict=True):
        torch.testing.assert_close(got, torch.tensor(held), atol=1e-4, rtol=1e-4)
    assert reader.pot.peak <= SIZES["capacity"]


KINDS = {"Llama 3.1", "Gemma 2", "Gemma 3", "Phi-3", "SmolLM3", "GLM-4", "GPT-OSS", "DeepSeek-V2", "DeepSeek-V3"}
CHOSEN = [family for family in FAMILIES if family.name in KINDS]


@pytest.mark.parametrize("family", CHOSEN, ids=[family.name for family in CHOSEN])
def test_where_nothing_was_dropped_novelty_is_that_of_reading(family: Family) -> None:
    model = build(family)
    pot = read(
        model, random_ids(45, 2), catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=64, budget=30, chunk=9,
        choice=Choice(renew=True),
    )  # fmt: skip
    held = [layer.keys[:, :, : layer.n].clone() for layer in pot.pot_layers if layer.keys is not None]
    found = renewed_novelty(model, port_of(model), pot)
    assert len(pot.token_ids) == 48
    torch.testing.assert_close(found, pot.novelty, atol=2e-4, rtol=2e-4)
    assert pot.n_held == 48
    after = [layer.keys[:, :, : layer.n] for layer in pot.pot_layers if layer.keys is not None]
    assert all(map(torch.equal, held, after))


def pot_of(model: PreTrainedModel, choice: Choice, **more: object) -> Pot:
    options = {"catalyst_ids": CATALYST, "prefix_ids": PREFIX, "choice": choice, "record": True, **SIZES, **more}
    return read(model, random_ids(120, 2), **options)  # type: ignore[arg-type]


def test_what_was_new_once_need_not_stay_new(llama: PreTrainedModel) -> None:
    plain, pot = pot_of(llama, Choice()), pot_of(llama, Choice(renew=True))
    assert plain.token_ids == {}
    assert torch.equal(plain.kept_history[0], pot.kept_history[0]), "nothing is known anew before the first time"
    assert not torch.equal(plain.kept_history[-1], pot.kept_history[-1])
    assert pot.token_ids.keys() == set(pot.origins.flatten().tolist())
    stream = [*PREFIX, *random_ids(120, 2)]
    assert all(stream[origin] == token for origin, token in pot.token_ids.items())


def test_original_positions_and_other_policies_renew_too(llama: PreTrainedModel) -> None:
    for policy in (make("infinipot", (("reset", False),)), make("sirllm")):
        options = {"catalyst_ids": CATALYST, "prefix_ids": PREFIX, "policy": policy, "choice": Choice(renew=True)}
        pot = read(llama, random_ids(30, 2), capacity=44, budget=20, **options)  # type: ignore[arg-type]
        torch.testing.assert_close(renewed_novelty(llama, port_of(llama), pot), pot.novelty, atol=1e-4, rtol=1e-4)
        assert pot_of(llama, Choice(renew=True), policy=policy).n_cycles > 2


def test_ranks_are_found_again_as_ranks(llama: PreTrainedModel) -> None:
    pot = pot_of(llama, Choice(renew=True, rank=True))
    inside: Tensor = pot.novelty[pot.origins >= len(PREFIX)]
    assert 0.0 <= float(inside.min()) < float(inside.max()) <= 1.0


def test_a_stored_pot_goes_on_renewing(llama: PreTrainedModel) -> None:
    answers, held = [], []
    for stored in (False, True):
        reader = Reader(llama, catalyst_ids=CATALYST, prefix_ids=PREFIX, choice=Choice(renew=True), **SIZES)
        for _ in reader.feed(random_ids(70, 2)):
            pass
        if stored:
            reader = Reader.resumed(llama, restore(llama, capture(reader.pot)))
        fork = reader.pot.fork()
        for _ in reader.feed(random_ids(60, 5)):
            pass
        assert len(fork.token_ids) != len(reader.pot.token_ids)
        held.append((reader.pot.origins.tolist(), reader.pot.novelty.tolist(), reader.pot.token_ids))
        answers.append([step.token_id for step in generate(llama, reader.pot, (9, 10), max_new_tokens=50)])
    assert held[0] == held[1]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("damage", ["missing", "short", "unknown"])
def test_stored_ids_that_make_no_sense_are_a_damaged_pot(llama: PreTrainedModel, damage: str) -> None:
    state = capture(pot_of(llama, Choice(renew=True)))
    ids = state.tensors.pop("token_ids")
    if damage != "missing":
        state.tensors["token_ids"] = ids[1:] if damage == "short" else ids + 97
    with pytest.raises(PotError):
        restore(llama, state)


def test_nothing_fades_where_nothing_is_carried() -> None:
    with pytest.raises(UsageError, match="with renew none is"):
        Choice(renew=True, decay=0.9)
