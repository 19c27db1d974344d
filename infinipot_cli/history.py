"""The history: questions and answers of this user, in one private file of this machine.

Documents are private: their names are written down, and the stored pot that was asked, never their text.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from infinipot_cli.errors import DocumentError, OutputError
from infinipot_cli.places import state_folder

_VERSION = 1
_COLUMNS = "time, command, documents, pot, model, question, answer, n_read, kept"
_TABLE = (
    "CREATE TABLE answers (id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL, command TEXT, documents TEXT, pot TEXT,"
    " model TEXT, question TEXT, answer TEXT, n_read INTEGER, kept REAL)"
)
# Another process that is writing is done within this.
_PATIENCE_SECONDS = 5.0
_MOST = 2**63 - 1  # no number of a database is larger


@dataclass(frozen=True)
class Entry:
    """One answer.

    Attributes:
        time: when it was given, in seconds of the epoch.
        command: that asked, such as `ask`.
        documents: their names, as the command line had them.
        pot: the stored pot that was asked or filled, with its `@`; empty without one.
        model: that answered.
        question: the user's words; empty for a summary.
        answer: the model's.
        n_read: tokens read.
        kept: of these, the share that the pot held.
        id: its number, 0 before it is recorded.
    """

    time: float
    command: str
    documents: tuple[str, ...]
    pot: str
    model: str
    question: str
    answer: str
    n_read: int
    kept: float
    id: int = 0


def history_file() -> Path:
    """Where the history is, or would be."""
    return state_folder() / "history.db"


def is_on() -> bool:
    """Whether answers are recorded at all; not where nobody can tell what the user wants."""
    try:
        return not _switch().exists()
    except OSError:
        return False


def switch(*, on: bool) -> None:
    """Record answers from now on, or no longer.

    Raises:
        OutputError: it cannot be written down.
    """
    try:
        if on:
            _switch().unlink(missing_ok=True)
        else:
            _private_folder()
            _switch().touch()
    except OSError as error:
        raise OutputError(f"{_switch()} cannot be changed: {error.strerror or error}") from error


def record(entry: Entry) -> bool:
    """Write an answer down; a history that cannot be written never spoils an answer.

    Returns:
        Whether this was the first one.
    """
    try:
        _private_folder()
        is_new = not history_file().exists()
        with _open(history_file()) as database:
            values = (
                entry.time, entry.command, _plain(json.dumps(entry.documents, ensure_ascii=False)), _plain(entry.pot),
                _plain(entry.model), _plain(entry.question), _plain(entry.answer), entry.n_read, entry.kept,
            )  # fmt: skip
            database.execute(f"INSERT INTO answers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    except (OSError, sqlite3.Error, ValueError, OverflowError, DocumentError):
        return False
    return is_new


def entries(*, most: int | None = None, matching: str = "") -> list[Entry]:
    """The latest entries, the oldest of them first.

    Args:
        most: how many, None for all.
        matching: only those that hold these words in question, answer or the name of a document.

    Raises:
        DocumentError: the history cannot be read.
    """
    text = "(question || ' ' || answer || ' ' || documents || ' ' || pot)"
    where = f"WHERE instr(casefold({text}), casefold(?))" if matching else ""
    query = f"SELECT id, {_COLUMNS} FROM answers {where} ORDER BY id DESC LIMIT ?"
    rows = _rows(query, (*([_plain(matching)] if matching else []), -1 if most is None else min(most, _MOST)))
    return [_entry(row) for row in reversed(rows)]


def entry(number: int | None = None) -> Entry:
    """One entry by its number, or the latest.

    Raises:
        DocumentError: there is none such, or the history cannot be read.
    """
    where, values = ("WHERE id = ?", (max(-_MOST, min(number, _MOST)),)) if number is not None else ("", ())
    rows = _rows(f"SELECT id, {_COLUMNS} FROM answers {where} ORDER BY id DESC LIMIT 1", values)
    if not rows:
        what = "the history is empty" if number is None else f"there is no entry {number} in the history"
        raise DocumentError(what, hint="infinipot history list names those that are there", code="no_entry")
    return _entry(rows[0])


def count() -> int:
    """How many entries there are.

    Raises:
        DocumentError: the history cannot be read.
    """
    rows = _rows("SELECT count(*) FROM answers", ())
    return int(str(rows[0][0])) if rows else 0


def clear() -> None:
    """Forget everything.

    Raises:
        OutputError: the file cannot be deleted.
    """
    try:
        for ending in ("", "-journal"):
            history_file().with_name(history_file().name + ending).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{history_file()} cannot be deleted: {error.strerror or error}") from error


def _rows(query: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
    try:
        if not history_file().exists():
            return []
        with _open(history_file()) as database:
            return list(database.execute(query, values))
    except (OSError, sqlite3.Error) as error:
        raise _unreadable(getattr(error, "strerror", None) or str(error)) from error


def _unreadable(reason: str) -> DocumentError:
    return DocumentError(
        f"the history in {history_file()} cannot be read: {reason}",
        hint="infinipot history clear --yes begins a new one",
        code="history",
    )


@contextlib.contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    """The history as a database, which is made where there is none; what is done in the block is done as a whole."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # nobody else may ever read it
    with contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            database.execute(_TABLE)
            database.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise DocumentError(f"{path} was written by a newer infinipot", code="history")
        database.create_function("casefold", 1, _casefold, deterministic=True)  # lower() knows only A to Z
        try:
            yield database
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")


def _entry(row: tuple[object, ...]) -> Entry:
    number, time, command, documents, pot, model, question, answer, n_read, kept = row
    try:
        names = tuple(str(name) for name in json.loads(str(documents)))
        when, share = float(str(time)), float(str(kept))
        datetime.fromtimestamp(when).astimezone()  # which it is going to be shown as
        texts = (str(model), str(question), str(answer))
        return Entry(when, str(command), names, str(pot), *texts, int(str(n_read)), share, int(str(number)))
    except (ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise _unreadable(f"entry {number} makes no sense") from error


def _casefold(text: object) -> str:
    return str(text).casefold()


def _plain(text: str) -> str:
    """The text with what no file of text can hold, such as a name that is not UTF-8, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _private_folder() -> None:
    history_file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _switch() -> Path:
    return state_folder() / "history.off"
