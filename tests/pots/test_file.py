"""A stored pot is whole or not there, and what was altered anywhere is refused with one line."""

import contextlib
import json
import os
import random
import shlex
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from infinipot_cli.engine import PotState
from infinipot_cli.errors import InfinipotError, ModelError, OutputError, PotError, UsageError
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.pots import file, transfer
from infinipot_cli.pots.compact import from_int8, to_int8
from infinipot_cli.pots.fingerprint import check_same, fingerprint
from infinipot_cli.pots.header import Fingerprint, Header, StoredSource, from_json

N_KILLS = 200
NUMBERS = {
    "capacity": 8, "budget": 4, "novelty_ratio": 0.5, "n_prefix": 2, "n_seen": 9, "n_seen_distilled": 8, "n_cycles": 1,
    "peak": 8, "catalyst_ids": [3], "choice": {},
}  # fmt: skip
HEADER = Header(
    model="tiny", fingerprint=Fingerprint("tiny", "a", "b", "c", "d", "fp32", "none"),
    numbers=NUMBERS, prefix_ids=(1, 2), catalyst="catalyst-general", questions=('Who said "x"?',),
    sources=(StoredSource("b\u00f6ok.pdf", "pdf", 7, "0" * 64, 0, (("xii", 0), ("13", 4)), "/b.pdf", 9, 10**18),),
    created=1.5,
)  # fmt: skip


def state(seed: int = 0, n: int = 5) -> PotState:
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.randn(1, 2, n, 4, generator=generator) for name in ("keys.0", "values.0")}
    return PotState(HEADER.numbers, tensors | {"origins": torch.arange(n).expand(1, 2, n).contiguous()})


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "book.pot"
    assert file.write(path, HEADER, state()) == path.stat().st_size
    return path


def test_what_was_written_is_read(stored: Path) -> None:
    header, found = file.read(stored, "@book")
    assert header == HEADER == file.read_header(stored, "@book")
    assert found.tensors.keys() == state().tensors.keys()
    assert all(torch.equal(tensor, found.tensors[name]) for name, tensor in state().tensors.items())
    assert stored.stat().st_mode & 0o777 == 0o600


def test_a_pot_of_a_model_in_other_numbers_is_refused_with_both() -> None:
    plain = HEADER.fingerprint
    for stored, here, told in (
        (
            plain,
            replace(plain, quantization="int8"),
            "by tiny (fp32); it cannot be used with tiny (fp32, rounded to int8)",
        ),
        (
            replace(plain, quantization="int8"),
            plain,
            "by tiny (fp32, rounded to int8); it cannot be used with tiny (fp32)",
        ),
        (plain, replace(plain, dtype="bf16"), "by tiny (fp32); it cannot be used with tiny (bf16)"),
    ):
        with pytest.raises(PotError) as caught:
            check_same(replace(HEADER, fingerprint=stored), here, "@book", place=HEADER.model)
        assert f"pot @book was read {told}: other " in caught.value.message
    check_same(HEADER, plain, "@book", place="elsewhere")


def mutated(data: bytes, rng: random.Random) -> bytes:
    kind, at = rng.randrange(6), rng.randrange(len(data))
    if kind == 0:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data + rng.randbytes(rng.randrange(1, 9))
    if kind == 3:
        return data[:at] + rng.randbytes(rng.randrange(1, 40)) + data[at:]
    if kind == 4:
        end = min(len(data), at + rng.randrange(1, 40))
        return data[:at] + data[end:]
    head = 8 + struct.unpack("<Q", data[:8])[0]
    at = rng.randrange(head)  # the part that is parsed
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


