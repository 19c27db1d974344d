"""Scores against the definitions: SQuAD's worked cases, ROUGE-L by brute force, intervals that hold the truth."""

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.bench.metrics import (
    bootstrap,
    exact_match,
    f1,
    interval,
    interval_of_differences,
    interval_of_means,
    longest_common,
    mean,
    rouge_l,
    wilson,
)


@pytest.mark.parametrize(
    ("answer", "wanted", "score", "is_same"),
    [
        ("The Eiffel Tower.", ["eiffel tower"], 1.0, 1.0),
        ("tower", ["the Eiffel Tower"], 2 / 3, 0.0),
        ("a tower of Eiffel", ["Eiffel Tower"], 0.8, 0.0),
        ("Rome", ["Paris", "in Rome"], 2 / 3, 0.0),
        ("", ["Paris"], 0.0, 0.0),
        ("the", [""], 1.0, 1.0),
        ("tower tower", ["tower"], 2 / 3, 0.0),
    ],
)
def test_answers_are_scored_as_squad_scores_them(answer: str, wanted: list[str], score: float, is_same: float) -> None:
    assert f1(answer, wanted) == pytest.approx(score)
    assert exact_match(answer, wanted) == is_same


words = st.lists(st.sampled_from("abc"), max_size=7)


@given(words, words)
def test_the_longest_common_subsequence_is_the_longest(first: list[str], second: list[str]) -> None:
    def subsequences(of: list[str]) -> set[tuple[str, ...]]:
        return {tuple(chosen) for n in range(len(of) + 1) for chosen in combinations(of, n)}

    assert longest_common(first, second) == max(map(len, subsequences(first) & subsequences(second)))


def test_rouge_l_by_hand() -> None:
    assert rouge_l("police killed the gunman", ["police kill the gunman"]) == pytest.approx(0.75)
    assert rouge_l("the gunman kill police", ["police kill the gunman"]) == pytest.approx(0.5)
    assert rouge_l("Police, killed!", ["nothing", "police killed"]) == 1.0
    assert rouge_l("", ["words"]) == 0.0


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    rng = random.Random(0)
    held = 0
    for _ in range(100):
        low, high = bootstrap([rng.random() for _ in range(60)])
        held += low <= 0.5 <= high
    assert 85 <= held <= 100
    assert bootstrap([0.3] * 10) == pytest.approx((0.3, 0.3))
    assert mean([]) == 0.0


def test_few_or_equal_scores_are_not_told_as_certain() -> None:
    assert interval([1.0, 1.0, 1.0]) == wilson(1.0, 3) == pytest.approx((0.438, 1.0), abs=1e-3)
    assert interval([0.0, 1.0] * 20) == wilson(0.5, 40)
    assert interval([0.3]) == wilson(0.3, 1)
    assert interval([0.2, 0.4, 0.9]) == bootstrap([0.2, 0.4, 0.9])
    assert interval([]) == (0.0, 1.0)


def test_the_interval_of_a_mean_of_groups_holds_the_true_mean_about_as_often_as_it_says() -> None:
    rng = random.Random(0)
    held = 0
    for _ in range(100):
        groups = [[base + 0.4 * rng.random() for _ in range(n)] for base, n in ((0.0, 30), (0.6, 10))]
        low, high = interval_of_means(groups)
        held += low <= 0.5 <= high
    assert 85 <= held <= 100


@given(st.lists(st.lists(st.sampled_from([0.0, 0.25, 0.9, 1.0]), min_size=1, max_size=4), min_size=1, max_size=4))
def test_the_interval_of_a_mean_of_groups_lies_around_it_and_is_no_wider_than_those_of_the_groups(
    groups: list[list[float]],
) -> None:
    low, high = interval_of_means(groups)
    assert 0 <= low <= mean([mean(scores) for scores in groups]) + 1e-9
    assert high >= mean([mean(scores) for scores in groups]) - 1e-9 and high <= 1
    assert high - low <= max(ends[1] - ends[0] for ends in map(interval, groups)) + 1e-9
    assert interval_of_means(groups[:1]) == pytest.approx(interval(groups[0]))


def test_what_lies_between_groups_is_no_uncertainty() -> None:
    near, far = ([[base + one for one in (0.0, 0.1, 0.2)] for base in bases] for bases in ((0.4, 0.4), (0.1, 0.7)))
    assert interval_of_means(far) == pytest.approx(interval_of_means(near))


def test_paired_differences_that_are_equal_have_the_interval_of_shares() -> None:
    assert interval_of_differences([0.0, 1.0, -1.0]) == bootstrap([0.0, 1.0, -1.0])
    low, high = interval_of_differences([0.0] * 20)
    assert low == -high and high == pytest.approx(0.126, abs=1e-3)
    for difference in (1.0, -1.0, 0.25):
        low, high = interval_of_differences([difference] * 50)
        assert -1 <= low < high <= 1
        assert low <= difference <= high
        mirrored = interval_of_differences([-difference] * 50)
        assert mirrored == pytest.approx((-high, -low))
