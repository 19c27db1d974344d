import torch
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.engine.sampling import choose

LOGITS = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=30).map(torch.tensor)


def drawn(
    logits: torch.Tensor, seed: int = 0, *, temperature: float = 1.0, top_p: float = 1.0, n: int = 1
) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return [choose(logits, temperature=temperature, top_p=top_p, generator=generator) for _ in range(n)]


@given(LOGITS, st.integers(0, 2**40))
def test_no_temperature_takes_the_likeliest_whatever_the_seed(logits: torch.Tensor, seed: int) -> None:
    assert drawn(logits, seed, temperature=0.0) == [int(logits.argmax())]


@given(LOGITS, st.floats(0.01, 1.0), st.floats(0.05, 5.0), st.integers(0, 99))
def test_a_draw_stays_in_the_nucleus(logits: torch.Tensor, top_p: float, temperature: float, seed: int) -> None:
    (token,) = drawn(logits, seed, temperature=temperature, top_p=top_p)
    probabilities = (logits.double() / temperature).softmax(-1)
    likelier = probabilities[probabilities > probabilities[token]].sum()
    assert likelier < top_p + 1e-9


def test_logits_of_a_device_without_fp64_are_drawn_from() -> None:
    """As those of Apple's GPUs."""

    class Narrow(torch.Tensor):
        def double(self) -> torch.Tensor:
            raise TypeError("cannot convert to float64")

        def cpu(self) -> torch.Tensor:
            return self.as_subclass(torch.Tensor)

    logits = torch.tensor([0.0, 1.0, 2.0])
    assert drawn(logits.as_subclass(Narrow), 3, n=9) == drawn(logits, 3, n=9)


def test_equal_seeds_draw_alike_and_frequencies_are_the_probabilities() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    tokens = drawn(logits, 7, temperature=0.8, n=4000)
    assert tokens == drawn(logits, 7, temperature=0.8, n=4000)
    shares = torch.bincount(torch.tensor(tokens), minlength=4) / 4000
    assert (shares - (logits / 0.8).softmax(-1)).abs().max() < 0.03


@given(st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=30, unique=True), st.integers(0, 9))
def test_the_least_temperatures_draw_the_likeliest(values: list[float], seed: int) -> None:
    logits = torch.tensor(values)
    for temperature in (5e-324, 1e-310, 1e-60):
        assert drawn(logits, seed, temperature=temperature) == [int(logits.argmax())]
