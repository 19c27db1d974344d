"""What `infinipot bench longbench` writes down, and the tables of the paper made from it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources

from infinipot_cli.bench.longbench_sets import PAPER_SETS, SETS
from infinipot_cli.bench.metrics import interval, mean

GROUPS = ("QA", "Summ", "FSL", "Others")


@dataclass(frozen=True)
class LongTrial:
    """One row answered by one arm.

    Attributes:
        set_name: the set.
        number: line in its file.
        arm: what the model held of the prompt.
        capacity: places of the pot.
        given: what came, as decoded.
        score: official metric, 0 to 1.
        n_tokens: tokens of the prompt as this arm met it.
        n_distilled: distillations.
        seconds: reading and answering.
    """

    set_name: str
    number: int
    arm: str
    capacity: int
    given: str
    score: float
    n_tokens: int
    n_distilled: int
    seconds: float

    @property
    def key(self) -> tuple[str, int, str, int]:
        """What tells it from every other of a run."""
        return (self.set_name, self.number, self.arm, self.capacity)


@dataclass(frozen=True)
class SetScore:
    """One arm's official score of one set, in percent, with a 95 % interval of the mean."""

    set_name: str
    arm: str
    capacity: int
    n: int
    score: float
    interval: tuple[float, float]
    n_distilled_rows: int


@dataclass(frozen=True)
class Average:
    """Means over sets as the paper's tables have them: of each group, and of all 16; None where a set is missing."""

    arm: str
    capacity: int
    groups: dict[str, float | None]
    average: float | None


@dataclass(frozen=True)
class PaperRow:
    """A row of the paper: Table 1 (its group means computed from its sets), 2, 3 or 7."""

    table: str
    name: str
    groups: dict[str, float]
    average: float

    @property
    def implied(self) -> float:
        """The average that the printed groups have, each as heavy as it has sets; their rounding is worth 0.005."""
        sizes = Counter(SETS[name].group for name in PAPER_SETS)
        return round(sum(n * self.groups[group] for group, n in sizes.items()) / len(PAPER_SETS), 2)


def set_scores(trials: Iterable[LongTrial]) -> list[SetScore]:
    """The score of every set, arm and pot, sets in the official order."""
    cells: dict[tuple[str, str, int], list[LongTrial]] = {}
    for trial in trials:
        cells.setdefault((trial.set_name, trial.arm, trial.capacity), []).append(trial)
    order = list(SETS)
    return [
        SetScore(*place, len(found), *_percent([one.score for one in found]), sum(one.n_distilled > 0 for one in found))
        for place, found in sorted(cells.items(), key=lambda cell: order.index(cell[0][0]))
    ]


def _percent(scores: Sequence[float]) -> tuple[float, tuple[float, float]]:
    low, high = interval(scores)
    return round(100 * sum(scores) / len(scores), 2), (round(100 * low, 2), round(100 * high, 2))


def averages(scores: Sequence[SetScore]) -> list[Average]:
    """Group means and the mean of the paper's 16 sets, for each arm and pot."""
    found = []
    for arm, capacity in dict.fromkeys((one.arm, one.capacity) for one in scores):
        by_set = {one.set_name: one.score for one in scores if (one.arm, one.capacity) == (arm, capacity)}
        groups = {group: _mean(by_set, [name for name in PAPER_SETS if SETS[name].group == group]) for group in GROUPS}
        found.append(Average(arm, capacity, groups, _mean(by_set, PAPER_SETS)))
    return found


def _mean(by_set: dict[str, float], names: Sequence[str]) -> float | None:
    return round(mean([by_set[name] for name in names]), 2) if all(name in by_set for name in names) else None


def paper_rows(llm: str = "L3") -> list[PaperRow]:
    """The paper's rows of one model, such as L3, M3, L3.1; Table 2's baselines, repeated from Table 1, are left out."""
    text = resources.files("infinipot_cli.bench").joinpath("longbench_paper.tsv").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines()[1:]:
        table, name, *numbers = line.split("\t")
        *groups, average = map(float, numbers)
        is_repeated = table == "2" and ("-PT-" in name or "-TR-" in name)
        if name.startswith(llm + "-") and not is_repeated:
            found.append(PaperRow(table, name, dict(zip(GROUPS, groups, strict=True)), average))
    return found


def paper_models() -> list[str]:
    """Names that the paper gives the models of its tables."""
    text = resources.files("infinipot_cli.bench").joinpath("longbench_paper.tsv").read_text(encoding="utf-8")
    names = (line.split("\t")[1] for line in text.splitlines()[1:])
    return list(dict.fromkeys("GPT-3.5" if name.startswith("GPT") else name.split("-")[0] for name in names))


def to_record(
    settings: dict[str, object], trials: Sequence[LongTrial], made_with: dict[str, object], llm: str
) -> dict[str, object]:
    """For JSON: settings, versions and machine, scores with groups and the paper's rows, then every answer."""
    scores = set_scores(trials)
    return {
        "schema": 1,
        "bench": "longbench",
        "settings": settings,
        "made_with": made_with,
        "scores": [asdict(one) for one in scores],
        "averages": [asdict(one) for one in averages(scores)],
        "paper": [asdict(one) for one in paper_rows(llm)],
        "trials": [asdict(one) for one in trials],
    }
