"""The history as a store: private, whole under many writers, and never in the way."""

import multiprocessing
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from infinipot_cli import history
from infinipot_cli.errors import DocumentError, InfinipotError

ONE = history.Entry(1.5, "ask", ("a.txt", "b.txt"), "@a", "pocket", "Who?", "Nobody.", 100, 0.25)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_what_is_recorded_comes_back(home: Path) -> None:
    assert history.entries() == [] and history.count() == 0
    assert history.record(ONE)
    assert not history.record(replace(ONE, question="When did the TREATY fail?", documents=("été \udcff.pdf",)))
    assert history.entry(1) == replace(ONE, id=1)
    assert history.entry(2).documents == ("été \udcff.pdf",), "a name that is not UTF-8 comes back too"
    assert [one.id for one in history.entries()] == [1, 2]
    assert [one.id for one in history.entries(most=1)] == [2]
    assert [one.id for one in history.entries(matching="treaty")] == [2]
    assert [one.id for one in history.entries(matching="ÉTÉ")] == [2]
    assert [one.id for one in history.entries(matching="%")] == []
    assert history.entry().question == "When did the TREATY fail?"
    with pytest.raises(DocumentError, match="there is no entry 9"):
        history.entry(9)


def test_names_that_are_not_utf8_and_numbers_without_bound_are_looked_for_too() -> None:
    history.record(replace(ONE, pot="@./caf\udce9.pot"))
    assert history.entry().pot == "@./caf\\udce9.pot"
    assert [one.id for one in history.entries(matching="caf\udce9")] == [1]
    assert history.entries(matching="th\udce9") == []
    assert len(history.entries(most=10**20)) == 1
    for number in (10**20, -(10**20)):
        with pytest.raises(DocumentError, match="there is no entry"):
            history.entry(number)


def test_nobody_else_can_read_it(home: Path) -> None:
    history.record(ONE)
    assert stat.S_IMODE(history.history_file().stat().st_mode) == 0o600


def test_it_can_be_switched_off_and_forgotten() -> None:
    assert history.is_on()
    history.switch(on=False)
    history.switch(on=False)
    assert not history.is_on()
    history.switch(on=True)
    assert history.is_on()
    history.record(ONE)
    history.clear()
    history.clear()
    assert history.entries() == []


def test_a_damaged_history_is_one_line_and_spoils_no_answer(home: Path) -> None:
    history.history_file().parent.mkdir(parents=True)
    history.history_file().write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    assert not history.record(ONE)
    with pytest.raises(DocumentError, match="cannot be read") as caught:
        history.entries()
    assert "history clear" in caught.value.hint
    history.clear()
    assert history.record(ONE)


def test_one_of_a_newer_version_is_left_alone() -> None:
    history.record(ONE)
    with sqlite3.connect(history.history_file()) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(InfinipotError, match="newer"):
        history.entries()
    assert not history.record(ONE)


def test_a_place_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "file"))
    assert not history.record(ONE)


def _write(number: int) -> None:
    for _ in range(10):
        history.record(replace(ONE, question=f"from {number}"))


def test_many_processes_lose_nothing() -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_write, args=(number,)) for number in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert history.count() == 40


@pytest.mark.parametrize("column", ["documents = '{'", "time = 1e300", "n_read = 'many'"])
def test_an_entry_that_makes_no_sense_is_one_line(column: str) -> None:
    history.record(ONE)
    with sqlite3.connect(history.history_file()) as database:
        database.execute(f"UPDATE answers SET {column}")
    database.close()
    with pytest.raises(DocumentError, match="entry 1 makes no sense"):
        history.entries()
