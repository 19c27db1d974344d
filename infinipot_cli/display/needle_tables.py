"""What `bench needle` found, by depth and kind, or as the paper's grid of lengths and depths."""

from collections.abc import Iterator

from rich.table import Table

from infinipot_cli.bench.needle_record import NeedleResult

FITS = "fits"


def needle_heading(result: NeedleResult) -> str:
    """What the trials were run on."""
    return (
        f"{result.model}, pot {result.capacity}, {result.budget} kept, catalyst {result.catalyst}, seed {result.seed}"
    )


def needle_sections(result: NeedleResult) -> Iterator[tuple[str, Table]]:
    """Every table of a run with what stands above it: one a kind and arm for a grid of lengths, else one an arm."""
    heading = needle_heading(result)
    for arm in result.arms:
        mine = result.of_arm(arm)
        name = f"{heading}, {arm}" if len(result.arms) > 1 else heading
        if len(result.lengths) > 1:
            for number, kind in enumerate(mine.kinds):
                yield "" if number else name, needle_grid(mine, kind)
        else:
            yield name, needle_table(mine)


def needle_table(result: NeedleResult) -> Table:
    """Right answers by depth and kind."""
    table = Table()
    table.add_column("depth", justify="right")
    for kind in result.kinds:
        table.add_column(kind, justify="right")
    for depth in result.depths:
        table.add_row(f"{depth:g}", *(_right(result, kind, depth) for kind in result.kinds))
    table.add_section()
    table.add_row("all", *(_right(result, kind) for kind in result.kinds))
    table.add_row("95 %", *(_interval(result, kind) for kind in result.kinds))
    if result.is_fit():
        table.add_row("", *(FITS for _ in result.kinds))
    return table


def needle_grid(result: NeedleResult, kind: str) -> Table:
    """Percent of right answers of one kind by depth and length, as the paper's Table 4; all depths with intervals."""
    table = Table(title=kind, title_justify="left")
    table.add_column("depth", justify="right")
    for length in result.lengths:
        table.add_column(str(length), justify="right")
    for depth in result.depths:
        table.add_row(f"{depth:g}", *(_percent(result.score(kind, depth, length)) for length in result.lengths))
    table.add_section()
    table.add_row("all", *(_right(result, kind, length=length) for length in result.lengths))
    table.add_row("95 %", *(_interval(result, kind, length) for length in result.lengths))
    if any(result.is_fit(length) for length in result.lengths):
        table.add_row("", *(FITS if result.is_fit(length) else "" for length in result.lengths))
    return table


def fits_remark(result: NeedleResult) -> str:
    """A line about texts that fitted, so that nothing was distilled; empty if there are none."""
    fitting = [length for length in result.lengths if result.is_fit(length)]
    if not fitting:
        return ""
    which = ", ".join(str(length) for length in fitting if length) or "the text"
    return f"{which}: fits, so nothing was distilled and the pot was not put to the test"


def _right(result: NeedleResult, kind: str, depth: float | None = None, length: int | None = None) -> str:
    count = result.count(kind, depth, length)
    if not count.total:
        return ""
    if kind == "kamradt":
        return f"{_percent(result.score(kind, depth, length))} %"
    return f"{count.right}/{count.total}"


def _percent(score: float | None) -> str:
    return "–" if score is None else f"{100 * score:.0f}"


def _interval(result: NeedleResult, kind: str, length: int | None = None) -> str:
    low, high = result.interval(kind, length)
    return f"{100 * low:.0f}–{100 * high:.0f} %"
