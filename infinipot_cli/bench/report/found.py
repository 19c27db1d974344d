"""The records of a folder, by benchmark: those that `--json` printed, and the files of `--record`.

A run file of a run that was not finished counts as far as it goes. Everything is computed from the trials again, so
that both give the same report.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from infinipot_cli.errors import DocumentError

BENCHES = ("needle", "ruler", "longbench", "pocket", "cost", "hitrate", "citations", "memory", "all")
# What the settings of a run file have, and no other's.
_MARKS = {"needle": "kind", "ruler": "tasks", "longbench": "pots", "pocket": "full_up_to", "cost": "methods",
          "hitrate": "questions", "citations": "books", "memory": "command"}  # fmt: skip
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
        left_out: JSON files that are no records.
    """

    records: list[Record] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)

    def of(self, bench: str) -> list[Record]:
        """The runs of one benchmark."""
        return [record for record in self.records if record.bench == bench]


def find(folder: Path) -> Found:
    """Read a folder's records.

    Raises:
        DocumentError: it is no folder, or holds no record.
    """
    if not folder.is_dir():
        raise DocumentError(f"{folder} is no folder", hint="infinipot bench all --quick -o DIR makes one")
    found = Found()
    for path in sorted(folder.glob("*.json")):
        record = _whole(path)
        found.records.append(record) if record else found.left_out.append(path)
    whole = [_identity(record) for record in found.records]
    for path in sorted(folder.glob("*.jsonl")):
        record = _run_file(path)
        if record and _identity(record) not in whole:
            found.records.append(record)
    if not found.records:
        raise DocumentError(
            f"{folder} holds no record of a benchmark",
            hint="infinipot bench needle --json > DIR/needle.json writes one",
        )
    return found


def _identity(record: Record) -> tuple[str, str]:
    return record.bench, json.dumps(dict(record.settings), sort_keys=True)


def _whole(path: Path) -> Record | None:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(fields, dict) or fields.get("bench") not in BENCHES:
        return None
    return Record(path, fields["bench"], fields)


def _run_file(path: Path) -> Record | None:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        settings, *trials = [json.loads(line) for line in lines[:-1]]
    except (OSError, ValueError):
        return None
    if isinstance(settings, dict) and "suite" in settings:
        return None  # what `bench all` has run, which is no run of any one benchmark
    bench = next((name for name, mark in _MARKS.items() if isinstance(settings, dict) and mark in settings), None)
    return Record(path, bench, {"bench": bench, "settings": settings, "trials": trials}) if bench else None
