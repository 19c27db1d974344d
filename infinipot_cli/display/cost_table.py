"""What reading costs, as tables: medians, their ratios to the first method, and how far the repetitions lie apart."""

from collections.abc import Callable, Sequence

from rich.table import Table

from infinipot_cli.bench.cost_record import CostCell, first_of_length
from infinipot_cli.display.summary import duration, size

_RATIOS = {"TTFT": "ttft_seconds", "tok/s": "tokens_per_second", "wall": "wall_seconds", "cache": "cache_bytes",
           "memory": "grown_bytes"}  # fmt: skip


def cost_tables(found: Sequence[CostCell]) -> list[tuple[str, Table]]:
    """Headings and tables; a spread only where there were repetitions, ratios only where there is another method.

    TTFT is the time to the first token of the answer, reading included, and distil its share of that; tok/s is the
    speed of the answer; memory is what came on top of libraries and weights.
    """
    n_repeats = max((len(cell.rows) for cell in found), default=0)
    said = f"medians of {n_repeats}" if n_repeats > 1 else "measured once"
    tables = [(said, _table(found, ("TTFT", "distil", "tok/s", "wall", "cache", "memory"), _medians))]
    if len({cell.method for cell in found}) > 1:
        tables.append((f"times that of {found[0].method}", _ratios(found)))
    if n_repeats > 1:
        tables.append(
            ("furthest from the median", _table(found, ("TTFT", "distil", "tok/s", "wall", "memory"), _spreads))
        )
    return tables


def _table(found: Sequence[CostCell], names: Sequence[str], cells_of: Callable[[CostCell], list[str]]) -> Table:
    table = Table()
    for name in ("tokens", "method", *names):
        table.add_column(name, justify="left" if name == "method" else "right", no_wrap=name == "method")
    for place, cell in enumerate(found):
        if place and found[place - 1].n_tokens != cell.n_tokens:
            table.add_section()
        table.add_row(str(cell.n_tokens), cell.method, *cells_of(cell))
    return table


def _ratios(found: Sequence[CostCell]) -> Table:
    def cells_of(cell: CostCell) -> list[str]:
        base = first_of_length(found, cell.n_tokens)
        ratios = [cell.ratio(base, quantity) for quantity in _RATIOS.values()]
        return ["1" if cell is base else "" if ratio is None else f"×{ratio:.2f}" for ratio in ratios]

    return _table(found, tuple(_RATIOS), cells_of)


def _medians(cell: CostCell) -> list[str]:
    speed = cell.median("tokens_per_second")
    return [
        duration(cell.median("ttft_seconds")),
        f"{100 * cell.median('distill_ratio'):.1f} %" if cell.is_distilled else "",
        f"{speed:.1f}" if speed else "",
        duration(cell.median("wall_seconds")),
        size(round(cell.median("cache_bytes"))),
        f"{size(round(cell.median('grown_bytes')))}",
    ]


def _spreads(cell: CostCell) -> list[str]:
    quantities = ("ttft_seconds", "distill_ratio", "tokens_per_second", "wall_seconds", "grown_bytes")
    furthest = [cell.spread(quantity).furthest for quantity in quantities]
    return ["" if share is None else f"{100 * share:.0f} %" for share in furthest]
