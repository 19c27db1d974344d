"""What help and README show can be typed as it stands: every example runs, on documents of the names it uses."""

import glob
import inspect
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from tests.commands.tree import command_at, commands_in, inside, program
from tests.documents.small_pdf import pdf

README = Path(__file__).parents[2] / "README.md"
TYPED = re.compile(r"(?:\w[^|]*\| )?infinipot \w.*")
# They want an editor, a network, minutes or another program.
ELSEWHERE = re.compile(
    r"infinipot (bench|templates edit|models (pull|rm|path|default|alias)|history|pots)|\$\(|\$EDITOR"
)
TEXT = "The treaty of 1902 failed. Anna signed it on 3 May. The sample size was 12. The pass key is 71432. "


def help_texts() -> list[str]:
    """The help of every command, of nested ones too."""
    found, waiting = [], [program()]
    while waiting:
        command = waiting.pop()
        found.append(command.help or "")
        waiting += inside(command).values()
    return found


def examples() -> list[str]:
    """Every line that begins a command, in the order in which they can be typed: what reads a pot comes last."""
    lines = [line.strip() for text in help_texts() for line in text.splitlines()]
    shown = [line.removeprefix("$ ") for line in README.read_text("utf-8").splitlines() if line.startswith("$ ")]
    typed = [re.split(r"\s{2,}#|\s#\s| > ", line)[0].strip() for line in [*lines, *shown]]
    kept = [line for line in dict.fromkeys(typed) if TYPED.fullmatch(line) and not ELSEWHERE.search(line)]
    return sorted(kept, key=lambda line: ("read book" not in line, "@" in line or "--pot " in line))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every document that the examples name."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("papers", "chapters"):
        (folder / name).mkdir()
    for name in ("book.txt", "notes.txt", "appendix.txt", "chapters/1.txt", "chapters/2.txt"):
        (folder / name).write_text(TEXT * 20)
    for name in ("book.pdf", "report.pdf", "appendix.pdf", "contract.pdf", "papers/a.pdf", "papers/b.pdf"):
        (folder / name).write_bytes(pdf(*[TEXT] * 3, *[f"Page {number}." for number in range(4, 206)]))
    for name in ("log.txt", "app.log"):
        lines = [f"2026-05-03 10:00:{n:02} {'ERROR' if n % 7 == 3 else 'INFO'} request {n}" for n in range(60)]
        (folder / name).write_text("\n".join(lines))
    (folder / "minutes.md").write_text("{document}\n\nList the decisions in {language}.\n")
    (folder / "list.txt").write_text("Who signed?\nWhen?\n")
    return folder


@pytest.mark.parametrize("line", examples())
def test_an_example_runs_as_it_stands(
    line: str, desk: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(desk)
    monkeypatch.setenv("INFINIPOT_HOME", str(desk / "home"))
    if not (desk / "Qwen3-0.6B").exists():
        (desk / "Qwen3-0.6B").symlink_to(tiny_model)
    # @book belongs to the tiny model, and its context is that of the tiny model whatever an example's -s says
    monkeypatch.setenv("INFINIPOT_MODEL", str(tiny_model))
    before, _, command = line.rpartition("| ")
    stdin = (desk / "log.txt").read_bytes() if before.startswith(("cat", "journalctl")) else None
    if before.startswith("find"):
        stdin = b"".join(path.encode() + b"\0" for path in glob.glob("*.txt"))
    words = [
        name
        for word in shlex.split(command)[1:]
        for name in (glob.glob(word) if re.search(r"^[^ ?]*\*", word) else [word])
    ]
    words = ["512" if word == "4k" else word for word in words]
    result = CliRunner().invoke(app, words, input=stdin or b"Who?\n")
    assert result.exit_code == 0, result.output
    assert "Traceback" not in result.output and not result.stderr.startswith("error:")
    assert "\x1b" not in result.output
    output = words[words.index("-o") + 1] if "-o" in words else ""
    assert result.stdout.strip() or (output and (desk / output).stat().st_size) or "read" in words or "--html" in words


@pytest.mark.parametrize("words", list(commands_in(program())), ids=" ".join)
def test_help_reads_as_it_was_written(words: tuple[str, ...]) -> None:
    """No braces, no brackets taken for markup, and no line that ends before it is full."""
    command = command_at(words)
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"}).stdout
    usage, *prose = [line.strip() for line in shown.partition("╭─")[0].strip().splitlines()]
    assert "{" not in usage and "[[" not in usage
    docstring = inspect.cleandoc(inspect.unwrap(command.callback).__doc__ or "")
    assert " ".join(docstring.split()) in " ".join(shown.split())
    for line, following in pairwise(prose):
        if TYPED.fullmatch(line) and TYPED.fullmatch(following):
            continue
        assert not (line and following) or len(line) + len(following.split()[0]) >= 77, line


def test_there_are_examples_of_every_command() -> None:
    commands = {shlex.split(line.rpartition("| ")[2])[1] for line in examples()}
    assert {"ask", "summarize", "read", "chat", "info", "explain", "doctor", "schema", "templates"} <= commands
