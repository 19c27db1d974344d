"""Results of measurements as tables on standard output."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from infinipot_cli.bench.record import CostRow, Count, FamilyRow, MemoryRow, NeedleResult
from infinipot_cli.display.console import say
from infinipot_cli.display.summary import duration, size


def show_table(table: Table, heading: str = "") -> None:
    """Print a heading and a table; plain text where standard output is no terminal."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if heading:
        say(console, heading)
    console.print(table)


def needle_heading(result: NeedleResult) -> str:
    """What the trials were run on."""
    return (
        f"{result.model}, pot {result.capacity}, {result.budget} kept, catalyst {result.catalyst}, seed {result.seed}"
    )


def needle_table(result: NeedleResult) -> Table:
    """Right answers by depth and kind."""
    table = Table()
    table.add_column("depth", justify="right")
    for kind in result.kinds:
        table.add_column(kind, justify="right")
    for depth in result.depths:
        table.add_row(f"{depth:.1f}", *(_right(result.count(kind, depth)) for kind in result.kinds))
    table.add_section()
    table.add_row("all", *(_right(result.count(kind)) for kind in result.kinds))
    table.add_row("95 %", *(_interval(result.count(kind)) for kind in result.kinds))
    return table


def memory_table(rows: Sequence[MemoryRow]) -> Table:
    """Peak memory by length, and how much more than the first row each takes."""
    table = Table()
    for name in ("tokens", "distillations", "peak memory", "difference", "time"):
        table.add_column(name, justify="right")
    for row in rows:
        more = row.peak_bytes - rows[0].peak_bytes
        table.add_row(
            str(row.n_tokens),
            str(row.n_distilled),
            size(row.peak_bytes),
            f"{more / 1e6:+.1f} MB",
            duration(row.seconds),
        )
    return table


def cost_table(rows: Sequence[CostRow]) -> Table:
    """Time and memory of each method at each length, with ratios to the first method at the same length."""
    table = Table()
    for name in (
        "tokens",
        "method",
        "reading",
        "tok/s",
        "distilling",
        "first token",
        "tok/s answer",
        "cache",
        "memory",
    ):
        table.add_column(name, justify="left" if name == "method" else "right")
    first: CostRow | None = None
    for row in rows:
        if first is None or row.n_tokens != first.n_tokens:
            if first is not None:
                table.add_section()
            first = row
        table.add_row(
            str(row.n_tokens),
            row.method,
            f"{duration(row.read_seconds)}{_ratio(row.read_seconds, first.read_seconds, row is first)}",
            f"{row.n_tokens / row.read_seconds:.0f}",
            f"{100 * row.distill_share:.1f} %" if row.n_distilled else "",
            duration(row.first_token_seconds),
            f"{(row.n_answer - 1) / row.answer_seconds:.1f}" if row.answer_seconds else "",
            f"{size(row.cache_bytes)}{_ratio(row.cache_bytes, first.cache_bytes, row is first)}",
            f"+{size(row.grown_bytes)}",
        )
    return table


def _ratio(value: float, base: float, is_base: bool) -> str:
    return "" if is_base or not base else f" ×{value / base:.2f}"


FAMILY_COLUMNS = ("fits = plain", "kept sets = reference", "rotation exact", "generation = reference")


def families_table(rows: Sequence[FamilyRow]) -> Table:
    """Each family with what was measured; a failed check is marked."""
    table = Table()
    for name in ("family", *FAMILY_COLUMNS):
        table.add_column(name)
    for row in rows:
        cells = (
            f"{row.fits:.0e}",
            f"{row.n_equal}/{row.n_compared}",
            f"{row.rotation:.0e}, bf16 {row.rotation_bf16:.0e}",
            f"{row.generation:.0e}",
        )
        marked = (cell if good else f"✗ {cell}" for cell, good in zip(cells, row.verdicts, strict=True))
        table.add_row(row.family, *marked)
    return table


def families_markdown(rows: Sequence[FamilyRow]) -> str:
    """The same for a README: what each family asks of the engine, and verdicts without figures."""
    heading = f"| family | in transformers | asks for | {' | '.join(FAMILY_COLUMNS)} |\n|---|---|---|{'---|' * 4}\n"
    return heading + "".join(
        f"| {row.family} | `{row.model_type}` | {row.trait} | {' | '.join('✗✓'[good] for good in row.verdicts)} |\n"
        for row in rows
    )


def _right(count: Count) -> str:
    return f"{count.right}/{count.total}" if count.total else ""


def _interval(count: Count) -> str:
    low, high = count.interval
    return f"{100 * low:.0f}–{100 * high:.0f} %"
