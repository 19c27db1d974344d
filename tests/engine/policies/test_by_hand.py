"""What each method lets go of or keeps, worked out by hand; and the smallest pots there can be."""

import math

import pytest
import torch
from torch import Tensor

from infinipot_cli.engine import Pot, generate, read
from infinipot_cli.engine.importance import select
from infinipot_cli.engine.policies import Evidence, Timing, make
from infinipot_cli.errors import PotSizeError
from infinipot_cli.policies import POLICY_NAMES, Settings
from tests.engine.conftest import random_ids, tiny


def evidence(votes: list[list[float]], origins: list[list[int]], keys: Tensor | None = None) -> Evidence:
    """One layer, a row for each KV head."""
    said, places = torch.tensor(votes)[None], torch.tensor(origins)[None]
    shown = () if keys is None else (keys,)
    return Evidence(said, torch.zeros_like(said), places, shown, int(places.max()) + 1, said.shape[-1])


def leaves(name: str, settings: Settings, votes: list[list[float]], origins: list[list[int]]) -> list[int]:
    """Origin of the entry that leaves each head."""
    place = make(name, settings).evict(evidence(votes, origins))
    return torch.tensor(origins)[None].gather(-1, place[..., None])[0, :, 0].tolist()


VOTES = [[0.5, 0.1, 0.3, 0.9, 0.2, 0.4], [0.2, 0.8, 0.2, 0.0, 0.0, 0.0]]
IN_ORDER = [[0, 1, 2, 7, 8, 9]] * 2
# the same entries as they stand while tokens go by: a newcomer took the place of what left
STIRRED = [[8, 1, 0, 9, 2, 7], [8, 1, 0, 9, 2, 7]]
OF_STIRRED = [[0.2, 0.1, 0.5, 0.4, 0.3, 0.9], [0.0, 0.8, 0.2, 0.0, 0.2, 0.0]]


@pytest.mark.parametrize(("votes", "origins"), [(VOTES, IN_ORDER), (OF_STIRRED, STIRRED)])
def test_one_leaves_for_each_token(votes: list[list[float]], origins: list[list[int]]) -> None:
    # two heavy hitters: of the three oldest the least attended goes, of equals the older one
    assert leaves("h2o", (("heavy", 2),), votes, origins) == [1, 0]
    # all but the newest compete: 1 has least in the first head; in the second 7 and 8 have nothing, and 7 is older
    assert leaves("h2o", (("heavy", 4),), votes, origins) == [1, 7]
    assert leaves("h2o", (("heavy", 0),), votes, origins) == [0, 0]
    assert leaves("streaming_llm", (("sinks", 2),), votes, origins) == [2, 2]
    assert leaves("streaming_llm", (("sinks", 0),), votes, origins) == [0, 0]
    assert leaves("sliding_window", (), votes, origins) == [0, 0]
    # the sums over both heads are .7 .9 .5 .9 .2 .4, so 8 leaves both
    assert leaves("tova", (("official", True),), votes, origins) == [8, 8]


def test_keydiff_keeps_what_points_elsewhere_whatever_its_length() -> None:
    keys = torch.tensor([[[5.0, 0.0], [0.1, 0.0], [0.0, 3.0], [4.0, 4.0]]])
    scores = make("keydiff").rank(evidence([[0.0] * 4], [[0, 1, 2, 3]], keys))[0, 0].tolist()
    half = math.sqrt(0.5)
    anchor = ((2 + half) / 4, (1 + half) / 4)
    length = math.hypot(*anchor)
    cosines = [anchor[0] / length, anchor[0] / length, anchor[1] / length, (anchor[0] + anchor[1]) * half / length]
    assert scores == pytest.approx([-one for one in cosines], abs=1e-6)
    assert max(range(4), key=lambda place: scores[place]) == 2


