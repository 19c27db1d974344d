"""The README is true: its commands are lines one can paste, and what it names exists."""

import re
import shlex
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infinipot_cli import errors
from infinipot_cli.app import BROKEN_PIPE, app
from infinipot_cli.endings import INTERRUPTED, Terminated

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SH_BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.S | re.M)
COMMANDS = [
    shlex.split(command, comments=True)[1:]
    for command in re.findall(
        r"\binfinipot (?:ask|summarize|bench)[^|`\n]*", "\n".join(re.findall(r"```.*?```", README, re.S))
    )
]


def test_the_first_two_blocks_are_one_command_line_each() -> None:
    assert len(SH_BLOCKS) == 2
    assert [block.strip().count("\n") for block in SH_BLOCKS] == [0, 0]
    assert "tests/data/treasure-island.txt | infinipot ask" in SH_BLOCKS[0]
    assert "pytest" in SH_BLOCKS[1]


def test_links_into_the_repository_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_document_of_the_first_command_ships() -> None:
    (name,) = re.findall(r"tests/data/\S+", SH_BLOCKS[0])
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:40])
def test_options_of_the_commands_exist(words: list[str]) -> None:
    verbs = words[:2] if words[0] == "bench" else words[:1]
    shown = CliRunner().invoke(app, [*verbs, "--help"], env={"COLUMNS": "200"}).stdout
    for word in words:
        if re.match(r"--?[a-z]", word):
            assert re.search(rf"(?<!\S){word}(?!\S)", shown), word


def test_every_exit_code_is_listed() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.InfinipotError]
    codes = {kind.exit_code for kind in kinds} | {BROKEN_PIPE, INTERRUPTED, Terminated(signal.SIGTERM).exit_code}
    promised = re.search(r"an exit code: (.*?)\.$", README, re.S | re.M)
    assert promised and {int(code) for code in re.findall(r"\d+", promised[1])} == codes
    listed = re.search(r"codes: (.*?)\. ", app.info.epilog or "")
    assert listed and {int(code) for code in re.findall(r"\d+", listed[1])} == codes | {0}
