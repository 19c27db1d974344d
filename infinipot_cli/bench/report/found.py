"""The records of a folder, by benchmark: those that `--json` printed, and the files of `--record`.

A run file of a run that was not finished counts as far as it goes. Everything is computed from the trials again, so
that both give the same report.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from infinipot_cli.bench.report.sound import problem
from infinipot_cli.errors import DocumentError

BENCHES = ("needle", "ruler", "longbench", "pocket", "cost", "hitrate", "citations", "memory", "all")
# What the settings of a run file have, and no other's.
_MARKS = {"needle": "kind", "ruler": "tasks", "longbench": "pots", "pocket": "full_up_to", "cost": "methods",
          "hitrate": "questions", "citations": "books", "memory": "command"}  # fmt: skip
# Benchmarks whose runs are counted together, arm by arm.
_POOLED = ("needle", "ruler", "pocket")
# What an answer depends on besides question and arm, where a record says it.
WAY = ("model", "pot", "budget", "novelty", "set", "policy", "catalyst", "max_tokens", "dtype", "quantize")
# Benchmarks whose runs stand in one row or curve, which is that of one way; and what else a way is of.
_OF_ONE_WAY = {"longbench": (), "cost": ("shape", "answer"), "memory": ()}
# Benchmarks of which one run is drawn.
_DRAWN = ("hitrate",)
FOREIGN = "is no record of a benchmark"
# Benchmarks of what the paper has no table or figure of.
_NOT_SHOWN = ("ageing", "families", "pots", "stream")
T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """One run.

    Attributes:
        path: its file.
        bench: which benchmark.
        fields: the whole record.
    """

    path: Path
    bench: str
    fields: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its numbers depend on."""
        return self.fields.get("settings") or {}

    @property
    def model(self) -> str:
        """The model that was measured."""
        return str(self.fields.get("model") or self.settings.get("model") or "")

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Its measurements, whether `--json` or `--record` wrote them."""
        found: Sequence[Mapping[str, Any]] = self.fields.get("rows") or self.fields.get("trials", ())
        return found

    def said(self, name: str) -> object:
        """What it says of its run under a name; None for nothing."""
        value = {**self.fields, **self.settings}.get(name)
        return None if value in ("", {}, []) else value

    def trials(self, make: Callable[..., T]) -> list[T]:
        """Its trials as what wrote them.

        Raises:
            DocumentError: they are of another version.
        """
        try:
            return [make(**fields) for fields in self.fields.get("trials", ())]
        except TypeError as error:
            raise DocumentError(f"{self.path} was written by another version: {error}", code="bad_record") from error


@dataclass
class Found:
    """All records of a folder.

    Attributes:
        records: in the order of their names.
        left_out: files that could not be taken, and why.
    """

    records: list[Record] = field(default_factory=list)
    left_out: dict[Path, str] = field(default_factory=dict)

    def of(self, bench: str) -> list[Record]:
        """The runs of one benchmark."""
        return [record for record in self.records if record.bench == bench]

    def leave_out(self, record: Record, why: str) -> None:
        """Take a record away, and keep why."""
        self.records.remove(record)
        self.left_out[record.path] = why


def find(folder: Path) -> Found:
    """Read a folder's records; those that cannot be read are left out by name.

    Raises:
        DocumentError: it is no folder, or holds no record that can be read.
    """
    if not folder.is_dir():
        raise DocumentError(f"{folder} is no folder", hint="infinipot bench all --quick -o DIR makes one")
    found = Found()
    for path in sorted(folder.glob("*.json")):
        _take(found, path, _whole(path))
    whole = [_identity(record) for record in found.records]
    for path in sorted(folder.glob("*.jsonl")):
        record = _run_file(path)
        if isinstance(record, str) or (record and _identity(record) not in whole):
            _take(found, path, record)
    if not found.records:
        raise _nothing(folder, found)
    _part_models(found)
    _part_ways(found)
    for bench in _DRAWN:
        for record in found.of(bench)[1:]:
            found.leave_out(record, f"is not drawn: figures show one run, {found.of(bench)[0].path.name}")
    return found


def _part_models(found: Found) -> None:
    """Leave out runs of another model where those of one are counted together; the first by name stays."""
    for bench in _POOLED:
        runs = found.of(bench)
        first = next((record.model for record in runs if record.model), "")
        for record in runs:
            if record.model not in ("", first):
                found.leave_out(record, f"is of {record.model}, and the others of {first}: a folder for each")


def _part_ways(found: Found) -> None:
    """Leave out runs of another way where all of a benchmark stand in one row or curve; the first by name stays."""
    for bench, more in _OF_ONE_WAY.items():
        kept: list[Record] = []
        for record in found.of(bench):
            apart = next(((other, name) for other in kept if (name := _difference(record, other, more))), None)
            if apart:
                other, name = apart
                found.leave_out(record, f"has another {name} than {other.path.name}: a folder for each")
            else:
                kept.append(record)


def _difference(record: Record, other: Record, more: Iterable[str]) -> str:
    """A setting that keeps two runs of a benchmark from standing in one row; empty if there is none."""
    names = [name for name in (*WAY, *more) if record.said(name) != other.said(name)]
    if record.bench == "longbench":
        if "model" in names:
            return ""  # each model has rows of its own
        mine, its = ({row.get("capacity") for row in one.rows} for one in (record, other))
        if "budget" in names and not mine & its:
            names.remove("budget")  # each pot has a column of its own, and may keep another number of places
    return names[0] if names else ""


def _take(found: Found, path: Path, record: Record | str) -> None:
    """Add a record, or what keeps it from being one."""
    if isinstance(record, Record) and (said := problem(record.bench, record.fields)):
        record = f"was written by another version, or is damaged: {said}"
    if isinstance(record, Record):
        found.records.append(record)
    else:
        found.left_out[path] = record


def _nothing(folder: Path, found: Found) -> DocumentError:
    none = (FOREIGN, *map(_not_shown, _NOT_SHOWN))
    spoiled = [f"{path.name} {said}" for path, said in found.left_out.items() if said not in none]
    if spoiled:
        return DocumentError(
            f"{folder} holds no record that can be read: {spoiled[0]}",
            hint="measure again into another folder, or take the version that wrote it",
            code="bad_record",
        )
    return DocumentError(
        f"{folder} holds no record that a report shows",
        hint="infinipot bench needle --json > DIR/needle.json writes one",
    )


def _identity(record: Record) -> tuple[str, str]:
    return record.bench, json.dumps(dict(record.settings), sort_keys=True)


def _whole(path: Path) -> Record | str:
    """What `--json` printed, or why it is none."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        return "is cut off, or no JSON"
    bench = fields.get("bench") if isinstance(fields, dict) else None
    if bench in _NOT_SHOWN:
        return _not_shown(bench)
    return Record(path, bench, fields) if bench in BENCHES else FOREIGN


def _not_shown(bench: str) -> str:
    return f"is of bench {bench}, which no report shows"


def _run_file(path: Path) -> Record | str | None:
    """What `--record` wrote, None for a file of lines that is something else, or what is wrong with it."""
    try:
        first, *lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        settings = json.loads(first)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(settings, dict) or "suite" in settings:
        return None  # what `bench all` has run, which is no run of any one benchmark
    if {"facts", "lengths", "arms"} <= settings.keys():
        return _not_shown("ageing")
    bench = next((name for name, mark in _MARKS.items() if mark in settings), None)
    if bench is None:
        return None
    trials = []
    for number, line in enumerate(lines, start=2):
        try:
            trials.append(json.loads(line))
        except (ValueError, RecursionError):
            return f"is damaged: line {number} is no JSON"
    return Record(path, bench, {"bench": bench, "settings": settings, "trials": trials})