def test_sirllm_keeps_what_was_hardest_to_predict() -> None:
    novelty = torch.tensor([[[math.inf, 0.2, 3.0, 3.0, 0.1, 1.0]]])
    kept = {
        budget: select(torch.zeros_like(novelty), novelty, budget=budget, novelty_ratio=1.0, n_prefix=0)[0, 0].tolist()
        for budget in (1, 2, 4)
    }
    assert kept == {1: [0], 2: [0, 3], 4: [0, 2, 3, 5]}


def test_snapkv_shares_votes_between_neighbours_but_never_across_the_window() -> None:
    votes = [[0.0, 0.0, 0.0, 0.6, 0.0, 0.0, 0.0, 9.0]]
    seen = evidence(votes, [[*range(8)]])
    snap = make("snapkv", (("kernel", 3), ("window", 1)))
    chosen = Evidence(seen.votes, seen.novelty, seen.origins, (), 8, 4)
    assert snap.keep(chosen, 1).tolist() == [[[2, 3, 4, 7]]]


def test_self_extend_by_hand() -> None:
    """Groups of 2 beyond a distance of 4: token 9 sees token 3 at 4 + (9//2 - 2) - 3//2 = 5, and token 6 at 3."""
    assert make("self_extend", (("group", 2), ("window", 4))).grouping(64) == (2, 4)
    assert make("self_extend").grouping(64) == (4, 16)
    assert make("self_extend").grouping(2) == (4, 1)


WAYS: list[tuple[str, Settings]] = [
    *((name, ()) for name in POLICY_NAMES if name != "snapkv"),
    *((name, (("official", True),)) for name in ("tova", "sirllm")),
    ("snapkv", (("window", 2),)), ("snapkv", (("window", 9),)),
    ("streaming_llm", (("sinks", 0),)), ("h2o", (("heavy", 0),)),
]  # fmt: skip
# capacity, budget, length of the catalyst and of the prefix
SMALLEST = [(3, 1, 1, 0), (2, 1, 1, 0), (1, 1, 1, 0), (7, 5, 1, 4), (9, 6, 2, 4), (8, 7, 1, 0), (12, 1, 4, 0)]


def held(pot: Pot, capacity: int) -> None:
    assert (pot.origins[..., 1:] > pot.origins[..., :-1]).all()
    if pot.policy.timing is not Timing.CUT:
        assert (pot.origins[..., -1] == pot.n_seen - 1).all(), "the latest is there"
    if pot.policy.is_bounded:
        assert pot.peak <= capacity


@pytest.mark.parametrize("sizes", SMALLEST, ids=str)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join((way[0], *(f"{n}={v}" for n, v in way[1]))))
def test_the_smallest_pots_work_or_are_refused(way: tuple[str, Settings], sizes: tuple[int, int, int, int]) -> None:
    (name, settings), (capacity, budget, n_catalyst, n_prefix) = way, sizes
    model, policy = tiny("llama"), make(name, settings)
    try:
        pot = read(
            model, random_ids(30, 2), catalyst_ids=random_ids(n_catalyst, 3), prefix_ids=random_ids(n_prefix, 1),
            capacity=capacity, budget=budget, chunk=5, policy=policy,
        )  # fmt: skip
    except PotSizeError:
        first, latest = policy.always(budget)
        distilled = policy.timing is Timing.WHEN_FULL
        room = capacity > budget + n_catalyst and budget > n_prefix + first + latest and min(first, latest) >= 0
        assert not room if distilled else min(policy.always(capacity - 1)) < 0 or policy.n_window > capacity
        return
    held(pot, capacity)
    n_front = n_prefix if policy.timing is Timing.WHEN_FULL else 0
    assert (pot.origins[..., :n_front] == torch.arange(n_front)).all()
    try:
        steps = list(generate(model, pot, random_ids(1, 4), max_new_tokens=2))
    except PotSizeError:
        assert capacity < budget + 1 + 2 or policy.timing is Timing.CUT
        return
    assert len(steps) == 2
    held(pot, capacity)
