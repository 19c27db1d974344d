import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.display.summary import age, duration, grouped, kept_line, percent, size


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.9999, "99 %"),
        (0.123, "12 %"),
        (0.022, "2.2 %"),
        (0.0058, "0.58 %"),
        (0.00005, "0.005 %"),
        (0.00996, "0.99 %"),
        (0.0996, "9.9 %"),
        (0.02, "2 %"),
        (0, "0 %"),
    ],
)
def test_shares_are_honest_percentages(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago"),
        (47.9 * 3600, "47 h ago"), (48 * 3600, "2 days ago"), (400 * 86_400, "400 days ago"),
    ],
)  # fmt: skip
def test_an_age_is_no_time_of_day(seconds: float, text: str) -> None:
    assert age(seconds) == text


@given(st.floats(0, 1))
def test_only_everything_is_a_hundred_percent(share: float) -> None:
    assert (percent(share) == "100 %") == (share > 1 - 1e-10)
    assert "e" not in percent(share)


@given(st.floats(0, 1))
def test_no_share_looks_better_than_it_is(share: float) -> None:
    shown = float(percent(share).removesuffix(" %"))
    assert 0.9 * (100 * share - 1e-6) <= shown <= 100 * share + 1e-8


def test_the_kept_line() -> None:
    assert kept_line(182400, 4096, 4096 / 182400) == "read 182,400 tokens into 4096 places; 2.2 % kept"


def test_sizes_and_durations() -> None:
    assert [size(n) for n in (0, 999, 2048, 50 << 20, 3 << 30)] == ["0 B", "999 B", "2.0 KiB", "50 MiB", "3.0 GiB"]
    assert [duration(s) for s in (0.04, 59.9, 61, 3725)] == ["0.0 s", "59.9 s", "1:01", "1:02:05"]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (1024, "1024"), (9999, "9999"), (10_000, "10,000"), (1_048_576, "1,048,576"), (-12_345, "-12,345")],
)
def test_long_numbers_are_in_groups(number: int, shown: str) -> None:
    assert grouped(number) == shown
