"""Whether stored numbers and tensors are those of a pot that a model could have filled.

A checksum only says that a file is as it was written, not that what was written makes sense. What passes here can be
put into a pot without an error, and means something there.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from infinipot_cli.engine.policies import Numbering, Voters
from infinipot_cli.engine.pot import Pot
from infinipot_cli.errors import PotError
from infinipot_cli.model.port import Cached, Port

COUNTS = ("capacity", "budget", "n_prefix", "n_seen", "n_seen_distilled", "n_cycles")


def check_numbers(numbers: Mapping[str, Any], port: Port) -> None:
    """Refuse counts that are none, or that contradict each other or the model.

    Raises:
        TypeError: a count is no count.
        ValueError: two numbers cannot be true of one pot.
    """
    counts = [*(numbers[name] for name in COUNTS), numbers["peak"], *numbers["catalyst_ids"]]
    if any(type(number) is not int or number < 0 for number in counts):
        raise TypeError("a count is no count")
    if type(numbers["novelty_ratio"]) not in (int, float):
        raise TypeError("the novelty ratio is no number")
    if not 0 < numbers["budget"] < numbers["capacity"] or numbers["n_seen_distilled"] > numbers["n_seen"]:
        raise ValueError("sizes contradict each other")
    if max(numbers["catalyst_ids"]) >= port.vocabulary_size:
        raise ValueError("the catalyst holds tokens that there are not")
    for name in ("pinned", "favoured"):
        _check_ranges(numbers.get(name, ()))


def _check_ranges(ranges: Sequence[Sequence[int]]) -> None:
    """Ranges of origins, ascending and without overlap."""
    edges = [edge for start, end in ranges for edge in (start, end)]
    if any(type(edge) is not int for edge in edges):
        raise TypeError("a range of origins is none")
    # what is pinned or favoured may be read only with the next chunk
    if edges and (edges[0] < 0 or any(first > second for first, second in pairwise(edges))):
        raise ValueError("ranges of origins contradict each other")


def check_tensors(pot: Pot, port: Port, numbers: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors of another shape or number format, what is no number, and entries that were never read so.

    Args:
        pot: empty, of the sizes that the numbers say.
        port: of the model that is to go on.
        numbers: as `engine.capture` gave them; checked already.
        tensors: likewise.

    Raises:
        PotError: with what is wrong.
    """
    origins = tensors.get("origins")
    if origins is None or origins.ndim != 3 or origins.dtype != torch.int64:
        raise PotError("the stored pot has no list of what it holds", code="damaged_pot")
    n_held = origins.shape[-1]
    if n_held > pot.capacity or n_held > numbers["n_seen"]:
        raise _foreign()
    wanted = dict(_wanted(pot, port, n_held))
    if pot.choice.renew:
        wanted["token_ids"] = ((len(origins[origins >= 0].unique()),), torch.int64)
    if n_held and (tensors.keys() - {"votes"}) - {f"unrotated.{n}" for n in range(port.n_layers)} != wanted.keys():
        raise _foreign()
    for name, tensor in tensors.items():
        _check_one(name, tensor, wanted, port.cached, n_held)
    if not n_held:
        return
    if pot.policy.voters is Voters.LAST and "votes" not in tensors:
        raise _foreign()
    plain = {name for name in tensors if name.startswith("unrotated.")}
    if plain != _kept_plain(pot, port, numbers["n_cycles"]):
        raise _foreign()
    ids = tensors.get("token_ids", origins.new_zeros(1))
    if not 0 <= int(ids.min()) <= int(ids.max()) < port.vocabulary_size:
        raise PotError("the stored pot holds tokens that there are not", code="damaged_pot")
    if not _is_in_order(pot, origins, numbers["n_seen"]):
        raise PotError("the stored pot holds tokens in an order in which none are read", code="damaged_pot")
    if bool((~tensors["novelty"].isfinite() & ((origins > 0) | (tensors["novelty"] < 0))).any()):
        raise PotError("the stored pot holds what is no number (novelty)", code="damaged_pot")


def _is_in_order(pot: Pot, origins: Tensor, n_seen: int) -> bool:
    """Whether every head holds entries in the order in which they came, the prefix first, behind places left empty."""
    is_empty = origins == -1
    if not pot.choice.spread and bool(is_empty.any()):
        return False
    if int(origins.min()) < -1 or int(origins.max()) >= n_seen:
        return False
    if bool(((origins.diff(dim=-1) < 1) & ~(is_empty[..., 1:] & is_empty[..., :-1])).any()):
        return False
    n_prefix = min(pot.n_prefix, origins.shape[-1])
    n_there = (~is_empty).sum(-1)
    seeing_all = [number for number, layer in enumerate(pot.pot_layers) if not layer.is_local]
    if bool((n_there[seeing_all] < n_prefix).any()):
        return False
    first = is_empty.sum(-1, keepdim=True) + torch.arange(n_prefix)
    return bool((origins.gather(-1, first)[seeing_all] == torch.arange(n_prefix)).all())


def _kept_plain(pot: Pot, port: Port, n_cycles: int) -> set[str]:
    """Names of what layers in half precision keep before rotation, once the pot was distilled."""
    if not n_cycles or pot.policy.numbering is not Numbering.RESET:
        return set()
    half = zip(port.cached, port.ropes, strict=True)
    return {
        f"unrotated.{number}"
        for number, (layer, rope) in enumerate(half)
        if layer.dtype != torch.float32 and rope.is_rotary
    }


def _wanted(pot: Pot, port: Port, n_held: int) -> Iterator[tuple[str, tuple[tuple[int, ...], torch.dtype]]]:
    """Name, shape and number format of everything that a pot of so many entries must have."""
    slots = (len(pot.layers), pot.n_kv_heads, n_held)
    yield "origins", (slots, torch.int64)
    yield "novelty", (slots, torch.float32)
    if not n_held:
        return
    yield "last_state", ((port.state_width,), port.cached[0].dtype)
    for number, layer in enumerate(port.cached):
        yield f"keys.{number}", ((1, layer.n_heads, n_held, layer.key_width), layer.dtype)
        yield f"values.{number}", ((1, layer.n_heads, n_held, layer.value_width), layer.dtype)


def _check_one(
    name: str, tensor: Tensor, wanted: Mapping[str, tuple[tuple[int, ...], torch.dtype]], cached: Sequence[Cached],
    n_held: int,
) -> None:  # fmt: skip
    shape, dtype = tuple(tensor.shape), tensor.dtype
    if name in wanted:
        # an empty pot knows no heads yet
        fits = (shape, dtype) == wanted[name] or (not n_held and tensor.numel() == 0)
    elif name == "votes":
        fits = (shape[:2], dtype) == (wanted["origins"][0][:2], torch.float32) and shape[-1] >= n_held
    elif name.startswith("unrotated."):
        layer = cached[int(name.removeprefix("unrotated."))]
        fits = len(shape) == 4 and shape[:2] == (1, layer.n_heads) and 0 < shape[2] <= n_held and dtype == layer.dtype
        fits = fits and shape[3] in (layer.key_width, layer.value_width)
    else:
        fits = False
    if not fits:
        raise _foreign()
    if tensor.is_floating_point() and bool((tensor.isnan() if name == "novelty" else ~tensor.isfinite()).any()):
        raise PotError(f"the stored pot holds what is no number ({name})", code="damaged_pot")


def _foreign() -> PotError:
    return PotError("the stored pot does not have the shape that this model's pots have", code="foreign_pot")
