"""Mistakes: one clear line, a hint where there is one, the right code, and never a traceback."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfWriter
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.display.console import Console, error_console
from infinipot_cli.errors import DeviceError, DocumentError, ModelError, OutputError, PotError, UsageError
from infinipot_cli.settings import Color


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture
def mistakes(tmp_path: Path, tiny_model: Path, model_with_code: Path) -> dict[str, tuple[list[str], int, str]]:
    """Name of a mistake → (words, exit code, part of the message)."""
    text, empty, blank, binary = (tmp_path / name for name in ("text.txt", "empty.txt", "blank.txt", "x.bin"))
    text.write_text("Some text. " * 200)
    empty.touch()
    blank.write_text(" \n\n ")
    binary.write_bytes(bytes(range(256)) * 50)
    gettext = tmp_path / "messages.pot"
    gettext.write_text('msgid "one"\nmsgstr "eins"\n')
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text("{}")
    locked, scan = tmp_path / "locked.pdf", tmp_path / "scan.pdf"
    writer = PdfWriter()
    writer.add_blank_page(width=200, height=200)
    writer.write(scan)
    writer.encrypt("secret", algorithm="AES-256")
    writer.write(locked)
    minutes = tmp_path / "minutes.md"
    minutes.write_text("{document}\nList the decisions.")
    ask = ["ask", str(text), "who?"]
    model = ["-m", str(tiny_model)]
    return {
        "missing file": (["ask", "missing.txt", "who?"], 3, "missing.txt does not exist"),
        "folder without documents": (["ask", str(bare), "who?", "--ignore", "*"], 3, "holds no documents"),
        "glob without documents": (["ask", str(tmp_path / "*.odt"), "who?"], 3, "no document matches"),
        "no such ending": (["ask", str(tmp_path), "who?", "-e", "pdf,"], 2, "no list of endings"),
        "no name": (["ask", "", "who?"], 3, "the name of the document is empty"),
        "template without a question": (["ask", str(text), "who?", "-t", str(minutes)], 2, "has no {question}"),
        "empty file": (["ask", str(empty), "who?"], 3, "is empty"),
        "blank file": (["ask", str(blank), "who?"], 3, "nothing but blank space"),
        "binary file": (["ask", str(binary), "who?"], 3, "looks binary"),
        "encrypted PDF": (["ask", str(locked), "who?"], 3, "password"),
        "PDF without text": (["ask", str(scan), "who?"], 3, "text"),
        "empty pipe": (["ask", "-", "who?"], 3, "standard input is empty"),
        "empty question": (["ask", str(text), " "], 2, "the question is empty"),
        "unknown model": ([*ask, "-m", "nonsense"], 4, "'nonsense' is not on this machine"),
        "folder without a model": ([*ask, "-m", str(tmp_path)], 4, "there is no config.json"),
        "folder without weights": ([*ask, "-m", str(bare)], 4, "holds no weights"),
        "pot smaller than the prompt": ([*ask, *model, "-s", "10"], 2, "smaller than the prompt"),
        "pot a little too small": ([*ask, *model, "-s", "40"], 2, "smaller than the prompt"),
        "pot too large": ([*ask, *model, "-s", "10000000"], 2, "512 tokens that tiny-llama was trained for"),
        "question too long": (["ask", str(text), "who? " * 100, *model], 2, "the question takes"),
        "answer too long": ([*ask, *model, "-n", "5000", "--policy", "truncation"], 2, "5000 for the answer"),
        "budget too large": ([*ask, *model, "-s", "256", "--budget", "250"], 2, "budget 250"),
        "no such size": ([*ask, "-s", "large"], 2, "'large' is not a size"),
        "no such encoding": ([*ask, "--encoding", "utf-99"], 2, "'utf-99' is no encoding"),
        "no such type": ([*ask, "--type", "docs"], 2, "'docs' is no type of document"),
        "no such word": ([*ask, "--attn", "flesh"], 2, "Invalid value for '--attn': 'flesh' is not one of 'auto'"),
        "no such number format": ([*ask, "--dtype", "float7"], 2, "there is no number format 'float7'"),
        "no number": ([*ask, "--temperature", "hot"], 2, "Invalid value for '--temperature': a number is wanted"),
        "no whole number": ([*ask, "--seed", "x"], 2, "Invalid value for '--seed': a whole number is wanted"),
        "no such command": (["aks", str(text)], 2, "Did you mean 'ask'"),
        "no such option": ([*ask, "--jsn"], 2, "--json"),
        "no source": (["ask", "who?"], 3, "standard input is empty"),
        "needle without a book": (["bench", "needle", *model], 2, "--book"),
        "no such device": ([*ask, *model, "--device", "cpu", "--attn", "flash", "-q"], 5, "needs a CUDA device"),
        "endless zeros": (["ask", "/dev/zero", "who?", *model], 3, "/dev/zero looks binary"),
        "answer into a device": ([*ask, *model, "-o", "/dev/full"], 7, "/dev/full is no regular file"),
        "report into a device": ([*ask, *model, "--html", "/dev/full"], 7, "/dev/full is no regular file"),
        "report into no folder": ([*ask, *model, "--html", str(tmp_path / "no" / "x")], 7, "no/x"),
        "code of its own": ([*ask, "-m", str(model_with_code), "-q"], 4, "coded needs code from its own folder to run"),
        "no such pot": (["ask", "@nowhere", "who?", *model], 6, "there is no pot @nowhere"),
        "answer over the report": ([*ask, *model, "-o", "x.out", "--html", "./x.out"], 2, "-o and --html both name"),
        "pot over the answer": (
            [*ask, *model, "-o", "x.pot", "--save-pot", "./x.pot"],
            2,
            "-o and --save-pot both name",
        ),
        "pot over another file": ([*ask, *model, "--save-pot", str(gettext)], 7, "messages.pot is there and is no pot"),
        "no such folder to write to": ([*ask, *model, "-o", str(tmp_path / "no" / "x")], 7, "no/x"),
    }


NAMES = [
    "missing file",
    "folder without documents",
    "glob without documents",
    "no such ending",
    "no name",
    "template without a question",
    "empty file",
    "blank file",
    "binary file",
    "encrypted PDF",
    "PDF without text",
    "empty pipe",
    "empty question",
    "unknown model",
    "folder without a model",
    "folder without weights",
    "pot smaller than the prompt",
    "pot a little too small",
    "pot too large",
    "question too long",
    "answer too long",
    "budget too large",
    "no such size",
    "no such encoding",
    "no such type",
    "no such word",
    "no such number format",
    "no number",
    "no whole number",
    "no such command",
    "no such option",
    "no source",
    "needle without a book",
    "no such device",
    "endless zeros",
    "answer into a device",
    "report into a device",
    "report into no folder",
    "code of its own",
    "no such pot",
    "answer over the report",
    "pot over the answer",
    "pot over another file",
    "no such folder to write to",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_one_line_and_a_code(mistakes: dict[str, tuple[list[str], int, str]], name: str) -> None:
    words, code, message = mistakes[name]
    result = run(*words)
    assert result.exit_code == code
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert all(line.startswith("hint:  ") for line in lines[1:])
    assert len(lines) <= 2


def test_every_mistake_is_tried(mistakes: dict[str, tuple[list[str], int, str]]) -> None:
    assert list(mistakes) == NAMES


JSON_NAMES = [
    "missing file",
    "empty question",
    "unknown model",
    "pot too large",
    "no such size",
    "no such option",
    "no such command",
    "no number",
    "no such pot",
    "no such device",
    "no such folder to write to",
    "report into a device",
]


@pytest.mark.parametrize("name", JSON_NAMES)
def test_with_json_a_mistake_is_one_json_document(mistakes: dict[str, tuple[list[str], int, str]], name: str) -> None:
    words, code, message = mistakes[name]
    for order in ([*words, "--json"], [words[0], "--json", *words[1:]]):
        result = run(*order)
        error = json.loads(result.stdout)["error"]
        assert (result.exit_code, error["exit_code"]) == (code, code)
        assert message in error["message"]
        assert error["code"]


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (UsageError("x"), 2),
        (DocumentError("x"), 3),
        (ModelError("x"), 4),
        (DeviceError("x"), 5),
        (PotError("x"), 6),
        (OutputError("x"), 7),
        (MemoryError(), 5),
        (RecursionError(), 1),
        (OSError(28, "No space left on device"), 7),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
        (ZeroDivisionError("oops"), 1),
    ],
    ids=repr,
)
def test_what_is_raised_becomes_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, story: Path, raised: BaseException, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("infinipot_cli.session.Session.prepare", fail)
    result = run("ask", str(story), "who?")
    assert result.exit_code == code
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) <= 2
    for option in ("--json", "--jsonl"):
        told = run("ask", str(story), "who?", option)
        assert told.exit_code == code
        if isinstance(raised, OSError):  # standard output takes nothing, or nobody is there any more
            assert told.stdout == ""
        else:
            (document,) = told.stdout.splitlines() if option == "--jsonl" else [told.stdout]
            assert json.loads(document)["error"]["exit_code"] == code


def test_a_bug_says_that_it_is_one_and_shows_itself_under_debug(monkeypatch: pytest.MonkeyPatch, story: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("infinipot_cli.session.Session.prepare", fail)
    assert "this is a bug in infinipot: ZeroDivisionError: oops" in run("ask", str(story), "who?").stderr
    shown = run("ask", str(story), "who?", "--debug")
    assert "Traceback" in shown.stderr
    assert shown.exit_code == 1


def test_a_name_that_acts_on_a_terminal_is_disarmed() -> None:
    result = run("ask", "a\x1b]0;owned\x07\nb.txt", "who?")
    assert "\x1b" not in result.output
    assert len(result.stderr.splitlines()) == 2
    assert "\x1b" not in run("ask", "x", "q", "--color", "\x1b[31m").output


def test_a_gpt2_is_refused_with_the_reason(tmp_path: Path, story: Path, tiny_model: Path) -> None:
    import shutil

    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path / "gpt2"
    shutil.copytree(tiny_model, folder)
    config = GPT2Config(vocab_size=300, n_positions=256, n_embd=16, n_layer=1, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(folder)
    result = run("ask", str(story), "who?", "-m", str(folder), "-n", "20")
    assert result.exit_code == 4
    assert "Traceback" not in result.output
    assert result.stderr.splitlines()[-2 if "hint:" in result.stderr else -1].startswith("error: ")


def test_the_standard_streams_may_be_closed(story: Path) -> None:
    for closed in ("<&-", ">&-", "2>&-"):
        command = f'"{sys.executable}" -m infinipot_cli ask missing.txt "who?" {closed}'
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == (7 if closed == ">&-" else 3), closed
        assert "Traceback" not in done.stdout + done.stderr


def test_an_error_that_nobody_reads_ends_as_it_would() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "infinipot_cli", "ask", "missing.txt", "who?", "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=writer, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, json.loads(done.stdout)["error"]["exit_code"]) == (3, 3)


@pytest.mark.parametrize(
    "words", [["ask", "missing.txt", "who?"], ["ask", "x", "who?", "--nosuch"], ["pots", "show", "x"]]
)
def test_errors_on_a_terminal_are_as_plain_as_is_wanted(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path))
    wanted: list[tuple[Color, bool]] = []

    def noted(color: Color = Color.AUTO, *, quiet: bool = False, plain: bool = False) -> Console:
        wanted.append((color, plain))
        return error_console(color, quiet=quiet, plain=plain)

    monkeypatch.setattr("infinipot_cli.display.console.error_console", noted)
    run(*words)
    assert wanted[-1] == (Color.AUTO, False)
    run(*words, "--plain")
    assert wanted[-1] == (Color.AUTO, True)
    (tmp_path / "config.toml").write_text('[output]\ncolor = "never"\n')
    run(*words)
    assert wanted[-1] == (Color.NEVER, False)


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["--nope"], "infinipot"),
        (["--nope", "ask", "x", "y"], "infinipot"),
        (["aks"], "infinipot"),
        (["pots", "--nope"], "infinipot pots"),
        (["pots", "import", "a", "b"], "infinipot pots import"),
        (["ask", "--jsno", "x", "y"], "infinipot ask"),
    ],
)
def test_a_wrong_word_is_two_lines_that_name_the_help_to_look_at(words: list[str], where: str) -> None:
    done = CliRunner().invoke(app, words, prog_name="infinipot")
    assert done.exit_code == 2 and not done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and lines[0].startswith("error: "), done.stderr
    assert lines[1] == f"hint:  {where} --help lists what there is"


def test_a_command_without_words_shows_its_help_and_no_empty_error() -> None:
    result = CliRunner().invoke(app, ["ask"])
    assert result.exit_code == 2
    assert "Usage: infinipot ask" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["ask", "-h"], ["schema"]])
def test_a_reader_that_went_away_ends_help_and_version_quietly(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "infinipot_cli", *words]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_output_is_utf8_whatever_the_locale_says(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "INFINIPOT_HOME": str(tmp_path)}

    def run_there(*words: str) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-m", "infinipot_cli", *words]
        return subprocess.run(command, capture_output=True, env=environment, cwd=tmp_path, check=False)

    shown = run_there("help", "manual")
    assert shown.returncode == 0, shown.stderr
    assert "≥" in shown.stdout.decode("utf-8")
    refused = run_there("ask", "договор.txt", "Кто?", "--json")
    assert refused.returncode == 3, refused.stderr
    assert "договор.txt" in json.loads(refused.stdout.decode("utf-8"))["error"]["message"]


def test_the_script_of_completion_is_printed() -> None:
    # a shell is told from the parents of a process, of which there may be none
    line = f"{shlex.quote(sys.executable)} -m infinipot_cli --show-completion; exit $?"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False)
    assert (done.returncode, b"_INFINIPOT_COMPLETE" in done.stdout) == (0, True)


def test_code_of_a_model_runs_only_when_it_is_trusted(
    story: Path, tiny_model: Path, model_with_code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    words = ["ask", str(story), "Who?", "-s", "400", "-n", "8", "--no-log", "--no-cache"]
    plain = run(*words, "-m", str(tiny_model))
    assert run(*words, "-m", str(model_with_code)).exit_code == 4
    assert not (model_with_code / "ran").exists()
    trusted = run(*words, "-m", str(model_with_code), "--trust-remote-code")
    assert trusted.exit_code == 0, trusted.stderr
    assert (model_with_code / "ran").exists() and trusted.stdout == plain.stdout


@pytest.mark.parametrize("words", [["ask", "x.txt", "Who is it?"], ["pots", "list"], ["history", "list"]])
def test_settings_that_are_broken_are_said_in_json_where_that_was_asked_for(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text("[model\n")
    result = run(*words, "--json")
    said = json.loads(result.stdout)["error"]
    assert (result.exit_code, said["exit_code"], said["code"]) == (2, 2, "config")
    assert json.loads(run("x.txt", "--json").stdout)["error"]["exit_code"] == 2
    (tmp_path / "config.toml").write_text("model = 3\n")
    assert "model in" in run(*words).stderr and "must be a table" in " ".join(run(*words).stderr.split())
