"""What reading costs, as a table."""

from collections.abc import Sequence

from rich.table import Table

from infinipot_cli.bench.record import CostRow
from infinipot_cli.display.summary import duration, size


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
