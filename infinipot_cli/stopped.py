"""A reading that was stopped half way: what it takes to go on, in one small file until it was done."""

import contextlib
import dataclasses
import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infinipot_cli.documents.ranges import parse_lines
from infinipot_cli.documents.source import STDIN_NAME
from infinipot_cli.documents.wishes import Wishes
from infinipot_cli.errors import OutputError, PotError, UsageError
from infinipot_cli.pins import Pins
from infinipot_cli.places import state_folder
from infinipot_cli.plan import Task
from infinipot_cli.pots.header import Header
from infinipot_cli.pots.originals import fate_of
from infinipot_cli.pots.replacing import put
from infinipot_cli.pots.shelf import STOPPED, is_file_name, path_of, remove
from infinipot_cli.reading import Reading
from infinipot_cli.resume import header_of
from infinipot_cli.session import Session
from infinipot_cli.templates import is_question, load_template, named_anywhere

# The commands that go on.
ASK, SUMMARIZE, READ = "ask", "summarize", "read"
_STDIN = "-"
_FROM_PAGE = re.compile(r"\d+-")


@dataclass(frozen=True)
class Stopped:
    """How to go on.

    Attributes:
        pot: name of the stored pot that holds what was read.
        created: when that pot was written.
        task: what was read for.
        command: that reads the rest and does what was to be done: `ask`, `summarize` or `read`.
        sources: documents still to be read; the first was begun.
        first: which part of that one is left.
        others: what was asked of the other documents.
        found: those of the documents that nobody had named.
        pins: what no distillation may drop.
    """

    pot: str
    created: float
    task: Task
    command: str
    sources: tuple[str, ...]
    first: Wishes
    others: Wishes
    found: frozenset[str]
    pins: Pins

    @property
    def words(self) -> list[str]:
        """What the command line would have said."""
        return [f"@{self.pot}", *self.sources]

    @property
    def is_known(self) -> bool:
        """Whether it is still known what it was read for, which `forget_questions` forgets."""
        return bool(self.task.question) or not load_template(self.task.template).wants_question

    @property
    def has_question(self) -> bool:
        """Whether the user has asked something, be it in a template; a summary and a plain reading ask nothing."""
        asks = self.command == ASK or (self.command == READ and is_question(self.task.catalyst))
        return asks and self.is_known

    @property
    def is_summary(self) -> bool:
        """Whether it was to be summed up."""
        return self.command == SUMMARIZE

    def resume(self, session: Session, task: Task) -> Task:
        """Let a session go on with these documents; returns what for, behind the system prompt of then.

        Args:
            session: with the model that filled the pot.
            task: what is wanted now.
        """
        session.wishes, session.apart = self.others, {self.sources[0]: self.first}
        return task if task.system else replace(task, system=self.task.system)


def note(
    name: str, session: Session, reading: Reading, sources: Sequence[str], found: frozenset[str], *, command: str
) -> bool:
    """Write down how to go on with a reading that was stopped and stored.

    Args:
        name: of the stored pot.
        session: that made the reading.
        reading: the stopped one.
        sources: its documents, as they were opened.
        found: those that nobody had named.
        command: that goes on with it.

    Returns:
        Whether it can go on at all: not where a pipe is gone, or the place cannot be told.
    """
    document, option = reading.rest
    wishes, others = _findable(session.apart.get(document, session.wishes)), _findable(session.wishes)
    names = [entry.document.name for entry in reading.inputs if not entry.was_read]
    left = list(sources[names.index(document) :]) if document in names and document != STDIN_NAME else []
    begun = narrowed(wishes, option)
    if not left or _STDIN in left or begun is None:
        return False
    made = Stopped(
        pot=str(path_of(name).resolve()) if is_file_name(name) else name.removeprefix("@"),
        created=header_of(str(path_of(name))).created,
        task=_named_anywhere(reading.task),
        command=command,
        sources=tuple(left),
        first=begun,
        others=others,
        found=frozenset(source for source in left if source in found),
        pins=reading.pins,
    )
    try:
        _write({"folder": os.getcwd(), **_record(made)})
    except OSError:
        return False
    return True


def _record(made: Stopped) -> dict[str, Any]:
    """For JSON; each field under its own name."""
    plain = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}
    parts = {name: dataclasses.asdict(plain[name]) for name in ("task", "first", "others")}
    return {**plain, **parts, "found": sorted(made.found), "pins": made.pins.to_record()}


def _write(held: dict[str, Any]) -> None:
    """Write it down as a whole: a full disk must not cost what is known of the reading before.

    Raises:
        OSError: it cannot be written.
    """
    _file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    put(_file(), json.dumps(held).encode("ascii"))


def _named_anywhere(task: Task) -> Task:
    """The same task, from whatever folder its templates are read again."""
    return replace(task, template=named_anywhere(task.template), catalyst=named_anywhere(task.catalyst))


