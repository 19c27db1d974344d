"""What a run's numbers depend on besides its settings: versions, the weights and data byte for byte, the machine."""

import hashlib
import os
import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from infinipot_cli import __version__
from infinipot_cli.errors import DocumentError
from infinipot_cli.plan import Plan
from infinipot_cli.policies import label
from infinipot_cli.session import Session

_LIBRARIES = ("torch", "transformers", "tokenizers")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def run_settings(session: Session, plan: Plan) -> dict[str, object]:
    """What the numbers of any run depend on, for the record that a stopped one goes on with; nothing is loaded.

    Args:
        session: whose model is measured.
        plan: sizes as they were settled.
    """
    return {
        "model": session.files.name,
        "weights": weight_marks(session),
        "pot": {"size": plan.capacity, "budget": plan.budget, "novelty": plan.novelty_ratio, "chunk": plan.chunk},
        "set": plan.choice.changed,
        "policy": label(plan.policy, plan.policy_settings),
        "dtype": session.loading.dtype.value,
        "quantize": session.loading.quantize.value,
    }


def weight_marks(session: Session) -> list[str]:
    """Name, size and time of each file of weights: enough to tell that a stopped run has the same."""
    return [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in session.files.weight_files]


def weight_hashes(session: Session) -> dict[str, str]:
    """SHA-256 of each file of weights."""
    return {path.name: sha256(path) for path in session.files.weight_files}


def provenance(session: Session, data: Iterable[Path] = ()) -> dict[str, object]:
    """Versions, SHA-256 of weights and data files, and the machine; the model is loaded if it is not yet.

    Args:
        session: whose model was measured.
        data: files that were read.
    """
    device = getattr(session.load().model, "device", "cpu")
    return {
        **versions_and_machine(str(device)),
        "weights": weight_hashes(session),
        "data": {path.name: sha256(path) for path in data},
    }


def versions_and_machine(device: str = "") -> dict[str, object]:
    """Versions of what computed, and the machine; imports torch.

    Args:
        device: as torch names it; the one that computes by default.
    """
    if not device:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    return {
        "versions": {"infinipot": __version__, "python": platform.python_version(), **_versions()},
        "machine": {
            "system": platform.platform(terse=True),
            "processor": platform.processor() or platform.machine(),
            "n_cores": os.cpu_count(),
            "device": _device_name(device),
        },
    }


def sha256(path: Path) -> str:
    """SHA-256 of a file; the cache of Hugging Face names large files by it, which saves reading them again.

    Raises:
        DocumentError: it cannot be read.
    """
    name = path.resolve().name
    if _SHA256.fullmatch(name):
        return name
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}") from error


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _device_name(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} {torch.cuda.get_device_name(device)}"
