import os
from collections.abc import MutableMapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.errors import PotSizeError, UsageError
from infinipot_cli.settings import DTYPES, Dtype, PotRequest, parse_dtype, parse_size, prepare_environment


@pytest.mark.parametrize(
    ("text", "size"), [("1024", 1024), ("4k", 4096), ("4K", 4096), (" 1.5k ", 1536), ("1m", 1 << 20), ("8_192", 8192)]
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(st.integers(0, 10**9))
def test_a_plain_number_is_itself(number: int) -> None:
    assert parse_size(str(number)) == parse_size(number) == number


@pytest.mark.parametrize("text", ["", "k", "many", "1.3", "4kk", "nan", "inf", "1e400", "0.1k"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match=r"size|whole"):
        parse_size(text)


def test_number_formats_go_by_either_name_in_any_letters() -> None:
    names = {**{str(dtype): dtype for dtype in Dtype}, **DTYPES}
    assert set(DTYPES.values()) == {*Dtype} - {Dtype.AUTO}
    for name, dtype in names.items():
        assert parse_dtype(name) is parse_dtype(name.upper()) is parse_dtype(f" {name} ") is dtype
    with pytest.raises(UsageError, match="fp8") as caught:
        parse_dtype("fp8")
    assert all(name in caught.value.hint for name in names)


@pytest.mark.parametrize(
    "wrong",
    [
        {"capacity": 10},
        {"capacity": -1},
        {"budget": 0},
        {"capacity": 64, "budget": 64},
    ],
)
def test_pots_that_cannot_work_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(PotSizeError):
        PotRequest(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"novelty_ratio": 1.5}, {"novelty_ratio": float("nan")}, {"chunk": 0}, {"max_tokens": 0}]
)
def test_other_impossible_wishes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        PotRequest(**wrong)  # type: ignore[arg-type]


def test_the_environment_is_prepared_but_the_user_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    environment: MutableMapping[str, str] = os.environ
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    prepare_environment()
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE"
    assert environment["HF_HUB_OFFLINE"] == "1"
