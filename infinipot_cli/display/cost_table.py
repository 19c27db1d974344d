"""What reading costs, as a table."""

from collections.abc import Sequence

from rich.table import Table

from infinipot_cli.bench.record import CostRow
from infinipot_cli.display.summary import duration, size


def cost_table(rows: Sequence[CostRow]) -> Table:
    """Time and memory of each method at each length, with ratios to the first method at the same length.

    TTFT is the time to the first token of the answer, reading included; tok/s is the speed of the answer.
    """
    table = Table()
    for name in ("tokens", "method", "TTFT", "distil", "tok/s", "wall", "cache", "memory"):
        table.add_column(name, justify="left" if name == "method" else "right", no_wrap=name == "method")
    first: CostRow | None = None
    for row in rows:
        if first is None or row.n_tokens != first.n_tokens:
            if first is not None:
                table.add_section()
            first = row
        table.add_row(str(row.n_tokens), row.method, *_cells(row, first))
    return table


def _cells(row: CostRow, first: CostRow) -> tuple[str, ...]:
    """Time to the first token, share of distilling, speed of the answer, wall time, cache, growth of the peak."""
    is_first = row is first
    return (
        f"{duration(row.ttft_seconds)}{_ratio(row.ttft_seconds, first.ttft_seconds, is_first)}",
        f"{100 * row.distill_share:.1f} %" if row.distill_seconds else "",
        f"{(row.n_answer - 1) / row.answer_seconds:.1f}" if row.answer_seconds else "",
        duration(row.ttft_seconds + row.answer_seconds),
        f"{size(row.cache_bytes)}{_ratio(row.cache_bytes, first.cache_bytes, is_first)}",
        f"+{size(row.grown_bytes)}{_ratio(row.grown_bytes, first.grown_bytes, is_first)}",
    )


def _ratio(value: float, base: float, is_base: bool) -> str:
    return "" if is_base or not base else f" ×{value / base:.2f}"
