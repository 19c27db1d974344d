"""Whether the sizes, counters and settings of a stored pot can be those of any pot. No torch, no model."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.errors import InfinipotError
from infinipot_cli.policies import DEFAULT, POLICIES, distills

_COUNTS = ("capacity", "budget", "n_prefix", "n_seen", "n_seen_distilled", "n_cycles", "peak")
_NEEDED = {*_COUNTS, "novelty_ratio", "catalyst_ids", "choice"}
_KNOWN = {*_NEEDED, "policy", "policy_settings", "pinned", "favoured"}
# More tokens than any reading will see; larger numbers are exact in few formats.
_MOST = 2**53


def are_sound(numbers: Any, n_prefix: int) -> bool:
    """Whether numbers as `engine.capture` gives them agree with each other.

    Args:
        numbers: whatever JSON held in their place.
        n_prefix: tokens in front of the documents, as the header lists them.
    """
    if not isinstance(numbers, dict) or not _NEEDED <= numbers.keys() <= _KNOWN:
        return False
    if not all(_is_count(numbers[name]) for name in _COUNTS) or not _are_ids(numbers["catalyst_ids"]):
        return False
    capacity, budget, n_seen, n_distilled = (
        numbers[name] for name in ("capacity", "budget", "n_seen", "n_seen_distilled")
    )
    return (
        n_prefix == numbers["n_prefix"] < budget
        and budget + len(numbers["catalyst_ids"]) < capacity
        and n_distilled <= n_seen
        and (numbers["n_cycles"] > 0) == (n_distilled > 0)
        and numbers["peak"] <= capacity
        and _is_share(numbers["novelty_ratio"])
        and all(_are_ranges(numbers.get(name, [])) for name in ("pinned", "favoured"))
        and _is_choice(numbers["choice"])
        and _is_policy(numbers.get("policy", DEFAULT), numbers.get("policy_settings", {}))
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST  # a bool is an int to Python, and a count to nobody


def _is_share(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1  # type: ignore[operator]


def _are_ids(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(_is_count, value))


def _are_ranges(value: object) -> bool:
    """Ranges without their ends, ascending, none empty."""
    if not isinstance(value, list) or not all(isinstance(one, list) and len(one) == 2 for one in value):
        return False
    edges = [edge for one in value for edge in one]
    follow = all(before <= after for before, after in zip(edges[1::2], edges[2::2], strict=False))
    return all(map(_is_count, edges)) and follow and all(start < end for start, end in value)


def _is_choice(value: object) -> bool:
    if not isinstance(value, dict) or not _fits(value, asdict(PAPER)):
        return False
    try:
        Choice(**value)
    except InfinipotError:
        return False
    return True


def _is_policy(name: object, settings: object) -> bool:
    """Whether a pot can have been stored under a policy; one that is not listed here is named elsewhere."""
    if not isinstance(name, str) or not isinstance(settings, dict):
        return False
    here = POLICIES.get(name)
    if here is None or not settings.keys() <= here.settings.keys():
        return True
    return _fits(settings, here.settings) and distills(name, tuple(settings.items()))


def _fits(given: Mapping[str, object], usual: Mapping[str, object]) -> bool:
    """Whether every value is of the type of the usual one, and a number."""
    return given.keys() <= usual.keys() and all(
        type(value) is type(usual[name]) or (type(value) is int and type(usual[name]) is float)
        for name, value in given.items()
    ) and all(not isinstance(value, float) or math.isfinite(value) for value in given.values())  # fmt: skip


def follow_each_other(sources: Sequence[Any], most: int) -> bool:
    """Whether stored sources lie one behind the other, with their pages in order.

    Args:
        sources: as the header has them, each field of its type.
        most: tokens that were read in all.
    """
    behind = 0
    for source in sources:
        starts: Collection[int] = [start for _, start in source.pages]
        ends = [source.first_token, *starts, source.first_token + source.n_tokens]
        if source.first_token < behind or any(a > b for a, b in pairwise(ends)):
            return False
        behind = ends[-1]  # what was said in a conversation may stand between two of them
    return behind <= most
