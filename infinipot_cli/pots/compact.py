"""Keys and values of a stored pot in 8 bits: half the size of bf16 and a quarter of fp32, for a small loss.

Each entry of each head has a scale of its own, the largest of its numbers / 127: one large entry costs no other.
"""

import torch
from torch import Tensor

from infinipot_cli.engine import PotState
from infinipot_cli.errors import PotError

_ROUNDED = ("keys.", "values.", "unrotated.")
_SCALE = "scale."
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp64": torch.float64}


def to_int8(state: PotState) -> PotState:
    """The same state with keys and values as int8 (1, K, N, D) and scales (1, K, N, 1) in fp32 beside them."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in state.tensors.items():
        if not name.startswith(_ROUNDED):
            tensors[name] = tensor
            continue
        scale = tensor.float().abs().amax(dim=-1, keepdim=True).clamp(min=1e-12) / 127
        tensors[name] = (tensor.float() / scale).round().clamp(-127, 127).to(torch.int8)
        tensors[_SCALE + name] = scale
    return PotState(state.numbers, tensors)


def from_int8(state: PotState, dtype: str) -> PotState:
    """The opposite, in the model's number format: such as `bf16`.

    Raises:
        PotError: entries and scales do not belong together.
    """
    rounded = {name for name in state.tensors if name.startswith(_ROUNDED)}
    scales = {name.removeprefix(_SCALE): tensor for name, tensor in state.tensors.items() if name.startswith(_SCALE)}
    if scales.keys() != rounded:
        raise PotError("the stored pot lacks the scales of its entries", code="damaged_pot")
    tensors = {name: tensor for name, tensor in state.tensors.items() if not name.startswith(_SCALE)}
    for name, scale in scales.items():
        entries = tensors[name]
        is_scale = scale.dtype == torch.float32 and scale.shape == (*entries.shape[:-1], 1)
        if entries.dtype != torch.int8 or not is_scale or not (scale.isfinite() & (scale > 0)).all():
            raise PotError("the scales of the stored pot are not those of its entries", code="damaged_pot")
        tensors[name] = (entries.float() * scale).to(_DTYPES[dtype])
    return PotState(state.numbers, tensors)


def tensor_as_bytes(tensor: Tensor) -> bytes:
    """The opposite of `bytes_as_tensor`.

    Raises:
        PotError: it holds no bytes.
    """
    if tensor.ndim != 1 or tensor.dtype != torch.uint8:
        raise PotError("what the stored pot says of its documents makes no sense", code="damaged_pot")
    return tensor.numpy().tobytes()


def bytes_as_tensor(data: bytes) -> Tensor:
    """Bytes as a tensor of uint8, (n,), so that they can lie beside the entries."""
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
