"""All policies alike: budget, order, protected entries, the promised bound, and answers that come."""

import pytest
import torch

from infinipot_cli.engine import Pot, Reader, capture, generate, restore
from infinipot_cli.engine.policies import Timing, make
from infinipot_cli.policies import POLICIES, POLICY_NAMES, Settings, distills
from tests.engine.conftest import random_ids, tiny

CAPACITY, BUDGET, CATALYST, PREFIX, SUFFIX = 32, 14, [5, 6, 7], [1, 9, 4], random_ids(5, 9)
OFFICIAL: dict[str, Settings] = {
    f"{name} official": (("official", True),) for name in POLICY_NAMES if "official" in POLICIES[name].settings
}
WAYS: dict[str, tuple[str, Settings]] = {name: (name, ()) for name in POLICY_NAMES} | {
    way: (way.split()[0], settings) for way, settings in OFFICIAL.items()
}
# prefix and document: nothing, one below full, full, one over, many times full
LENGTHS = [0, CAPACITY - 1, CAPACITY, CAPACITY + 1, 150]


def read(way: str, length: int) -> Pot:
    name, settings = WAYS[way]
    if name == "snapkv":
        settings = (("window", 6),)
    reader = Reader(
        tiny("llama"), catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=CAPACITY, budget=BUDGET, chunk=9,
        policy=make(name, settings), record=True,
    )  # fmt: skip
    for event in reader.feed(random_ids(max(0, length - len(PREFIX)), 2)):
        check(reader.pot, event.n_held)
    return reader.pot


def check(pot: Pot, n_held: int) -> None:
    """At every moment: as many entries as said, in order, none twice, and what must stay is there."""
    origins = pot.origins
    assert origins.shape[-1] == n_held == pot.n_held
    assert (origins[..., 1:] > origins[..., :-1]).all()
    assert int(origins.max()) < pot.n_seen
    if pot.policy.is_bounded:
        assert n_held <= CAPACITY
    first, latest = protected(pot)
    for head in origins.flatten(0, 1).tolist():
        assert set(range(min(first, pot.n_seen))) <= set(head)
        assert set(range(max(0, pot.n_seen - latest), pot.n_seen)) <= set(head)


def protected(pot: Pot) -> tuple[int, int]:
    """First and latest tokens that are there whatever else is."""
    if pot.policy.timing is Timing.WHEN_FULL:
        first, latest = pot.policy.always(BUDGET)
        return pot.n_prefix + first, latest
    if pot.policy.timing is Timing.EVERY_TOKEN:
        return pot.policy.always(CAPACITY - 1)
    return (pot.n_prefix, 0) if pot.policy.timing is Timing.CUT else (pot.n_seen, 0)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("way", list(WAYS))
def test_every_policy_keeps_what_it_promises(way: str, length: int) -> None:
    pot = read(way, length)
    assert pot.n_seen == max(length, len(PREFIX))
    for kept in pot.kept_history:
        assert kept.shape[-1] == BUDGET
    steps = list(generate(tiny("llama"), pot, SUFFIX, max_new_tokens=4))
    assert len(steps) == 4
    assert torch.isfinite(torch.tensor([step.logprob for step in steps])).all()
    assert (pot.peak <= CAPACITY) == (pot.policy.is_bounded or length + len(SUFFIX) + 3 <= CAPACITY)
    if distills(*WAYS[way]):
        assert (pot.n_cycles > 0) == (length > CAPACITY - len(CATALYST) or length + len(SUFFIX) + 4 > CAPACITY)


@pytest.mark.parametrize("way", list(WAYS))
def test_what_fits_is_read_alike_by_all(way: str) -> None:
    """With nothing to leave out every method is the plain model, but for the one that numbers far tokens otherwise."""
    n, model = 18, tiny("llama")
    ids = [*PREFIX, *random_ids(n - len(PREFIX), 2), *SUFFIX]
    with torch.no_grad():
        wanted = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
    step = next(generate(model, read(way, n), SUFFIX, max_new_tokens=2, record=True))
    torch.testing.assert_close(step.logits, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("way", [way for way in WAYS if distills(*WAYS[way])])
def test_a_stored_pot_goes_on_under_its_policy(way: str) -> None:
    name, settings = WAYS[way]
    document, model = random_ids(120, 3), tiny("llama")
    whole = Reader(
        model, catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=CAPACITY, budget=BUDGET, chunk=512,
        policy=make(name, settings),
    )  # fmt: skip
    list(whole.feed(document))
    first = Reader(
        model, catalyst_ids=CATALYST, prefix_ids=PREFIX, capacity=CAPACITY, budget=BUDGET, chunk=512,
        policy=make(name, settings),
    )  # fmt: skip
    list(first.feed(document[:55]))
    second = Reader.resumed(model, restore(model, capture(first.pot)), chunk=512)
    assert second.pot.policy == whole.pot.policy
    list(second.feed(document[55:]))
    assert torch.equal(second.pot.origins, whole.pot.origins)
    ends = [[step.token_id for step in generate(model, made.pot, SUFFIX, max_new_tokens=5)] for made in (whole, second)]
    assert ends[0] == ends[1]
