"""A pot as plain tensors and numbers, and back: what must be stored so that reading on equals never having stopped."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.choice import Choice
from infinipot_cli.engine.policies import Numbering, Voters, make, settings_of
from infinipot_cli.engine.pot import Pot
from infinipot_cli.errors import PotError, UsageError
from infinipot_cli.model.port import Port, port_of
from infinipot_cli.policies import DEFAULT

# What comes of numbers and tensors that are missing, or of another kind than `capture` gives.
_SENSELESS = (KeyError, TypeError, ValueError, IndexError, AttributeError, AssertionError, UsageError)
_NUMBERS = ("capacity", "budget", "novelty_ratio", "n_prefix", "n_seen", "n_seen_distilled", "n_cycles")


@dataclass(frozen=True)
class PotState:
    """Everything a pot is.

    Attributes:
        numbers: sizes, counters, catalyst and settings; plain JSON values.
        tensors: by name, on the CPU: `keys.0`, `values.0`, … of shape (1, K, N, D); `unrotated.0` where the layer keeps
            keys before rotation; `origins` and `novelty`, (L, K, N); `last_state`, (width,);
            `votes`, (L, K, N), where the policy asks for them.
    """

    numbers: dict[str, Any]
    tensors: dict[str, Tensor]


def capture(pot: Pot) -> PotState:
    """What a pot holds now; the tensors are copies."""
    tensors: dict[str, Tensor] = {"origins": pot.origins.cpu(), "novelty": pot.novelty.cpu()}
    n = pot.n_held
    for number, layer in enumerate(pot.pot_layers):
        parts = {"keys": layer.keys, "values": layer.values, "unrotated": layer.unrotated}
        for name, part in parts.items():
            if part is not None:
                tensors[f"{name}.{number}"] = part[:, :, :n].detach().cpu().contiguous().clone()
    for name, part in (("last_state", pot.last_state), ("votes", pot.votes)):
        if part is not None:
            tensors[name] = part.detach().cpu().contiguous().clone()
    policy, settings = settings_of(pot.policy)
    numbers: dict[str, Any] = {name: getattr(pot, name) for name in _NUMBERS}
    numbers |= {
        "catalyst_ids": list(pot.catalyst_ids),
        "peak": pot.peak,
        "choice": asdict(pot.choice),
        "policy": policy,
        "policy_settings": dict(settings),
        "pinned": pot.pinned,
        "favoured": pot.favoured,
    }
    return PotState(numbers, tensors)


def restore(model: PreTrainedModel, state: PotState) -> Pot:
    """A pot that goes on where the captured one stood.

    Args:
        model: the model that filled it.
        state: as `capture` gave it.

    Raises:
        PotError: numbers and tensors are not those that this model's pot has.
    """
    try:
        return _restored(model, state)
    except _SENSELESS as error:
        raise PotError("the stored pot holds what no pot of this model holds", code="damaged_pot") from error


def _restored(model: PreTrainedModel, state: PotState) -> Pot:
    port, numbers, tensors = port_of(model), state.numbers, state.tensors
    counts = [numbers[name] for name in _NUMBERS if name != "novelty_ratio"]
    if any(type(number) is not int or number < 0 for number in (*counts, *numbers["catalyst_ids"])):
        raise TypeError
    if max(numbers["catalyst_ids"]) >= port.vocabulary_size or numbers["n_seen_distilled"] > numbers["n_seen"]:
        raise ValueError
    pot = Pot(
        port.ropes, port.windows, port.n_kv_heads, capacity=numbers["capacity"], budget=numbers["budget"],
        novelty_ratio=numbers["novelty_ratio"], catalyst_ids=tuple(numbers["catalyst_ids"]),
        n_prefix=numbers["n_prefix"], record=False, choice=Choice(**numbers["choice"]),
        policy=make(numbers.get("policy", DEFAULT), tuple(numbers.get("policy_settings", {}).items())),
    )  # fmt: skip
    _check_tensors(port, pot, state)
    with torch.inference_mode(False):
        for number, layer in enumerate(pot.pot_layers):
            if f"keys.{number}" not in tensors:
                continue  # nothing was read yet
            layer.update(*(tensors[f"{name}.{number}"].to(model.device) for name in ("keys", "values")))
            if f"unrotated.{number}" in tensors:
                layer.unrotated = tensors[f"unrotated.{number}"].to(model.device)
            layer.peak = numbers["peak"]
        if pot.n_held:
            pot.note(torch.zeros(pot.n_held, device=model.device))
            pot.overwrite_notes(tensors["origins"], tensors["novelty"])
        for name in ("last_state", "votes"):
            if name in tensors:
                setattr(pot, name, tensors[name].to(model.device))
    pot.pinned, pot.favoured = (
        [(int(start), int(end)) for start, end in numbers.get(name, ())] for name in ("pinned", "favoured")
    )
    for name in ("n_seen", "n_seen_distilled", "n_cycles"):
        setattr(pot, name, numbers[name])
    return pot


def _check_tensors(port: Port, pot: Pot, state: PotState) -> None:
    """Everything that is about to be written into the pot is what it must be, and there is nothing else."""
    tensors, n_seen = state.tensors, state.numbers["n_seen"]
    origins, novelty = tensors.get("origins"), tensors.get("novelty")
    if origins is None or origins.ndim != 3 or novelty is None:
        raise PotError("the stored pot has no list of what it holds", code="damaged_pot")
    n_held = origins.shape[-1]
    wanted = _wanted(port, pot, n_held, n_seen, half=state.numbers["n_cycles"] > 0)
    fits = n_held <= pot.capacity and tensors.keys() == wanted.keys() and (n_held > 0) == (n_seen > 0)
    fits = fits and all(_is_like(tensors[name], *wanted[name]) for name in wanted)
    fits = fits and all(tensor.shape[-1] >= n_held for name, tensor in tensors.items() if name == "votes")
    fits = fits and all(1 <= part.shape[2] <= n_held for name, part in tensors.items() if name.startswith("unrot"))
    if not fits:
        raise PotError("the stored pot does not have the shape that this model's pots have", code="foreign_pot")
    for name, tensor in tensors.items():
        if name not in ("origins", "novelty") and not tensor.isfinite().all():
            raise PotError(f"the stored pot holds numbers that are none in {name}", code="damaged_pot")
    if n_held:
        _check_notes(pot, origins, novelty, n_seen)


def _wanted(
    port: Port, pot: Pot, n_held: int, n_seen: int, *, half: bool
) -> dict[str, tuple[tuple[int | None, ...], torch.dtype]]:
    """Shape and number format of each tensor by its name, None for a length that differs.

    Args:
        port: of the model.
        pot: empty yet.
        n_held: entries stored.
        n_seen: tokens read.
        half: whether the pot was distilled, so that layers in half precision keep keys before rotation.
    """
    noted = (len(pot.layers), pot.n_kv_heads, n_held)
    wanted: dict[str, tuple[tuple[int | None, ...], torch.dtype]] = {
        "origins": (noted, torch.int64), "novelty": (noted, torch.float32),
    }  # fmt: skip
    if n_seen:
        wanted["last_state"] = ((port.state_width,), port.state_dtype)
    if n_seen and pot.policy.voters is Voters.LAST:
        wanted["votes"] = ((*noted[:2], None), torch.float32)  # those of what has just left may follow
    half = half and port.entry_dtype != torch.float32 and pot.policy.numbering is Numbering.RESET
    for number, (rope, widths) in enumerate(zip(port.ropes, port.widths, strict=True)):
        for name, width in zip(("keys", "values"), widths, strict=True):
            if n_held:
                wanted[f"{name}.{number}"] = ((1, pot.n_kv_heads, n_held, width), port.entry_dtype)
        if half and rope.is_rotary:
            wanted[f"unrotated.{number}"] = ((1, pot.n_kv_heads, None, widths[rope.is_in_values]), port.entry_dtype)
    return wanted


def _is_like(tensor: Tensor, shape: tuple[int | None, ...], dtype: torch.dtype) -> bool:
    lengths = zip(tensor.shape, shape, strict=False)
    return tensor.dtype == dtype and tensor.ndim == len(shape) and all(b in (a, None) for a, b in lengths)


def _check_notes(pot: Pot, origins: Tensor, novelty: Tensor, n_seen: int) -> None:
    """Every head holds entries in the order in which they came, the prefix first, and no novelty makes no sense.

    Only the first token of all counts as endlessly novel.
    """
    n_prefix = min(pot.n_prefix, origins.shape[-1])
    seeing_all = torch.tensor([not layer.is_local for layer in pot.pot_layers])
    in_order = (
        bool((origins >= 0).all())
        and bool((origins.diff(dim=-1) > 0).all())
        and bool((origins[..., -1] < n_seen).all())
        and bool((origins[seeing_all][..., :n_prefix] == torch.arange(n_prefix)).all())
    )
    if not in_order:
        raise PotError("the stored pot does not say in order what it holds", code="damaged_pot")
    endless = (novelty == torch.inf) & (origins == 0)
    if not (novelty.isfinite() | endless).all():
        raise PotError("the stored pot holds numbers that are none in novelty", code="damaged_pot")
