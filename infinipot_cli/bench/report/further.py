"""What the report says beside the paper's tables: the runs behind it, citations, and the embedded model's sets."""

from collections.abc import Hashable

from infinipot_cli.bench.citation_record import CitationResult, CitationTrial
from infinipot_cli.bench.pocket_record import METRICS, PocketTrial, scores
from infinipot_cli.bench.report.blocks import Block, Code, Grid, Heading, Paragraph
from infinipot_cli.bench.report.found import Found, Record
from infinipot_cli.bench.report.items import measured, said
from infinipot_cli.errors import DocumentError
from infinipot_cli.explain.citations import THRESHOLD


def run_blocks(found: Found) -> list[Block]:
    """What was run: commands, models, sizes, versions and machine."""
    rows = [
        [
            record.path.name,
            record.bench,
            record.model or "random weights",
            _pot(record),
            str(_n(record)),
            _versions(record),
        ]
        for record in found.records
        if record.bench != "all"
    ]
    blocks: list[Block] = [
        Heading("Runs"), Grid(["record", "bench", "model", "pot", "results", "versions"], rows)
    ]  # fmt: skip
    machines = {_machine(record) for record in found.records} - {""}
    if machines:
        blocks.append(Paragraph("Measured on: " + "; ".join(sorted(machines))))
    for record in found.of("all"):
        steps = record.fields.get("steps", ())
        notes = [Paragraph(str(note)) for note in record.fields.get("notes", ())]
        commands = "\n".join(f"{step['command']}    # {step['seconds']:.0f} s{_failed(step)}" for step in steps)
        blocks += [Heading("Commands", 3), *notes, Code(commands)]
    if found.left_out:
        told = "; ".join(f"{path.name} {said}" for path, said in found.left_out.items())
        blocks.append(Paragraph(f"Left out: {told}."))
    return blocks


def _failed(step: dict[str, object]) -> str:
    return "" if step.get("status") == "done" else f", {step.get('status')}"


def _pot(record: Record) -> str:
    fields, settings = record.fields, record.settings
    pot = fields.get("pot") or settings.get("pot")
    if isinstance(pot, dict):
        return str(pot.get("size", ""))
    return ", ".join(map(str, settings.get("pots", ())))


def _n(record: Record) -> int:
    return len(record.fields.get("trials") or record.fields.get("rows") or ())


def _versions(record: Record) -> str:
    made = record.fields.get("made_with") or {}
    versions = made.get("versions") or record.fields.get("versions") or {}
    return ", ".join(f"{name} {value}" for name, value in versions.items())


def _machine(record: Record) -> str:
    machine = (record.fields.get("made_with") or {}).get("machine") or {}
    names = (machine.get("system"), machine.get("processor"), f"{machine.get('n_cores')} cores", machine.get("device"))
    return ", ".join(str(name) for name in names if name) if machine else ""


def citation_blocks(found: Found) -> list[Block]:
    """How often the page of a fact is cited."""
    rows = []
    for record in found.of("citations"):
        fields = {"threshold": THRESHOLD, **record.settings, **record.fields}
        trials = [_citation(one, record) for one in fields["trials"]]
        result = CitationResult(
            record.model, fields["pot"]["size"], fields["pages"], fields["seed"], fields["threshold"], 3, trials
        )
        totals = (result.recall(result.threshold), result.precision(result.threshold))
        shares = (
            f"{one.right}/{one.total} ({100 * one.interval[0]:.0f}–{100 * one.interval[1]:.0f} %)" for one in totals
        )
        rows.append([record.model, f"{len(result.right)}/{len(trials)}", *shares])
    if not rows:
        return []
    header = ["model", "right answers", "page cited", "cited page right"]
    return [Heading("Citations"), Paragraph("Of right answers; the paper has no citations."), Grid(header, rows)]


def _citation(fields: dict[str, object], record: Record) -> CitationTrial:
    try:
        return CitationTrial(**fields)  # type: ignore[arg-type]  # as it was written
    except TypeError as error:
        raise DocumentError(f"{record.path} was written by another version: {error}", code="bad_record") from error


def pocket_blocks(found: Found) -> list[Block]:
    """The embedded model's evaluation sets."""
    trials = [one.trial for one in measured(found, "pocket", PocketTrial, _pocket_question)]
    rows = [
        [f"{one.set_name} {one.group}".strip(), METRICS[one.metric], one.arm, str(one.n), f"{one.mean:.1f}",
         f"{one.interval[0]:.1f}–{one.interval[1]:.1f}" if one.interval else "–"]
        for one in scores(trials)
    ]  # fmt: skip
    if not rows:
        return []
    return [Heading("Sets of the embedded model"), Grid(["set", "metric", "arm", "n", "mean", "95 %"], rows)]


def _pocket_question(record: Record, one: PocketTrial) -> Hashable:
    chosen_by = said(record, ("seed", "n", "lengths", "depths", "data"))
    return (one.set_name, one.group, one.number, one.question, chosen_by)
