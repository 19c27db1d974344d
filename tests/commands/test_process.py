"""The real process: its terminal, its pipes and its signals.

Slow, because each run imports torch, except for those to whose promise it is nothing how the program has begun.
"""

import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.commands.terminals import shown_on

pytestmark = pytest.mark.slow

SMALL = ["-s", "400", "-n", "20"]


@pytest.fixture
def command(tiny_model: Path) -> list[str]:
    return [sys.executable, "-m", "infinipot_cli", "ask", *SMALL, "-m", str(tiny_model)]


@pytest.fixture
def sooner(begun: list[str], tiny_model: Path) -> list[str]:
    return [*begun, "ask", *SMALL, "-m", str(tiny_model)]


@pytest.fixture
def long_story(tmp_path: Path) -> Path:
    path = tmp_path / "long.txt"
    path.write_text("The night was dark and the sea was calm. " * 20_000)
    return path


def on_a_terminal(
    words: Sequence[str], *, width: int = 80, stop_at: str = "", term: str = "xterm-256color"
) -> tuple[int, str]:
    """Run a command whose standard error is a terminal; returns its exit code and what it sent there.

    Args:
        words: the command.
        width: columns of the terminal.
        stop_at: a pattern; when the terminal shows it, Ctrl-C is pressed.
        term: kind of the terminal.
    """
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(width), "LINES": "24", "TERM": term}
    child = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, env=environment,
    )  # fmt: skip
    os.close(theirs)
    shown, pressed, end = b"", False, time.monotonic() + 100
    while time.monotonic() < end:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the other end was closed
                break
        if stop_at and not pressed and re.search(stop_at, shown.decode(errors="replace")):
            child.send_signal(signal.SIGINT)
            pressed = True
    code = child.wait(timeout=20)
    os.close(ours)
    assert child.stdout is not None
    with child.stdout:
        assert b"\x1b" not in child.stdout.read()
    return code, shown.decode()


@pytest.mark.parametrize("width", [50, 80, 120])
def test_a_terminal_gets_a_bar_that_goes_away(command: list[str], sooner: list[str], story: Path, width: int) -> None:
    words = command if width == 80 else sooner
    code, shown = on_a_terminal([*words, str(story), "What is the pass key?"], width=width)
    assert code == 0
    if width == 80:  # a program that has begun may have loaded its model before anything is drawn
        assert "loading" in shown
    assert "reading" in shown
    assert "% kept" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") > 0, "a hidden cursor is shown again"


def test_a_dumb_terminal_gets_no_bar(sooner: list[str], story: Path) -> None:
    code, shown = on_a_terminal([*sooner, str(story), "What is the pass key?"], term="dumb")
    assert code == 0
    assert "\x1b" not in shown
    assert "% kept" in shown


