"""From the name of a model to its place on this machine; pocket first, and nothing is downloaded here."""

import os
import re
import stat
from pathlib import Path

from infinipot_cli.errors import ModelError, UsageError
from infinipot_cli.model.files import ModelFiles, describe
from infinipot_cli.model.gguf import SUFFIX, describe_gguf
from infinipot_cli.settings import DEFAULT_MODEL, Loading, Quantization

POCKET_FOLDER = Path(__file__).parent.parent / "pocket"

_REVISION = re.compile(r"[\w][\w./-]{0,99}")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_FULL_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def find(name: str, loading: Loading | None = None) -> ModelFiles:
    """Find a model by name.

    Args:
        name: `pocket`, a folder, a `.gguf` file, or the name of a model in the Hugging Face cache, with `@REVISION`
            behind it or not.
        loading: what of the model's folder is trusted, and which part of it is wanted, and in which rounding.

    Raises:
        ModelError: it is not on this machine, or what is there is no complete model.
        UsageError: it shall be rounded, and is already.
    """
    loading = loading or Loading()
    files = _found(name, loading)
    is_packed = files.gguf_file is not None
    if (files.is_rounded or is_packed) and loading.quantize is not Quantization.NONE:
        why = "comes in a GGUF file, with the rounding of that" if is_packed else "is rounded already"
        raise UsageError(f"{files.name} {why}", hint="leave --quantize out")
    return files


def _found(name: str, loading: Loading) -> ModelFiles:
    if name == DEFAULT_MODEL:
        if not POCKET_FOLDER.is_dir():
            raise ModelError(
                "the embedded model is missing from this installation",
                hint="install infinipot again, or give a model with -m",
                code="no_model",
            )
        return describe(DEFAULT_MODEL, POCKET_FOLDER)
    wishes = {
        "allow_pickle": loading.allow_pickle,
        "trust_remote_code": loading.trust_remote_code,
        "text_only": loading.text_only,
    }
    path = Path(os.path.expanduser(name))
    try:
        is_file = bool(name) and not stat.S_ISDIR(os.stat(path).st_mode)
        if name and not is_file:
            os.stat(os.path.join(path, "."))  # it may be there and not to be entered
            return describe(path.resolve().name, path, **wishes)
    except PermissionError as error:
        raise ModelError(
            f"{name} cannot be read: {error.strerror}", hint="check who may enter the folder", code="no_model"
        ) from error
    except (OSError, ValueError):  # it is not there, or no name that a path can have
        is_file = False
    if is_file and path.suffix.lower() == SUFFIX:
        return describe_gguf(path)
    if is_file:
        raise ModelError(
            f"{name} is a file; a model is a folder in transformers format, or a .gguf file", code="no_model"
        )
    hub_name, revision = with_revision(name)
    folder = cached(hub_name, revision) if _HUB_NAME.fullmatch(hub_name) else None
    if folder is None:
        raise ModelError(
            f"model {name!r} is not on this machine",
            hint=f"infinipot models pull {name if is_hub_name(name) else 'ORG/NAME'}, or a folder: -m ./FOLDER, "
            "or -m pocket",
            code="model_not_found",
        )
    return describe(name, folder, **wishes)


def is_hub_name(name: str) -> bool:
    """Whether a name can only be that of a model on the hub, such as `Qwen/Qwen3-0.6B`, and of no folder elsewhere."""
    return _FULL_HUB_NAME.fullmatch(with_revision(name)[0]) is not None


def with_revision(name: str) -> tuple[str, str | None]:
    """A name of the hub and its revision, as in `Qwen/Qwen3-0.6B@main`; None without one."""
    hub_name, mark, revision = name.partition("@")
    return (hub_name, revision) if mark and _REVISION.fullmatch(revision) else (name, None)


def cached(name: str, revision: str | None = None) -> Path | None:
    """The snapshot of a model in the Hugging Face cache that a name stands for; None when there is none.

    Without a revision it is that of the main branch; where only others were fetched, the newest.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    # A snapshot need not hold all files of its repository, so the hub's own check of that would refuse good models;
    # `describe` looks for those that matter.
    try:
        found = try_to_load_from_cache(name, "config.json", revision=revision)
        if isinstance(found, str):
            return Path(found).parent
        return _newest(name) if revision is None else None
    except (HFValidationError, OSError):
        return None


def _newest(name: str) -> Path | None:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    snapshots = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=name, repo_type="model"), "snapshots")
    whole = [path.parent for path in snapshots.glob("*/config.json")]
    return max(whole, key=lambda folder: folder.stat().st_mtime, default=None)
