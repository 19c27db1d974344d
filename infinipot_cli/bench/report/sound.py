"""Whether a record is one that this version can read: its measurements have the fields and kinds that they need.

A report is drawn from many records, and one that a kill cut off or an older version wrote must not keep the others
from being shown; nor may it be left out without a word.
"""

from collections.abc import Mapping
from typing import Any, get_type_hints

from infinipot_cli.bench.citation_record import CitationTrial
from infinipot_cli.bench.cost_record import CostRow
from infinipot_cli.bench.hitrate_record import HitTrial
from infinipot_cli.bench.longbench_record import LongTrial
from infinipot_cli.bench.longbench_sets import SETS
from infinipot_cli.bench.needle_record import NeedleTrial
from infinipot_cli.bench.pocket_record import METRICS, PocketTrial
from infinipot_cli.bench.record import MemoryRow
from infinipot_cli.bench.ruler.record import RulerTrial

_KINDS: dict[str, type] = {
    "needle": NeedleTrial, "ruler": RulerTrial, "longbench": LongTrial, "pocket": PocketTrial, "cost": CostRow,
    "hitrate": HitTrial, "citations": CitationTrial, "memory": MemoryRow,
}  # fmt: skip
# What else a benchmark's record says that its part of the report cannot do without.
_NEEDED = {"hitrate": ("model", "pot", "seed"), "citations": ("pot", "pages", "seed")}
# Measurements whose reader passes over fields that it does not know.
_LENIENT = {"cost"}
_PLAIN: dict[type, tuple[type, ...]] = {float: (float, int), int: (int,), str: (str,), bool: (bool,)}


def problem(bench: str, fields: Mapping[str, Any]) -> str | None:
    """What is wrong with a record, None if it can be read.

    Args:
        bench: which benchmark it is of.
        fields: the whole record.
    """
    for name in ("settings", "made_with", "versions"):
        if not isinstance(fields.get(name) or {}, dict):
            return f"{name} is no object"
    if bench == "all":
        return _of_suite(fields)
    said = {**(fields.get("settings") or {}), **fields}
    absent = [name for name in _NEEDED.get(bench, ()) if name not in said]
    if absent:
        return f"it has no {absent[0]}"
    if not isinstance(said.get("pot") or {}, dict) or ("pot" in _NEEDED.get(bench, ()) and "size" not in said["pot"]):
        return "its pot has no size"
    rows = fields.get("rows") or fields.get("trials") or []
    if not isinstance(rows, list):
        return "its measurements are no list"
    told = ((number, _of_row(bench, row)) for number, row in enumerate(rows, start=1))
    return next((f"measurement {number} {said}" for number, said in told if said), None)


def _of_suite(fields: Mapping[str, Any]) -> str | None:
    steps, notes = fields.get("steps", []), fields.get("notes", [])
    is_whole = isinstance(steps, list) and isinstance(notes, list) and all(
        isinstance(step, dict) and isinstance(step.get("command"), str) and isinstance(step.get("seconds"), float | int)
        for step in steps
    )  # fmt: skip
    return None if is_whole else "its steps are not what a suite writes"


def _of_row(bench: str, row: object) -> str | None:
    kind = _KINDS[bench]
    if not isinstance(row, dict):
        return "is no object"
    hints = get_type_hints(kind)
    fields = {name: value for name, value in row.items() if name in hints or bench not in _LENIENT}
    try:
        HitTrial.of(**fields) if kind is HitTrial else kind(**fields)
    except (TypeError, KeyError) as error:
        return f"does not fit: {str(error).removeprefix(f'{kind.__name__}.__init__() ')}"
    for name, value in fields.items():
        wanted = _PLAIN.get(hints[name])
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
            return f"has {value!r:.40} for {name}"
    if bench == "longbench" and row["set_name"] not in SETS:
        return "is of a set that there is not"
    return _of_scores(row["scores"]) if bench == "pocket" else None


def _of_scores(scores: object) -> str | None:
    """What is wrong with the scores of one answer, by metric."""
    if not isinstance(scores, dict):
        return f"has {scores!r:.40} for scores"
    for metric, score in scores.items():
        if metric not in METRICS:
            return "is of a metric that there is not"
        if not isinstance(score, float | int) or isinstance(score, bool):
            return f"has {score!r:.40} for {metric}"
    return None
