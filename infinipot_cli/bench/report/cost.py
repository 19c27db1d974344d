"""What reading costs in the report: Tables 5 and 6, Figure 7, and the memory of the real command."""

from collections.abc import Sequence

from infinipot_cli.bench.cost_record import CostCell, CostRow, cells, first_of_length
from infinipot_cli.bench.record import MemoryRow
from infinipot_cli.bench.report.blocks import Block, Grid, Heading, Paragraph
from infinipot_cli.bench.report.found import Found
from infinipot_cli.bench.report.paper import named
from infinipot_cli.bench.report.plots import Panel, Plotter

_HEADER = ["tokens", "TTFT s", "distilling s", "share of TTFT", "answer s", "answer tok/s", "cache MB", "memory +MB"]
_PAPER = {
    "infinipot": "The paper's text says of its Table 5 (GovReport, Mistral-7B-v0.3, 4K): distilling takes 1 to 3 % of "
    "the time to the first token. Its cells were not in the text at hand.",
    "snapkv": "The paper's text says of its Table 6: more than 70 GB at 80K tokens, out of memory near 100K. Its cells "
    "were not in the text at hand.",
}
_COMMAND = "infinipot bench cost --tokens 4k,8k --json"


def cost_cells(found: Found) -> list[CostCell]:
    """Every measurement, its repetitions together."""
    names = CostRow.__dataclass_fields__
    rows = (row for record in found.of("cost") for row in record.rows)
    return cells(CostRow(**{name: value for name, value in row.items() if name in names}) for row in rows)


def table(number: int, method: str, found: Found) -> list[Block]:
    """Table 5 for InfiniPot, Table 6 for SnapKV."""
    mine = [cell for cell in cost_cells(found) if cell.method == method]
    title = Heading(f"Table {number}: time and memory of {named(method)}")
    if not mine:
        return [title, Paragraph(f"Not measured; the command is: {_COMMAND}"), Paragraph(_PAPER[method])]
    return [title, Paragraph(_PAPER[method]), Paragraph(_repeated(mine)), Grid(_HEADER, [_cells(one) for one in mine])]


def _repeated(found: Sequence[CostCell]) -> str:
    n = max(len(cell.rows) for cell in found)
    return f"Medians of {n} repetitions in one process, with the least and the most." if n > 1 else "Measured once."


def _cells(cell: CostCell) -> list[str]:
    return [
        str(cell.n_tokens),
        _told(cell, "ttft_seconds", 2),
        _told(cell, "distill_seconds", 2) if cell.is_distilled else "–",
        _told(cell, "distill_ratio", 1, 100, " %") if cell.is_distilled else "–",
        _told(cell, "answer_seconds", 2),
        _told(cell, "tokens_per_second", 1),
        _told(cell, "cache_bytes", 1, 1e-6),
        _told(cell, "grown_bytes", 0, 1e-6),
    ]


def _told(cell: CostCell, quantity: str, digits: int, times: float = 1.0, unit: str = "") -> str:
    """A median, and where the repetitions differ in what is printed, between what they lie."""
    spread = cell.spread(quantity)
    said, low, high = (f"{times * value:.{digits}f}" for value in (spread.median, spread.low, spread.high))
    return f"{said}{unit}" if low == high else f"{said}{unit} ({low}–{high})"


# What Figure 7 draws: its panels, and by how much a quantity is multiplied for them.
_PANELS = {
    "memory, MB above start": ("grown_bytes", 1e-6, 1),
    "time to first token, s": ("ttft_seconds", 1.0, 2),
    "tokens of answer a second": ("tokens_per_second", 1.0, 1),
    "wall time, s": ("wall_seconds", 1.0, 2),
}


def figure_7(found: Found, plotter: Plotter) -> list[Block]:
    """Memory, time to the first token, tokens a second and wall time of every method."""
    title = Heading("Figure 7: memory and time by length")
    mine = cost_cells(found)
    if not mine:
        return [title, Paragraph(f"Not measured; the command is: {_COMMAND}")]
    methods = list(dict.fromkeys(cell.method for cell in mine))
    panels = [
        Panel(
            name, "tokens", "", {named(method): _curve(mine, method, quantity, times) for method in methods},
            is_log=True, spreads={named(method): _ends(mine, method, quantity, times) for method in methods},
        )
        for name, (quantity, times, _) in _PANELS.items()
    ]  # fmt: skip
    rows = [
        [str(cell.n_tokens), named(cell.method), *(_told(cell, quantity, digits, times)
                                                   for quantity, times, digits in _PANELS.values())]
        for cell in mine
    ]  # fmt: skip
    weights = ", ".join(dict.fromkeys(record.model or "random weights" for record in found.of("cost")))
    blocks: list[Block] = [
        title,
        Paragraph(f"{weights}; every measurement in a process of its own; peaks are the operating system's, or the "
                  f"CUDA allocator's. {_repeated(mine)} The paper's figure has no printed values."),
        Grid(["tokens", "method", *_PANELS], rows),
    ]  # fmt: skip
    if len(methods) > 1:
        blocks += [Paragraph(f"Times that of {named(methods[0])} at the same length:"),
                   Grid(["tokens", "method", *_PANELS, "cache"], _ratios(mine))]  # fmt: skip
    return [*blocks, *plotter.lines("figure-7", "Figure 7: memory and time by length", panels)]


def _ratios(found: Sequence[CostCell]) -> list[list[str]]:
    quantities = [*(quantity for quantity, _, _ in _PANELS.values()), "cache_bytes"]
    rows = []
    for cell in found:
        base = first_of_length(found, cell.n_tokens)
        ratios = (cell.ratio(base, quantity) for quantity in quantities)
        told = ["–" if ratio is None else f"×{ratio:.2f}" for ratio in ratios]
        if cell is not base:
            rows.append([str(cell.n_tokens), named(cell.method), *told])
    return rows


def _curve(found: Sequence[CostCell], method: str, quantity: str, times: float) -> list[tuple[float, float]]:
    return sorted((float(one.n_tokens), times * one.median(quantity)) for one in found if one.method == method)


def _ends(found: Sequence[CostCell], method: str, quantity: str, times: float) -> list[tuple[float, float]]:
    mine = sorted((one for one in found if one.method == method), key=lambda one: one.n_tokens)
    return [(times * (spread := one.spread(quantity)).low, times * spread.high) for one in mine]


def memory_blocks(found: Found) -> list[Block]:
    """Peak memory of `infinipot ask` by length."""
    rows = [MemoryRow(**row) for record in found.of("memory") for row in record.rows]
    if not rows:
        return []
    cells = [
        [str(row.n_tokens), str(row.n_distilled), f"{row.peak_bytes / 1e6:.1f}",
         f"{(row.peak_bytes - rows[0].peak_bytes) / 1e6:+.1f}", f"{row.seconds:.1f}"]
        for row in rows
    ]  # fmt: skip
    header = ["tokens", "distillations", "peak MB", "difference MB", "seconds"]
    said = "Peak of a whole `infinipot ask` in a process of its own, libraries and weights included."
    return [Heading("Memory of the command"), Paragraph(said), Grid(header, cells)]
