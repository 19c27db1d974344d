"""A pot as plain tensors and numbers, and back: what must be stored so that reading on equals never having stopped."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.choice import Choice
from infinipot_cli.engine.policies import Timing, make, settings_of
from infinipot_cli.engine.pot import Pot
from infinipot_cli.engine.soundness import COUNTS, check_numbers, check_tensors
from infinipot_cli.errors import PotError, UsageError
from infinipot_cli.model.port import Port, port_of
from infinipot_cli.policies import DEFAULT

# What comes of numbers and tensors that are missing, or of another kind than `capture` gives.
_SENSELESS = (KeyError, TypeError, ValueError, IndexError, AttributeError, AssertionError)
_NUMBERS = (*COUNTS, "novelty_ratio")


@dataclass(frozen=True)
class PotState:
    """Everything a pot is.

    Attributes:
        numbers: sizes, counters, catalyst and settings; plain JSON values.
        tensors: by name, on the CPU: `keys.0`, `values.0`, … of shape (1, K, N, D); `unrotated.0` where the layer keeps
            keys before rotation; `origins` and `novelty`, (L, K, N); `last_state`, (width,);
            `votes`, (L, K, N), where the policy asks for them; `token_ids`, (U,), of the U tokens that any head holds,
            by origin, where `choice.renew` reads them again.
    """

    numbers: dict[str, Any]
    tensors: dict[str, Tensor]


def capture(pot: Pot) -> PotState:
    """What a pot holds now; the tensors are copies.

    Raises:
        UsageError: its policy distils no full pot, and needs more of what was read than entries.
        PotError: it was interrupted while it was changed.
    """
    pot.check_whole()
    if pot.policy.timing is not Timing.WHEN_FULL:
        raise UsageError(
            f"a pot under {settings_of(pot.policy)[0]} cannot be stored: it is not distilled when it is full"
        )
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
    if pot.choice.renew:
        tensors["token_ids"] = torch.tensor([pot.token_ids[origin] for origin in pot.text], dtype=torch.int64)
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
    except (*_SENSELESS, UsageError) as error:
        raise PotError("the stored pot holds what no pot of this model holds", code="damaged_pot") from error


def _restored(model: PreTrainedModel, state: PotState) -> Pot:
    port, numbers, tensors = port_of(model), state.numbers, state.tensors
    check_numbers(numbers, port)
    pot = Pot(
        port.ropes, port.windows, port.n_kv_heads, capacity=numbers["capacity"], budget=numbers["budget"],
        novelty_ratio=numbers["novelty_ratio"], catalyst_ids=tuple(numbers["catalyst_ids"]),
        n_prefix=numbers["n_prefix"], record=False, choice=Choice(**numbers["choice"]),
        policy=make(numbers.get("policy", DEFAULT), tuple(numbers.get("policy_settings", {}).items())),
    )  # fmt: skip
    check_tensors(pot, port, numbers, tensors)
    places = _places(model, port)
    with torch.inference_mode(False):
        for number, layer in enumerate(pot.pot_layers):
            if f"keys.{number}" not in tensors:
                continue  # nothing was read yet
            layer.update(*(tensors[f"{name}.{number}"].to(places[number]) for name in ("keys", "values")))
            if f"unrotated.{number}" in tensors:
                layer.unrotated = tensors[f"unrotated.{number}"].to(places[number])
            layer.peak = numbers["peak"]
        if pot.n_held:
            pot.note(torch.zeros(pot.n_held))
            pot.overwrite_notes(tensors["origins"], tensors["novelty"])
            n_empty = (pot.origins < 0).sum(-1)
            pot.n_empty = n_empty if bool(n_empty.any()) else None
        if pot.choice.renew:
            pot.token_ids = dict(zip(pot.text, tensors["token_ids"].tolist(), strict=True))
        for name, place in (("last_state", model.device), ("votes", places[0])):
            if name in tensors:
                setattr(pot, name, tensors[name].to(place))
    pot.pinned, pot.favoured = (
        [(int(start), int(end)) for start, end in numbers.get(name, ())] for name in ("pinned", "favoured")
    )
    for name in ("n_seen", "n_seen_distilled", "n_cycles"):
        setattr(pot, name, numbers[name])
    return pot


def _places(model: PreTrainedModel, port: Port) -> list[torch.device]:
    """Where each layer caches: with the layer, where a model is spread over several devices."""
    is_spread = getattr(model, "hf_device_map", None) is not None
    return [layer.device if is_spread else model.device for layer in port.cached]
