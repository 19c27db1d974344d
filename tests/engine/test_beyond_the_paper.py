"""Settings beyond the paper do what they say, each against a plain computation of its own."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine import Pot, Reader, generate, read
from infinipot_cli.engine.importance import concentrated_budget, pooled, select
from infinipot_cli.errors import PotSizeError, UsageError
from infinipot_cli.model.attention import attention_weights, cap_scores

CAPACITY, BUDGET, CATALYST, PREFIX = 40, 16, (5, 6, 7), (1, 2)


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256,
    )  # fmt: skip
    found = LlamaForCausalLM(config).eval()
    for weight in found.parameters():
        torch.nn.init.normal_(weight, std=0.3) if weight.dim() > 1 else None
    return found


def document(n: int) -> list[int]:
    return torch.randint(8, 97, (n,), generator=torch.Generator().manual_seed(1)).tolist()


def pot_of(model: LlamaForCausalLM, choice: Choice, *, n: int = 200, ratio: float = 0.5) -> Pot:
    return read(
        model, document(n), catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=CAPACITY, budget=BUDGET,
        novelty_ratio=ratio, record=True, choice=choice,
    )  # fmt: skip


def everywhere(history: Sequence[Tensor], place: int) -> bool:
    return all(bool((kept == place).any(-1).all()) for kept in history)


def test_sinks_and_recent_tokens_are_always_there(model: LlamaForCausalLM) -> None:
    plain, pot = pot_of(model, PAPER), pot_of(model, Choice(sinks=3, recent=4))
    assert len(pot.kept_history) == len(plain.kept_history) > 4
    assert all(everywhere(pot.kept_history, len(PREFIX) + place) for place in range(3))
    assert not all(everywhere(plain.kept_history, len(PREFIX) + place) for place in range(3))
    for kept in pot.kept_history:
        assert kept.shape[-1] == BUDGET
        last = int(kept.max())
        assert all(everywhere([kept], last - back) for back in range(4))
    with pytest.raises(PotSizeError):
        pot_of(model, Choice(sinks=10, recent=10))


def test_pooled_scores_are_those_of_the_best_neighbour() -> None:
    votes = torch.rand(2, 2, 30, generator=torch.Generator().manual_seed(0))
    naive = torch.stack([votes[..., max(0, n - 2) : n + 3].amax(-1) for n in range(30)], dim=-1)
    assert torch.equal(pooled(votes, 5), naive)
    assert torch.equal(pooled(votes, 1), votes)


def test_a_group_counts_as_its_best_head() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(1, 4, 3, 8, generator=generator), torch.randn(1, 2, 13, 8, generator=generator)
    got = cap_scores(attention_weights(query, key, None, scaling=1.0), n_held=10, group_max=True)
    alone = [attention_weights(query[:, [h]], key[:, [h // 2]], None, scaling=1.0) for h in range(4)]
    single = [cap_scores(weights, n_held=10)[0] for weights in alone]
    torch.testing.assert_close(got, torch.stack([torch.maximum(*single[:2]), torch.maximum(*single[2:])]))


def test_the_last_distillation_keeps_what_fits(model: LlamaForCausalLM) -> None:
    held = {}
    for choice in (PAPER, Choice(fill=True)):
        pot = pot_of(model, choice, n=34)
        n_before = pot.n_held
        steps = list(generate(model, pot, (9, 10, 11), max_new_tokens=6))
        assert len(steps) == 6
        assert pot.peak <= CAPACITY
        held[choice] = steps[0].n_held
        assert n_before + 9 > CAPACITY, "the test is about a pot that must distill"
    assert held == {PAPER: BUDGET + 3, Choice(fill=True): CAPACITY - 6}


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_concentrated_scores_need_fewer_places(ratio: float) -> None:
    peaked, flat = torch.full((2, 2, 100), 1e-6), torch.ones(2, 2, 100)
    peaked[..., 7] = 1.0
    assert concentrated_budget(peaked, 0.9, ratio, 40) == 10
    assert concentrated_budget(flat, 0.9, ratio, 40) == concentrated_budget(peaked, 0.1, 1.0, 40) == 40
    between = [concentrated_budget(flat, mass / 100, ratio, 80) for mass in range(1, 100)]
    assert between == sorted(between)


def test_a_pot_that_adapts_stays_within_its_budget(model: LlamaForCausalLM) -> None:
    sizes = [kept.shape[-1] for kept in pot_of(model, Choice(mass=0.5)).kept_history]
    assert all(BUDGET // 4 <= size <= BUDGET for size in sizes)
    assert min(sizes) < BUDGET


def test_novelty_fades_with_every_distillation(model: LlamaForCausalLM) -> None:
    pot, plain = pot_of(model, Choice(decay=0.5), n=36), pot_of(model, PAPER, n=36)
    assert pot.n_cycles == plain.n_cycles == 1
    old = pot.origins < pot.n_seen_distilled
    assert torch.equal(pot.origins, plain.origins)
    torch.testing.assert_close(pot.novelty[old], plain.novelty[old] * 0.5)
    torch.testing.assert_close(pot.novelty[~old], plain.novelty[~old])


def test_ranks_lie_between_0_and_1_and_order_as_novelty_does(model: LlamaForCausalLM) -> None:
    ranked, plain = pot_of(model, Choice(rank=True), n=30), pot_of(model, PAPER, n=30)
    inner = slice(len(PREFIX), None)
    assert ranked.novelty.min() == 0.0
    assert ranked.novelty.max() == 1.0
    assert torch.equal(ranked.novelty[0, 0, inner].argsort(), plain.novelty[0, 0, inner].argsort())


def test_fresh_tokens_get_their_share() -> None:
    votes, novelty = torch.zeros(1, 1, 20), torch.arange(20, 0, -1.0)[None, None]
    fresh = torch.arange(20)[None, None] >= 12
    for share, n_fresh in ((0.0, 0), (0.5, 3), (1.0, 6)):
        kept = select(
            votes, novelty, budget=6, novelty_ratio=1.0, n_prefix=0, fresh=fresh, fresh_share=share
        )[0, 0].tolist()  # fmt: skip
        assert kept == [*range(6 - n_fresh), *range(12, 12 + n_fresh)]
    few = torch.arange(20)[None, None] >= 19
    kept = select(votes, novelty, budget=6, novelty_ratio=1.0, n_prefix=0, fresh=few, fresh_share=1.0)[0, 0].tolist()
    assert kept == [0, 1, 2, 3, 4, 19], "places that nothing fresh can take go to the rest"


@pytest.mark.parametrize("chunk", [3, 512])
def test_what_must_stay_may_take_more_than_the_budget(model: LlamaForCausalLM, chunk: int) -> None:
    """Pins, ends and favoured passages together leave less room to read into, and the pot still never overflows."""
    reader = Reader(
        model, catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=CAPACITY, budget=BUDGET, record=True, chunk=chunk,
        choice=Choice(sinks=6, recent=7),
    )  # fmt: skip
    reader.pot.pinned, reader.pot.favoured = [(10, 20)], [(22, 29)]
    for _ in reader.feed(document(200)):
        assert reader.pot.n_held <= CAPACITY - len(CATALYST)
    pot = reader.pot
    assert pot.peak == CAPACITY
    assert all(kept.shape[-1] == 2 + 6 + 7 + 10 + 7 > BUDGET for kept in pot.kept_history)
    assert all(everywhere(pot.kept_history, place) for place in (*PREFIX, *range(2, 8), *range(10, 20), *range(22, 29)))
    reader.pot.favoured = [(22, 29), (205, 240)]
    with pytest.raises(PotSizeError, match=r"what must stay takes .* of 40 places"):
        list(reader.feed(document(200)))


def test_fading_to_nothing_leaves_the_first_token(model: LlamaForCausalLM) -> None:
    pot = read(model, document(200), catalyst_ids=CATALYST, capacity=CAPACITY, budget=BUDGET, choice=Choice(decay=0.0))
    old = pot.origins < pot.n_seen_distilled
    assert bool((pot.origins == 0).any(-1).all())
    assert set(pot.novelty[old].tolist()) == {0.0, float("inf")}


def test_as_much_as_fits_stays_though_few_places_would_do(model: LlamaForCausalLM) -> None:
    pot = pot_of(model, Choice(fill=True, mass=0.2), n=34)
    step = next(generate(model, pot, (9, 10, 11), max_new_tokens=6))
    assert step.n_held == CAPACITY - 6
    again = pot_of(model, Choice(fill=True, mass=0.2))
    assert min(kept.shape[-1] for kept in again.kept_history) < BUDGET


@pytest.mark.parametrize(
    ("choice", "ratio"),
    [(Choice(decay=0.5), 0.0), (Choice(rank=True), 0.0), (Choice(fresh=0.2), 0.0), (Choice(pool=3), 1.0),
     (Choice(group_max=True), 1.0), (Choice(mass=0.5), 1.0)],
)  # fmt: skip
def test_settings_of_a_score_that_chooses_nothing_are_refused(choice: Choice, ratio: float) -> None:
    with pytest.raises(UsageError, match=f"--set {next(iter(choice.changed))} .* leaves it no places"):
        choice.check_share(ratio)
    choice.check_share(0.5)
    choice.check_share(1.0 - ratio)


@pytest.mark.parametrize("n_prefix", [2, 5, 9])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("choice", [Choice(mass=0.01), Choice(mass=0.5), Choice(mass=0.01, spread=0.3)], ids=str)
def test_however_few_places_hold_the_mass_the_prefix_stays(
    model: LlamaForCausalLM, n_prefix: int, ratio: float, choice: Choice
) -> None:
    pot = read(
        model, document(120), catalyst_ids=CATALYST, prefix_ids=range(1, 1 + n_prefix), capacity=24, budget=11,
        novelty_ratio=ratio, choice=choice,
    )  # fmt: skip
    assert pot.n_cycles > 3
    assert all((pot.origins == place).any(-1).all() for place in range(n_prefix))


def test_a_token_alone_is_ordinary_whether_it_is_read_or_answered(model: LlamaForCausalLM) -> None:
    choice = Choice(rank=True)
    pot = read(model, document(9), catalyst_ids=[2], capacity=60, budget=20, chunk=1, choice=choice)
    list(generate(model, pot, [7], max_new_tokens=4))
    assert pot.novelty.unique().tolist() == [0.5]
