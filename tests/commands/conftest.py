"""What tests of commands share: a model that goes on until it is stopped, and a program that has begun."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.begun import ANEW, READY


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


@pytest.fixture(scope="session")
def begun() -> Iterator[list[str]]:
    """Starts the program as `python -m infinipot_cli` does, in a process of its own, with all libraries there already.

    For what a run shows once it is at work: importing them again takes several times as long as the rest.
    """
    script = str(Path(__file__).with_name("begun.py"))
    if sys.platform != "linux":  # a process that is forked may not use every library elsewhere
        yield [sys.executable, "-SE", script, ANEW]
        return
    with tempfile.TemporaryDirectory(prefix="begun-") as folder:
        words, variables = [sys.executable, script, f"{folder}/socket"], {**os.environ, "INFINIPOT_HOME": folder}
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables, text=True
        ) as program:
            assert program.stdout is not None and program.stdout.readline() == READY
            yield [sys.executable, "-SE", script, f"{folder}/socket"]
