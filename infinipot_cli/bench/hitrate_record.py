"""What `bench hitrate` gives back: plain numbers, ready for tables or for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

GLOBAL = "global"
N_BINS = 10


@dataclass(frozen=True)
class HitRow:
    """One distillation of one way to choose, beside the choice of global scoring among the same tokens.

    Attributes:
        way: how entries were chosen.
        cycle: which distillation, from 1.
        n_seen: tokens read until then, the prefix included.
        hits: share of global scoring's entries that were kept, for each layer that distils; mean over KV heads.
        chance: what choosing at random gives.
        novelty: mean novelty of the kept entries, nats, as read with everything kept.
        global_novelty: the same of global scoring's entries.
    """

    way: str
    cycle: int
    n_seen: int
    hits: tuple[float, ...]
    chance: float
    novelty: float
    global_novelty: float


@dataclass(frozen=True)
class Histogram:
    """Where the entries stand that a layer kept last: shares of the tenths of what was read, mean over KV heads."""

    way: str
    layer: int
    shares: tuple[float, ...]


@dataclass(frozen=True)
class HitTrial:
    """One text and question.

    Attributes:
        question: what is asked.
        depth: where its answer stands, as a share of the text.
        n_tokens: document tokens.
        layers: numbers of the layers that distil; local ones keep their most recent entries and are left out.
        rows: every way and cycle.
        histograms: every way, first and last layer that distils.
        novelty_overlap: by cycle, entries kept alike by CaP-Q with and without novelty.
    """

    question: str
    depth: float
    n_tokens: int
    layers: Sequence[int]
    rows: Sequence[HitRow]
    histograms: Sequence[Histogram]
    novelty_overlap: Sequence[float]

    @staticmethod
    def of(*, rows: Sequence[Mapping[str, Any]], histograms: Sequence[Mapping[str, Any]], **fields: Any) -> "HitTrial":
        """A trial out of the fields that a record has of it."""
        return HitTrial(
            rows=[HitRow(**row) for row in rows], histograms=[Histogram(**one) for one in histograms], **fields
        )


@dataclass(frozen=True)
class HitResult:
    """All trials of a run, with what they were run on.

    Attributes:
        model: its name.
        capacity: |M|.
        budget: |C|.
        novelty_ratio: α where a way uses novelty.
        seed: of the choice of questions.
        text_sha256: of the text before anything was hidden in it.
        versions: of what computed it.
        choice: settings beyond the paper of the ways with a catalyst.
        trials: in the order in which they were run.
    """

    model: str
    capacity: int
    budget: int
    novelty_ratio: float
    seed: int
    text_sha256: str
    versions: Mapping[str, str]
    choice: Mapping[str, object]
    trials: Sequence[HitTrial]

    @property
    def layers(self) -> Sequence[int]:
        """The layers that were compared."""
        return self.trials[0].layers

    @property
    def ways(self) -> list[str]:
        """In the order in which they were measured."""
        return list(dict.fromkeys(row.way for trial in self.trials for row in trial.rows))

    @property
    def n_cycles(self) -> int:
        """Distillations that every trial and way has."""
        counts = [max(row.cycle for row in trial.rows if row.way == way) for trial in self.trials for way in self.ways]
        return min(counts, default=0)

    def rows(self, way: str, cycle: int) -> list[HitRow]:
        """One of each trial."""
        return [row for trial in self.trials for row in trial.rows if (row.way, row.cycle) == (way, cycle)]

    def hit(self, way: str, cycle: int, place: int | None = None) -> float:
        """Hit rate, mean over trials and over layers, or of the layer at one place of `layers`."""
        return fmean(fmean(row.hits) if place is None else row.hits[place] for row in self.rows(way, cycle))

    def shares(self, way: str, layer: int) -> list[float]:
        """Histogram of a layer, mean over trials."""
        found = [h.shares for trial in self.trials for h in trial.histograms if (h.way, h.layer) == (way, layer)]
        return [fmean(tenth) for tenth in zip(*found, strict=True)]

    def to_record(self) -> dict[str, object]:
        """For JSON: what it was run on, the means, then every trial."""
        cycles = range(1, self.n_cycles + 1)
        means = {way: [round(self.hit(way, cycle), 4) for cycle in cycles] for way in self.ways}
        return {
            "schema": 1,
            "bench": "hitrate",
            "model": self.model,
            "pot": {"size": self.capacity, "budget": self.budget, "novelty": self.novelty_ratio},
            "set": dict(self.choice),
            "seed": self.seed,
            "text_sha256": self.text_sha256,
            "versions": dict(self.versions),
            "layers": list(self.layers),
            "hit_rate_by_cycle": means,
            "trials": [asdict(trial) for trial in self.trials],
        }
