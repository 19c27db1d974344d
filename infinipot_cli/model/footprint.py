"""What one place of a pot takes in memory, told from a model's configuration before anything is loaded.

A place holds, per layer and KV head, a key, a value, the number of the token and its novelty. In half precision the
entries that a distillation kept have their keys once more as they were before rotation (`PotLayer.unrotated`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from infinipot_cli.errors import ModelError, PotSizeError
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.settings import SMALLEST_POT, Dtype, Loading, PotRequest

_NOTE_BYTES = 8 + 4  # origin and novelty
_LAYERS, _HEADS, _WIDTH = ("num_hidden_layers", "n_layer"), ("num_attention_heads", "n_head"), ("hidden_size", "n_embd")


@dataclass(frozen=True)
class Footprint:
    """Bytes of a pot.

    Attributes:
        place: of one place.
        kept: more for each entry that a distillation keeps.
    """

    place: int
    kept: int

    def bytes_of(self, capacity: int, budget: int) -> int:
        """What a pot takes that has been distilled."""
        return capacity * self.place + budget * self.kept

    def capacity_of(self, n_bytes: int, budget: int | None = None) -> int:
        """The largest pot within so many bytes; without a budget half of it is kept."""
        if budget is not None:
            return max(0, (n_bytes - budget * self.kept) // self.place)
        return max(0, 2 * n_bytes // (2 * self.place + self.kept))


def footprint(files: ModelFiles, loading: Loading) -> Footprint:
    """What a place of a pot takes with a model.

    Raises:
        ModelError: the configuration does not say.
    """
    try:
        config = json.loads((files.folder / "config.json").read_text(encoding="utf-8"))
        if files.gguf_file is None:
            return footprint_of(config, _element_bytes(files, loading))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        pass
    raise ModelError(
        f"what a pot of {files.name} takes cannot be told before it is loaded", hint="give its size in places: -s"
    )


def sized(request: PotRequest, files: ModelFiles, loading: Loading) -> PotRequest:
    """A request with the capacity that its wish for memory stands for; no more than the model was trained for.

    Raises:
        PotSizeError: the memory holds no pot.
        ModelError: the configuration does not say what a place takes.
    """
    n_bytes = request.memory
    if n_bytes is None:
        return request
    places = footprint(files, loading).capacity_of(n_bytes, request.budget)
    if places < SMALLEST_POT:
        raise PotSizeError(f"{n_bytes} bytes hold {places} places of {files.name}", hint="give --memory more")
    return replace(request, capacity=min(places, files.context_length or places), memory=None)


def footprint_of(config: Mapping[str, Any], element_bytes: int) -> Footprint:
    """The same from a configuration.

    Args:
        config: as transformers writes it.
        element_bytes: bytes of a number of keys and values, 2 or 4.

    Raises:
        KeyError: it does not name its sizes.
    """
    config = {**config, **(config.get("text_config") or {})}
    layers, heads, width = (_first(config, keys) for keys in (_LAYERS, _HEADS, _WIDTH))
    if config.get("kv_lora_rank"):  # latent attention: all heads share one vector and its rotated part
        n_kv, key, value = 1, int(config["qk_rope_head_dim"]), int(config["kv_lora_rank"])
    else:
        n_kv = int(config.get("num_key_value_heads") or heads)
        key = value = int(config.get("head_dim") or width // heads)
    slots = layers * n_kv
    kept = slots * key * element_bytes if element_bytes < 4 else 0
    return Footprint(slots * ((key + value) * element_bytes + _NOTE_BYTES), kept)


def _first(config: Mapping[str, Any], keys: Sequence[str]) -> int:
    return int(next((config[key] for key in keys if config.get(key)), None) or config[keys[0]])


def _element_bytes(files: ModelFiles, loading: Loading) -> int:
    """Bytes of a number; only a stored half precision leaves it to the device, and that needs torch."""
    if loading.dtype is Dtype.FLOAT32 or (loading.dtype is Dtype.AUTO and files.dtype in ("", "float32")):
        return 4
    if loading.dtype is not Dtype.AUTO:
        return 2
    from infinipot_cli.model.device import choose_device, choose_dtype

    return choose_dtype(loading.dtype, choose_device(loading.device), files.dtype).itemsize
