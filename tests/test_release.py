"""What goes out: one version everywhere, and a wheel that holds everything it needs."""

import re
import subprocess
import sys
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
    wanted |= {"infinipot_cli/bench/facts.tsv"}
    assert wanted <= names
    assert wheel.stat().st_size < 100_000_000
    assert not [name for name in names if name.startswith(("tests/", "prompts/"))]
