"""Hit rates and selected positions as tables."""

from rich.table import Table

from infinipot_cli.bench.hitrate_record import GLOBAL, N_BINS, HitResult, HitRow
from infinipot_cli.display.tables import show_table


def show_hitrate(result: HitResult) -> None:
    """Print all tables, each under a line that says what it shows."""
    where = f"{result.model}, pot {result.capacity}, {result.budget} kept, seed {result.seed}"
    show_table(cycle_table(result), f"{where}: hit rate by distillation")
    show_table(layer_table(result), "hit rate after the last one, by layer")
    show_table(novelty_table(result), "novelty of what is kept, nats; CaP-Q with and without NuC kept alike")
    for layer in sorted({result.layers[0], result.layers[-1]}):
        show_table(
            histogram_table(result, layer), f"layer {layer}: where the kept entries stand, % by tenth of the text"
        )


def cycle_table(result: HitResult) -> Table:
    """Hit rate of each way after each distillation, mean over layers and trials (Figure 2 top)."""
    table = Table()
    for name in ("cycle", *result.ways, "chance"):
        table.add_column(name, justify="right")
    for cycle in range(1, result.n_cycles + 1):
        rows = result.rows(result.ways[0], cycle)
        chance = sum(row.chance for row in rows) / len(rows)
        table.add_row(str(cycle), *(_percent(result.hit(way, cycle)) for way in result.ways), _percent(chance))
    return table


def layer_table(result: HitResult) -> Table:
    """Hit rate of each layer after the last distillation."""
    table = Table()
    for name in ("layer", *result.ways):
        table.add_column(name, justify="right")
    for place, layer in enumerate(result.layers):
        table.add_row(str(layer), *(_percent(result.hit(way, result.n_cycles, place)) for way in result.ways))
    return table


def novelty_table(result: HitResult) -> Table:
    """Mean novelty of what is kept and what novelty changes, by cycle (Figure 3)."""
    table = Table()
    for name in ("cycle", *result.ways, GLOBAL, "kept alike"):
        table.add_column(name, justify="right")
    for cycle in range(1, result.n_cycles + 1):
        means = [sum(row.novelty for row in found) / len(found) for found in _rows(result, cycle)]
        wanted = result.rows(result.ways[0], cycle)
        alike = sum(trial.novelty_overlap[cycle - 1] for trial in result.trials) / len(result.trials)
        ideal = sum(row.global_novelty for row in wanted) / len(wanted)
        table.add_row(str(cycle), *(f"{mean:.2f}" for mean in means), f"{ideal:.2f}", _percent(alike))
    return table


def histogram_table(result: HitResult, layer: int) -> Table:
    """Shares of a layer's last choice in each tenth of what was read (Figure 2 bottom)."""
    table = Table()
    table.add_column("way")
    for tenth in range(N_BINS):
        table.add_column(str(tenth + 1), justify="right")
    for way in (*result.ways, GLOBAL):
        table.add_row(way, *(f"{100 * share:.0f}" for share in result.shares(way, layer)))
    return table


def _rows(result: HitResult, cycle: int) -> list[list[HitRow]]:
    return [result.rows(way, cycle) for way in result.ways]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