def test_ctrl_c_stops_a_reading_half_way(command: list[str], long_story: Path) -> None:
    start = time.monotonic()
    code, shown = on_a_terminal([*command, str(long_story), "Who?"], stop_at=r"[1-9] %")
    assert code == 130
    assert re.search(r"stopped at \d+ %, [\d,]+ tokens", shown)
    assert "Traceback" not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert time.monotonic() - start < 90


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("moment", [0.2, 1.5, "reading"])
def test_signals_end_it_at_any_moment(
    command: list[str], long_story: Path, number: int, code: int, moment: float | str
) -> None:
    child = subprocess.Popen(
        [*command, str(long_story), "Who?"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    if moment == "reading":
        assert child.stderr is not None
        assert b" places" in child.stderr.readline(), "the model is there"
    time.sleep(moment if isinstance(moment, float) else 0.5)
    child.send_signal(number)
    sent = time.monotonic()
    out, error = child.communicate(timeout=30)
    assert time.monotonic() - sent < 5
    assert child.returncode == code, error
    assert b"Traceback" not in error
    assert out == b""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_a_reading_is_one_json_document_where_that_was_asked_for(
    sooner: list[str], long_story: Path, number: int, code: int
) -> None:
    child = subprocess.Popen(
        [*sooner, str(long_story), "Who?", "--json", "-v"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stderr is not None
    child.stderr.readline()  # the command has begun, since it speaks
    child.send_signal(number)
    out, error = child.communicate(timeout=30)
    assert child.returncode == code, error
    said = json.loads(out)["error"]
    assert (said["code"], said["exit_code"]) == ("interrupted", code)


CTRL_C_AT = """
import os, signal, sys
place = sys.argv.pop(1)
def press():
    os.kill(os.getpid(), signal.SIGINT)
class Import:
    def find_spec(self, name, path, target=None):
        if name == place:
            sys.meta_path.remove(self)
            press()
sys.meta_path.insert(0, Import())
if place == "weights":
    from infinipot_cli import session
    import_libraries = session.import_libraries
    def then(**wishes):
        import_libraries(**wishes)
        import safetensors.torch
        load_file = safetensors.torch.load_file
        safetensors.torch.load_file = lambda *words: (press(), load_file(*words))[1]
    session.import_libraries = then
from infinipot_cli.__main__ import main
main()
"""


@pytest.mark.parametrize("place", ["torch.nn", "transformers.modeling_utils", "infinipot_cli.model.load", "weights"])
def test_ctrl_c_while_the_model_is_loading_is_one_line_and_130(place: str, story: Path) -> None:
    """The process presses it itself, at that very place."""
    code, shown = on_a_terminal([sys.executable, "-c", CTRL_C_AT, place, "ask", str(story), "Who?"])
    assert code == 130, shown
    assert "Traceback" not in shown and "error" not in shown
    *_, last = shown.splitlines()
    assert "stopped before anything was read" in last
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_a_reader_that_leaves_is_141_and_quiet_and_the_pot_is_stored(
    command: list[str], begun: list[str], story: Path, tmp_path: Path
) -> None:
    pot = tmp_path / "kept.pot"
    words = " ".join(f"'{word}'" for word in [*command, str(story), "Who?", "-q", "--save-pot", str(pot)])
    done = subprocess.run(
        ["bash", "-c", f"{words} | true; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("141\n", "")
    asked = subprocess.run(
        [*begun, "ask", f"@{pot}", "Who?", "-q", "-n", "20"], capture_output=True, text=True, check=True
    )
    assert asked.stdout.strip()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_disk_is_7(command: list[str], story: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, str(story), "Who?", "-q"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 7
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_locale_gets_utf8(command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "été.txt"
    path.write_text("Straße, naïve façade. " * 10, encoding="utf-8")
    outputs = set()
    for locale in ({"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}):
        done = subprocess.run(
            [*command, str(path), "Où ?", "-q"], capture_output=True, env={**os.environ, **locale}, check=True
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from the proc file system")
def test_a_document_that_never_ends_is_read_in_constant_memory(command: list[str]) -> None:
    with subprocess.Popen(["yes", "A line of a log that never ends."], stdout=subprocess.PIPE) as source:
        child = subprocess.Popen([*command, "-", "Who?"], stdin=source.stdout, stderr=subprocess.PIPE)
        before, early, deadline = -1, 0, time.monotonic() + 60
        while early - before > 2_000_000 * bool(early) and time.monotonic() < deadline:  # libraries, then the pot
            time.sleep(4)
            before, early = early, resident_bytes(child.pid)
        time.sleep(8)
        late = resident_bytes(child.pid)
        child.terminate()
        _, error = child.communicate(timeout=20)
        source.kill()
    assert child.returncode == 143
    assert b"Traceback" not in error
    assert late - early < 30_000_000


def resident_bytes(process: int) -> int:
    (found,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found) * 1024


@pytest.mark.parametrize("watched", [True, False])
def test_ctrl_c_on_a_terminal_answers_from_what_was_read(sooner: list[str], long_story: Path, watched: bool) -> None:
    ours, theirs = pty.openpty()
    out = theirs if watched else subprocess.PIPE
    child = subprocess.Popen([*sooner, str(long_story), "Who?"], stdin=theirs, stdout=out, stderr=theirs)
    os.close(theirs)
    shown, pressed = b"", False
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
        if not pressed and re.search(r"[1-9] %", shown.decode(errors="replace")):
            child.send_signal(signal.SIGINT)
            pressed = True
    assert child.wait(timeout=60) == 130
    os.close(ours)
    text = shown.decode()
    assert re.search(r"stopped at \d+ %, [\d,]+ tokens", text)
    assert ("answering from what was read" in text) == ("% kept" in text) == watched
    assert "Traceback" not in text
    if child.stdout is not None:
        with child.stdout:
            assert child.stdout.read() == b""


def test_a_second_ctrl_c_ends_it_at_once(command: list[str], long_story: Path) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen([*command, str(long_story), "Who?"], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown, presses = b"", 0
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
        if presses == 0 and re.search(r"[1-9] %", shown.decode(errors="replace")):
            presses, first = 1, time.monotonic()
            child.send_signal(signal.SIGINT)
        elif presses == 1 and b"stopped at" in shown:
            presses = 2
            child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 130
    assert presses == 2 and time.monotonic() - first < 30
    os.close(ours)
    assert b"Traceback" not in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l"), "the cursor is there again"


def test_plain_on_a_terminal_is_as_in_a_pipe(sooner: list[str], story: Path) -> None:
    ours, theirs = pty.openpty()
    words = [*sooner, str(story), "What is the pass key?", "--plain", "--no-log"]
    child = subprocess.Popen(words, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = shown_on(ours)
    answer, _ = child.communicate(timeout=60)
    piped = subprocess.run(words, capture_output=True, check=True)
    assert (child.returncode, answer) == (0, piped.stdout)

    def without_times(said: bytes) -> str:
        return re.sub(r"[\d.:]+ s|[\d,]+ tok/s", "", said.decode().replace("\r\n", "\n"))

    assert without_times(shown) == without_times(piped.stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_standard_error_costs_no_answer_and_no_exit_code(
    command: list[str], sooner: list[str], story: Path
) -> None:
    words = [str(story), "What is the pass key?", "--no-log"]
    wanted = subprocess.run([*sooner, *words], capture_output=True, check=True).stdout
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*command, *words], stdout=subprocess.PIPE, stderr=full, check=False)
        missing = subprocess.run([*command, "missing.txt", "Who?"], stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (0, wanted)
    assert (missing.returncode, missing.stdout) == (3, b"")


@pytest.mark.slow
def test_a_signal_in_the_midst_of_imports_ends_it_with_its_code(command: list[str], story: Path) -> None:
    """Where an exception that is raised at once may be lost in a library, or end the process by another signal."""
    rng = random.Random(3)
    for number, code in [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)] * 3:
        with subprocess.Popen(
            [*command, str(story), "Who?", "-q"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as child:
            time.sleep(0.5 + 2.5 * rng.random())
            child.send_signal(number)
            out, error = child.communicate(timeout=60)
        # where the whole answer was there already, Python was ending, and no handler of ours is left by then
        ends = [code, 0, -number] if out.endswith(b"\n") else [code]
        assert child.returncode in ends and error == b"", (number, child.returncode, error)
