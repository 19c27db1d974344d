"""What `bench citations` gives back: which pages were cited for which answers, and how often rightly."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from infinipot_cli.bench.record import Count

THRESHOLDS = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class CitationTrial:
    """One question about one book.

    Attributes:
        book: its number.
        kind: `passkey` or `fact`.
        page: page that the answer stands on.
        wanted: what a right answer contains.
        given: what came.
        is_right: whether it was right.
        places: pages that the answer attended to with their shares of the evidence, the best first.
        cited: pages that were cited.
    """

    book: int
    kind: str
    page: int
    wanted: str
    given: str
    is_right: bool
    places: Sequence[Sequence[float]]
    cited: Sequence[int]

    @property
    def key(self) -> tuple[int, str]:
        """What tells it from every other of a run."""
        return (self.book, self.kind)

    def cited_at(self, threshold: float, most: int) -> list[int]:
        """Pages that would be cited at another threshold."""
        best = max((score for _, score in self.places), default=0.0)
        return [int(page) for page, score in self.places if score >= threshold * best][:most]


@dataclass(frozen=True)
class CitationResult:
    """All trials of one run.

    Attributes:
        model: name of the model.
        capacity: places of the pot.
        n_pages: pages of each book.
        seed: of the books.
        threshold: part of the best page's evidence that a page must have to be cited.
        most: pages cited at most.
        trials: in the order in which they were run.
    """

    model: str
    capacity: int
    n_pages: int
    seed: int
    threshold: float
    most: int
    trials: Sequence[CitationTrial]

    @property
    def right(self) -> list[CitationTrial]:
        """Trials with a right answer."""
        return [trial for trial in self.trials if trial.is_right]

    def recall(self, threshold: float) -> Count:
        """Right answers among whose citations is the page of the fact."""
        right = self.right
        return Count(sum(trial.page in trial.cited_at(threshold, self.most) for trial in right), len(right))

    def precision(self, threshold: float) -> Count:
        """Citations of right answers that name the page of the fact."""
        cited = [(page, trial.page) for trial in self.right for page in trial.cited_at(threshold, self.most)]
        return Count(sum(page == wanted for page, wanted in cited), len(cited))

    def to_record(self) -> dict[str, object]:
        """For JSON: the totals with their intervals at every threshold, then every trial."""

        def said(count: Count) -> dict[str, object]:
            return {"right": count.right, "total": count.total, "interval": [round(end, 4) for end in count.interval]}

        return {
            "schema": 1,
            "bench": "citations",
            "model": self.model,
            "pot": {"size": self.capacity},
            "pages": self.n_pages,
            "seed": self.seed,
            "threshold": self.threshold,
            "answers": {"right": len(self.right), "total": len(self.trials)},
            "totals": [
                {"threshold": value, "recall": said(self.recall(value)), "precision": said(self.precision(value))}
                for value in sorted({*THRESHOLDS, self.threshold})
            ],
            "trials": [asdict(trial) for trial in self.trials],
        }
