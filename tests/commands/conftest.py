"""What tests of commands share: a model that goes on until it is stopped, and a home of a test's own."""

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


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a current folder of the test's own."""
    folder, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    monkeypatch.setenv("INFINIPOT_HOME", str(folder))
    monkeypatch.chdir(here)
    return folder