@pytest.mark.parametrize("n", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_altered_files_are_refused_with_one_line(stored: Path, n: int) -> None:
    data, rng = stored.read_bytes(), random.Random(n)
    for _ in range(n):
        other = mutated(data, rng)
        if other == data:
            continue
        stored.write_bytes(other)
        with pytest.raises(PotError) as caught:
            file.read(stored, "@book")
        assert "\n" not in caught.value.message
        assert caught.value.exit_code == 6
        with contextlib.suppress(PotError):  # a list shows it as damaged
            file.read_header(stored, "@book")


@pytest.mark.parametrize(
    "data", [b"", b"x", b"PK\x03\x04" + b"0" * 100, b"\x80\x04K\x01." * 9, struct.pack("<Q", 2**63)]
)
def test_foreign_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "foreign.pot"
    path.write_bytes(data)
    for look in (file.read, file.read_header):
        with pytest.raises(PotError, match="no pot, or a damaged one"):
            look(path, "@foreign")
    with pytest.raises(PotError, match="there is no pot"):
        file.read(tmp_path / "none.pot", "@none")


def test_other_safetensors_and_other_versions_are_refused(tmp_path: Path, stored: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "weights.pot")
    with pytest.raises(PotError, match="no pot"):
        file.read(tmp_path / "weights.pot", "@weights")
    content = json.loads(HEADER.to_json())
    with pytest.raises(PotError, match="format 2"):
        from_json(json.dumps({**content, "format": 2}), "@book")
    for broken in (
        "[]",
        "{}",
        "1",
        '{"format": 1}',
        json.dumps({**content, "sources": 3}),
        json.dumps({**content, "x": 1}),
    ):
        with pytest.raises(PotError):
            from_json(broken, "@book")


def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        file.write(tmp_path / "file" / "book.pot", HEADER, state())
    (tmp_path / "taken.pot").mkdir()
    with pytest.raises(OutputError):
        file.write(tmp_path / "taken.pot", HEADER, state())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.pot"]


def test_eight_bits_lose_less_than_a_hundredth(stored: Path) -> None:
    exact = state(n=300)
    small = to_int8(exact)
    back = from_int8(small, "fp32")
    assert back.tensors.keys() == exact.tensors.keys()
    for name in ("keys.0", "values.0"):
        assert small.tensors[name].dtype is torch.int8
        error = (back.tensors[name] - exact.tensors[name]).abs()
        assert (error <= exact.tensors[name].abs().amax(-1, keepdim=True) / 254 * 1.001).all()
    assert torch.equal(back.tensors["origins"], exact.tensors["origins"])
    del small.tensors["scale.keys.0"]
    with pytest.raises(PotError, match="scales"):
        from_int8(small, "fp32")


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_pot(tmp_path: Path) -> None:
    (tmp_path / "pots").mkdir()
    command = [str(Path(__file__).with_name("killed_saves.py")), str(tmp_path / "pots" / "book.pot"), HEADER.to_json()]
    done = subprocess.run([sys.executable, *command, str(N_KILLS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{N_KILLS} kills" in done.stdout


def test_names_that_no_pot_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infinipot_cli.pots import shelf

    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path))
    for name in ("", "@", "a/b\0", ".hidden", "x" * 200, "a b", "a\n", "book.pot", "\u00e9"):
        with pytest.raises(InfinipotError):
            shelf.path_of(name)
    with pytest.raises(UsageError) as raised:
        shelf.path_of("@book.pot")
    assert raised.value.hint == "the file of this name is ./book.pot"
    assert shelf.names() == []
    for name in ("b", "@a-1.x"):
        file.write(shelf.path_of(name), HEADER, state())
    assert shelf.names() == ["a-1.x", "b"]
    (shelf.shelf_folder() / "broken.pot").write_bytes(b"x")
    states = [(pot.name, bool(pot.problem)) for pot in shelf.shelved()]
    assert states == [("a-1.x", False), ("b", False), ("broken", True)]
    copied = transfer.export("b", tmp_path)
    with pytest.raises(OutputError, match="is there already"):
        transfer.export("b", tmp_path)
    with pytest.raises(OutputError, match="is there already"):
        transfer.bring(copied)
    assert transfer.bring(copied, "c") == "c"
    assert file.read(shelf.path_of("c"), "@c")[0] == HEADER
    shelf.remove("b")
    with pytest.raises(PotError, match="there is no pot @b"):
        shelf.look("b")
    os.utime(shelf.path_of("c"), (1, 1))
    assert [pot.name for pot in shelf.prune(days=1)] == ["c"]
    assert len([*shelf.prune(n_bytes=0)]) == 2
    assert shelf.names() == []


def test_what_is_no_pot_on_the_shelf_costs_nobody_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from infinipot_cli.commands.pots import list_pots
    from infinipot_cli.pots import shelf

    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path))
    file.write(shelf.path_of("b"), HEADER, state())
    (shelf.shelf_folder() / "x.pot.pot").write_bytes(b"")
    (shelf.shelf_folder() / "away.pot").symlink_to(tmp_path / "unplugged" / "away.pot")
    states = [(pot.name, bool(pot.problem)) for pot in shelf.shelved()]
    assert states == [("away", True), ("b", False)]
    with monkeypatch.context() as racing:
        racing.setattr(shelf, "names", lambda: ["b", "deleted-meanwhile"])
        assert [pot.name for pot in shelf.shelved()] == ["b"]
    os.utime(shelf.path_of("b"), (2**32, 2**32))
    list_pots(plain=True)
    assert "0 s ago" in capsys.readouterr().out, "the clock was set back since"
    assert [pot.name for pot in shelf.prune(n_bytes=0)] == ["b"]
    assert (shelf.shelf_folder() / "away.pot").is_symlink(), "the disk may come back"


