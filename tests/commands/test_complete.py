"""What a shell completes: commands, models, templates; without importing anything heavy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "tokenizers", "huggingface_hub", "pypdf")
# What the shells' own scripts set before they call, and what they make of the answer.
PROTOCOLS = {
    "zsh": {"_INFINIPOT_COMPLETE": "complete_zsh"},
    "fish": {"_INFINIPOT_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Settings, a cached model and stored pots; to complete a pot's name it need not be sound."""
    (tmp_path / "config.toml").write_text(
        '[model.aliases]\nbig = "x"\n[templates.minutes]\nquestion = "What was decided?"\n'
    )
    (tmp_path / "hub" / "models--Qwen--Qwen3-0.6B").mkdir(parents=True)
    (tmp_path / "pots").mkdir()
    for name in ("book", "letters"):
        (tmp_path / "pots" / f"{name}.pot").write_bytes(b"")
    return tmp_path


def completed(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys\nfrom infinipot_cli.__main__ import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    environment = {**os.environ, "INFINIPOT_HOME": str(home), "HF_HUB_CACHE": str(home / "hub"), **variables}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert not set(HEAVY) & set(done.stderr.split())
    return done


LINES = [
    ("infinipot su", ["summarize"]),
    ("infinipot help sum", ["summarize"]),
    ("infinipot help man", ["manual"]),
    ("infinipot help pots sh", ["show"]),
    ("infinipot ask -m bi", ["big"]),
    ("infinipot ask -m Qw", ["Qwen/Qwen3-0.6B"]),
    ("infinipot ask -t minu", ["minutes"]),
    ("infinipot ask @", ["@book", "@letters"]),
    ("infinipot explain @l", ["@letters"]),
    ("infinipot chat @b", ["@book"]),
    ("infinipot summarize @b", ["@book"]),
    ("infinipot pots show b", ["book"]),
    ("infinipot read --pot le", ["letters"]),
    ("infinipot ask --policy sl", ["sliding_window"]),
    ("infinipot ask --set po", ["pool="]),
    ("infinipot ask --set gr", ["group_max="]),
    ("infinipot ask --policy h2o --set h", ["heavy="]),
    ("infinipot ask --catalyst ge", ["general"]),
    ("infinipot ask --dtype bf", ["bfloat16", "bf16"]),
    ("infinipot summarize --type ep", ["epub"]),
    # files are the shell's to complete: nothing is said
    ("infinipot ask bo", []),
    ("infinipot info bo", []),
]


@pytest.mark.parametrize(("line", "wanted"), LINES)
def test_the_shell_is_told_what_there_is(home: Path, line: str, wanted: list[str]) -> None:
    words = {"_INFINIPOT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = completed(home, **words)
    assert done.stdout.split() == wanted, done.stderr


@pytest.mark.parametrize("shell", PROTOCOLS)
@pytest.mark.parametrize(("line", "wanted"), [LINES[0], LINES[4], LINES[11], LINES[15]])
def test_every_shell_is_told_in_its_own_way(home: Path, shell: str, line: str, wanted: list[str]) -> None:
    said = completed(home, _TYPER_COMPLETE_ARGS=line, **PROTOCOLS[shell]).stdout
    if shell == "fish":
        assert [row.partition("\t")[0] for row in said.split("\n") if row] == wanted
        action = {**PROTOCOLS["fish"], "_TYPER_COMPLETE_FISH_ACTION": "is-args"}
        # where there is nothing to say, fish is told to complete files
        assert completed(home, _TYPER_COMPLETE_ARGS=line, **action).returncode == (0 if wanted else 1)
    elif wanted:
        assert said.startswith("_arguments '*: :((") and all(f'"{name}"' in said for name in wanted)
    else:
        assert said.strip() == "_files"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script_that_calls_back(home: Path, shell: str) -> None:
    script = completed(home, _INFINIPOT_COMPLETE=f"source_{shell}").stdout
    assert f"_INFINIPOT_COMPLETE=complete_{shell}" in script and "infinipot" in script


def test_bash_itself_completes_a_pot_although_it_breaks_words_at_its_mark(home: Path) -> None:
    (home / "infinipot").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m infinipot_cli "$@"\n')
    (home / "infinipot").chmod(0o755)
    lines = """
        eval "$(_INFINIPOT_COMPLETE=source_bash infinipot)"
        try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _infinipot_completion infinipot; echo "${COMPREPLY[*]}"; }
        try infinipot ask @ l
        try infinipot ask @ book @
        try infinipot ask @ book @ l
        try infinipot pots show @ b
        try infinipot ask --set mass
    """
    environment = {**os.environ, "INFINIPOT_HOME": str(home), "PATH": f"{home}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split("\n") == ["@letters", "@book @letters", "@letters", "@book", "mass=", ""], done.stderr
