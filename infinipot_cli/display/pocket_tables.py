"""The scores of `infinipot bench pocket` as tables of 80 columns."""

from collections.abc import Sequence

from rich.table import Table

from infinipot_cli.bench.pocket_record import METRICS, Difference, PocketTrial, Score, differences, scores


def pocket_heading(settings: dict[str, object]) -> str:
    """What was measured."""
    pot = settings["pot"]
    assert isinstance(pot, dict)
    return (
        f"{settings['model']}, pot {pot['size']}, {pot['budget']} kept, novelty {pot['novelty']}, "
        f"seed {settings['seed']}; mean and 95 % interval"
    )


def scores_table(trials: Sequence[PocketTrial]) -> Table:
    """One row for every set, part of it, metric and arm."""
    table = Table()
    for name in ("set", "metric", "arm"):
        table.add_column(name)
    for name in ("n", "mean", "95 %"):
        table.add_column(name, justify="right")
    before = ("", "", "")
    for score in _together(scores(trials)):
        place = (score.set_name, score.group, score.metric)
        if place != before and before[0]:
            table.add_section()
        cells = ("", "") if place == before else (f"{place[0]} {place[1]}".strip(), METRICS[score.metric])
        table.add_row(*cells, score.arm, str(score.n), f"{score.mean:.1f}", _between(score))
        before = place
    return table


def _between(score: Score) -> str:
    """Its 95 % interval for people."""
    return f"{score.interval[0]:.1f}–{score.interval[1]:.1f}" if score.interval else "–"


def _together(found: Sequence[Score]) -> list[Score]:
    """The same rows with all arms of a metric next to each other."""
    places = dict.fromkeys((score.set_name, score.group) for score in found)
    return [
        score
        for place in places
        for metric in METRICS
        for score in found
        if (score.set_name, score.group, score.metric) == (*place, metric)
    ]


def orderings_table(trials: Sequence[PocketTrial]) -> Table:
    """What should not be worse than what, on the same items; of prose, nats a token saved."""
    table = Table()
    for name in ("set", "should hold"):
        table.add_column(name)
    for name in ("n", "difference", "95 %"):
        table.add_column(name, justify="right")
    table.add_column("")
    for pair in differences(trials):
        table.add_row(*_ordering(pair))
    return table


def _ordering(pair: Difference) -> tuple[str, ...]:
    digits = 2 if pair.metric == "nats" else 1
    metric = "nats" if pair.metric == "nats" else METRICS[pair.metric]
    return (
        f"{pair.set_name} {metric}",
        f"{pair.better} ≥ {pair.worse}",
        str(pair.n),
        f"{pair.mean:+.{digits}f}",
        f"{pair.interval[0]:+.{digits}f} to {pair.interval[1]:+.{digits}f}" if pair.interval else "–",
        pair.verdict,
    )
