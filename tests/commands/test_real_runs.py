"""Rows of the contract that only a process of its own can show: its terminal, its pipes, and the next process."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from tests.commands.terminals import shown_on
from tests.commands.test_environments import ESCAPE, clean
from tests.commands.test_process import on_a_terminal

PROGRAM = [sys.executable, "-m", "infinipot_cli"]
SMALL = ["-s", "400", "-n", "20"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def done(
    *words: str, stdin: bytes = b"", program: list[str] = PROGRAM, **changes: str | None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*program, *words], input=stdin, capture_output=True, check=False, env=clean(**changes))


def here(*words: str) -> str:
    """What a command says that runs in this process, which has imported everything."""
    ended = CliRunner().invoke(app, list(words))
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def on_a_keyboard(*words: str) -> tuple[int, str]:
    """Run where standard input is a terminal at which nobody types."""
    ours, theirs = pty.openpty()
    try:
        ended = subprocess.run([*PROGRAM, *words], stdin=theirs, capture_output=True, text=True, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.stdout == ""
    return ended.returncode, ended.stderr.splitlines()[0]


@pytest.mark.parametrize("words", [["--help"], ["ask", "-h"], ["aks"]])
def test_a_log_of_ci_is_given_no_colour_unless_it_is_forced(words: list[str]) -> None:
    for changes in ({"GITHUB_ACTIONS": "true"}, {"FORCE_COLOR": "0"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        ended = done(*words, **changes)
        assert ESCAPE.encode() not in ended.stdout + ended.stderr, changes
    forced = done(*words, FORCE_COLOR="1", NO_COLOR=None)
    assert ESCAPE.encode() in forced.stdout + forced.stderr


def test_what_a_word_means_depends_on_what_stands_at_standard_input(story: Path) -> None:
    name = str(story)
    assert on_a_keyboard("ask", name) == (2, f"error: there is no question about {name}")
    assert on_a_keyboard("ask", "Who?") == (2, "error: there is nothing to read: give a document before the question")
    assert on_a_keyboard("summarize") == (2, "error: there is nothing to read")
    assert on_a_keyboard("ask", "missing.txt", "Who?") == (3, "error: missing.txt does not exist")
    piped = done("ask", name, stdin=b"text")
    assert piped.returncode == 2
    assert f"{name} is a file and standard input is not a terminal: give the question last" in piped.stderr.decode()
    twice = done("ask", "-", "-", "Who?", stdin=b"text")
    assert (twice.returncode, b"only once" in twice.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "n_bytes"),
    [
        ("naïve façade €".encode(), len("naïve façade €".encode())),
        ("naïve €".encode("utf-16"), len("naïve €".encode())),
        (b"na\xefve fa\xe7ade, d\xe9j\xe0 vu \x96 encore", len("naïve façade, déjà vu – encore".encode())),
        (b"text" + bytes(20), None),
    ],
)
def test_a_pipe_that_comes_byte_by_byte_is_read_as_what_it_is(
    data: bytes, n_bytes: int | None, tiny_model: Path
) -> None:
    words = [*PROGRAM, "info", "-", "-m", str(tiny_model), "--json"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        for byte in data:
            child.stdin.write(bytes([byte]))
            child.stdin.flush()
            time.sleep(0.005)
        child.stdin.close()
        record, said = json.load(child.stdout), child.stderr.read()
        code = child.wait(timeout=60)
    if n_bytes is None:
        assert (code, record["error"]["code"]) == (3, "binary"), said
    else:
        assert (code, record["tokens"]) == (0, n_bytes), said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["{story}", "Who?"], 0),
        (["{story}", "Who?", "--nope"], 2),
        (["{story}.missing", "Who?"], 3),
        (["{story}", "Who?", "-m", "acme/none"], 4),
        (["{story}", "Who?", "--device", "cuda:99"], 5),
        (["@none", "Who?"], 6),
        (["{story}", "Who?", "-o", "{story}/x"], 7),
    ],
)
def test_a_script_can_tell_what_went_wrong(
    words: list[str], code: int, story: Path, tiny_model: Path, begun: list[str]
) -> None:
    words = ["ask", "-m", str(tiny_model), *SMALL, *(word.format(story=story) for word in words)]
    plain, told = done(*words), done(*words, "--json", program=begun)
    assert (plain.returncode, told.returncode) == (code, code), plain.stderr
    assert b"Traceback" not in plain.stderr + told.stderr
    record = json.loads(told.stdout)
    assert record["error"]["exit_code"] == code if code else record["answer"].encode() + b"\n" == plain.stdout
    assert b"error: " in plain.stderr if code else plain.stdout


@pytest.mark.slow
def test_a_line_of_json_is_there_before_the_next_document_is(story: Path, tiny_model: Path, begun: list[str]) -> None:
    words = [*begun, "ask", str(story), "-", "-Q", "Who?", *SMALL, "-m", str(tiny_model), "--jsonl", "-q"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        assert select.select([child.stdout], [], [], 60)[0], "standard input is open still"
        assert json.loads(child.stdout.readline())["input"][0]["path"] == str(story)
        child.stdin.write(b"Another story.")
        child.stdin.close()
        assert json.loads(child.stdout.readline())["input"][0]["tokens"] == len("Another story.")
        assert child.wait(timeout=60) == 0


@pytest.mark.slow
def test_ctrl_c_ends_an_answer_and_gives_the_cursor_back(
    story: Path, endless_model: Path, begun: list[str], home: Path
) -> None:
    words = [*begun, "ask", str(story), "Who?", "-s", "400", "-n", "100000", "-m", str(endless_model)]
    ours, theirs = pty.openpty()
    child = subprocess.Popen(words, stdin=theirs, stdout=-1, stderr=theirs)
    assert child.stdout is not None
    first = os.read(child.stdout.fileno(), 10)
    child.send_signal(signal.SIGINT)
    sent = time.monotonic()
    rest = child.stdout.read()
    code = child.wait(timeout=30)
    child.stdout.close()
    shown = os.read(ours, 65536).decode()
    assert time.monotonic() - sent < 10
    os.close(theirs)
    os.close(ours)
    assert first and "Traceback" not in shown
    assert code == 130
    assert (first + rest).endswith(b"\n")
    assert re.search(r"stopped at \d+ tokens? of the answer", shown)
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.mark.slow
def test_the_next_process_goes_on_and_answers_alike(
    story: Path, tiny_model: Path, begun: list[str], home: Path, tmp_path: Path
) -> None:
    """A reading is stopped, taken up by a second process, and its pot asked by a third."""
    long = tmp_path / "long.txt"
    long.write_text(story.read_text() * 10)
    words = [*PROGRAM, "ask", str(long), "Who?", *SMALL, "-m", str(tiny_model)]
    code, shown = on_a_terminal(words, stop_at="[1-9] %")
    assert code == 130, shown
    assert "the rest: infinipot ask --resume" in shown
    rest: dict[str, Any] = json.loads(done("ask", "--resume", "-n", "20", "--json", "-q", program=begun).stdout)
    assert rest["retention"]["read"] >= long.stat().st_size
    asked = ["ask", str(story), "Who?", *SMALL, "-m", str(tiny_model)]
    direct = done(*asked, "--save-pot", "kept", "-q", program=begun)
    later = done("ask", "@kept", "Who?", "-n", "20", "-q")
    assert (later.returncode, later.stdout) == (0, direct.stdout) and later.stdout.strip()


@pytest.mark.slow
def test_a_long_report_goes_to_less_and_a_terminal_is_never_acted_upon(
    story: Path, tiny_model: Path, begun: list[str], tmp_path: Path
) -> None:
    (tmp_path / "less").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/flags\ncat\n')
    (tmp_path / "less").chmod(0o755)
    evil = "[p. 203] array[i] [/foo] [red]x \x1b]0;owned\x07\x1b[2J end"
    patched = (
        "import sys\nfrom infinipot_cli.reading import Reading\nfrom infinipot_cli.__main__ import main\n"
        "plain = Reading.answer\n"
        "def answer(self, *a, **k):\n"
        f"    list(plain(self, *a, **k))\n    yield {evil!r}\n"
        "Reading.answer = answer\n"
        f"sys.argv += [{str(story)!r}, 'Who?', '-m', {str(tiny_model)!r}, *{SMALL!r}]\n"
        "main()\n"
    )
    environment = clean(PAGER=None, PATH=f"{tmp_path}:{os.environ['PATH']}", TERM="xterm-256color", LINES="10")
    flags = tmp_path / "flags"
    for words, is_paged in ((["ask"], False), (["explain", "--no-pager"], False), (["explain"], True)):
        screen = on_a_screen([*begun, "-c", patched, *words], environment)
        assert "[p. 203] array[i] [/foo] [red]x " in screen
        assert "\x1b]0;" not in screen and "\x07" not in screen and "\x1b[2J" not in screen
        assert ("attended most" in screen) == ("explain" in words)
        assert flags.exists() == is_paged
    assert flags.read_text() == "-FIRX\n"


def on_a_screen(words: list[str], environment: dict[str, str]) -> str:
    """Run with all three streams on one terminal; returns what it showed."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = shown_on(ours)
    assert child.wait(timeout=60) == 0, shown
    return shown.decode()


