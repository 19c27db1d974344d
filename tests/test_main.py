import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infinipot_cli import __main__ as entry
from infinipot_cli import __version__
from infinipot_cli.endings import Interrupted, Terminated, held_back


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    os.environ.pop("_TYPER_FORCE_DISABLE_TERMINAL", None)  # which `main` leaves for the process that it is alone in
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_program_with_its_code(monkeypatch: pytest.MonkeyPatch, number: int, code: int) -> None:
    monkeypatch.setattr("infinipot_cli.app.app", lambda **_: signal.raise_signal(number))
    with pytest.raises(SystemExit) as caught:
        entry.main()
    assert caught.value.code == code


def test_signals_that_are_ignored_stay_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    monkeypatch.setattr("infinipot_cli.app.app", lambda **_: signal.raise_signal(signal.SIGHUP))
    entry.main()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_is_held_back_acts_at_the_end_and_a_second_one_at_once(number: int) -> None:
    entry._handle_signals()
    before, done = signal.getsignal(number), []

    def importing(n_signals: int) -> None:
        with held_back():
            for _ in range(n_signals):
                signal.raise_signal(number)
            done.append("the rest")

    for n_signals in (1, 2):
        with pytest.raises((Interrupted, Terminated)):
            importing(n_signals)
        assert done == ["the rest"] and signal.getsignal(number) is before
    with held_back():
        pass


def test_an_interrupt_that_passed_through_exec_is_still_130() -> None:
    code = (
        "import signal, infinipot_cli.app as a, infinipot_cli.__main__ as m\n"
        "a.app = lambda **_: exec('signal.raise_signal(signal.SIGINT)', {'signal': signal})\n"
        "m.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version_alone_takes_no_longer_than_the_interpreter(word: str) -> None:
    code = (
        "import sys\nfrom infinipot_cli.__main__ import main\n"
        f"sys.argv = ['infinipot', {word!r}]\nmain()\n"
        "print({'typer', 'rich', 'infinipot_cli.app'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"infinipot {__version__}\nset()\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
@pytest.mark.parametrize("words", [["--version"], ["--help"], ["ask", "-h"], ["schema"], []])
def test_what_is_only_printed_and_cannot_be_is_one_line(words: list[str]) -> None:
    command = [sys.executable, "-m", "infinipot_cli", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 7
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) <= 2


def test_help_of_nothing_at_all_ends_quietly_when_nobody_reads_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "infinipot_cli"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as done:
        assert done.stdout is not None and done.stderr is not None
        done.stdout.close()
        assert (done.wait(), done.stderr.read()) == (141, b"")


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    code = (
        "import os, sys\nos.rmdir(os.getcwd())\nsys.argv = ['infinipot', 'info', '.']\n"
        "from infinipot_cli.__main__ import main\nmain()"
    )
    here = tmp_path / "here"
    here.mkdir()
    environment = os.environ | {"PYTHONPATH": str(Path(entry.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "is not there any more" in done.stderr
    assert "cannot be written" not in done.stderr


@pytest.mark.parametrize(("columns", "kept"), [("0", None), ("-3", None), ("", ""), ("wide", "wide"), ("40", "40")])
def test_no_width_is_no_width(columns: str, kept: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    entry._measure_columns()
    assert os.environ.get("COLUMNS") == kept


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    "moment",
    [
        "m._join_marks",  # nothing is imported
        "q.own_process",  # the command line is, and has not begun
        "l.prepare",  # its words are being looked at
        "l.LateCommand.real",  # the command's own module is about to be imported
        "c.load_config",  # the settings are being read
    ],
)
def test_json_tells_of_a_signal_however_early_it_comes(moment: str, number: int, code: int, tmp_path: Path) -> None:
    program = (
        "import signal, sys, infinipot_cli.__main__ as m, infinipot_cli.startup.quick_imports as q\n"
        f"def stop(*_, **__): signal.raise_signal({int(number)})\n"
        f"if {moment[0]!r} in 'lc':\n"
        "    import infinipot_cli.commands.late as l, infinipot_cli.config as c\n"
        f"{moment} = stop\n"
        f"sys.argv = ['infinipot', 'ask', {str(tmp_path / 'a.txt')!r}, 'Who?', '--json']\n"
        "m.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    said = json.loads(done.stdout)["error"]
    assert (said["code"], said["exit_code"]) == ("interrupted", code)


def test_a_signal_while_the_command_line_is_imported_acts_when_it_is_there() -> None:
    program = (
        "import builtins, signal, sys, infinipot_cli.__main__ as m, infinipot_cli.startup.quick_imports\n"
        "real, raised = builtins.__import__, []\n"
        "def importing(name, *rest):\n"
        "    if name == 'typer' and not raised:\n"
        "        raised.append(name)\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = importing\n"
        "sys.argv = ['infinipot', 'pots', 'list', '--json']\n"
        "m.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 143
    assert json.loads(done.stdout)["error"]["code"] == "interrupted" and done.stderr == ""
