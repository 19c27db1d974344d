"""Hide a line in a long text and ask for it: does what was asked for survive the pot?

Every trial goes the whole way of `infinipot ask`: a file is opened, tokenized and read through the pot, and the
answer is decoded. Only the weights are loaded once for all.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from infinipot_cli.bench import haystack, kamradt
from infinipot_cli.bench.arms import arm as arm_of
from infinipot_cli.bench.distilled import check_distilled, fits
from infinipot_cli.bench.needle_record import NeedleTrial
from infinipot_cli.bench.plants import Plant, facts, hide, is_right, passkeys
from infinipot_cli.session import Session, ask

DEPTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Hidden:
    """One line to hide.

    Attributes:
        kind: `passkey`, `fact` or `kamradt`.
        number: among those of its kind, from 0.
        depth: where, as a share of the text.
        plant: what is hidden and asked for.
    """

    kind: str
    number: int
    depth: float
    plant: Plant


def choose(
    kind: str,
    n_trials: int,
    seed: int,
    depths: Sequence[float] | None = None,
    needle: Plant = kamradt.ORIGINAL,
) -> list[Hidden]:
    """The lines of a run, the depths taken in turn.

    Args:
        kind: `passkey`, `fact`, `both` of them, or `kamradt`.
        n_trials: of each kind; Kamradt's needle is one sentence, and once at every depth is all there is of it.
        seed: of the choice; the same seed gives the same lines.
        depths: where, as shares of the text; each kind's own by default.
        needle: of the kind `kamradt`.
    """
    if kind == "kamradt":
        return [Hidden(kind, place, depth, needle) for place, depth in enumerate(depths or kamradt.DEPTHS)]
    chosen = []
    for name, make in (("passkey", passkeys), ("fact", facts)):
        if kind in (name, "both"):
            plants, places = make(n_trials, random.Random(f"{seed} {name}")), depths or DEPTHS
            chosen += [Hidden(name, place, places[place % len(places)], plant) for place, plant in enumerate(plants)]
    return chosen


class Haystacks:
    """The texts of a run, each made when its turn comes; the latest stays at hand.

    Args:
        book: the whole text to hide in.
        session: whose tokens lengths are counted in.
    """

    def __init__(self, book: str, session: Session) -> None:
        self._book, self._session = book, session
        self._made: tuple[tuple[int, str], str] = ((-1, ""), "")

    def with_hidden(self, hidden: Hidden, length: int) -> str:
        """A text of so many tokens with the line in it; of 0 tokens for the whole book."""
        tokenizer = self._session.tokenizer
        if hidden.kind != "kamradt":
            text = self._of(length, "", lambda: haystack.fit(self._book, tokenizer, length))
            return hide(text, hidden.plant.statement, hidden.depth)
        needle = hidden.plant.statement
        text = self._of(length, needle, lambda: kamradt.trimmed(self._book, needle, tokenizer, length))
        return kamradt.placed(text, needle, tokenizer, hidden.depth)

    def _of(self, length: int, needle: str, make: Callable[[], str]) -> str:
        if not length:
            return self._book
        if self._made[0] != (length, needle):
            self._made = ((length, needle), make())
        return self._made[1]


def run(
    session: Session, haystacks: Haystacks, trials: Sequence[tuple[str, int, Hidden]], *, catalyst: str = "question"
) -> Iterator[NeedleTrial]:
    """Run trials one after the other.

    Args:
        session: model and pot; its request is what the arms change.
        haystacks: the texts.
        trials: arm, length and line of each.
        catalyst: what judges the entries, `question` (CaP-Q) or `general` (CaP-G), where the arm does not say.

    Raises:
        PotError: a pot should have distilled and did not.
    """
    wished = session.request
    with tempfile.TemporaryDirectory(prefix="infinipot-") as folder:
        path = Path(folder) / "haystack.txt"
        try:
            for arm, length, hidden in trials:
                path.write_text(haystacks.with_hidden(hidden, length), encoding="utf-8")
                session.request = arm_of(arm).request(wished)
                yield _asked(session, path, arm, length, hidden, arm_of(arm).catalyst or catalyst)
        finally:
            session.request = wished


def _asked(session: Session, path: Path, arm: str, length: int, hidden: Hidden, catalyst: str) -> NeedleTrial:
    start, plant = time.perf_counter(), hidden.plant
    with session.prepare([str(path)], ask(plant.question, catalyst=catalyst)) as reading:
        for _ in reading.read():
            pass
        given = "".join(reading.answer()).strip()
        check_distilled(reading.plan, reading.n_tokens, reading.pot)
        share = kamradt.word_share(given, plant.answer) if hidden.kind == "kamradt" else None
        is_all = is_right(given, plant.answer) if share is None else share == 1.0
        return NeedleTrial(
            kind=hidden.kind,
            depth=hidden.depth,
            question=plant.question,
            wanted=plant.answer,
            given=given,
            is_right=is_all,
            n_tokens=reading.n_tokens,
            n_distilled=reading.pot.n_cycles,
            seconds=round(time.perf_counter() - start, 2),
            score=float(is_all) if share is None else round(share, 4),
            length=length,
            arm=arm,
            number=hidden.number,
            is_fit=fits(reading.plan, reading.n_tokens),
        )