MEETING = """
import os, sys, time
from pathlib import Path
from infinipot_cli.pots import replacing
meeting = Path(sys.argv.pop(1))
class System:
    def __getattr__(self, name):
        return getattr(os, name)
    def replace(self, *paths):
        (meeting / str(os.getpid())).touch()
        end = time.monotonic() + 60
        while len(list(meeting.iterdir())) < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
        os.replace(*paths)
replacing.os = System()
from infinipot_cli.__main__ import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--save-pot", "--pot"])
def test_of_two_processes_that_write_one_pot_at_once_one_wins_whole(
    flag: str, story: Path, tiny_model: Path, begun: list[str], home: Path, tmp_path: Path
) -> None:
    """Both have written their pot beside the old one before either gives it the name, or one is refused at once."""
    small = ["-s", "400", "-m", str(tiny_model)]
    told = {}
    earlier = []
    if flag == "--pot":
        assert here("read", str(story), "--save-pot", "ours", *small) == ""
        earlier = [str(story)]
    for name, text in (("one", "The wind rose. "), ("two", "The rain fell. ")):
        path = tmp_path / f"{name}.txt"
        path.write_text(text * 60)
        if earlier:
            (home / "pots" / f"{name}.pot").write_bytes((home / "pots" / "ours.pot").read_bytes())
        assert here("read", str(path), flag, name, *small) == ""
        told[str(path)] = here("ask", f"@{name}", "Who?", "-n", "20")
    (tmp_path / "meeting").mkdir()
    if flag == "--pot":  # the other does not come
        (tmp_path / "meeting" / "nobody").touch()
    program = [*begun, "-c", MEETING, str(tmp_path / "meeting"), "read"]
    writers = [
        subprocess.Popen(
            [*program, path, flag, "ours", *small, "-q"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean()
        )
        for path in told
    ]
    said = [writer.communicate(timeout=100)[1] for writer in writers]
    codes = [writer.returncode for writer in writers]
    if flag == "--save-pot":
        assert (codes, said) == ([0, 0], [b"", b""])
    else:  # the later one would write over what the earlier has read
        assert sorted(codes) == [0, 6] and b"is being read into by another process" in b"".join(said)
    listed = json.loads(here("pots", "list", "--json"))["rows"]
    assert {row["name"]: row["state"] for row in listed} == {"@ours": "ok", "@one": "ok", "@two": "ok"}
    pot = json.loads(here("pots", "show", "@ours", "--json"))["pot"]
    *before, winner = (source["name"] for source in pot["sources"])
    assert before == earlier and winner in told
    assert here("ask", "@ours", "Who?", "-n", "20") == told[winner]
    assert [path.name for path in (home / "pots").iterdir() if path.suffix != ".pot"] == []
