"""What reading costs in the report: Tables 5 and 6, Figure 7, and the memory of the real command."""

from collections.abc import Sequence

from infinipot_cli.bench.record import CostRow, MemoryRow
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


def cost_rows(found: Found) -> list[CostRow]:
    """Every measurement."""
    names = CostRow.__dataclass_fields__
    rows = [row for record in found.of("cost") for row in record.fields.get("rows", ())]
    return [CostRow(**{name: value for name, value in row.items() if name in names}) for row in rows]


def table(number: int, method: str, found: Found) -> list[Block]:
    """Table 5 for InfiniPot, Table 6 for SnapKV."""
    rows = [row for row in cost_rows(found) if row.method == method]
    title = Heading(f"Table {number}: time and memory of {named(method)}")
    if not rows:
        return [title, Paragraph(f"Not measured; the command is: {_COMMAND}"), Paragraph(_PAPER[method])]
    return [title, Paragraph(_PAPER[method]), Grid(_HEADER, [_cells(row) for row in rows])]


def first_token(row: CostRow) -> float:
    """Seconds from the first token of the document to the first of the answer."""
    return row.read_seconds + row.first_token_seconds


def _rate(row: CostRow) -> float:
    return (row.n_answer - 1) / row.answer_seconds if row.answer_seconds else 0.0


def _cells(row: CostRow) -> list[str]:
    share = 100 * row.distill_seconds / first_token(row) if first_token(row) else 0.0
    return [
        str(row.n_tokens),
        f"{first_token(row):.2f}",
        f"{row.distill_seconds:.2f}" if row.n_distilled else "–",
        f"{share:.1f} %" if row.n_distilled else "–",
        f"{row.answer_seconds:.2f}",
        f"{_rate(row):.1f}",
        f"{row.cache_bytes / 1e6:.1f}",
        f"{row.grown_bytes / 1e6:.0f}",
    ]


def figure_7(found: Found, plotter: Plotter) -> list[Block]:
    """Memory, time to the first token, tokens a second and wall time of every method."""
    title = Heading("Figure 7: memory and time by length")
    rows = cost_rows(found)
    if not rows:
        return [title, Paragraph(f"Not measured; the command is: {_COMMAND}")]
    methods = list(dict.fromkeys(row.method for row in rows))
    measures = {
        "memory, MB above start": [row.grown_bytes / 1e6 for row in rows],
        "time to first token, s": [first_token(row) for row in rows],
        "tokens of answer a second": [_rate(row) for row in rows],
        "wall time, s": [first_token(row) + row.answer_seconds for row in rows],
    }
    panels = [
        Panel(name, "tokens", "", {named(method): _curve(rows, values, method) for method in methods}, is_log=True)
        for name, values in measures.items()
    ]
    cells = [
        [str(row.n_tokens), named(row.method), *(f"{values[place]:.2f}" for values in measures.values())]
        for place, row in enumerate(rows)
    ]
    return [
        title,
        Paragraph("Random weights, every measurement in a process of its own; peaks are the operating system's, or the "
                  "CUDA allocator's. The paper's figure has no printed values."),
        Grid(["tokens", "method", *measures], cells),
        *plotter.lines("figure-7", "Figure 7: memory and time by length", panels),
    ]  # fmt: skip


def _curve(rows: Sequence[CostRow], values: Sequence[float], method: str) -> list[tuple[float, float]]:
    return sorted((float(row.n_tokens), value) for row, value in zip(rows, values, strict=True) if row.method == method)


def memory_blocks(found: Found) -> list[Block]:
    """Peak memory of `infinipot ask` by length."""
    rows = [MemoryRow(**row) for record in found.of("memory") for row in record.fields.get("rows", ())]
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
