"""Figures 2 and 3 in the report: hit rates, kept positions, and what novelty changes."""

from statistics import fmean

from infinipot_cli.bench.hitrate_record import GLOBAL, N_BINS, HitResult, HitTrial
from infinipot_cli.bench.report.blocks import Block, Grid, Heading, Paragraph
from infinipot_cli.bench.report.found import Found, Record
from infinipot_cli.bench.report.plots import Panel, Plotter
from infinipot_cli.errors import DocumentError

_SAID = (
    "Share of the entries that the attention of the whole text would choose for the first token of the answer and that "
    "the pot kept, percent. The paper's figures have no printed values; its text says: without CaP close to a sliding "
    "window, CaP-G above, CaP-Q highest."
)
_SAID_3 = (
    "Entries kept alike with and without novelty, and the mean novelty of what was kept. The paper's text says: the "
    "overlap falls as distillation goes on, and with NuC novelty comes closer to what global scoring keeps."
)


def hit_result(record: Record) -> HitResult:
    """The run behind a record.

    Raises:
        DocumentError: it is of another version.
    """
    try:
        fields = {"versions": {}, "text_sha256": "", **record.settings, **record.fields}
        return HitResult(
            model=fields["model"],
            capacity=fields["pot"]["size"],
            budget=fields["pot"]["budget"],
            novelty_ratio=fields["pot"]["novelty"],
            seed=fields["seed"],
            text_sha256=fields["text_sha256"],
            versions=fields["versions"],
            choice=fields.get("set", {}),
            trials=[HitTrial.of(**trial) for trial in fields["trials"]],
        )
    except (KeyError, TypeError) as error:
        raise DocumentError(f"{record.path} was written by another version: {error}", code="bad_record") from error


def figure_2(found: Found, plotter: Plotter) -> list[Block]:
    """Hit rate by distillation, and where the kept entries stand."""
    blocks: list[Block] = [Heading("Figure 2: hit rate, and where the kept entries stand")]
    records = found.of("hitrate")
    if not records:
        return [*blocks, Paragraph("Not measured; the command is: infinipot bench hitrate --book FILE --json")]
    result = hit_result(records[0])
    cycles = range(1, result.n_cycles + 1)
    curves = {way: [(float(cycle), 100 * result.hit(way, cycle)) for cycle in cycles] for way in result.ways}
    chance = [(float(cycle), 100 * fmean(row.chance for row in result.rows(result.ways[0], cycle))) for cycle in cycles]
    columns = {**curves, "chance": chance}
    rows = [[str(cycle), *(f"{curve[cycle - 1][1]:.1f}" for curve in columns.values())] for cycle in cycles]
    layers = {
        way: [
            (float(layer), 100 * result.hit(way, result.n_cycles, place)) for place, layer in enumerate(result.layers)
        ]
        for way in result.ways
    }
    blocks += [
        Paragraph(f"{_SAID} {result.model}, pot {result.capacity}, {len(result.trials)} questions."),
        Grid(["distillation", *columns], rows),
        *plotter.lines(
            "figure-2-hit-rate",
            "Figure 2, top: hit rate by distillation and by layer",
            [
                Panel("by distillation", "distillation", "percent", columns),
                Panel("after the last, by layer", "layer", "percent", layers),
            ],
        ),
    ]
    ways = [*result.ways, GLOBAL]
    ends = sorted({result.layers[0], result.layers[-1]})
    for layer in ends:
        tenths = [[way, *(f"{100 * share:.0f}" for share in result.shares(way, layer))] for way in ways]
        header = [f"layer {layer}, % by tenth", *(str(tenth + 1) for tenth in range(N_BINS))]
        blocks.append(Grid(header, tenths))
    panels = {
        f"layer {layer}": {way: [100 * share for share in result.shares(way, layer)] for way in ways} for layer in ends
    }
    caption = "Figure 2, bottom: kept entries by tenth of the text"
    return [*blocks, *plotter.bars("figure-2-positions", caption, panels, "tenth of the text", "percent of the kept")]


def figure_3(found: Found, plotter: Plotter) -> list[Block]:
    """What novelty changes."""
    title = Heading("Figure 3: what novelty changes")
    records = found.of("hitrate")
    if not records:
        return [title, Paragraph("Not measured; the command is: infinipot bench hitrate --book FILE --json")]
    result = hit_result(records[0])
    cycles = range(1, result.n_cycles + 1)
    alike = [
        (float(cycle), 100 * fmean(trial.novelty_overlap[cycle - 1] for trial in result.trials)) for cycle in cycles
    ]
    novelty = {
        way: [(float(cycle), fmean(row.novelty for row in result.rows(way, cycle))) for cycle in cycles]
        for way in result.ways
    }
    novelty[GLOBAL] = [
        (float(cycle), fmean(row.global_novelty for row in result.rows(result.ways[0], cycle))) for cycle in cycles
    ]
    rows = [
        [str(cycle), f"{alike[cycle - 1][1]:.1f}", *(f"{curve[cycle - 1][1]:.2f}" for curve in novelty.values())]
        for cycle in cycles
    ]
    panels = [
        Panel("kept alike with and without NuC", "distillation", "percent", {"kept alike": alike}, top=105),
        Panel("mean novelty of what is kept", "distillation", "nats", novelty),
    ]
    return [
        title,
        Paragraph(_SAID_3),
        Grid(["distillation", "kept alike %", *(f"{way}, nats" for way in novelty)], rows),
        *plotter.lines("figure-3", "Figure 3: overlap and novelty by distillation", panels),
    ]