def test_a_pot_that_cannot_be_deleted_keeps_no_other_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infinipot_cli.pots import shelf

    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path))
    for used, name in enumerate("abc", start=1):
        file.write(shelf.path_of(name), HEADER, state())
        os.utime(shelf.path_of(name), (used, used))
    n_bytes = shelf.look("a").n_bytes
    unlink = Path.unlink

    def held_by_another(path: Path, missing_ok: bool = False) -> None:
        if path.name == "a.pot":
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", held_by_another)
    going = shelf.prune(n_bytes=2 * n_bytes)
    assert next(going).name == "b"
    with pytest.raises(OutputError, match=r"a\.pot cannot be deleted: Permission denied"):
        next(going)
    assert shelf.names() == ["a", "c"], "no more than makes the room"


def test_a_pot_with_a_folder_in_its_name_is_a_file_and_a_new_one_ends_in_pot(tmp_path: Path) -> None:
    from infinipot_cli.pots import shelf

    for name in ("../x", "@./lab.bin", "a/b.pot", "~nobody-here/x"):
        assert shelf.path_of(name) == Path(name.removeprefix("@"))
    for name in ("../x", "./lab.bin", "/tmp/", "./x.pot/"):
        with pytest.raises(UsageError, match=r"it must end in \.pot"):
            shelf.check_new_name(name)
    shelf.check_new_name("./x.pot")


def test_what_ctrl_c_left_and_what_was_read_since_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infinipot_cli.pots import shelf

    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path))
    stopped, read = shelf.path_of(shelf.STOPPED), shelf.cached_folder() / "0123.pot"
    for path, used in ((stopped, 10), (read, 5)):
        file.write(path, HEADER, state())
        os.utime(path, (used, used))
    assert shelf.look("last").path == stopped
    os.utime(read, (20, 20))
    assert [(pot.name, pot.path) for pot in shelf.shelved()] == [("stopped", stopped)]
    assert (shelf.look("last").path, shelf.look("@stopped").path) == (read, stopped)
    assert [pot.path for pot in shelf.prune(n_bytes=0)] == [stopped]
    assert read.exists() and not stopped.exists()
    for name, meaning in (("last", "read last"), ("@last", "read last"), ("stopped", "Ctrl-C leaves")):
        with pytest.raises(UsageError, match=meaning):
            shelf.check_new_name(name)
        with pytest.raises(UsageError, match=meaning):
            transfer.bring(read, name)
    with pytest.raises(UsageError):
        transfer.bring(read, "")


def test_the_sum_covers_the_header(stored: Path) -> None:
    data = stored.read_bytes()
    other = data.replace(b"catalyst-general", b"catalyst-generaL")
    assert other != data
    stored.write_bytes(other)
    assert file.read_header(stored, "@book") == replace(HEADER, catalyst="catalyst-generaL")
    with pytest.raises(PotError, match="altered"):
        file.read(stored, "@book")


def test_fields_of_another_kind_are_refused_though_the_sum_is_right(tmp_path: Path) -> None:
    content = json.loads(HEADER.to_json())
    (source,) = content["sources"]
    for wrong in (
        {"model": 3},
        {"numbers": []},
        {"created": "now"},
        {"created": 1e300},
        {"told": 3},
        {"told": "yesterday"},
        {"catalyst": None},
        {"fingerprint": {**content["fingerprint"], "dtype": []}},
        *(
            {"sources": [{**source, **field}]}
            for field in ({"name": 7}, {"n_tokens": "7"}, {"n_tokens": -1}, {"first_token": True})
        ),
    ):
        with pytest.raises(PotError, match="makes no sense") as caught:
            from_json(json.dumps({**content, **wrong}), "@book")
        assert caught.value.exit_code == 6


