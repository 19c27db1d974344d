"""The choice of the next token from its logits: the likeliest one, or a draw."""

from importlib import import_module

import torch
from torch import Tensor


def choose(logits: Tensor, *, temperature: float, top_p: float, generator: torch.Generator | None) -> int:
    """Choose a token.

    Args:
        logits: of every token, fp32, shape (V,).
        temperature: 0 takes the likeliest; otherwise logits are divided by it before a draw.
        top_p: only the likeliest tokens whose probabilities reach this sum take part in a draw; the first always does.
        generator: on the CPU, so that equal seeds draw alike wherever the model is; None only where nothing is drawn.
    """
    if temperature == 0:
        return int(logits.argmax())
    exact = logits.cpu().double()
    # the highest becomes 0 before the division, which would make it infinite at the least temperatures
    probabilities = ((exact - exact.max()) / temperature).softmax(dim=-1)
    ranked, tokens = probabilities.sort(descending=True, stable=True)
    before = ranked.cumsum(dim=-1) - ranked
    ranked = ranked.masked_fill((before >= top_p) & (torch.arange(len(ranked)) > 0), 0.0)
    return int(tokens[int(torch.multinomial(ranked, 1, generator=generator))])


def seeded(seed: int) -> torch.Generator:
    """A source of random numbers on the CPU, the same for the same seed."""
    import_module("torch._prims")  # torch 2.13 makes none without it, and commands leave it out until it is needed
    return torch.Generator().manual_seed(seed)
