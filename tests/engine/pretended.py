"""GPUs that are pretended: their tensors compute on the CPU, say they are elsewhere, and refuse to meet others.

Run with names of families, it reads and answers on one processor and with each model spread over two pretended GPUs,
and writes a line for each family where both did the same. It is a process of its own, since a device that torch was
taught stays in it.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend
from transformers import PreTrainedModel

from infinipot_cli.bench.tiny_models import FAMILIES, build, random_ids
from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine import capture, generate, read, restore
from infinipot_cli.engine.policies import Policy, make

_setup_privateuseone_for_python_backend("pretended")
CPU = torch.device("cpu")
FIRST, SECOND = torch.device("pretended:0"), torch.device("pretended:1")
# What may take tensors of several devices.
MOVING = {"aten::_to_copy", "aten::copy_", "aten::_local_scalar_dense", "aten::lift_fresh"}


class Elsewhere(Tensor):
    """A tensor that says it is on another device."""

    @staticmethod
    def __new__(cls, inner: Tensor, device: torch.device) -> "Elsewhere":
        return Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            device=device,
        )  # fmt: skip

    def __init__(self, inner: Tensor, device: torch.device) -> None:
        self.inner = inner

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})

    def tolist(self) -> Any:
        return self.inner.tolist()


class Pretending(TorchDispatchMode):
    """While it lasts, tensors can be made on pretended devices."""

    def __enter__(self) -> "Pretending":
        torch._C._set_only_lift_cpu_tensors(True)
        return super().__enter__()

    def __exit__(self, *problem: Any) -> None:
        torch._C._set_only_lift_cpu_tensors(False)
        super().__exit__(*problem)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What an operation gives, on the device where its tensors are, or on that which it names."""
    name, tensors = func.name(), [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    home = next((tensor.device for tensor in tensors if tensor.device != CPU), CPU)
    if name == "aten::copy_" or name.startswith(("aten::index.", "aten::index_put")):
        home = args[0].device
    if name not in MOVING:
        is_index = name.startswith(("aten::index.", "aten::index_put"))  # tensors of indices may be on the CPU
        for tensor in tensors:
            is_free = tensor.device == CPU and (is_index or not tensor.dim())
            if tensor.device != home and not is_free:
                raise RuntimeError(f"{name}: all tensors must be on one device, not on {home} and {tensor.device}")
    place = torch.device(kwargs.get("device") or home)
    inner = {id(tensor.inner): tensor for tensor in tensors if isinstance(tensor, Elsewhere)}
    args, kwargs = tree_map(lambda leaf: leaf.inner if isinstance(leaf, Elsewhere) else leaf, (args, kwargs))
    found = func(*args, **{**kwargs, **({"device": CPU} if "device" in kwargs else {})})

    def there(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return inner.get(id(leaf), leaf) if place == CPU or id(leaf) in inner else Elsewhere(leaf, place)

    return tree_map(there, found)


def spread(model: PreTrainedModel) -> PreTrainedModel:
    """Put the second half of a model's layers, and what follows them, on a second device, with accelerate's hooks."""
    layers, places = model.base_model.layers, dict[str, torch.device]()

    def put(name: str, part: nn.Module, place: torch.device) -> None:
        part.to(place)
        for module in part.modules():
            add_hook_to_module(module, AlignDevicesHook(place, skip_keys="past_key_values"))
        places[name] = place

    for name, part in [*model.base_model.named_children(), *model.named_children()]:
        if part is layers:
            for number, layer in enumerate(layers):
                put(f"layers.{number}", layer, FIRST if number < len(layers) / 2 else SECOND)
        elif part is not model.base_model:
            put(name, part, FIRST if "emb" in name else SECOND)
    add_hook_to_module(model, AlignDevicesHook(FIRST, io_same_device=True, skip_keys="past_key_values"))
    model.hf_device_map = places
    assert {weight.device for weight in model.parameters()} == {FIRST, SECOND}
    return model


def done_by(model: PreTrainedModel, policy: Policy | None = None, choice: Choice = PAPER) -> list[Any]:
    """What stays of a text, and answers from the pot, from one that was stored and from a copy."""
    pot = read(
        model, random_ids(60, 2), catalyst_ids=[2, 3], prefix_ids=[5], capacity=40, budget=20, record=True,
        policy=policy, choice=choice,
    )  # fmt: skip
    found: list[Any] = [kept.tolist() for kept in pot.kept_history]
    pots = [pot.fork(), pot]
    if policy is None:
        pots.insert(0, restore(model, capture(pot)))
        for one, other in zip(pots[0].pot_layers, pot.pot_layers, strict=True):
            assert one.keys is not None and other.keys is not None and one.keys.device == other.keys.device
    for number, asked in enumerate(pots):
        steps = generate(model, asked, [4, 5, 6], max_new_tokens=6, temperature=0.5 * number, seed=1)
        found.append([step.token_id for step in steps])
    return found


WAYS: dict[str, Callable[[PreTrainedModel], list[Any]]] = {
    "paper": done_by,
    "renewed and spread": lambda model: done_by(model, choice=Choice(renew=True, spread=0.5)),
    "h2o": lambda model: done_by(model, make("h2o")),
    "tova": lambda model: done_by(model, make("tova")),
}


if __name__ == "__main__":
    for family in FAMILIES:
        if family.name not in sys.argv[1:]:
            continue
        for way, run in WAYS.items() if family.name == "Llama" else [("paper", done_by)]:
            wanted = run(build(family))
            with Pretending():
                got = run(spread(build(family)))
            assert got == wanted, (family.name, way)
        sys.stdout.write(f"{family.name}\n")
