"""What reading would take, counted without loading a model: behind `infinipot info` and `--dry-run`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import typer

from infinipot_cli.commands.options.pots import split_pot
from infinipot_cli.commands.options.words import STDIN
from infinipot_cli.commands.runs import log_alone
from infinipot_cli.commands.runs.form import Form
from infinipot_cli.commands.runs.record import problem
from infinipot_cli.commands.runs.remarks import allow_no_warnings
from infinipot_cli.display.answer import use_utf8
from infinipot_cli.display.console import error_console, say, waiting
from infinipot_cli.display.listing import put, show_rows
from infinipot_cli.display.problem import show_problem, show_warning
from infinipot_cli.display.safe import safe_json
from infinipot_cli.display.silence import tell_if_silent
from infinipot_cli.display.summary import counted, grouped, roughly, size
from infinipot_cli.documents import collect
from infinipot_cli.errors import DocumentError, ModelError, PartError
from infinipot_cli.plan import Plan, Task
from infinipot_cli.session import Session
from infinipot_cli.settings import Color
from infinipot_cli.speed import last_speed


@dataclass
class Count:
    """What readings would take together.

    Attributes:
        rows: one for each document.
        n_tokens: of the documents.
        n_cycles: distillations.
        n_readings: pots that are filled, one after the other.
        n_read: of the tokens, those that a pot would read: the lines of a log may only be counted.
        n_stored: tokens that a stored pot has read already.
        plan: sizes of the last one.
        failures: documents that cannot be read.
        warnings: what documents say of their state.
    """

    rows: list[dict[str, object]] = field(default_factory=list)
    n_tokens: int = 0
    n_cycles: int = 0
    n_readings: int = 0
    n_read: int = 0
    n_stored: int = 0
    plan: Plan | None = None
    failures: list[DocumentError | PartError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def show_count(
    session: Session, words: Sequence[str], task: Task, *, each: bool = False, form: Form | None = None,
    json: bool = False, quiet: bool = False, plain: bool = False, strict: bool = False, color: Color = Color.AUTO,
) -> None:  # fmt: skip
    """Count documents and print what came of it.

    Args:
        session: model and wishes.
        words: the sources as the user typed them.
        task: what they would be read for.
        each: every source would be read by itself.
        form: of the run that this is instead of; None where nothing was to be read.
        json: one JSON document instead of a list.
        quiet: only the list.
        plain: on a terminal too, as in a pipe.
        strict: whether a warning makes the run fail.
        color: when to use colour.

    Raises:
        Exit: a document cannot be read, or a warning under --strict.
    """
    use_utf8()
    strict = strict or (form is not None and form.strict)
    console, unmuted = error_console(color, quiet=quiet, plain=plain), error_console(color, plain=plain)
    pot, others = split_pot(words)
    collected = collect(others, session.wishes) if others else None
    for note in collected.notes if collected else ():
        say(console, note, style="dim")
    sources = collected.sources if collected else ()
    if STDIN in sources:
        tell_if_silent(console)
    count = Count()
    with waiting(console, "counting"):
        if pot is not None:
            _add_stored(session, pot, task, count)
        found = collected.found if collected else frozenset()
        for group in [[source] for source in sources] if each else [list(sources)] if sources else []:
            _add(session, group, task, found, count, form=form, may_fail=len(sources) > 1 and each)
    assert count.plan is not None or count.failures
    if json:
        put(safe_json(_record(session, count, is_dry_run=form is not None)))
    else:
        show_rows([_listed(row) for row in count.rows], plain=plain)
    for warning in count.warnings:
        show_warning(unmuted if strict else console, warning)  # one that makes the run fail is an error
    for failure in count.failures:
        show_problem(unmuted, failure.message, failure.hint)
    if count.plan is not None:
        say(console, _line(session, count, count.plan), style="dim")
    if form is not None:
        say(console, "nothing was read into a pot (--dry-run)", style="dim")
    if count.failures:
        raise typer.Exit(count.failures[0].exit_code)
    if strict:
        allow_no_warnings(len(count.warnings), color, plain=plain)


def _add(
    session: Session, sources: list[str], task: Task, found: frozenset[str], count: Count, *, form: Form | None,
    may_fail: bool,
) -> None:  # fmt: skip
    """Count one reading."""
    try:
        reading = session.prepare(sources, task, found=found, will_load=False)
    except (DocumentError, PartError) as error:
        if not may_fail:
            raise
        count.failures.append(error)
        count.rows.append(_row(sources[0], error=error))
        return
    with reading:
        is_log_alone = form is not None and log_alone.is_enough(form, log_alone.watched(form, reading))
        reading.count()
        earlier = count.n_stored if not count.n_readings else 0
        count.plan = reading.plan
        count.n_tokens += reading.n_tokens
        if not is_log_alone:
            count.n_readings += 1
            count.n_read += reading.n_tokens
            count.n_cycles += reading.plan.n_cycles(reading.n_tokens + earlier) - reading.plan.n_cycles(earlier)
        count.warnings += reading.warnings
        for entry in reading.inputs:
            document, failure = entry.document, entry.document.failure
            if failure is not None:
                count.failures.append(failure)
            count.rows.append(
                _row(
                    document.name, document.kind, document.n_pages, document.n_bytes, entry.n_tokens,
                    error=failure,
                )
            )  # fmt: skip


def _add_stored(session: Session, name: str, task: Task, count: Count) -> None:
    """List what a stored pot has read, which costs nothing any more."""
    from infinipot_cli.resume import adopt, header_of

    header = header_of(name)
    adopt(session, header, name)
    count.plan = session.plan(session.settle(task))
    count.n_stored = sum(source.n_tokens for source in header.sources)
    count.rows += [
        _row(source.name, f"in {name}", source.all_pages, None, source.n_tokens) for source in header.sources
    ]


def _row(
    name: str,
    kind: str = "",
    n_pages: int | None = None,
    n_bytes: int | None = None,
    n_tokens: int = 0,
    error: DocumentError | PartError | None = None,
) -> dict[str, object]:
    row: dict[str, object] = {"path": name, "type": kind, "pages": n_pages, "bytes": n_bytes, "tokens": n_tokens}
    return {**row, **({"error": problem(error)} if error else {})}


def _listed(row: dict[str, object]) -> dict[str, object]:
    """A row for people, who want of a failure its message."""
    failed = row.get("error")
    return {**row, "error": failed["message"]} if isinstance(failed, dict) else row


def _seconds(session: Session, count: Count, plan: Plan) -> float | None:
    speed = last_speed(session.files.name, plan.capacity)
    return 0.0 if not count.n_read else count.n_read / speed if speed else None


def _pot_bytes(session: Session, plan: Plan) -> int | None:
    from infinipot_cli.model.footprint import footprint

    try:
        return footprint(session.files, session.loading).bytes_of(plan.capacity, plan.budget)
    except ModelError:
        return None


def _record(session: Session, count: Count, *, is_dry_run: bool) -> dict[str, object]:
    plan = count.plan
    seconds = _seconds(session, count, plan) if plan else None
    pot = plan and {
        "size": plan.capacity,
        "budget": plan.budget,
        "distillations": count.n_cycles,
        "bytes": _pot_bytes(session, plan),
    }
    return {
        "schema": 1,
        **({"dry_run": True} if is_dry_run else {}),
        "input": count.rows,
        "tokens": count.n_tokens,
        "warnings": [{"code": "document", "message": message} for message in count.warnings],
        "model": session.files.name,
        **({"pot": pot} if pot else {}),
        "seconds": round(seconds, 3) if seconds is not None else None,
    }


def _line(session: Session, count: Count, plan: Plan) -> str:
    """All of it in one line."""
    if not count.n_readings:
        if not count.n_tokens:
            return "was read already: nothing is read"
        return f"{counted(count.n_tokens, 'token')} · the lines are counted and read into no pot"
    seconds, n_bytes = _seconds(session, count, plan), _pot_bytes(session, plan)
    if count.n_cycles:
        ratio = count.n_read / plan.capacity / count.n_readings
        passes = f"{counted(count.n_cycles, 'distillation')}, {grouped(round(ratio))} tokens to a place"
    else:
        passes = "fits, nothing is dropped"
    time = f"about {roughly(seconds)} to read" if seconds is not None else "no reading yet to estimate time from"
    facts = [
        f"{counted(count.n_tokens, 'token')} → pot of {grouped(plan.capacity)} places"
        + (f", {size(n_bytes)}" if n_bytes else ""),
        *([counted(count.n_readings, "reading")] if count.n_readings > 1 else []),
        passes,
        session.files.name,
        time,
    ]
    return " · ".join(facts)
