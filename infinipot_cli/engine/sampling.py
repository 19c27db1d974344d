"""The choice of the next token from its logits: the likeliest one, or a draw."""

import torch
from torch import Tensor


def choose(logits: Tensor, *, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """Choose a token.

    Args:
        logits: of every token, fp32, shape (V,).
        temperature: 0 takes the likeliest; otherwise logits are divided by it before a draw.
        top_p: only the likeliest tokens whose probabilities reach this sum take part in a draw; the first always does.
        generator: on the CPU, so that equal seeds draw alike wherever the model is.
    """
    if temperature == 0:
        return int(logits.argmax())
    probabilities = (logits.double().cpu() / temperature).softmax(dim=-1)
    ranked, tokens = probabilities.sort(descending=True, stable=True)
    before = ranked.cumsum(dim=-1) - ranked
    ranked = ranked.masked_fill((before >= top_p) & (torch.arange(len(ranked)) > 0), 0.0)
    return int(tokens[int(torch.multinomial(ranked, 1, generator=generator))])
