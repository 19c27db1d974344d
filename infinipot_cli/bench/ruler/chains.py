"""RULER's variable tracking: a number is assigned to a variable, that one to another, and all of them are asked for."""

import random
import string
from collections.abc import Sequence
from itertools import pairwise

from infinipot_cli.bench.ruler.sample import NOISE, Sample

N_HOPS = 4
_ABOUT = "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n"
_EXAMPLE_LINES = 5


def make(size: int, rng: random.Random) -> Sample:
    """A worked example, then a text of so many lines of noise with one chain in it.

    Args:
        size: lines of noise, at least as many as the chain has.
        rng: of all choices.
    """
    example = _one(_EXAMPLE_LINES, 3, rng)
    asked = _one(size, 5, rng)
    shown = f"{example.text}{example.question}{example.answer_prefix} {' '.join(example.wanted)}\n\n"
    return Sample(shown + asked.text, asked.question, asked.answer_prefix, asked.wanted)


def _one(n_lines: int, n_letters: int, rng: random.Random) -> Sample:
    number, names = str(rng.randrange(10_000, 99_999)), _names(n_letters, rng)
    chain = [f"VAR {names[0]} = {number}"]
    chain += [f"VAR {later} = VAR {earlier} " for earlier, later in pairwise(names)]
    lines = [NOISE] * n_lines
    for moved, (place, step) in enumerate(zip(sorted(rng.sample(range(n_lines), len(chain))), chain, strict=True)):
        lines.insert(place + moved, step)
    about = f"assigned the value {number}"
    return Sample(
        _ABOUT + "\n".join(lines),
        f"\nQuestion: Find all variables that are {about} in the text above.",
        " Answer: According to the chain(s) of variable assignment in the text above, "
        f"{len(names)} variables are {about}, they are: ",
        tuple(names),
    )


def _names(n_letters: int, rng: random.Random) -> Sequence[str]:
    found: dict[str, None] = {}
    while len(found) <= N_HOPS:
        found["".join(rng.choices(string.ascii_uppercase, k=n_letters))] = None
    return list(found)
