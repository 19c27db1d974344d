"""What takes the place of a file: all at once, behind links, and with the leavings of killed savings swept."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.commands.pot_pipes import check_piped, received
from infinipot_cli.errors import OutputError, UsageError
from infinipot_cli.pots import file, shelf, transfer
from infinipot_cli.pots.replacing import put, sweep
from tests.pots.test_file import HEADER, state

KILLED = """
import os, signal, sys
from pathlib import Path
from infinipot_cli.pots import replacing
replacing.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
replacing.put(Path(sys.argv[1]), b"x" * 1000)
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def killed(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [part for part in path.parent.iterdir() if part.name.endswith(".part")]


def parts(folder: Path) -> list[str]:
    return [part.name for part in folder.iterdir() if part.name.endswith(".part")]


def test_what_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "real.pot", tmp_path / "link.pot"
    link.symlink_to("there/real.pot")
    for seed in (0, 1):  # a link that leads nowhere yet, and one that leads to a pot
        file.write(link, HEADER, state(seed))
        assert link.is_symlink()
        assert not target.is_symlink()
        assert (file.read(link, "@x")[1].tensors["keys.0"] == state(seed).tensors["keys.0"]).all()
    assert parts(tmp_path) == parts(tmp_path / "there") == []


def test_the_next_saving_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    killed(tmp_path / "a.pot")
    (tmp_path / ".mine.part").write_text("somebody else's")
    (tmp_path / ".mine.pot.part").write_text("somebody else's")
    put(tmp_path / "b.pot", b"y")
    assert sorted(parts(tmp_path)) == [".mine.part", ".mine.pot.part"]
    assert not (tmp_path / "a.pot").exists()


def test_a_list_sweeps_too(home: Path) -> None:
    for folder in (shelf.shelf_folder(), shelf.cached_folder()):
        folder.mkdir(parents=True)
        killed(folder / "a.pot")
    assert CliRunner().invoke(app, ["pots", "list"]).exit_code == 0
    assert parts(shelf.shelf_folder()) == parts(shelf.cached_folder()) == []


def test_a_saving_under_way_is_let_be(tmp_path: Path) -> None:
    part = tmp_path / ".a.pot.0123456789ab.part"
    part.touch()
    with part.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sweep(tmp_path)
        assert part.exists()
    sweep(tmp_path)
    assert not part.exists()


def test_savings_and_sweeps_at_once_do_not_meet(tmp_path: Path) -> None:
    sweeper = "from pathlib import Path; from infinipot_cli.pots.replacing import sweep; import sys\n"
    sweeper += "while True: sweep(Path(sys.argv[1]))"
    process = subprocess.Popen([sys.executable, "-c", sweeper, str(tmp_path)])
    try:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            put(tmp_path / "a.pot", os.urandom(2000))
    finally:
        process.kill()
        process.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["a.pot"]


def test_long_names_can_be_saved(tmp_path: Path) -> None:
    path = tmp_path / ("\u00e9" * 125 + ".pot")
    put(path, b"x")
    assert path.read_bytes() == b"x"


def test_an_imported_pot_has_a_name_and_is_no_file(tmp_path: Path, home: Path) -> None:
    file.write(tmp_path / "a.pot", HEADER, state())
    for name in (str(tmp_path / "out.pot"), "./out.pot"):
        with pytest.raises(UsageError, match="is a file"):
            transfer.bring(tmp_path / "a.pot", name)
        result = CliRunner().invoke(app, ["pots", "import", str(tmp_path / "a.pot"), "--name", name])
        assert (result.exit_code, result.stdout) == (2, "")
    assert not (tmp_path / "out.pot").exists()
    (tmp_path / "lost.pot").symlink_to("nowhere.pot")
    with pytest.raises(OutputError, match="is there already"):
        transfer.export(str(tmp_path / "a.pot"), tmp_path / "lost.pot")


def test_a_copy_makes_no_folder(tmp_path: Path, home: Path) -> None:
    file.write(tmp_path / "a.pot", HEADER, state())
    with pytest.raises(OutputError, match="there is no folder"):
        transfer.export(str(tmp_path / "a.pot"), tmp_path / "none" / "x.pot")
    assert not (tmp_path / "none").exists()


def test_a_pot_goes_through_a_pipe(tmp_path: Path, home: Path) -> None:
    path = shelf.shelf_folder() / "one.pot"
    file.write(path, HEADER, state())

    def run(*words: str, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(app, ["pots", *words], input=stdin)

    sent = run("export", "@one", "-")
    assert (sent.exit_code, sent.stdout_bytes, sent.stderr) == (0, path.read_bytes(), "")
    taken = run("import", "-", "--name", "two", stdin=sent.stdout_bytes)
    assert (taken.exit_code, taken.stdout) == (0, "@two\n")
    assert path.with_name("two.pot").read_bytes() == sent.stdout_bytes
    for stdin in (b"", b"y\n" * 9, sent.stdout_bytes[:-1], sent.stdout_bytes[:99], sent.stdout_bytes + b"x"):
        refused = run("import", "-", "--name", "three", stdin=stdin)
        assert (refused.exit_code, refused.stdout) == (6, ""), refused.output
        assert "(standard input)" in refused.stderr
    for words, code in ((["import", "-"], 2), (["import", "-", "--name", "./x.pot"], 2),
                        (["import", "-", "--name", "last"], 2), (["import", "-", "--name", "two"], 7),
                        (["export", "none", "-"], 6)):  # fmt: skip
        refused = run(*words, stdin=sent.stdout_bytes)
        assert (refused.exit_code, refused.stdout) == (code, ""), words
    assert sorted(shelf.names()) == ["one", "two"]


def test_no_pot_goes_to_or_comes_from_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours), os.fdopen(theirs, "w") as shown, os.fdopen(os.dup(theirs)) as typed:
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdout", shown)
            with pytest.raises(UsageError, match="no text for a terminal"):
                check_piped("one")
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdin", typed)
            with pytest.raises(UsageError, match="no pot comes"):
                received()


def test_prune_says_what_went_as_rm_does(home: Path) -> None:
    said = []
    for words in (["rm", "one"], ["prune", "--keep", "0"]):
        file.write(shelf.shelf_folder() / "one.pot", HEADER, state())
        done = CliRunner().invoke(app, ["pots", *words])
        assert (done.exit_code, done.stdout) == (0, "")
        said.append(done.stderr)
    assert said[0] == said[1] and said[0].startswith("deleted @one (")
    assert shelf.names() == []


def test_what_was_checked_is_what_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.pot"
    file.write(source, HEADER, state())
    wanted, check = source.read_bytes(), transfer.check_structure

    def swap(data: bytes, name: str) -> None:
        check(data, name)
        source.write_bytes(b"another")

    monkeypatch.setattr(transfer, "check_structure", swap)
    assert transfer.bring(source) == "a"
    assert shelf.path_of("a").read_bytes() == wanted
