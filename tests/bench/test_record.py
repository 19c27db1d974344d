import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.bench.needle_record import NeedleResult, NeedleTrial
from infinipot_cli.bench.record import Count


def trial(kind: str, depth: float, right: bool) -> NeedleTrial:
    return NeedleTrial(kind, depth, "who?", "a", "a" if right else "b", right, 100, 2, 0.5, float(right))


@pytest.mark.parametrize(
    ("right", "total", "low", "high"), [(18, 20, 0.699, 0.972), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (0, 0, 0, 1)]
)
def test_wilson_intervals_equal_published_values(right: int, total: int, low: float, high: float) -> None:
    assert Count(right, total).interval == pytest.approx((low, high), abs=6e-4)


@given(st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_an_interval_holds_the_share_that_was_seen(count: tuple[int, int]) -> None:
    low, high = Count(*count).interval
    assert 0 <= low <= count[0] / count[1] + 1e-12
    assert count[0] / count[1] - 1e-12 <= high <= 1


def test_a_result_counts_by_kind_and_depth() -> None:
    trials = [trial("passkey", 0.5, True), trial("passkey", 0.1, False), trial("fact", 0.1, True)]
    result = NeedleResult("tiny", 1024, 512, "question", 0, trials)
    assert (result.kinds, result.depths) == (["passkey", "fact"], [0.1, 0.5])
    assert result.count("passkey") == Count(1, 2)
    assert result.count("fact", 0.5) == Count(0, 0)
    record = result.to_record()
    assert record["totals"] == {
        "passkey": {"right": 1, "total": 2, "score": 0.5, "interval": [0.0945, 0.9055]},
        "fact": {"right": 1, "total": 1, "score": 1.0, "interval": [0.2065, 1.0]},
    }
