"""What a newcomer sees: an answer from the embedded model, and one line on how to use a larger one."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.model import catalog
from infinipot_cli.model.inventory import cached_names, usable_name

LINE = "pocket is the small built-in model"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def pocket(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model in the place of the embedded one, in a folder without settings."""
    monkeypatch.setattr(catalog, "POCKET_FOLDER", tiny_model)
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("pocket")
def test_the_line_is_there_until_somebody_names_a_model(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["ask", str(story), "Who?", "-s", "400", "-n", "5"]
    first = run(*words)
    assert first.exit_code == 0
    assert first.stderr.splitlines()[-1].startswith(LINE)
    assert LINE not in run(*words, "-m", "pocket").stderr
    assert run(*words, "-q").stderr == ""
    Path("infinipot.toml").write_text('[model]\ndefault = "pocket"\n')
    assert LINE not in run(*words).stderr
    Path("infinipot.toml").unlink()
    monkeypatch.setenv("INFINIPOT_MODEL", "pocket")
    assert LINE not in run(*words).stderr


@pytest.mark.usefixtures("pocket")
def test_a_model_that_is_missing_says_what_names_it(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("infinipot.toml").write_text('[model]\ndefault = "no-such-model"\n')
    result = run("ask", str(story), "who?")
    assert result.exit_code == 4 and "'no-such-model' is not on this machine" in result.stderr
    assert result.stderr.rstrip().endswith("; the settings name it: infinipot config show")
    assert "name it" not in run("ask", str(story), "who?", "-m", "no-such-model").stderr
    monkeypatch.setenv("INFINIPOT_MODEL", "another")
    assert run("ask", str(story), "who?").stderr.rstrip().endswith("; INFINIPOT_MODEL names it")


@pytest.mark.usefixtures("pocket")
def test_a_cached_model_that_can_answer_is_named_and_never_chosen(
    story: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    (cache / "datasets--a--b").mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    assert cached_names() == [] and usable_name() == ""
    for name in ("acme--begun", "acme--embedder", "acme--half", "zoo--Qwen3-0.6B"):
        folder = cache / f"models--{name}" / "snapshots" / ("a" * 40)
        shutil.copytree(tiny_model, folder)
        (folder.parents[1] / "refs").mkdir()
        (folder.parents[1] / "refs" / "main").write_text("a" * 40)
        if name == "acme--begun":
            shutil.rmtree(folder)
        elif name == "acme--half":
            (folder / "model.safetensors").unlink()
        elif name == "acme--embedder":
            config = json.loads((folder / "config.json").read_text()) | {"architectures": ["LlamaModel"]}
            (folder / "config.json").write_text(json.dumps(config))
    assert cached_names() == ["acme/begun", "acme/embedder", "acme/half", "zoo/Qwen3-0.6B"]
    asked = run("ask", str(story), "Who?", "-s", "400", "-n", "5")
    assert asked.exit_code == 0 and "· pocket" in " ".join(asked.stderr.split())
    assert "larger, from your cache: -m zoo/Qwen3-0.6B" in " ".join(asked.stderr.split())


def test_the_embedded_model_is_not_fetched() -> None:
    refused = run("models", "pull", "pocket", "--yes")
    assert (refused.exit_code, "pocket is part of infinipot" in refused.stderr) == (4, True)
