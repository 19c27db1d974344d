"""Exit codes of real processes: in words and, from the same run, in the JSON document that scripts read."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from tests.commands.test_environments import clean
from tests.conftest import save_tiny_model

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "infinipot_cli"]
# Nothing that a user can type ends in 1, so a bug is put in.
WITH_A_BUG = """
from infinipot_cli.session import Session
from infinipot_cli.__main__ import main
def prepare(*_, **__):
    return {}["lost"]
Session.prepare = prepare
main()
"""
# Root may write everywhere until it gives that up.
WITHOUT_PRIVILEGE = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
if os.geteuid() == 0 and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0):
    sys.exit(77)
os.execv(sys.executable, [sys.executable, "-m", "infinipot_cli", *sys.argv[1:]])
"""


def ended(words: list[str], program: list[str] | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(program or PROGRAM), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env=clean(**changes),
    )  # fmt: skip


def check(done: subprocess.CompletedProcess[str], exit_code: int, code: str, message: str, hint: str) -> None:
    """One line of what failed, one of what to do about it, and both in the one JSON document."""
    assert done.returncode == exit_code, done.stderr
    record = json.loads(done.stdout)
    assert set(record) == {"schema", "error"}
    said = record["error"]
    assert (said["code"], said["exit_code"]) == (code, exit_code)
    assert message in said["message"] and hint in said["hint"], said
    lines = [line for line in done.stderr.splitlines() if line.startswith(("error: ", "hint:  "))]
    wanted = [f"error: {said['message']}", f"hint:  {said['hint']}"] if said["hint"] else [f"error: {said['message']}"]
    assert lines == wanted and done.stderr.splitlines()[-len(wanted) :] == wanted, "the last line says what to do"
    assert "Traceback" not in done.stderr


def test_a_bug_is_1_and_says_what_it_is(story: Path) -> None:
    done = ended(["ask", str(story), "Who?", "--json"], [sys.executable, "-c", WITH_A_BUG])
    check(done, 1, "bug", "this is a bug in infinipot: KeyError: 'lost'", "--debug")


@pytest.fixture
def models(tmp_path: Path, tiny_model: Path) -> dict[str, str]:
    """What -m may name that is no model: cached without its weights, as gated ones are, or of a kind without a pot."""
    sha = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "models--acme--gated"
    (cached / "snapshots" / sha).mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(sha)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, cached / "snapshots" / sha / name)
    bloom = tmp_path / "bloom"
    shutil.copytree(tiny_model, bloom)
    config = json.loads((bloom / "config.json").read_text())
    (bloom / "config.json").write_text(
        json.dumps({**config, "model_type": "bloom", "architectures": ["BloomForCausalLM"]})
    )
    return {"gated": "acme/gated", "bloom": str(bloom)}


@pytest.mark.parametrize(
    ("model", "code", "message", "hint"),
    [
        ("gated", "no_weights", "holds no weights", "with its *.safetensors files"),
        ("bloom", "unsupported_model", "BLOOM has ALiBi instead of rotary positions", "such as Llama"),
    ],
)
def test_a_model_that_cannot_be_used_is_4_and_no_other_is_taken(
    model: str, code: str, message: str, hint: str, models: dict[str, str], story: Path, tmp_path: Path
) -> None:
    words = ["ask", str(story), "Who?", "-m", models[model], "--json"]
    check(ended(words, HF_HUB_CACHE=str(tmp_path / "hub")), 4, code, message, hint)


def test_an_attention_that_this_device_has_not_is_5(story: Path, tiny_model: Path, begun: list[str]) -> None:
    words = ["ask", str(story), "Who?", "-s", "400", "-m", str(tiny_model), "--attn", "flash", "--json"]
    message = "--attn flash cannot be used: it needs a CUDA device, not cpu"
    check(ended(words, begun, CUDA_VISIBLE_DEVICES=""), 5, "no_flash_attention", message, "--attn sdpa")


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [("cut", "damaged_pot", "is damaged"), ("other", "foreign_pot", "it cannot be used with other")],
)
def test_a_stored_pot_that_is_damaged_or_another_models_is_6(
    change: str, code: str, message: str, story: Path, tiny_model: Path, begun: list[str], tmp_path: Path
) -> None:
    pot = tmp_path / "story.pot"
    read = CliRunner().invoke(app, ["read", str(story), "--save-pot", str(pot), "-s", "400", "-m", str(tiny_model)])
    assert read.exit_code == 0, read.output
    words = ["ask", f"@{pot}", "Who?", "-n", "4", "--json"]
    if change == "cut":
        pot.write_bytes(pot.read_bytes()[:-100])
    else:
        save_tiny_model(tmp_path / "other", context_length=600)
        words += ["-m", str(tmp_path / "other")]
    before = pot.read_bytes()
    check(ended(words, begun), 6, code, message, "")
    assert pot.read_bytes() == before, "what was refused is left as it was"


@pytest.mark.parametrize(
    ("option", "missing", "hint", "locked"),
    [
        ("-o", "missing/x.pot cannot be written: there is no folder missing", "mkdir -p missing", "Permission denied"),
        ("--save-pot", "there is no folder missing", "mkdir -p missing", "locked cannot be written"),
    ],
)
def test_a_folder_that_is_missing_or_takes_no_file_is_7(
    option: str,
    missing: str,
    hint: str,
    locked: str,
    story: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("locked").mkdir(mode=0o500)
    words = ["ask", str(story), "Who?", "-s", "400", "-n", "4", "-m", str(tiny_model), "--json", option]
    check(ended([*words, "missing/x.pot"]), 7, "output_failed", missing, hint)
    done = ended([*words, "locked/x.pot"], [sys.executable, "-c", WITHOUT_PRIVILEGE])
    assert os.listdir("locked") == [] and not Path("missing").exists()
    if done.returncode == 77:
        pytest.skip("root cannot give up writing everywhere here")
    check(done, 7, "output_failed", locked, "name ")
