"""What goes out: one version everywhere, and a wheel that holds everything it needs."""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from infinipot_cli import __version__

ROOT = Path(__file__).parent.parent


def test_the_changelog_names_this_version() -> None:
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert versions[0] == __version__


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_source_distribution_holds_what_the_readme_leads_to(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (made,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert {*targets, "infinipot_cli/pocket/model.safetensors", "tests/data/treasure-island.txt"} <= names
    assert not [name for name in names if "workflows" in name or "__pycache__" in name]
    assert not [name for name in names if name.startswith("tests/data/pdf/")], "under another licence"


@pytest.mark.slow
def test_the_wheel_holds_prompts_weights_and_facts(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"infinipot_cli/_prompts/{path.name}" for path in (ROOT / "prompts").glob("*.md")}
    wanted |= {
        f"infinipot_cli/pocket/{name}"
        for name in (
            "CARD.md",
            "chat_template.jinja",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        )
    }
    wanted |= {"infinipot_cli/bench/facts.tsv", "infinipot_cli/py.typed"}
    assert wanted <= names
    assert wheel.stat().st_size < 100_000_000
    assert not [name for name in names if name.startswith(("tests/", "prompts/"))]
