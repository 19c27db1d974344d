"""What `infinipot bench needle` writes down: one line a hidden line, and the counts made from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from infinipot_cli.bench.metrics import interval, mean
from infinipot_cli.bench.record import Count


@dataclass(frozen=True)
class NeedleTrial:
    """One hidden line and what became of it.

    Attributes:
        kind: `passkey`, `fact` or `kamradt`.
        depth: where it was hidden, as a share of the text.
        question: what was asked.
        wanted: what a right answer contains.
        given: what came.
        is_right: whether all of it came.
        n_tokens: document tokens read.
        n_distilled: distillations on the way.
        seconds: reading and answering.
        score: share of what was wanted that came, 0 to 1; of pass keys and facts all or nothing.
        length: tokens that the haystack was cut or repeated to; 0 for the whole book.
        arm: how the text was held, a name of `bench.arms`.
        number: of the trial among those of its kind, length and arm.
        is_fit: whether the text fitted, so that nothing had to be dropped and nothing was shown about it.
    """

    kind: str
    depth: float
    question: str
    wanted: str
    given: str
    is_right: bool
    n_tokens: int
    n_distilled: int
    seconds: float
    score: float
    length: int = 0
    arm: str = "infinipot"
    number: int = 0
    is_fit: bool = False

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells it from every other of a run."""
        return (self.arm, self.kind, self.length, self.number)


@dataclass(frozen=True)
class NeedleResult:
    """All trials of one run, with what they were run on.

    Attributes:
        model: name of the model.
        capacity: places of the pot.
        budget: entries kept by a distillation.
        catalyst: what judged the entries, `question` or `general`.
        seed: of the choice of plants.
        trials: in the order in which they were run.
        choice: settings beyond the paper.
        settings: everything that the run's numbers depend on.
    """

    model: str
    capacity: int
    budget: int
    catalyst: str
    seed: int
    trials: Sequence[NeedleTrial]
    choice: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """Kinds of plants, in the order of their first trial."""
        return list(dict.fromkeys(trial.kind for trial in self.trials))

    @property
    def arms(self) -> list[str]:
        """Arms, in the order of their first trial."""
        return list(dict.fromkeys(trial.arm for trial in self.trials))

    @property
    def depths(self) -> list[float]:
        """Depths, ascending."""
        return sorted({trial.depth for trial in self.trials})

    @property
    def lengths(self) -> list[int]:
        """Lengths of the haystacks, ascending."""
        return sorted({trial.length for trial in self.trials})

    def of_arm(self, arm: str) -> "NeedleResult":
        """The same run with the trials of one arm."""
        mine = [trial for trial in self.trials if trial.arm == arm]
        return NeedleResult(
            self.model, self.capacity, self.budget, self.catalyst, self.seed, mine, self.choice, self.settings
        )

    def chosen(self, kind: str, depth: float | None = None, length: int | None = None) -> list[NeedleTrial]:
        """Trials of one kind, at one depth or at all, in texts of one length or of all."""
        return [
            trial
            for trial in self.trials
            if trial.kind == kind and depth in (None, trial.depth) and length in (None, trial.length)
        ]

    def count(self, kind: str, depth: float | None = None, length: int | None = None) -> Count:
        """How many of the chosen trials were right."""
        found = self.chosen(kind, depth, length)
        return Count(sum(trial.is_right for trial in found), len(found))

    def score(self, kind: str, depth: float | None = None, length: int | None = None) -> float | None:
        """Mean score of the chosen trials, 0 to 1; None if there are none."""
        found = self.chosen(kind, depth, length)
        return mean([trial.score for trial in found]) if found else None

    def interval(self, kind: str, length: int | None = None) -> tuple[float, float]:
        """95 % interval of the mean score: Wilson's of shares, resampled where scores lie between 0 and 1."""
        if kind != "kamradt":
            return self.count(kind, length=length).interval
        return interval([trial.score for trial in self.chosen(kind, length=length)])

    def is_fit(self, length: int | None = None) -> bool:
        """Whether texts of one length, or all of them, fitted, so that nothing was distilled."""
        found = [trial for trial in self.trials if length in (None, trial.length)]
        return bool(found) and all(trial.is_fit for trial in found)

    def to_record(self) -> dict[str, object]:
        """For JSON: the totals with their intervals, then every trial."""
        return {
            "schema": 1,
            "bench": "needle",
            "model": self.model,
            "pot": {"size": self.capacity, "budget": self.budget},
            "catalyst": self.catalyst,
            "choice": dict(self.choice),
            "seed": self.seed,
            "settings": dict(self.settings),
            "totals": _totals(self),
            "by_arm": {arm: _totals(self.of_arm(arm)) for arm in self.arms},
            "trials": [asdict(trial) for trial in self.trials],
        }


def _totals(result: NeedleResult) -> dict[str, object]:
    return {
        kind: {
            "right": (count := result.count(kind)).right,
            "total": count.total,
            "score": round(result.score(kind) or 0.0, 4),
            "interval": [round(end, 4) for end in result.interval(kind)],
        }
        for kind in result.kinds
    }


def missing(wanted: Iterable[tuple[str, str, int, int]], done: Iterable[NeedleTrial]) -> set[tuple[str, str, int, int]]:
    """Keys that there is no trial of yet."""
    return set(wanted) - {trial.key for trial in done}
