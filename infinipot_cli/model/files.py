"""A model folder in transformers format, described from its JSON files alone.

Everything that can be refused, counted or planned without weights happens here, before torch is imported: a folder
without usable weights, the trained context, the stop tokens, the chat template.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infinipot_cli.errors import ModelError
from infinipot_cli.model.kinds import check_kind, has_encoders
from infinipot_cli.model.weights import OTHER_FORMAT, is_lfs_pointer, is_safe, weight_files

# Names under which configurations state the longest context that the model was trained for.
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
# Rotations whose angles depend on the length; "su" is what Phi-3's first releases called longrope.
_CHANGING_ROPES = {"dynamic", "longrope", "su"}
_SPECIAL_KEYS = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
_LARGEST_JSON_BYTES = 64 * 1024 * 1024
_AGAIN = "fetch the model again in full"


@dataclass(frozen=True)
class ModelFiles:
    """A model on this machine, before it is loaded.

    Attributes:
        name: what the user calls it.
        folder: where its files are.
        context_length: longest trained context in tokens, or the length at which the rotation changes where that is
            no longer; None when the configuration does not say.
        stop_ids: token ids that end an answer, as far as they are given by number.
        special_tokens: named control tokens, such as `bos_token`, as text.
        chat_template: source of its chat template, None for a model without one.
        gguf_file: name of the one file that holds it all, None for a folder in transformers format.
        dtype: number format of the stored weights by name, as far as the configuration says.
        allow_pickle: weights may be read from formats that can run code.
        trust_remote_code: code of the folder may be run.
        changing: kind of a rotation that changes at `context_length`; empty where the training ends there.
        text_only: the language part alone is loaded, of a model that has encoders of pictures or sound before it.
        is_rounded: the weights are stored in fewer bits than `dtype` says.
    """

    name: str
    folder: Path
    context_length: int | None
    stop_ids: frozenset[int]
    special_tokens: Mapping[str, str]
    chat_template: str | None
    gguf_file: str | None = None
    dtype: str = ""
    allow_pickle: bool = False
    trust_remote_code: bool = False
    changing: str = ""
    text_only: bool = False
    is_rounded: bool = False

    @property
    def revision(self) -> str | None:
        """The commit of a model of the Hugging Face cache, which has a folder for each; None elsewhere."""
        return self.folder.name if self.folder.parent.name == "snapshots" else None

    @property
    def gguf_path(self) -> str | None:
        """Where that one file is; in full, since transformers takes a bare name for one of the current folder first."""
        return None if self.gguf_file is None else str((self.folder / self.gguf_file).absolute())

    @property
    def weight_files(self) -> list[Path]:
        """Its files of weights, by name."""
        return weight_files(self.folder) if self.gguf_file is None else [self.folder / self.gguf_file]

    @property
    def tokenizer_json(self) -> Path | None:
        """The tokenizer in the form of the tokenizers library; None when it must be converted first."""
        path = self.folder / "tokenizer.json"
        return path if path.is_file() and not self.gguf_file else None


def describe(
    name: str,
    folder: Path,
    *,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    text_only: bool = False,
) -> ModelFiles:
    """Read what a model folder says about itself.

    Args:
        name: what the user calls the model.
        folder: where its files are.
        allow_pickle: weights may be read from formats that can run code.
        trust_remote_code: code of the folder may be run.
        text_only: of a model with encoders of pictures or sound the language part is wanted, without them.

    Raises:
        ModelError: the folder holds no model that can be loaded here, or its files are damaged.
    """
    if not (folder / "config.json").is_file():
        raise _no_model(folder)
    config = _read_json(folder / "config.json")
    check_kind(name, config, text_only=text_only)
    _check_weights(folder, allow_pickle=allow_pickle)
    if trust_remote_code:
        _check_code(name, folder, config)
    generation = _read_json(folder / "generation_config.json", optional=True)
    tokenizer = _read_json(folder / "tokenizer_config.json", optional=True)
    legacy = _read_json(folder / "special_tokens_map.json", optional=True)
    context_length, changing = _context_length(config)
    return ModelFiles(
        name=name,
        folder=folder,
        context_length=context_length,
        changing=changing,
        stop_ids=frozenset(
            number for source in (*_with_text_config(config), generation) for number in _ids(source.get("eos_token_id"))
        ),
        special_tokens={**_special_tokens(legacy), **_special_tokens(tokenizer)},
        chat_template=_chat_template(folder, tokenizer),
        dtype=_dtype(config),
        allow_pickle=allow_pickle,
        trust_remote_code=trust_remote_code,
        text_only=text_only and has_encoders(config),
        is_rounded=bool(config.get("quantization_config")),
    )


def _no_model(folder: Path) -> ModelError:
    """What a folder without a configuration is instead, as far as it shows."""
    packed = sorted(path.name for path in folder.glob("*.gguf"))
    if packed:
        return ModelError(
            f"{folder} holds {packed[0]}" + (f" and {len(packed) - 1} more" if packed[1:] else "") + "; name the file",
            hint=f"-m {folder / packed[0]}",
            code="no_model",
        )
    if (folder / "adapter_config.json").is_file():
        return _adapter(folder)
    return ModelError(
        f"{folder} holds no model: there is no config.json in it",
        hint="-m wants a folder in transformers format: config.json, *.safetensors and a tokenizer",
        code="no_model",
    )


def _adapter(folder: Path) -> ModelError:
    return ModelError(
        f"{folder} holds an adapter, which changes another model and is none by itself",
        hint="merge it into its model (merge_and_unload in peft), save that, and name its folder",
        code="no_model",
    )


def _check_weights(folder: Path, *, allow_pickle: bool) -> None:
    found = weight_files(folder)
    safe = [path.name for path in found if is_safe(path)]
    if safe and all(name.startswith("adapter_model") for name in safe):
        raise _adapter(folder)
    if not safe:
        pickled = found[0].name if found else ""
        if pickled and allow_pickle:
            return
        started = next((path.name for path in folder.glob("*.incomplete")), "")
        other = next((path.name for path in folder.glob(OTHER_FORMAT) if is_safe(path)), "")
        raise ModelError(
            f"{folder} holds no weights"
            + (f" that are safe to load ({pickled} may run code; only *.safetensors are read)" if pickled else "")
            + (f"; {other} is in a format that transformers does not read" if other else "")
            + (f"; {started} was never fetched to its end" if started else ""),
            hint="fetch the model again in full, with its *.safetensors files"
            + (", or trust this one with --allow-pickle" if pickled else ""),
            code="no_weights",
        )
    names = _weights_to_read(folder, safe)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"{folder} is incomplete: {len(missing)} of {len(names)} weight files are missing, {missing[0]} first",
            hint=_AGAIN,
            code="incomplete_model",
        )


def _weights_to_read(folder: Path, safe: list[str]) -> list[str]:
    """Names of the files that transformers will read: one file goes before shards, and these are those of an index."""
    index = folder / "model.safetensors.index.json"
    if "model.safetensors" in safe:
        return ["model.safetensors"]
    if not index.is_file():
        return safe
    shards = _read_json(index).get("weight_map")
    return sorted({str(name) for name in shards.values()}) if isinstance(shards, dict) else []


def _check_code(name: str, folder: Path, config: dict[str, object]) -> None:
    """See that code which shall be run is there: what was fetched by `models pull` comes without."""
    named = config.get("auto_map")
    classes = [named.get(kind) for kind in ("AutoConfig", "AutoModelForCausalLM")] if isinstance(named, dict) else []
    for place in classes:
        if not isinstance(place, str) or "--" in place:  # code of another folder has that in front
            continue
        code = folder / f"{place.partition('.')[0]}.py"
        if not code.is_file():
            raise ModelError(
                f"{name} needs code that is not in its folder: {code.name}",
                hint="infinipot models pull fetches no code; hf download ORG/NAME fetches all that there is",
                code="remote_code",
            )


def _read_json(path: Path, *, optional: bool = False) -> dict[str, object]:
    if optional and not path.is_file():
        return {}
    try:
        if path.stat().st_size > _LARGEST_JSON_BYTES:
            raise ValueError("it is too large")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        hint = "git lfs pull in its folder" if is_lfs_pointer(path) else _AGAIN
        raise ModelError(f"{path} cannot be read: {error}", hint=hint, code="damaged_model") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} is damaged: it holds no JSON object", hint=_AGAIN, code="damaged_model")
    return found


def _with_text_config(config: dict[str, object]) -> Iterator[dict[str, object]]:
    yield config
    inner = config.get("text_config")
    if isinstance(inner, dict):
        yield inner


def _context_length(config: dict[str, object]) -> tuple[int | None, str]:
    """The longest context, and the kind of a rotation that changes there."""
    for source in reversed(list(_with_text_config(config))):
        for key in _CONTEXT_KEYS:
            value = source.get(key)
            if isinstance(value, int) and value > 0:
                return min([*_changes(source, value), (value, "")], key=lambda found: found[0])
    return None, ""


def _changes(config: dict[str, object], context_length: int) -> Iterator[tuple[int, str]]:
    """Positions up to which the angles of a rotation stay the same, and its kind.

    Past it these kinds of rotation switch to other frequencies for all positions at once, and the entries of a pot,
    turned by the old ones, would no longer fit.
    """
    rope = config.get("rope_parameters") or config.get("rope_scaling")
    for part in (rope, *rope.values()) if isinstance(rope, dict) else ():  # some have one for each kind of layer
        kind = part.get("rope_type", part.get("type")) if isinstance(part, dict) else None
        if kind in _CHANGING_ROPES:
            value = part.get("original_max_position_embeddings") or config.get("original_max_position_embeddings")
            yield (value if isinstance(value, int) and 0 < value < context_length else context_length), str(kind)


def _dtype(config: dict[str, object]) -> str:
    """Number format of the weights; models with several parts name it for each."""
    named = (part.get(key) for part in _with_text_config(config) for key in ("dtype", "torch_dtype"))
    return str(next(filter(None, named), ""))


def _ids(value: object) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [number for number in values if isinstance(number, int) and not isinstance(number, bool)]


def _special_tokens(tokenizer: dict[str, object]) -> dict[str, str]:
    found = {}
    for key in _SPECIAL_KEYS:
        value = tokenizer.get(key)
        if isinstance(value, dict):  # the long form: {"content": "<s>", "lstrip": false, …}
            value = value.get("content")
        if isinstance(value, str):
            found[key] = value
    return found


def _chat_template(folder: Path, tokenizer: dict[str, object]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read: {error}", hint=_AGAIN, code="damaged_model") from error
    value = tokenizer.get("chat_template") or _read_json(folder / "chat_template.json", optional=True).get(
        "chat_template"
    )
    if isinstance(value, list):  # several named templates: [{"name": "default", "template": "…"}, …]
        named = {entry.get("name"): entry.get("template") for entry in value if isinstance(entry, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None
