"""Results of measurements as tables on standard output."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from infinipot_cli.bench.record import FamilyRow, MemoryRow, StoredRow, StreamRow
from infinipot_cli.display.console import say
from infinipot_cli.display.summary import duration, size


def show_table(table: Table, heading: str = "") -> None:
    """Print a heading and a table; plain text where standard output is no terminal."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if heading:
        say(console, heading)
    console.print(table)


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


def stored_table(rows: Sequence[StoredRow]) -> Table:
    """Forms of a stored pot: what they weigh, answer, and how soon."""
    table = Table()
    table.add_column("pot")
    for name in ("file", "right", "answers as never stored", "first word"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.form,
            size(row.n_bytes) if row.n_bytes else "",
            f"{row.n_right} of {row.n_asked}",
            f"{row.n_equal} of {row.n_asked}",
            f"{row.first_seconds:.1f} s" if row.first_seconds is not None else "",
        )
    return table


def stream_table(rows: Sequence[StreamRow]) -> Table:
    """Memory early and late in a text that came through a pipe."""
    table = Table()
    for name in ("text", "tokens", "memory at 10 MB", "most memory", "difference", "time"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            f"{row.n_bytes / 1e6:.0f} MB",
            str(row.n_tokens),
            size(row.early_bytes),
            size(row.late_bytes),
            f"{(row.late_bytes - row.early_bytes) / 1e6:+.1f} MB",
            duration(row.seconds),
        )
    return table


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
