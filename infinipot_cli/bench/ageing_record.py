"""What `bench ageing` gives back: what became of every fact of a long text, one line a reading."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infinipot_cli.bench.metrics import bootstrap, mean
from infinipot_cli.bench.record import Count

# Stretches of the text in which facts are counted apart, so that early ones and late ones can be told.
N_PARTS = 4


@dataclass(frozen=True)
class Kept:
    """Shares of places, a place being one token in one head of one layer that distils; 0 to 1.

    Attributes:
        first: held right after the first distillation that judged the token: it has entered.
        novel: given by novelty in that distillation, whatever the catalyst would have said.
        end: held when everything had been read.
    """

    first: float
    novel: float
    end: float


@dataclass(frozen=True)
class Fate:
    """One fact and what became of it.

    Attributes:
        number: among the facts of the text, from 0.
        place: where it stands, as a share of the text.
        kept: of its tokens; None if the text ended before all of them were judged.
        wanted: what a right answer contains.
        given: what came from a copy of the last pot.
        is_right: whether that was right.
        nats: what the right answer cost a token, by the model over the same pot; less is nearer to an answer.
    """

    number: int
    place: float
    kept: Kept | None
    wanted: str
    given: str
    is_right: bool
    nats: float

    @staticmethod
    def of(*, kept: Mapping[str, float] | None, **fields: Any) -> "Fate":
        """A fate out of the fields that a record has of it."""
        return Fate(kept=Kept(**kept) if kept else None, **fields)


@dataclass(frozen=True)
class AgeingReading:
    """One text, read once in one way.

    Attributes:
        arm: the settings, as typed.
        length: tokens that the book was cut or repeated to.
        n_tokens: document tokens read, the facts included.
        n_distilled: distillations on the way.
        seconds: reading alone.
        prose: of all tokens that were judged, facts or not, by part of the text.
        fates: of the facts, in the order of the text.
    """

    arm: str
    length: int
    n_tokens: int
    n_distilled: int
    seconds: float
    prose: Sequence[Kept]
    fates: Sequence[Fate]

    @staticmethod
    def of(
        *, prose: Sequence[Mapping[str, float]], fates: Sequence[Mapping[str, Any]], **fields: Any
    ) -> "AgeingReading":
        """A reading out of the fields that a record has of it."""
        return AgeingReading(prose=[Kept(**one) for one in prose], fates=[Fate.of(**one) for one in fates], **fields)

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from every other of a run."""
        return (self.arm, self.length)

    @property
    def judged(self) -> list[Fate]:
        """The facts that a distillation could have dropped; the others say nothing."""
        return [fate for fate in self.fates if fate.kept is not None]

    def part(self, number: int) -> list[Fate]:
        """Those of the judged facts that stand in one part of the text."""
        return [fate for fate in self.judged if min(N_PARTS - 1, int(fate.place * N_PARTS)) == number]

    @property
    def right(self) -> Count:
        """Right answers."""
        return Count(sum(fate.is_right for fate in self.judged), len(self.judged))


# What is compared: a name, and the number that a fact has of it.
Measure = Callable[[Fate], float]


def share(name: str) -> Measure:
    """One of the shares of `Kept`, for facts that were judged."""

    def of(fate: Fate) -> float:
        assert fate.kept is not None
        return float(getattr(fate.kept, name))

    return of


def nats(fate: Fate) -> float:
    """What the right answer costs a token."""
    return fate.nats


def average(fates: Sequence[Fate], measure: Measure) -> float | None:
    """The mean of a measure; None of no facts."""
    return mean([measure(fate) for fate in fates]) if fates else None


def interval(fates: Sequence[Fate], measure: Measure) -> tuple[float, float]:
    """95 % interval of the mean, resampled over facts."""
    return bootstrap([measure(fate) for fate in fates])


def difference(one: AgeingReading, other: AgeingReading, measure: Measure) -> tuple[float, float, float]:
    """How much more one way has of a measure than another, fact by fact, and the 95 % interval of that."""
    was = {fate.number: measure(fate) for fate in other.judged}
    gains = [measure(fate) - was[fate.number] for fate in one.judged if fate.number in was]
    return (mean(gains), *bootstrap(gains))


@dataclass(frozen=True)
class AgeingResult:
    """All readings of a run, with what they were run on.

    Attributes:
        model: its name.
        capacity: |M|.
        budget: |C|.
        seed: of the choice of facts.
        readings: in the order in which they were run.
        settings: everything that the run's numbers depend on.
    """

    model: str
    capacity: int
    budget: int
    seed: int
    readings: Sequence[AgeingReading]
    settings: Mapping[str, object]

    @property
    def lengths(self) -> list[int]:
        """In the order of their first reading."""
        return list(dict.fromkeys(reading.length for reading in self.readings))

    def of_length(self, length: int) -> list[AgeingReading]:
        """Every way's reading of one text."""
        return [reading for reading in self.readings if reading.length == length]

    def to_record(self) -> dict[str, object]:
        """For JSON: what it was run on, the means with their intervals, then every reading."""
        return {
            "schema": 1,
            "bench": "ageing",
            "model": self.model,
            "pot": {"size": self.capacity, "budget": self.budget},
            "seed": self.seed,
            "settings": dict(self.settings),
            "totals": [_totals(reading, self.of_length(reading.length)[0]) for reading in self.readings],
            "readings": [asdict(reading) for reading in self.readings],
        }


def _totals(reading: AgeingReading, first: AgeingReading) -> dict[str, object]:
    measures = {name: share(name) for name in ("first", "novel", "end")} | {"nats": nats}
    return {
        "arm": reading.arm,
        "length": reading.length,
        "right": reading.right.right,
        "total": reading.right.total,
        "right_interval": _rounded(reading.right.interval),
    } | {
        name: {
            "mean": _rounded([average(reading.judged, measure) or 0.0])[0],
            "interval": _rounded(interval(reading.judged, measure)),
            "by_part": [average(reading.part(number), measure) for number in range(N_PARTS)],
            f"beyond {first.arm}": _rounded(difference(reading, first, measure)),
        }
        for name, measure in measures.items()
    }


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]