def _findable(wishes: Wishes) -> Wishes:
    """The same wishes, from whatever folder they are read again."""
    path = wishes.password_file
    return wishes if path is None else replace(wishes, password_file=os.path.abspath(path))


def narrowed(wishes: Wishes, option: str) -> Wishes | None:
    """The wishes for what is left of a document.

    Args:
        wishes: for the whole of it.
        option: where the rest begins, as `Trail.cut` says it; empty if nothing was read.

    Returns:
        None where that cannot be said.
    """
    name, _, value = option.partition(" ")
    if not option:
        return wishes
    if name == "--pages":
        is_simple = wishes.pages is None or _FROM_PAGE.fullmatch(wishes.pages)
        return replace(wishes, pages=value) if is_simple else None
    begun = int(value.removesuffix("-"))
    ranges = parse_lines(wishes.lines) if wishes.lines is not None else [(1, None)]
    end = ranges[-1][1]
    begun = begun if end is None else min(begun, end)
    left = [(max(first, begun), last) for first, last in ranges if last is None or last >= begun]
    return replace(wishes, lines=",".join(f"{first}-{'' if last is None else last}" for first, last in left))


def load() -> Stopped:
    """The reading that was stopped last.

    Raises:
        UsageError: there is none, or its record cannot be read.
        PotError: its pot is gone, or another by now.
    """
    try:
        held = json.loads(_file().read_text(encoding="utf-8"))
        made = Stopped(
            pot=held["pot"],
            created=held["created"],
            task=_task(held["task"]),
            command=held.get("command", ASK),
            sources=tuple(_from(held["folder"], source) for source in held["sources"]),
            first=_wishes(held["first"]),
            others=_wishes(held["others"]),
            found=frozenset(_from(held["folder"], source) for source in held["found"]),
            pins=Pins.of_record(held.get("pins", {})),
        )
    except FileNotFoundError as error:
        raise UsageError("no reading was stopped", hint="--resume goes on after Ctrl-C", code="not_stopped") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{_file()} cannot be read", hint="delete it", code="not_stopped") from error
    header = header_of(str(path_of(made.pot)))
    if header.created != made.created:
        raise PotError(f"@{made.pot} is not the pot that was stopped any more", hint="read the documents again")
    _check_unchanged(made, header)
    return made


def _check_unchanged(made: Stopped, header: Header) -> None:
    """See that the document whose rest shall be read is still the one that was begun."""
    begun = os.path.realpath(made.sources[0])
    if not any(source.path == begun and fate_of(source) == "changed" for source in header.sources):
        return
    chosen = (("--pages", made.first.pages), ("--lines", made.first.lines))
    rest = next(([option, value] for option, value in chosen if value), [])
    raise PotError(
        f"{made.sources[0]} was changed since its reading was stopped",
        hint="read it again, or what is left of it all the same: "
        + shlex.join(["infinipot", "read", made.sources[0], *rest, "--pot", made.pot]),
        code="source_changed",
    )


def forget(pot: str) -> None:
    """The reading into this pot was done to its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if json.loads(_file().read_text(encoding="utf-8")).get("pot") in (
            pot.removeprefix("@"),
            str(path_of(pot).resolve()),
        ):
            _file().unlink()


def forget_questions() -> None:
    """Let go of what was asked of the reading that was stopped last, and of its pot, which was read for that.

    A pot that the user has named stays, and so does one that was read without a question: these can still go on.

    Raises:
        OutputError: it is written down, and that cannot be changed.
    """
    with contextlib.suppress(PotError):  # there is none, or a damaged one
        if header_of(str(path_of(STOPPED))).questions:
            remove(STOPPED)
            forget(STOPPED)
    try:
        held = json.loads(_file().read_text(encoding="utf-8"))
        held["task"].update(question="", further=[], ahead=None, parameters=[])
        _write(held)
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, AttributeError):  # nobody can go on with this
        with contextlib.suppress(OSError):
            _file().unlink()
    except OSError as error:
        raise OutputError(f"{_file()} cannot be changed: {error.strerror or error}") from error


def _from(folder: str, source: str) -> str:
    """What a name of then means now, said as it was said then if that is still right."""
    return source if os.path.realpath(folder) == os.getcwd() else os.path.join(folder, source)


def _task(held: dict[str, Any]) -> Task:
    parameters = tuple((str(name), str(value)) for name, value in held.pop("parameters"))
    return Task(**{**held, "further": tuple(held["further"])}, parameters=parameters)


def _wishes(held: dict[str, Any]) -> Wishes:
    lists = {name: tuple(held[name]) for name in ("endings", "ignore")}
    loaders = tuple((str(ending), str(command)) for ending, command in held.get("loaders", ()))
    return Wishes(**{**held, **lists, "loaders": loaders})


def _file() -> Path:
    return state_folder() / "stopped.json"
