"""What `infinipot bench pocket` writes down: one line an answer, so that a stopped run goes on where it was.

Means and their intervals are computed from the lines, never stored.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from infinipot_cli.bench.metrics import FEWEST, bootstrap, interval, interval_of_differences, mean
from infinipot_cli.bench.pocket_sets import Item

# What the model holds of the text, in the order of the tables. Only `pot` and its ablations distill.
ARMS = {
    "pot": "the pot as asked for: the question judges (CaP-Q), or the general request for summaries, and novelty",
    "ask": "the pot as the command ask has it: passages with the question's words favoured, and read again",
    "full": "the whole text in the model's context",
    "truncated": "first and last half of what fits the pot, for prose the last part",
    "general": "the pot judged by the general request (CaP-G), and novelty",
    "cap": "the pot judged by the catalyst alone, without novelty",
    "nuc": "the pot judged by novelty alone, without a catalyst's votes",
    "lead": "the first sentences of the text (summaries only)",
}
METRICS = {"right": "right", "f1": "F1", "em": "EM", "rouge_l": "ROUGE-L", "nats": "perplexity", "refused": "refused"}
# Pairs that the paper orders (Tables 2 and 3), and the pot against doing without it: the first should not be worse.
ORDERINGS = (
    ("ask", "pot"), ("ask", "truncated"), ("ask", "lead"), ("pot", "truncated"), ("pot", "full"), ("pot", "lead"),
    ("pot", "general"), ("general", "nuc"), ("pot", "cap"), ("pot", "nuc"),
)  # fmt: skip

Interval = tuple[float, float]


@dataclass(frozen=True)
class PocketTrial:
    """One answer of one arm.

    Attributes:
        set_name: the set.
        group: part of the set with a row of its own.
        number: of the item in its set.
        arm: what the model held of the text.
        question: what was asked; empty for summaries and prose.
        given: what came.
        scores: by metric, 0 to 1; `nats` is a mean negative log-likelihood a token, `refused` whether the answer was
            "not in the text" although it is there.
        n_tokens: tokens of the text.
        n_distilled: distillations.
        seconds: reading and answering; reading once a text where arms need no more.
    """

    set_name: str
    group: str
    number: int
    arm: str
    question: str
    given: str
    scores: dict[str, float]
    n_tokens: int
    n_distilled: int
    seconds: float

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells it from every other of a run."""
        return (self.set_name, self.number, self.arm)


@dataclass(frozen=True)
class Score:
    """Mean of one metric over one group and arm, with its 95 % interval, in what people read: percent or perplexity.

    One perplexity alone has no interval.
    """

    set_name: str
    group: str
    metric: str
    arm: str
    n: int
    mean: float
    interval: Interval | None


@dataclass(frozen=True)
class Difference:
    """How much better the first arm is than the second on the same items of a set: paired mean, 95 % interval.

    Of one pair of perplexities there is no interval.
    """

    set_name: str
    metric: str
    better: str
    worse: str
    n: int
    mean: float
    interval: Interval | None

    @property
    def verdict(self) -> str:
        """`holds` or `fails` where the interval leaves no doubt, else `open`; `few` below `FEWEST` items."""
        if self.n < FEWEST or self.interval is None:
            return "few"
        return "holds" if self.interval[0] > 0 else "fails" if self.interval[1] < 0 else "open"


def scores(trials: Iterable[PocketTrial]) -> list[Score]:
    """One row for every set, group, metric and arm, in the order of the trials."""
    cells: dict[tuple[str, str, str, str], list[float]] = {}
    for trial in trials:
        for metric, score in trial.scores.items():
            cells.setdefault((trial.set_name, trial.group, metric, trial.arm), []).append(score)
    return [Score(*place, len(values), *_summed_up(place[2], values)) for place, values in cells.items()]


def _summed_up(metric: str, values: Sequence[float]) -> tuple[float, Interval | None]:
    if metric == "nats":
        between = _resampled(values)
        return math.exp(mean(values)), between and (math.exp(between[0]), math.exp(between[1]))
    low, high = interval(values)
    return 100 * mean(values), (100 * low, 100 * high)


def differences(trials: Iterable[PocketTrial]) -> list[Difference]:
    """The orderings that can be told from the arms that were run; perplexities are compared in nats."""
    by_set: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    for trial in trials:
        for metric, score in trial.scores.items():
            arms = by_set.setdefault((trial.set_name, metric), {})
            arms.setdefault(trial.arm, {})[trial.number] = -score if metric == "nats" else score
    found = []
    for (set_name, metric), arms in by_set.items():
        if metric in ("em", "refused"):
            continue  # the one says the same as F1, and of the other less is better only where there is an answer
        for better, worse in ORDERINGS:
            both = sorted(arms.get(better, {}).keys() & arms.get(worse, {}).keys())
            if both:
                values = [arms[better][number] - arms[worse][number] for number in both]
                told = _told_of_differences(metric, values)
                found.append(Difference(set_name, metric, better, worse, len(both), *told))
    return found


def _told_of_differences(metric: str, values: Sequence[float]) -> tuple[float, Interval | None]:
    if metric == "nats":
        return mean(values), _resampled(values)
    low, high = interval_of_differences(values)
    return 100 * mean(values), (100 * low, 100 * high)


def _resampled(values: Sequence[float]) -> Interval | None:
    """An interval of what has no bounds; one value alone says nothing of how far others lie."""
    return bootstrap(values) if len(values) > 1 else None


def to_record(settings: dict[str, object], trials: Sequence[PocketTrial]) -> dict[str, object]:
    """For JSON: settings, means with intervals, orderings, then every answer."""
    return {
        "schema": 1,
        "bench": "pocket",
        "settings": settings,
        "scores": [asdict(score) for score in scores(trials)],
        "orderings": [{**asdict(pair), "verdict": pair.verdict} for pair in differences(trials)],
        "trials": [asdict(trial) for trial in trials],
    }


def missing(wanted: Iterable[tuple[Item, str]], done: Iterable[PocketTrial]) -> list[tuple[Item, str]]:
    """Those items and arms that there is no answer of yet."""
    known = {trial.key for trial in done}
    return [(item, arm) for item, arm in wanted if (item.set_name, item.number, arm) not in known]
