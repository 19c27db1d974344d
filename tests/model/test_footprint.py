"""What a pot takes is told from the configuration alone: held to the bytes of real pots of every family."""

import pytest

from infinipot_cli.bench.tiny_models import FAMILIES, Family, build, random_ids
from infinipot_cli.engine import read
from infinipot_cli.errors import UsageError
from infinipot_cli.model.footprint import footprint_of
from infinipot_cli.settings import parse_bytes

CAPACITY, BUDGET = 64, 24


# one for each way in which configurations name what a cache holds
NAMED = ("Qwen3", "Phi", "Gemma 3", "DeepSeek-V3")


@pytest.mark.parametrize("family", [one for one in FAMILIES if one.name in NAMED], ids=lambda family: family.name)
def test_a_pot_takes_what_was_told(family: Family) -> None:
    model = build(family)
    for half in (False, True):
        model = model.bfloat16() if half else model
        ids = random_ids(100, seed=3)
        pot = read(model, ids[4:], catalyst_ids=ids[:4], capacity=CAPACITY, budget=BUDGET, chunk=32)
        told = footprint_of(model.config.to_dict(), 2 if half else 4)
        assert pot.n_cycles > 0
        assert pot.nbytes <= told.bytes_of(CAPACITY, BUDGET)
        assert pot.nbytes >= 0.75 * told.bytes_of(CAPACITY, BUDGET), "layers that do not rotate keep no second keys"
        if not half:
            assert pot.nbytes == told.bytes_of(CAPACITY, BUDGET)


def test_the_largest_pot_is_found() -> None:
    config = {"num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64}
    for size in (2, 4):
        told = footprint_of(config, size)
        for n_bytes in (0, 1, 10_000, 1_000_001):
            best = told.capacity_of(n_bytes)
            assert told.bytes_of(best, best // 2) <= n_bytes < told.bytes_of(best + 1, (best + 1) // 2 + 1) or not best
            assert told.bytes_of(told.capacity_of(n_bytes, 10), 10) <= max(n_bytes, told.bytes_of(0, 10))


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("512MiB", 512 << 20), ("2G", 2 << 30), ("1.5 kb", 1536), ("0", 0), ("7", 7), ("1TiB", 1 << 40)],
)
def test_amounts_are_read_as_people_write_them(text: str, n_bytes: int) -> None:
    assert parse_bytes(text) == n_bytes


@pytest.mark.parametrize("text", ["", "G", "-1M", "1X", "1 2", "1e9", "ten", "inf", "½GiB"])
def test_other_words_are_no_amount(text: str) -> None:
    with pytest.raises(UsageError):
        parse_bytes(text)
