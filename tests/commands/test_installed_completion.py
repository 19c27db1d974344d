"""`--install-completion` as a shell would have it: in a home of its own, and asked by pressing Tab."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.terminals import Terminal
from tests.commands.test_environments import clean

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="bash is not installed")

FILES = {
    "bash": ".bash_completions/infinipot.sh",
    "zsh": ".zfunc/_infinipot",
    "fish": ".config/fish/completions/infinipot.fish",
}
BEGINS = {"bash": "_infinipot_completion() {", "zsh": "#compdef infinipot\n", "fish": "complete --command infinipot "}
SETTINGS = {"bash": ".bashrc", "zsh": ".zshrc"}


def asked_in(shell: str, home: Path, *words: str) -> str:
    """What the program prints when a shell of this name has started it, which it tells from its parents."""
    named = home / "bin" / shell
    named.parent.mkdir(exist_ok=True)
    named.unlink(missing_ok=True)
    named.symlink_to(BASH or "")
    line = f"{shlex.join([sys.executable, '-m', 'infinipot_cli', *words])}; exit $?"
    environment = clean(HOME=str(home), XDG_CONFIG_HOME=None, INFINIPOT_HOME=str(home / "none"))
    done = subprocess.run([named, "-c", line], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("shell", FILES)
def test_the_script_is_put_where_the_shell_looks_and_nowhere_else(shell: str, tmp_path: Path) -> None:
    settings = tmp_path / SETTINGS.get(shell, "none")
    if shell in SETTINGS:
        settings.write_text("alias ours=true\n")
    assert f"{shell} completion installed in {tmp_path / FILES[shell]}" in asked_in(
        shell, tmp_path, "--install-completion"
    )
    script = (tmp_path / FILES[shell]).read_text()
    assert script.startswith(BEGINS[shell]) and f"_INFINIPOT_COMPLETE=complete_{shell}" in script
    assert asked_in(shell, tmp_path, "--show-completion").strip() == script.strip()
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {FILES[shell], f"bin/{shell}", *([SETTINGS[shell]] if shell in SETTINGS else [])}
    if shell in SETTINGS:
        assert settings.read_text().startswith("alias ours=true\n"), "what was set before is set still"
    if program := shutil.which(shell):
        files = [tmp_path / FILES[shell], *([settings] if shell in SETTINGS else [])]
        checked = [subprocess.run([program, "-n", path], capture_output=True, check=True) for path in files]
        assert [one.stderr for one in checked] == [b""] * len(files)


def test_tab_in_a_bash_that_was_started_anew_completes_a_command_and_a_pot(tmp_path: Path) -> None:
    asked_in("bash", tmp_path, "--install-completion")
    asked_in("bash", tmp_path, "--install-completion")
    lines = [line for line in (tmp_path / ".bashrc").read_text().splitlines() if line]
    assert len(lines) == 1 and FILES["bash"] in lines[0], "the second time changes nothing"
    program = tmp_path / "bin" / "infinipot"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m infinipot_cli "$@"\n')
    program.chmod(0o755)
    (tmp_path / "home" / "pots").mkdir(parents=True)
    (tmp_path / "home" / "pots" / "treaties.pot").write_bytes(b"")
    environment = clean(
        HOME=str(tmp_path), INFINIPOT_HOME=str(tmp_path / "home"), HISTFILE=os.devnull, INPUTRC=os.devnull,
        PATH=f"{program.parent}:{os.environ['PATH']}",
    )  # fmt: skip
    with Terminal([BASH or "", "--noprofile", "-i"], environment, columns=200) as terminal:
        place = terminal.wait_for(r"[>#$] ")
        terminal.type("infinipot summ\t")
        place = terminal.wait_for("summarize ", place)
        terminal.type("@trea\t")
        terminal.wait_for("@treaties", place)
        terminal.type("\x15exit\r")
        terminal.end()
    assert not re.search("Traceback|command not found", terminal.shown)
