"""Does novelty age? Many plain facts along one long text, read once, and what became of each of them.

Carried unchanged (Eq. 4), novelty gives its places to the most surprising tokens of the whole stream, the same in every
head; the longer the stream, the harder it is to become one of them. A single hidden line tells one bit of that, found
or not, for a whole reading. Here a reading tells of every fact what share of its places a distillation has kept, when
it was judged first and at the end, and which of these places novelty gave it: numbers for each token, head and layer.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from infinipot_cli.bench.ageing_record import N_PARTS, AgeingReading, Fate, Kept
from infinipot_cli.bench.distilled import check_distilled
from infinipot_cli.bench.plants import Plant, all_facts, all_fresh_facts, is_right, strew
from infinipot_cli.choice import PAPER
from infinipot_cli.engine import Distilled, Pot, generate
from infinipot_cli.engine.consume import consume
from infinipot_cli.engine.distill import distill
from infinipot_cli.engine.importance import novel_too
from infinipot_cli.errors import UsageError
from infinipot_cli.model.port import port_of
from infinipot_cli.plan import Plan
from infinipot_cli.policies import DEFAULT, parse_settings
from infinipot_cli.reading import new_reader
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest
from infinipot_cli.tokens import Detokenizer

AS_PAPER, NO_NOVELTY = "paper", "no-nuc"
# Settings under which every head keeps the prefix, then the most novel and then the best by CaP, and nothing else.
COUNTED = frozenset({"decay", "rank", "fresh", "renew", "pool", "group_max"})


@dataclass(frozen=True)
class Strewn:
    """A text in token ids, and where its facts stand.

    Attributes:
        ids: of the document.
        plants: the facts, in the order of the text.
        spans: of each, first token and the one behind its last.
    """

    ids: Sequence[int]
    plants: Sequence[Plant]
    spans: Sequence[tuple[int, int]]


def parse_arms(text: str, wished: PotRequest) -> dict[str, PotRequest]:
    """Ways to read, as a user types them.

    Args:
        text: separated by commas: `paper`, `no-nuc` (α = 0), or settings as for `--set`, joined by `+`.
        wished: what all of them share.

    Raises:
        UsageError: there is no such setting, or novelty's places cannot be told from others under it.
    """
    arms = {}
    for name in dict.fromkeys(word.strip() for word in text.split(",")):
        arms[name] = wished
        if name == NO_NOVELTY:
            arms[name] = replace(wished, novelty_ratio=0.0)
        elif name != AS_PAPER:
            choice, own = parse_settings(DEFAULT, name.split("+"))
            uncounted = [one for one in (*choice.changed, *dict(own)) if one not in COUNTED]
            if uncounted:
                raise UsageError(f"under {uncounted[0]} it cannot be told which places novelty gave away")
            choice.check_share(wished.novelty_ratio)
            arms[name] = replace(wished, choice=choice)
    return arms


def choose(n: int, seed: int) -> list[Plant]:
    """So many facts, no two alike.

    Raises:
        UsageError: there are not so many.
    """
    known = (*all_facts(), *all_fresh_facts())
    if n > len(known):
        raise UsageError(f"there are {len(known)} facts, and {n} are wanted")
    return random.Random(f"{seed} ageing").sample(known, n)


def strewn(text: str, plants: Sequence[Plant], session: Session) -> Strewn:
    """A text with facts along it, tokenized as a whole."""
    whole, places = strew(text, [plant.statement for plant in plants])
    ids, ends = session.tokenizer.encode_with_ends(whole)
    edges = torch.tensor(ends)
    # a token belongs to a fact if it ends inside it: the one that ends at its first character is still the text's
    firsts = torch.bucketize(torch.tensor([start for start, _ in places]), edges, right=True)
    behind = torch.bucketize(torch.tensor([end for _, end in places]), edges) + 1
    return Strewn(ids, plants, list(zip(firsts.tolist(), behind.tolist(), strict=True)))


def run(session: Session, arm: str, request: PotRequest, text: Strewn, length: int) -> AgeingReading:
    """Read a text once, and ask copies of the last pot for every fact.

    Args:
        session: whose model reads.
        arm: name of the way.
        request: of the pot, as the arm has it.
        text: with its facts.
        length: for the record.

    Raises:
        PotError: a pot should have distilled and did not.
        UsageError: the text fits the pot, or there is no room for the longest answer.
    """
    session.request = request
    plan = session.plan(ask("Who?", catalyst="general"))
    if not plan.n_cycles(len(text.ids)):
        raise UsageError(f"{len(text.ids)} tokens fit the pot of {plan.capacity}, so nothing is distilled")
    longest = max(len(session.tokenizer.encode(plant.answer)) for plant in text.plants)
    if longest > plan.max_tokens:
        raise UsageError(f"an answer of {longest} tokens has no room in {plan.max_tokens}", hint=f"-n {longest}")
    start = time.perf_counter()
    reader = new_reader(session.load().model, plan)
    watch = Watch(reader.pot, len(text.ids))
    for event in reader.feed(text.ids):
        watch.see(event)
    seconds = round(time.perf_counter() - start, 1)
    check_distilled(plan, len(text.ids), reader.pot)
    watch.end()
    fates = [
        _fate(session, reader.pot, number, plant, span, watch)
        for number, (plant, span) in enumerate(zip(text.plants, text.spans, strict=True))
    ]
    parts = [n * watch.n_judged // N_PARTS for n in range(N_PARTS + 1)]
    prose = [watch.kept(*part) for part in pairwise(parts)]
    return AgeingReading(arm, length, len(text.ids), reader.pot.n_cycles, seconds, prose, fates)


class Watch:
    """What of each document token a pot has kept: shares of the heads of all layers that distil.

    Args:
        pot: before it reads the document.
        n_tokens: of the document.

    Attributes:
        n_judged: document tokens that a distillation has seen.
    """

    def __init__(self, pot: Pot, n_tokens: int) -> None:
        self._pot, self.n_judged = pot, 0
        self._layers = [number for number, layer in enumerate(pot.pot_layers) if not layer.is_local]
        self._first, self._novel, self._end = (torch.zeros(n_tokens) for _ in range(3))
        self._full: tuple[Tensor, Tensor] | None = None

    def see(self, event: object) -> None:
        """An event of the reader, right after it."""
        pot = self._pot
        if isinstance(event, Distilled):
            new = slice(self.n_judged, event.n_seen - pot.n_prefix)
            self._first[new] = self._shares(pot.origins, new)
            self._novel[new] = self._shares(self._given(), new)
            self.n_judged, self._full = new.stop, None
        elif pot.n_held == pot.capacity - len(pot.catalyst_ids):  # what the next distillation, if one comes, will see
            self._full = pot.origins, pot.novelty

    def end(self) -> None:
        """Everything has been read."""
        self._end = self._shares(self._pot.origins, slice(0, len(self._first)))

    def kept(self, start: int, end: int) -> Kept:
        """Means over document tokens."""
        return Kept(*(round(float(found[start:end].mean()), 6) for found in (self._first, self._novel, self._end)))

    def _given(self) -> Tensor:
        """Origins of what novelty chose in the distillation that has just been, and -1 for the rest, (L, K, N)."""
        assert self._full is not None
        pot, (origins, novelty) = self._pot, self._full
        prefix = origins < pot.n_prefix
        chosen = novel_too(
            novelty, prefix, budget=pot.n_held, novelty_ratio=pot.novelty_ratio,
            fresh=origins >= (pot.n_prefix + self.n_judged if self.n_judged else 0), fresh_share=pot.choice.fresh,
        )  # fmt: skip
        return origins.where(chosen & ~prefix, -1)

    def _shares(self, origins: Tensor, tokens: slice) -> Tensor:
        """Share of heads that hold each of these document tokens."""
        found, n = origins[self._layers].cpu() - self._pot.n_prefix - tokens.start, tokens.stop - tokens.start
        held = torch.bincount(found[(found >= 0) & (found < n)], minlength=n)
        shares: Tensor = held / (found.shape[0] * found.shape[1])
        return shares


def _fate(session: Session, pot: Pot, number: int, plant: Plant, span: tuple[int, int], watch: Watch) -> Fate:
    plan = session.plan(ask(plant.question, catalyst="general"))
    given = _answer(session, pot.fork(), plan)
    place = round(span[0] / (pot.n_seen - pot.n_prefix), 4)
    kept = watch.kept(*span) if span[1] <= watch.n_judged else None
    cost = round(_nats(session, pot.fork(), plan, plant.answer), 4)
    return Fate(number, place, kept, plant.answer, given, is_right(given, plant.answer), cost)


def _answer(session: Session, pot: Pot, plan: Plan) -> str:
    detokenizer = Detokenizer(session.tokenizer)
    steps = generate(
        session.load().model, pot, plan.prompt.suffix_ids, max_new_tokens=plan.max_tokens, stop_ids=session.stop_ids()
    )
    return ("".join(detokenizer.push(step.token_id) for step in steps) + detokenizer.flush()).strip()


def _nats(session: Session, pot: Pot, plan: Plan, answer: str) -> float:
    """Mean negative log-likelihood of an answer's tokens, from the pot that would answer."""
    model, ids = session.load().model, session.tokenizer.encode(answer)
    if pot.n_held + len(plan.prompt.suffix_ids) + plan.max_tokens > pot.capacity:  # as generating does
        distill(model, pot)
    # nothing is distilled any more; at 0 the engine would not compute novelty, and a setting could make it a rank
    pot.novelty_ratio, pot.choice = 1.0, PAPER
    consume(model, port_of(model), pot, [*plan.prompt.suffix_ids, *ids])
    return float(pot.novelty[0, 0, -len(ids) :].mean())


def readings(
    session: Session, arms: dict[str, PotRequest], texts: Iterator[tuple[int, Strewn]], done: set[tuple[str, int]]
) -> Iterator[AgeingReading]:
    """Every way's reading of every text that there is none of yet, text by text."""
    for length, text in texts:
        for arm, request in arms.items():
            if (arm, length) not in done:
                yield run(session, arm, request, text, length)
