"""The scores of `infinipot bench longbench`: every set, then groups and averages beside the paper's own."""

from collections.abc import Sequence

from rich.table import Table

from infinipot_cli.bench.longbench_record import GROUPS, LongTrial, averages, paper_rows, set_scores


def sets_table(trials: Sequence[LongTrial]) -> Table:
    """One row for every set, arm and pot."""
    table = Table()
    for name in ("set", "arm"):
        table.add_column(name)
    for name in ("pot", "n", "distilled", "score", "95 %"):
        table.add_column(name, justify="right")
    before = ""
    for one in set_scores(trials):
        if before and one.set_name != before:
            table.add_section()
        low, high = one.interval
        table.add_row(
            "" if one.set_name == before else one.set_name,
            one.arm,
            str(one.capacity),
            str(one.n),
            str(one.n_distilled_rows),
            f"{one.score:.2f}",
            f"{low:.1f}–{high:.1f}",
        )
        before = one.set_name
    return table


def groups_table(trials: Sequence[LongTrial], llm: str) -> Table:
    """Means of the groups and of the paper's 16 sets; below them what the paper printed for one of its models."""
    table = Table()
    table.add_column("")
    for name in (*GROUPS, "Avg"):
        table.add_column(name, justify="right")
    for mine in averages(set_scores(trials)):
        cells = (*(mine.groups[group] for group in GROUPS), mine.average)
        table.add_row(f"{mine.arm}, pot {mine.capacity}", *(_cell(cell) for cell in cells))
    table.add_section()
    for row in paper_rows(llm):
        cells = (*(row.groups[group] for group in GROUPS), row.average)
        table.add_row(f"paper, Table {row.table}: {row.name}", *(_cell(cell) for cell in cells))
    return table


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
