"""Hide a line in a long text and ask for it: does what was asked for survive the pot?

Every trial goes the whole way of `infinipot ask`: a file is opened, tokenized and read through the pot, and the
answer is decoded. Only the weights are loaded once for all.
"""

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from infinipot_cli.bench.plants import Plant, facts, hide, is_right, passkeys
from infinipot_cli.bench.record import NeedleTrial
from infinipot_cli.errors import PotError
from infinipot_cli.session import Session, ask

DEPTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def choose(kind: str, n_trials: int, seed: int, depths: Sequence[float] = DEPTHS) -> list[tuple[str, float, Plant]]:
    """The trials of a run: (kind, depth, plant), the depths taken in turn.

    Args:
        kind: `passkey`, `fact` or `both`.
        n_trials: of each kind.
        seed: of the choice; the same seed gives the same trials.
        depths: where, as shares of the text.
    """
    chosen = []
    for name, make in (("passkey", passkeys), ("fact", facts)):
        if kind in (name, "both"):
            plants = make(n_trials, random.Random(f"{seed} {name}"))
            chosen += [(name, depths[place % len(depths)], plant) for place, plant in enumerate(plants)]
    return chosen


def run(
    session: Session, text: str, trials: list[tuple[str, float, Plant]], *, catalyst: str = "question", length: int = 0
) -> Iterator[NeedleTrial]:
    """Run the trials one after the other.

    Args:
        session: model and pot.
        text: the haystack.
        trials: as `choose` gives them.
        catalyst: what judges the entries, `question` (CaP-Q) or `general` (CaP-G).
        length: tokens that the haystack was made to have, for the record.

    Raises:
        PotError: a pot should have distilled and did not.
    """
    with tempfile.TemporaryDirectory(prefix="infinipot-") as folder:
        path = Path(folder) / "haystack.txt"
        for kind, depth, plant in trials:
            path.write_text(hide(text, plant.statement, depth), encoding="utf-8")
            start = time.perf_counter()
            with session.prepare([str(path)], ask(plant.question, catalyst=catalyst)) as reading:
                for _ in reading.read():
                    pass
                given = "".join(reading.answer()).strip()
                if reading.plan.n_cycles(reading.n_tokens) and not reading.pot.n_cycles:
                    raise PotError(f"{reading.n_tokens} tokens went into the pot and nothing was distilled")
                yield NeedleTrial(
                    kind=kind,
                    depth=depth,
                    question=plant.question,
                    wanted=plant.answer,
                    given=given,
                    is_right=is_right(given, plant.answer),
                    n_tokens=reading.n_tokens,
                    n_distilled=reading.pot.n_cycles,
                    seconds=round(time.perf_counter() - start, 2),
                    length=length,
                )
