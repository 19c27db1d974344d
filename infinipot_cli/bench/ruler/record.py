"""What `infinipot bench ruler` writes down: one line a sample, and the means made from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from infinipot_cli.bench.metrics import interval, mean


@dataclass(frozen=True)
class RulerTrial:
    """One sample answered by one arm.

    Attributes:
        task: its name.
        length: tokens that the sample was made for, chat format and answer included.
        number: among the samples of its task and length.
        arm: how the text was held, a name of `bench.arms`.
        question: what was asked.
        wanted: what the answer should contain.
        given: what came behind RULER's beginning of the answer.
        score: 0 to 1.
        n_tokens: tokens of the prompt.
        n_distilled: distillations.
        seconds: reading and answering.
        is_fit: whether the text fitted, so that nothing was distilled.
    """

    task: str
    length: int
    number: int
    arm: str
    question: str
    wanted: Sequence[str]
    given: str
    score: float
    n_tokens: int
    n_distilled: int
    seconds: float
    is_fit: bool

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells it from every other of a run."""
        return (self.arm, self.task, self.length, self.number)


@dataclass(frozen=True)
class RulerScore:
    """Mean of one arm's scores of one task and length in percent, with its 95 % interval."""

    arm: str
    task: str
    length: int
    n: int
    score: float
    interval: tuple[float, float]
    n_distilled: int


def scores(trials: Iterable[RulerTrial]) -> list[RulerScore]:
    """One row for every arm, task and length, in the order of the trials."""
    cells: dict[tuple[str, str, int], list[RulerTrial]] = {}
    for trial in trials:
        cells.setdefault((trial.arm, trial.task, trial.length), []).append(trial)
    found = []
    for place, mine in cells.items():
        values = [trial.score for trial in mine]
        low, high = (round(100 * end, 2) for end in interval(values))
        n_distilled = sum(trial.n_distilled for trial in mine)
        found.append(RulerScore(*place, len(mine), round(100 * mean(values), 2), (low, high), n_distilled))
    return found


def n_samples(found: Iterable[RulerScore]) -> str:
    """Samples behind each of some means, as a table has them: `5`, or `3–5` where they differ."""
    numbers = {one.n for one in found}
    return "–".join(map(str, sorted({min(numbers, default=0), max(numbers, default=0)})))


def averages(found: Sequence[RulerScore]) -> dict[str, dict[int, float]]:
    """Mean over the tasks of a length, by arm: RULER's figure for a length if all thirteen were run."""
    cells: dict[str, dict[int, list[float]]] = {}
    for one in found:
        cells.setdefault(one.arm, {}).setdefault(one.length, []).append(one.score)
    return {arm: {length: round(mean(few), 2) for length, few in rows.items()} for arm, rows in cells.items()}


def to_record(
    settings: Mapping[str, object], trials: Sequence[RulerTrial], made_with: Mapping[str, object]
) -> dict[str, object]:
    """For JSON: settings, versions and machine, means, then every answer."""
    found = scores(trials)
    return {
        "schema": 1,
        "bench": "ruler",
        "settings": dict(settings),
        "made_with": dict(made_with),
        "scores": [asdict(one) for one in found],
        "averages": averages(found),
        "trials": [asdict(trial) for trial in trials],
    }
