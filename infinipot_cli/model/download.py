"""Fetching a model from the Hugging Face hub, once the user has agreed: the only place that opens a connection.

Only what loading needs is fetched: safetensors, settings and tokenizers of the top folder; never code, never pickles,
no weights twice.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from infinipot_cli.errors import ModelError
from infinipot_cli.model.catalog import with_revision
from infinipot_cli.model.weights import OTHER_FORMAT

_WANTED = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt")
_UNWANTED = ["*/*", OTHER_FORMAT]
_HUB = "https://huggingface.co"
OFFLINE = "HF_HUB_OFFLINE"


@dataclass(frozen=True)
class Offer:
    """A model on the hub.

    Attributes:
        name: as on the hub, with its revision if one was asked for.
        n_bytes: size of what would be fetched.
        licence: as its card says, empty if it says nothing.
    """

    name: str
    n_bytes: int
    licence: str


def is_offline() -> bool:
    """Whether the user has forbidden the network."""
    return os.environ.get(OFFLINE, "").strip().lower() in ("1", "true", "yes", "on")


def look_up(name: str) -> Offer:
    """Ask the hub about a model.

    Raises:
        ModelError: the network is forbidden or missing, or the hub has no such model for us.
    """
    if is_offline():
        raise ModelError(
            f"offline ({OFFLINE}=1): {name} cannot be looked up",
            hint=f"unset {OFFLINE}, or give a folder that is here already: -m ./FOLDER",
            code="offline",
        )
    try:
        from huggingface_hub import HfApi

        hub_name, revision = with_revision(name)
        info = HfApi().model_info(hub_name, revision=revision, files_metadata=True)
    except Exception as error:  # the hub's client raises its own classes and those of two HTTP libraries
        raise _refusal(name, error) from error
    files = {file.rfilename: file.size or 0 for file in info.siblings or [] if _is_wanted(file.rfilename)}
    if not any(path.endswith(".safetensors") for path in files):
        raise ModelError(
            f"{name} has no weights in safetensors on the hub", hint="infinipot reads no others", code="no_safetensors"
        )
    card = info.card_data
    licence = str(card.get("license") or "") if card is not None else ""
    return Offer(name, sum(files.values()), licence)


def download(offer: Offer, *, show_progress: bool) -> Path:
    """Fetch a model into the Hugging Face cache; what is there already is not fetched again.

    Raises:
        ModelError: the connection broke, or there is no room.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not show_progress:
        disable_progress_bars()
    try:
        # by its revision and not by its commit, so that the cache knows under which name it is found again
        hub_name, revision = with_revision(offer.name)
        folder = snapshot_download(hub_name, revision=revision, allow_patterns=list(_WANTED), ignore_patterns=_UNWANTED)
    except Exception as error:  # as above
        raise _refusal(offer.name, error) from error
    return Path(folder)


def _is_wanted(path: str) -> bool:
    is_unwanted = "/" in path or Path(path).match(OTHER_FORMAT)
    return not is_unwanted and any(Path(path).match(pattern) for pattern in _WANTED)


def _refusal(name: str, error: Exception) -> ModelError:
    """Our words for what the hub's client raised; a gated model is a kind of missing one to it, so that comes first."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return ModelError(
            f"{name} is gated: its owner wants you to agree to something first",
            hint=f"agree at {_HUB}/{name}, then set HF_TOKEN or run hf auth login",
            code="gated",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(
            f"{name} is no revision that the hub has", hint="a branch, a tag or a commit", code="model_not_found"
        )
    if isinstance(error, (errors.RepositoryNotFoundError, errors.HFValidationError)):
        return ModelError(
            f"there is no model {name} on the Hugging Face hub, or it is private",
            hint="a name is ORG/NAME; for a private model set HF_TOKEN",
            code="model_not_found",
        )
    if isinstance(error, OSError) and not isinstance(error, errors.HfHubHTTPError) and error.errno is not None:
        return ModelError(f"{name} cannot be stored: {error.strerror or error}", code="download_failed")
    if isinstance(error, errors.HfHubHTTPError):
        status = getattr(getattr(error, "response", None), "status_code", "no status")
        return ModelError(f"the hub refused {name} ({status})", hint="try again later", code="download_failed")
    return ModelError(
        f"the Hugging Face hub cannot be reached ({type(error).__name__})",
        hint="check the network and HTTPS_PROXY; pocket and models that are here need neither",
        code="no_network",
    )
