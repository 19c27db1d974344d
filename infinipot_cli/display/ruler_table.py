"""The scores of `infinipot bench ruler`: tasks by lengths, one table an arm."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from infinipot_cli.bench.ruler.record import RulerScore, RulerTrial, averages, n_samples, scores

N_TASKS = 13


def ruler_heading(settings: dict[str, object]) -> str:
    """What the samples were answered on."""
    pot = settings["pot"]
    assert isinstance(pot, dict)
    return f"{settings['model']}, pot {pot['size']}, {pot['budget']} kept, seed {settings['seed']}"


def ruler_sections(trials: Sequence[RulerTrial]) -> Iterator[tuple[str, Table]]:
    """A table for every arm, with its name."""
    found = scores(trials)
    for arm in dict.fromkeys(one.arm for one in found):
        yield arm, _table([one for one in found if one.arm == arm])


def _table(found: Sequence[RulerScore]) -> Table:
    """Percent of what was wanted; lengths at which nothing was distilled are marked."""
    lengths = sorted({one.length for one in found})
    tasks = list(dict.fromkeys(one.task for one in found))
    table = Table()
    table.add_column("task")
    table.add_column("n", justify="right")
    for length in lengths:
        fits = not any(one.n_distilled for one in found if one.length == length)
        table.add_column(f"{length}{' (fits)' if fits else ''}", justify="right")
    cells = {(one.task, one.length): one for one in found}
    for task in tasks:
        n = n_samples(one for one in found if one.task == task)
        table.add_row(task, n, *(_cell(cells.get((task, length))) for length in lengths))
    table.add_section()
    mean = averages(found)[found[0].arm]
    name = "mean" if len(tasks) == N_TASKS else f"mean of {len(tasks)} of {N_TASKS} tasks"
    table.add_row(name, "", *(f"{mean[length]:.1f}" for length in lengths))
    return table


def _cell(one: RulerScore | None) -> str:
    if one is None:
        return "–"
    low, high = one.interval
    return f"{one.score:.1f} ({low:.0f}–{high:.0f})"
