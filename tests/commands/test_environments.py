"""The same answer whatever the terminal, the locale and the folders are like; real processes.

The first run is the program from its beginning, and so are those with another locale or other folders; the others have
begun already, and their answers must equal the first.
"""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "infinipot_cli"]
SMALL = ["-s", "400", "-n", "20"]
ESCAPE = "\x1b"


@pytest.fixture
def asked(tiny_model: Path, story: Path) -> list[str]:
    return ["ask", str(story), "Who?", *SMALL, "-m", str(tiny_model), "--no-cite"]


@pytest.fixture
def words(asked: list[str]) -> list[str]:
    return [*PROGRAM, *asked]


@pytest.fixture
def sooner(asked: list[str], begun: list[str]) -> list[str]:
    return [*begun, *asked]


def clean(**changes: str | None) -> dict[str, str]:
    """The environment of the tests with some variables set, and those that are None taken away."""
    made = {key: value for key, value in os.environ.items() if changes.get(key, "") is not None}
    return {**made, **{key: value for key, value in changes.items() if value is not None}}


def run(
    words: list[str], environment: dict[str, str], *, out: bool = False, err: bool = False
) -> tuple[int, str, str, str]:
    """Run with standard output, standard error or both on one terminal; returns code, both pipes and the terminal."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=theirs if out else subprocess.PIPE,
        stderr=theirs if err else subprocess.PIPE,
        env=environment,
    )
    os.close(theirs)
    shown = b""
    while (out or err) and select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
    piped_out, piped_err = child.communicate(timeout=60)
    os.close(ours)
    return child.returncode, (piped_out or b"").decode(), (piped_err or b"").decode(), shown.decode()


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """The answer of a plain run, by question; made once, since each run is a process that imports torch."""
    return {}


def expected(words: list[str], answers: dict[str, str]) -> str:
    if "plain" not in answers:
        code, answers["plain"], said, _ = run(words, clean(TERM="xterm-256color"))
        assert code == 0 and answers["plain"].strip()
        assert ESCAPE not in answers["plain"] + said
        assert "% kept" in said
    return answers["plain"]


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["", "-q", "-v"])
def test_the_answer_is_the_same_on_every_kind_of_stream(
    words: list[str], sooner: list[str], answers: dict[str, str], flag: str
) -> None:
    plain, answer, quiet = clean(TERM="xterm-256color"), expected(words, answers), flag == "-q"
    words = [*sooner, *([flag] if flag else [])]
    if flag:
        code, piped, said, _ = run(words, plain)
        assert (code, piped, said == "") == (0, answer, quiet)
        assert ESCAPE not in said
    code, piped, _, screen = run(words, plain, err=True)
    assert (code, piped) == (0, answer)
    assert (screen == "") == quiet
    code, _, said, screen = run(words, plain, out=True)
    assert (code, screen.replace("\r\n", "\n")) == (0, answer), "nothing is added on a terminal either"
    assert (said == "") == quiet
    assert ESCAPE not in said
    code, _, _, screen = run(words, plain, out=True, err=True)
    assert code == 0
    if quiet:
        assert screen.replace("\r\n", "\n") == answer
    else:
        shown_again = screen.rindex(f"{ESCAPE}[?25h")
        assert shown_again < screen.index(answer.strip().splitlines()[0], shown_again), "the bar is gone by then"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "has_colour", "moves"),
    [
        ({"NO_COLOR": "1", "CI": "true", "GITHUB_ACTIONS": "true"}, False, True),
        ({"TERM": "dumb", "LC_ALL": "C", "PYTHONUTF8": "0"}, False, False),
        ({"COLUMNS": "40"}, True, True),
    ],
)
def test_a_terminal_gets_what_it_can_show(
    words: list[str], sooner: list[str], answers: dict[str, str], changes: dict[str, str], has_colour: bool, moves: bool
) -> None:
    environment = clean(**{"TERM": "xterm-256color", "COLUMNS": "80", **changes})
    code, answer, _, screen = run(words if "LC_ALL" in changes else sooner, environment, err=True)
    assert (code, answer) == (0, expected(words, answers))
    assert bool(re.search(rf"{ESCAPE}\[[0-9;]*3[0-7]m", screen)) <= has_colour
    assert (f"{ESCAPE}[?25l" in screen) == moves
    assert (ESCAPE in screen) == moves
    lines = re.sub(rf"{ESCAPE}\[[0-9;?]*[A-Za-z]", "\n", screen).splitlines()
    assert "% kept" in " ".join(" ".join(lines).split())
    if "COLUMNS" in changes:
        assert max(map(len, lines)) <= 40
        assert not any(line.startswith(("pot ", "kept ")) for line in lines), "only the line of the reading has room"


@pytest.mark.slow
def test_neither_variables_nor_locked_folders_change_a_pipe(
    words: list[str], answers: dict[str, str], tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    forcing = dict.fromkeys(("GITHUB_ACTIONS", "CI", "TTY_COMPATIBLE"), "1") | {"FORCE_COLOR": "0"}
    for home in (str(locked), "/dev/null/nowhere"):
        changes = {"HOME": home, "INFINIPOT_HOME": None, "XDG_CACHE_HOME": None, "HF_HOME": None, **forcing}
        code, answer, said, _ = run(words, clean(**changes))
        assert (code, answer) == (0, expected(words, answers)), said
        assert "Traceback" not in said
        assert ESCAPE not in answer + said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "has_colour"),
    [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({"FORCE_COLOR": ""}, False)],
)
def test_colour_that_is_forced_reaches_a_pipe_and_nothing_else_does(
    words: list[str], sooner: list[str], answers: dict[str, str], changes: dict[str, str], has_colour: bool
) -> None:
    code, answer, said, _ = run(sooner, clean(TERM="xterm-256color", **changes))
    assert (code, answer) == (0, expected(words, answers)), said
    assert ESCAPE not in answer
    assert (ESCAPE in said) == has_colour
    assert not re.search(rf"{ESCAPE}(?!\[[0-9;]*m)", said), "only colours: nothing is drawn over"


@pytest.mark.slow
def test_the_first_run_needs_no_network_and_no_home(story: Path, begun: list[str], tmp_path: Path) -> None:
    refusing = (
        "import socket, sys\n"
        "def refuse(*_: object, **__: object) -> None:\n    raise SystemExit('somebody called out')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from infinipot_cli.__main__ import main\n"
        f"sys.argv = ['infinipot', 'ask', {str(story)!r}, 'What is the pass key?', '-n', '8']\nmain()\n"
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "INFINIPOT_"))}
    environment = {**kept, "HOME": str(tmp_path / "empty")}
    code, answer, said, _ = run([sys.executable, "-c", refusing], environment)
    assert code == 0, said
    assert answer.strip()
    assert said.splitlines()[-1].startswith("pocket is the small built-in model")
    code, _, said, _ = run([*begun, "-c", refusing.replace("'8']", "'8', '-q']")], environment)
    assert (code, said) == (0, "")


@pytest.mark.slow
def test_a_file_behind_standard_input_is_the_document(story: Path, tiny_model: Path) -> None:
    with story.open() as stdin:
        command = [*PROGRAM, "info", "-m", str(tiny_model)]
        done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=True)
    n_bytes = story.stat().st_size
    assert done.stdout == f"standard input\ttext\t\t{n_bytes}\t{n_bytes}\n"


@pytest.mark.parametrize("give", ["closed", "null", "empty", "blank", "silent"])
def test_standard_input_of_every_kind_ends_in_a_line(tmp_path: Path, give: str) -> None:
    command = [*PROGRAM, "ask", "-", "Who?"]
    empty = tmp_path / "empty"
    empty.write_text("" if give != "blank" else " \n")
    if give == "silent":
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdin is not None and child.stderr is not None
        ready, _, _ = select.select([child.stderr], [], [], 15)
        assert ready, "after a second of silence it is said what is awaited"
        assert b"reading standard input" in os.read(child.stderr.fileno(), 1000)
        child.stdin.close()
        assert child.wait(timeout=30) == 3
        child.stdout.close() if child.stdout else None
        child.stderr.close()
        return
    if give == "closed":
        done = subprocess.run(
            ["bash", "-c", 'exec "$@" <&-', "bash", *command], capture_output=True, text=True, check=False
        )
    else:
        with open(os.devnull if give == "null" else empty) as stdin:
            done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: standard input ")
    assert "Traceback" not in done.stderr


def test_a_program_that_merely_inherited_a_pipe_is_not_kept_waiting(tmp_path: Path) -> None:
    command = [*PROGRAM, "ask", str(tmp_path / "missing.txt"), "Who?"]
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.wait(timeout=20) == 3
        assert child.stderr is not None
        child.stderr.read()
    assert time.monotonic() - start < 15


@pytest.mark.slow
def test_picked_sentences_stand_whole_beside_their_places_on_a_terminal_and_alone_in_a_pipe(
    begun: list[str], tiny_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "lights.txt"
    keeper = "The keeper of light number {0} wrote the name of the ship that had passed at {0} o'clock into a book.\n"
    path.write_text("".join(keeper.format(number) for number in range(30)))
    words = [*begun, "summarize", str(path), "--pick", *SMALL, "-m", str(tiny_model)]
    plain = clean(TERM="xterm-256color", COLUMNS="60")
    _, piped, said, _ = run(words, plain)
    assert set(piped.splitlines(keepends=True)) <= set(path.read_text().splitlines(keepends=True))
    assert "Sources  l. " in said and " tokens, " not in said.split("distillation")[1], "nothing was written"
    _, _, _, screen = run([*words, "--rebuild"], plain, out=True)
    rows = screen.splitlines()
    assert max(map(len, rows)) <= 60
    told = " ".join(row.strip() for row in rows)
    for sentence in piped.splitlines():
        assert f"{sentence}  (l. {path.read_text().splitlines().index(sentence) + 1})" in told
