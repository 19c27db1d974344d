"""`infinipot help` says what `--help` says, and the manual is the README."""

import os
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.display import manual as manual_module
from infinipot_cli.display.manual import manual, show_manual
from infinipot_cli.errors import UsageError
from tests.commands.terminals import Terminal
from tests.commands.tree import commands_in, program

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
WIDE = {"COLUMNS": "80", "INFINIPOT_HOME": os.devnull}


@pytest.mark.parametrize("words", [(), ("pots",), *commands_in(program())], ids=" ".join)
def test_help_of_a_command_is_what_its_flag_prints(words: tuple[str, ...]) -> None:
    asked, flagged = (CliRunner().invoke(app, line, env=WIDE) for line in (["help", *words], [*words, "--help"]))
    assert asked.exit_code == flagged.exit_code == 0
    assert asked.stdout == flagged.stdout
    assert f"Usage: {' '.join(['infinipot', *words])} " in asked.stdout


@pytest.mark.parametrize(
    ("words", "named"), [(["aks"], "'ask'"), (["pots", "shwo"], "'show'"), (["manul"], "No such command 'manul'")]
)
def test_help_of_no_command_says_what_was_meant(words: list[str], named: str) -> None:
    done = CliRunner().invoke(app, ["help", *words], env=WIDE)
    assert done.exit_code == 2
    assert not done.stdout
    assert named in done.stderr
    assert done.stderr.count("error:") == 1


def test_help_needs_no_settings(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[[[")
    done = CliRunner().invoke(app, ["help", "ask"], env={"INFINIPOT_HOME": str(tmp_path)})
    assert done.exit_code == 0, done.output


def test_the_manual_in_a_pipe_is_the_readme(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(manual_module, "manual", lambda: README)
    show_manual()
    assert capsys.readouterr().out.strip() == README.strip()


def test_an_installation_brings_the_manual_along() -> None:
    assert manual().startswith("# infinipot\n")
    assert "## Try it" in manual()


def test_a_copy_that_was_never_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(manual_module, "metadata", missing)
    with pytest.raises(UsageError, match="comes with an installation") as caught:
        manual()
    assert "README.md" in caught.value.hint


def test_the_manual_on_a_terminal_is_laid_out(tmp_path: Path) -> None:
    environment = {**os.environ, "INFINIPOT_HOME": str(tmp_path), "PAGER": "cat", "NO_COLOR": "1"}
    environment["PYTHONIOENCODING"] = "ascii"  # what it has not is shown as an escape
    with Terminal([sys.executable, "-m", "infinipot_cli", "help", "manual"], environment, rows=2000) as terminal:
        assert terminal.end() == 0
    shown = terminal.shown
    assert "Try it" in shown
    assert not any(mark in shown for mark in ("## ", "**", "```", "](", "screen-ask.svg", "(#"))
