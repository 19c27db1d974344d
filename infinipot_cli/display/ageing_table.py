"""What became of facts along a long text, way by way: entering, staying, and answers."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from rich.table import Table

from infinipot_cli.bench.ageing_record import (
    N_PARTS,
    AgeingReading,
    AgeingResult,
    average,
    difference,
    interval,
    nats,
    share,
)

_SAID = {
    "first": "facts held after the first distillation that judged them",
    "novel": "facts given a place by novelty in that distillation",
    "end": "facts held when everything was read",
}
_QUARTERS = ("1st", "2nd", "3rd", "4th")


def ageing_sections(result: AgeingResult) -> Iterator[tuple[str, Table]]:
    """Every table of a run with what stands above it."""
    for length in result.lengths:
        found = result.of_length(length)
        yield (
            f"{result.model}, pot {result.capacity}, {result.budget} kept, CaP-G, seed {result.seed}: {length} tokens,"
            f" {found[0].n_distilled} distillations, {len(found[0].judged)} facts",
            answer_table(found),
        )
        for name, said in _SAID.items():
            yield f"{said}, % of their places, by quarter of the text", share_table(found, name)


def share_table(found: Sequence[AgeingReading], name: str) -> Table:
    """One share of places, by quarter of the text and as a whole, and the same of all tokens, facts or not."""
    table = Table()
    table.add_column("way", overflow="fold")
    for column in (*_QUARTERS, "all", f"beyond {found[0].arm}"):
        table.add_column(column, justify="right")
    measure = share(name)
    for reading in found:
        parts = [average(reading.part(number), measure) for number in range(N_PARTS)]
        more, least, most = (100 * value for value in difference(reading, found[0], measure))
        low, high = interval(reading.judged, measure)
        is_first, whole = reading is found[0], average(reading.judged, measure)
        table.add_row(reading.arm, *map(_percent, (*parts, whole)), "" if is_first else f"{more:+.1f}")
        behind = "" if is_first else f"{least:+.1f} to {most:+.1f}"
        table.add_row("95 %", *[""] * N_PARTS, f"{_percent(low)}–{_percent(high)}", behind)
        prose = [float(getattr(part, name)) for part in reading.prose]
        table.add_row("any token", *map(_percent, (*prose, fmean(prose))), "", end_section=True)
    return table


def answer_table(found: Sequence[AgeingReading]) -> Table:
    """Right answers from copies of the last pot, and what the right answer costs."""
    table = Table()
    table.add_column("way", overflow="fold")
    for column in ("right", "95 %", "nats a token", f"beyond {found[0].arm}", "reading"):
        table.add_column(column, justify="right")
    for reading in found:
        low, high = (round(100 * end) for end in reading.right.interval)
        least, most = interval(reading.judged, nats)
        more = difference(reading, found[0], nats)
        table.add_row(
            reading.arm,
            f"{reading.right.right} of {reading.right.total}",
            f"{low}–{high} %",
            f"{average(reading.judged, nats) or 0.0:.2f}",
            "" if reading is found[0] else f"{more[0]:+.2f}",
            f"{reading.seconds:.0f} s",
        )
        behind = "" if reading is found[0] else f"{more[1]:+.2f} to {more[2]:+.2f}"
        table.add_row("95 %", "", "", f"{least:.2f}–{most:.2f}", behind, "", end_section=True)
    return table


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
