"""Every benchmark, each a command of its own with a record of its own: the steps of `infinipot bench all`.

The quick sizes are for the embedded model on two cores; the full ones are the paper's. `steps_run` runs them.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infinipot_cli.bench.arms import ARMS, distills
from infinipot_cli.bench.cost import METHODS
from infinipot_cli.errors import InfinipotError
from infinipot_cli.policies import listed

ABLATIONS = ("infinipot", "no-nuc", "tova", "no-cr-rope", "bare")
_DEPTHS = ("--depths", "0.1,0.5,0.9")


@dataclass(frozen=True)
class Subject:
    """What is measured, and on what.

    Attributes:
        model: as `-m` takes it.
        book: path of the long text.
        longbench: folder of LongBench's data, or of the small stand-in.
        questions: folder of RULER's question sets; None without one.
        is_quick: the embedded model's sizes instead of the paper's.
    """

    model: str
    book: Path
    longbench: Path
    questions: Path | None
    is_quick: bool


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: of its record, `NAME.json`.
        words: behind `infinipot bench`.
        is_resumed: whether `--record` keeps what a stopped run had.
        is_timed: whether its figures are times or memory, which a neighbour would spoil.
    """

    name: str
    words: tuple[str, ...]
    is_resumed: bool = True
    is_timed: bool = False

    @property
    def command(self) -> str:
        """As a user would type it."""
        return shlex.join(["infinipot", "bench", *self.words, "--json"])


@dataclass(frozen=True)
class StepDone:
    """A step that came to an end.

    Attributes:
        name: as above.
        command: as above.
        seconds: wall time, of an earlier start too if it went on from there.
        status: `done`, or what went wrong.
    """

    name: str
    command: str
    seconds: float
    status: str


def steps(subject: Subject) -> list[Step]:
    """The commands in their order, the quick and telling ones first."""
    return _quick(subject) if subject.is_quick else _full(subject)


def _quick(subject: Subject) -> list[Step]:
    """Sizes for pocket: a pot of half its trained context, as the paper's 4K pot is of an 8K model."""
    book, model = ("--book", str(subject.book)), ("-m", subject.model)
    pot, both = ("-s", "512"), ("--kind", "both", "--trials", "6", *_DEPTHS)
    fast, slow = _arms(stepwise=False), _arms(stepwise=True)
    data = ("--data", str(subject.questions)) if subject.questions else ()
    rows = ("--data", str(subject.longbench), "--n", "1")
    made = [
        Step("needle", ("needle", *book, *both, "--tokens", "1k,2k", "--arms", _of_the_paper(fast), *pot, *model)),
        Step("needle-long", ("needle", *book, "--kind", "passkey", "--tokens", "4k,8k", "--trials", "3", *_DEPTHS,
                             "--arms", ",".join(ABLATIONS), *pot, *model)),
        Step("kamradt", ("needle", *book, "--kind", "kamradt", "--tokens", "1k,2k", *_DEPTHS, *pot, *model)),
        Step("ruler", ("ruler", *book, "--tokens", "2k", "--n", "1", *data, "--arms", "infinipot,no-nuc,tova", *pot,
                       *model)),
        Step("longbench", ("longbench", *rows, "--arms", fast, *pot, *model)),
        Step("longbench-pots", ("longbench", *rows, "--arms", "infinipot,truncation", "--pots", "256,384,768", *model)),
        Step("hitrate", ("hitrate", *book, "--trials", "2", *model)),
        Step("citations", ("citations", *book, "--books", "3", "--pages", "8", *model)),
        Step("memory", ("memory", *book, "--tokens", "2k,16k", *model), is_timed=True),
        Step("cost", ("cost", "--tokens", "768,1536", "--repeat", "1", *pot, "--methods", _methods(), *model),
             is_timed=True),
    ]  # fmt: skip
    if slow:
        sets = "hotpotqa,multifieldqa_en,qasper,narrativeqa"
        made.insert(1, Step("needle-steps", ("needle", *book, *both, "--tokens", "1k", "--arms", slow, *pot, *model)))
        made.append(Step("longbench-steps", ("longbench", *rows, "--only", sets, "--arms", slow, *pot, *model)))
    return made


def _full(subject: Subject) -> list[Step]:
    """The paper's sizes: 20 lines a cell from 4k to 1M, all of LongBench, RULER from 4k to 128k."""
    book, model = ("--book", str(subject.book)), ("-m", subject.model)
    every = ",".join(ARMS)
    data = ("--data", str(subject.questions)) if subject.questions else ()
    rows = ("--data", str(subject.longbench))
    lengths = "4k,8k,16k,32k,128k,512k,1m"
    return [
        Step("needle", ("needle", *book, "--kind", "passkey", "--tokens", lengths, "--trials", "60", *_DEPTHS,
                        "--arms", ",".join(ABLATIONS), *model)),
        Step("needle-arms", ("needle", *book, "--kind", "both", "--tokens", "8k,32k", "--trials", "60", *_DEPTHS,
                             "--arms", every, *model)),
        Step("kamradt", ("needle", *book, "--kind", "kamradt", "--tokens", "4k,8k,16k,32k", *model)),
        Step("ruler", ("ruler", *book, "--tokens", "4k,8k,16k,32k,64k,128k", "--n", "100", *data,
                       "--arms", ",".join(ABLATIONS), *model)),
        Step("longbench", ("longbench", *rows, "--arms", "all", *model)),
        Step("longbench-pots", ("longbench", *rows, "--arms", "infinipot,truncation", "--pots", "1k,2k,8k", *model)),
        Step("hitrate", ("hitrate", *book, "--trials", "20", *model)),
        Step("citations", ("citations", *book, *model)),
        Step("memory", ("memory", *book, "--tokens", "20k,200k", *model), is_timed=True),
        Step("cost", ("cost", "--tokens", "10k,20k,50k,100k", "-s", "4k", "--methods", _methods(), *model),
             is_timed=True),
    ]  # fmt: skip


def _arms(*, stepwise: bool) -> str:
    def is_stepwise(name: str) -> bool:
        policy = ARMS[name].policy
        return not distills(name) and policy is not None and listed(policy).is_bounded and name != "truncation"

    return ",".join(name for name in ARMS if is_stepwise(name) == stepwise)


def _of_the_paper(names: str) -> str:
    """Other catalysts and shares of novelty are for Tables 2 and 3 alone."""
    return ",".join(name for name in names.split(",") if not name.startswith(("alpha-", "catalyst-")))


def _methods() -> str:
    return ",".join(METHODS)


def failures(done: Sequence[StepDone]) -> list[StepDone]:
    """Steps that left no record."""
    return [one for one in done if one.status.startswith("failed")]


def check(done: Sequence[StepDone]) -> None:
    """Refuse to call a run with failed steps a whole one.

    Raises:
        InfinipotError: a step failed.
    """
    if failed := failures(done):
        names = ", ".join(one.name for one in failed)
        raise InfinipotError(f"{names}: no record, so the report has gaps", hint="the same command tries again")
