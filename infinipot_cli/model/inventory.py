"""Which models this machine holds: the embedded one and those in the Hugging Face cache. Nothing is loaded."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infinipot_cli.errors import ModelError
from infinipot_cli.model.catalog import POCKET_FOLDER, cached, find
from infinipot_cli.model.files import describe
from infinipot_cli.settings import DEFAULT_MODEL


@dataclass(frozen=True)
class LocalModel:
    """A model on this machine.

    Attributes:
        name: what `-m` takes.
        folder: where its files are.
        n_bytes: what they take on disk.
        problem: why it cannot be used, empty if it can.
    """

    name: str
    folder: Path
    n_bytes: int
    problem: str


def local_models() -> list[LocalModel]:
    """The embedded model, then the cached ones by name; those that cannot be used say why."""
    found = [_described(DEFAULT_MODEL, POCKET_FOLDER)] if POCKET_FOLDER.is_dir() else []
    return found + [_described(name, folder) for name, folder in _cached()]


def cache_problem() -> str:
    """Why the Hugging Face cache cannot be looked into; empty where it can, or is not there yet."""
    folder = _hub_folder()
    try:
        next(folder.iterdir(), None)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{folder} cannot be used: {error.strerror or error}"
    return ""


def cached_names() -> list[str]:
    """Names of cached models, from the names of folders alone: what completion and hints need, within milliseconds.

    Anything that goes on to use a model asks the hub library instead.
    """
    prefix = "models--"
    try:
        folders = [path.name for path in _hub_folder().iterdir() if path.name.startswith(prefix)]
    except OSError:
        return []
    return sorted(name.removeprefix(prefix).replace("--", "/", 1) for name in folders)


def usable_name() -> str:
    """The first cached model that can answer, as far as its files tell; empty where there is none."""
    for name in cached_names():
        with suppress(ModelError):
            find(name)
            return name
    return ""


def cached_model(name: str) -> LocalModel:
    """A model of the Hugging Face cache, whether or not it can be used.

    Raises:
        ModelError: the cache holds none of this name.
    """
    for found, folder in _cached():
        if found == name:
            return _described(name, folder)
    raise ModelError(
        f"the Hugging Face cache holds no model {name}", hint="infinipot models list names them", code="model_not_found"
    )


def remove(name: str) -> None:
    """Delete a model from the Hugging Face cache, all of its revisions.

    Raises:
        ModelError: there is none of this name, or it cannot be deleted.
    """
    from huggingface_hub import scan_cache_dir

    cached_model(name)
    cache = scan_cache_dir()
    (found,) = (one for one in cache.repos if one.repo_id == name and one.repo_type == "model")
    cache.delete_revisions(*(revision.commit_hash for revision in found.revisions)).execute()
    if found.repo_path.exists():  # the hub library only logs what it could not delete
        raise ModelError(f"{found.repo_path} cannot be deleted", hint="check who may write there", code="not_deleted")


def _hub_folder() -> Path:
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(os.path.expanduser(cache))
    home = os.environ.get("HF_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.path.expanduser(base)) / "hub"


def _cached() -> list[tuple[str, Path]]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir().repos
    except (CacheNotFound, OSError, ValueError):  # `cache_problem` says what it is
        return []
    found = []
    for repository in repositories:
        if repository.repo_type == "model" and repository.revisions:
            newest = max(repository.revisions, key=lambda revision: revision.last_modified)
            found.append((repository.repo_id, cached(repository.repo_id) or newest.snapshot_path))
    return sorted(found)


def _described(name: str, folder: Path) -> LocalModel:
    try:
        describe(name, folder)
        problem = ""
    except ModelError as error:
        problem = error.message
        with suppress(ModelError):
            describe(name, folder, text_only=True)
            problem = "it reads pictures or sound too; --text-only loads its language part"
    return LocalModel(name, folder, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()), problem)
