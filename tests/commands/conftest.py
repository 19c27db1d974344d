"""What tests of commands share: a model that goes on until it is stopped."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def endless_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with nothing that speaks for the end of an answer."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("models") / "endless"
    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"][:5] = 0.0  # of some 260 likelihoods that of the best is far above this
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
