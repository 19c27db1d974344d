"""Muon in fp32, for processors that compute bf16 products in software: there they took as long as all else together."""

from torch import Tensor
from torch.optim import Muon, _muon


def in_fp32() -> None:
    """Let `torch.optim.Muon` orthogonalise its updates in fp32 from here on."""
    assert Muon is _muon.Muon
    _muon._zeropower_via_newtonschulz = orthogonalised


def orthogonalised(grad: Tensor, ns_coefficients: tuple[float, float, float], ns_steps: int, eps: float) -> Tensor:
    """The matrix with about the same singular vectors and singular values near 1, by Newton and Schulz's iteration.

    Args:
        grad: 2-D.
        ns_coefficients: of the quintic polynomial that each step puts the singular values through.
        ns_steps: times.
        eps: least norm that is divided by.
    """
    a, b, c = ns_coefficients
    is_tall = grad.shape[0] > grad.shape[1]
    x: Tensor = grad.float().T if is_tall else grad.float()
    x = x / x.norm().clamp(min=eps)
    for _ in range(ns_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x
