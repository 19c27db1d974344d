import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from infinipot_cli.display.output_file import output_file
from infinipot_cli.errors import OutputError


def write_and_stop(target: Path, text: str, *, by_line: bool) -> None:
    with contextlib.suppress(KeyboardInterrupt), output_file(str(target), by_line=by_line) as stream:
        stream.write(text)
        raise KeyboardInterrupt


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    write_and_stop(target, "half", by_line=False)
    assert target.read_text() == "old"
    with output_file(str(target)) as stream:
        stream.write("new ü\n")
        assert target.read_text() == "old"
    assert target.read_bytes() == "new ü\n".encode()
    assert list(tmp_path.iterdir()) == [target]


def test_whole_lines_survive_an_interruption(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    write_and_stop(target, "{}\n", by_line=True)
    assert target.read_text() == "{}\n"


def test_a_link_stays_a_link_and_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    target, link = tmp_path / "out.txt", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with output_file(str(link)) as stream:
        stream.write("new")
    assert link.is_symlink()
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o640)


def test_a_folder_that_is_missing_can_be_made_as_the_hint_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("else where/x.txt")
    for name in ("no/such folder/x.txt", "it's/x.txt", str(tmp_path / "a" / "x"), "link"):
        with pytest.raises(OutputError) as refused, output_file(name):
            pytest.fail("the block must not run")
        subprocess.run(["sh", "-c", refused.value.hint.removeprefix("make it first: ")], check=True)
        with output_file(name) as stream:
            stream.write("text")
        assert Path(name).read_text() == "text"


@pytest.mark.parametrize("name", ["no/such/folder", "pipe", ".", "x" * 5000, "zero\0byte"])
def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError), output_file(str(tmp_path / name)):
        pytest.fail("the block must not run")


def test_a_file_that_is_protected_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    target.chmod(0o444)
    # for root every file is writable
    monkeypatch.setattr(os, "access", lambda path, mode: bool(os.stat(path).st_mode & 0o222) or mode != os.W_OK)
    with pytest.raises(OutputError, match="it is write-protected"), output_file(str(target)):
        pytest.fail("the block must not run")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
