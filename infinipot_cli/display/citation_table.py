"""Recall and precision of citations as a table."""

from rich.table import Table

from infinipot_cli.bench.citation_record import THRESHOLDS, CitationResult
from infinipot_cli.bench.record import Count


def citation_heading(result: CitationResult) -> str:
    """What the trials were run on, and how many answers were right: only those count."""
    return (
        f"{result.model}, pot {result.capacity}, books of {result.n_pages} pages, seed {result.seed};"
        f" {len(result.right)} of {len(result.trials)} answers right"
    )


def citation_table(result: CitationResult) -> Table:
    """How often the fact's page is cited, and how often a cited page is the fact's, by threshold."""
    table = Table()
    for name in ("threshold", "page is cited", "95 %", "cited is right", "95 %"):
        table.add_column(name, justify="right")
    for threshold in sorted({*THRESHOLDS, result.threshold}):
        mark = "→ " if threshold == result.threshold else ""
        recall, precision = result.recall(threshold), result.precision(threshold)
        table.add_row(
            f"{mark}{threshold:g}", _share(recall), _interval(recall), _share(precision), _interval(precision)
        )
    return table


def _share(count: Count) -> str:
    return f"{count.right}/{count.total}"


def _interval(count: Count) -> str:
    low, high = count.interval
    return f"{100 * low:.0f}–{100 * high:.0f} %"
