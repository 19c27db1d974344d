"""What a shell completes: commands, models, templates; without importing anything heavy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "tokenizers", "huggingface_hub", "pypdf")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("infinipot su", ["summarize"]),
        ("infinipot ask -m bi", ["big"]),
        ("infinipot ask -m Qw", ["Qwen/Qwen3-0.6B"]),
        ("infinipot ask -t minu", ["minutes"]),
        ("infinipot ask --set gr", ["group_max="]),
    ],
)
def test_the_shell_is_told_what_there_is(tmp_path: Path, line: str, wanted: list[str]) -> None:
    (tmp_path / "config.toml").write_text(
        '[model.aliases]\nbig = "x"\n[templates.minutes]\nquestion = "What was decided?"\n'
    )
    (tmp_path / "hub" / "models--Qwen--Qwen3-0.6B").mkdir(parents=True)
    code = (
        "import sys\nfrom infinipot_cli.__main__ import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    environment = {
        **os.environ,
        "INFINIPOT_HOME": str(tmp_path),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "_INFINIPOT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.split() == wanted, done.stderr
    assert not set(HEAVY) & set(done.stderr.split())