def test_a_pipe_in_the_place_of_a_pot_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pot")
    for look in (file.read, file.read_header):
        with pytest.raises(PotError, match="not an ordinary file"):
            look(tmp_path / "pipe.pot", "@pipe")


def test_a_file_that_is_no_pot_is_not_deleted(tmp_path: Path, stored: Path) -> None:
    from infinipot_cli.pots import shelf

    (tmp_path / "note.pot").write_text("not a pot")
    with pytest.raises(PotError, match="is no pot"):
        shelf.remove(str(tmp_path / "note.pot"))
    assert (tmp_path / "note.pot").exists()
    shelf.remove(str(stored))
    assert not stored.exists()


def test_a_cut_or_lengthened_pot_is_known_by_its_size(stored: Path) -> None:
    data = stored.read_bytes()
    assert file.read_header(stored, "@book") == HEADER
    for n in (*range(0, len(data), 37), len(data) - 1):
        stored.write_bytes(data[:n])
        with pytest.raises(PotError):
            file.read_header(stored, "@book")
    stored.write_bytes(data + b"x")
    with pytest.raises(PotError, match="cut off or altered"):
        file.read_header(stored, "@book")


def test_only_a_whole_pot_is_copied(tmp_path: Path, stored: Path) -> None:

    target, data = tmp_path / "copy.pot", stored.read_bytes()
    stored.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    for copy in (lambda: transfer.export(str(stored), target), lambda: transfer.content(str(stored))):
        with pytest.raises(PotError, match="cut off or altered"):
            copy()
    assert not target.exists()
    stored.write_bytes(data)
    transfer.export(str(stored), target)
    assert target.read_bytes() == transfer.content(str(stored)) == data


def test_weights_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    files = ModelFiles("gone", tmp_path, None, frozenset(), {}, None, gguf_file="gone.gguf")
    with pytest.raises(ModelError, match=rf"^{tmp_path}/gone\.gguf cannot be read: No such file") as caught:
        fingerprint(files, "", "fp32", "none")
    assert caught.value.code == "damaged_model"


@pytest.mark.parametrize(
    "name", ["book.pot", "my book.pot", "last.pot", "x.pot.pot", "\u00e9t\u00e9.pot", "\u6587.pot"]
)
def test_what_a_refused_import_offers_is_taken(name: str, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infinipot_cli.pots import shelf

    monkeypatch.setenv("INFINIPOT_HOME", str(stored.parent / "home"))
    monkeypatch.chdir(stored.parent)
    (stored.parent / name).write_bytes(stored.read_bytes())
    with pytest.raises(UsageError) as caught:
        transfer.bring(Path(name), f"./{name}")
    as_name, _, as_file = caught.value.hint.partition("; a pot file can be asked where it is: ")
    (asked,) = shlex.split(as_file)
    assert file.read_header(shelf.place_of(asked), asked) == HEADER
    if name != "book.pot":
        with pytest.raises(UsageError) as caught:
            transfer.bring(Path(name))
        assert caught.value.hint == as_name
    option, offered = shlex.split(as_name)
    assert (option, transfer.bring(Path(name), offered)) == ("--name", offered)


def test_a_link_that_leads_nowhere_has_no_age_and_can_be_deleted(
    tmp_path: Path, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infinipot_cli.pots import shelf

    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    file.write(shelf.path_of("b"), HEADER, state())
    link, away = shelf.path_of("away"), tmp_path / "away.pot"
    link.symlink_to(away)
    found = {pot.name: (pot.used is None, pot.problem) for pot in shelf.shelved()}
    assert found == {"away": (True, f"a link to {away}, which is not there"), "b": (False, "")}
    stored.rename(away)
    assert [(pot.used is None, pot.problem) for pot in shelf.shelved()] == [(False, "")] * 2
    away.rename(stored)
    assert shelf.remove("@away").path == link
    assert shelf.names() == ["b"] and stored.exists()
    with pytest.raises(PotError, match="there is no pot @away"):
        shelf.remove("away")
