"""LongBench through the pot, with the paper's baselines and ablations beside it.

Every arm meets the official prompt, tokenized as one text, and decodes greedily. The pot reads the prompt up to the
end of the long text as a stream and holds the request out; the baselines are given what fits, cut in the middle as
LongBench does it. A pot that should have distilled and did not ends the run: its scores would not be its own.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from infinipot_cli.bench.arms import arm as arm_of
from infinipot_cli.bench.distilled import check_distilled
from infinipot_cli.bench.longbench_record import LongTrial
from infinipot_cli.bench.longbench_sets import SETS, LongSet, Row
from infinipot_cli.engine import Pot, generate
from infinipot_cli.errors import PotSizeError
from infinipot_cli.model.chat import chat_frame
from infinipot_cli.model.load import memory_guard
from infinipot_cli.plan import Plan, Prompt, make_plan
from infinipot_cli.reading import new_reader
from infinipot_cli.session import Session, ask
from infinipot_cli.templates import catalyst_name, is_question, load_catalyst
from infinipot_cli.tokens import Detokenizer
from infinipot_cli.tokens.tokenizer import DocumentTokenizer

# The official longest prompts: 3,500 for a context of 4K, 7,500 for 8K, 31,500 for 32K; none is shorter.
_OFFICIAL_GAP = 500
_OFFICIAL_LEAST = 3500
# Arms that are given what fits, cut in the middle.
CUT = ("full", "truncation")


@dataclass(frozen=True)
class _Asked:
    """A prompt in token ids: chat format in front, the streamed part, the held-out request, chat format behind."""

    opening: tuple[int, ...]
    document: tuple[int, ...]
    request: tuple[int, ...]
    closing: tuple[int, ...]


class Runner:
    """Answers rows.

    Args:
        session: model and wishes about the pot; its sampling is not used.
        capacity: places of the pot; the session's own by default.
        catalyst: what judges where the arm does not say; None is the paper's choice, the question for question
            answering and the general request elsewhere.
    """

    def __init__(self, session: Session, capacity: int | None = None, catalyst: str | None = None) -> None:
        self.session, self.catalyst = session, catalyst
        self.tokenizer = session.tokenizer
        self.capacity = session.plan(ask("Who?")).capacity if capacity is None else capacity

    def run(self, row: Row, arm: str, classes: Sequence[str]) -> LongTrial:
        """One row answered by one arm.

        Args:
            row: text and request.
            arm: a name that `arms.arm` knows.
            classes: names of the set's classes.

        Raises:
            PotError: the pot should have distilled and did not.
            PotSizeError: the pot has no room for the row.
        """
        one, start = SETS[row.set_name], time.perf_counter()
        asked = self._asked(row, one, is_whole=arm not in CUT, arm=arm)
        plan = self._plan(one, asked, arm)
        n_tokens = len(asked.document) + len(asked.request)
        with memory_guard(f"answer {row.set_name} from {n_tokens} tokens"):
            pot = self._read(plan, asked)
            given = self._answer(pot, plan, one)
        check_distilled(plan, len(asked.document), pot)
        return LongTrial(
            set_name=row.set_name,
            number=row.number,
            arm=arm,
            capacity=self.capacity,
            given=given,
            score=one.score(given, row.wanted, classes),
            n_tokens=n_tokens,
            n_distilled=pot.n_cycles,
            seconds=round(time.perf_counter() - start, 3),
        )

    def counts(self, row: Row, arm: str) -> tuple[int, int]:
        """Tokens of a row's prompt as an arm meets it, and the distillations that reading it takes; nothing is read."""
        one = SETS[row.set_name]
        asked = self._asked(row, one, is_whole=arm not in CUT, arm=arm)
        return len(asked.document) + len(asked.request), self._plan(one, asked, arm).n_cycles(len(asked.document))

    def check(self, arms: Sequence[str], set_names: Sequence[str]) -> None:
        """Refuse a pot in which an arm that is given what fits would be given nothing.

        Raises:
            PotSizeError: the chat format and the answer of one of the sets leave no room.
        """
        for arm in (arm for arm in arms if arm in CUT):
            for name in set_names:
                self._room(SETS[name], arm)

    def _room(self, one: LongSet, arm: str) -> tuple[int, int]:
        """Size of what an arm that is cut to fit holds, and how much of it chat format and answer leave to a prompt."""
        size = (self.session.files.context_length or self.capacity) if arm == "full" else self.capacity
        opening, closing = self._frame(one)
        room = size - len(opening) - len(closing) - min(one.max_tokens, size // 2)
        if room < 2 * (1 + self._n_first):  # a token of each half besides what stands in front
            raise PotSizeError(
                f"{size} places leave no room for a text of {one.name} beside chat format and answer",
                hint="take a larger pot with -s or --pots",
            )
        return size, room

    @property
    def _n_first(self) -> int:
        """Tokens that the model's own tokenizer puts in front of a text."""
        return int(bool(self.session.files.special_tokens.get("bos_token", "")))

    def _frame(self, one: LongSet) -> tuple[list[int], list[int]]:
        """The chat format in front of a set's prompts and behind them, as far as the official run has it."""
        files = self.session.files
        frame = chat_frame(files.chat_template, files.special_tokens, opening=self.tokenizer.opening)
        if one.is_chat:
            return self.tokenizer.encode_template(frame.prefix), self.tokenizer.encode_template(frame.suffix)
        return self.tokenizer.encode_template(files.special_tokens.get("bos_token", "")), []

    def _asked(self, row: Row, one: LongSet, *, is_whole: bool, arm: str) -> _Asked:
        opening, closing = self._frame(one)
        if not is_whole:
            size, room = self._room(one, arm)
            ids = self._cut(row.prompt, official_length(size, room), room, n_first=self._n_first)
            return _Asked(tuple(opening), tuple(ids[:-1]), tuple(ids[-1:]), tuple(closing))
        encoded = self.tokenizer.encode_with_offsets(row.prompt)
        seam = len(row.asked[0])
        cut = next((place for place, start in enumerate(encoded.starts) if start >= seam), len(encoded.ids))
        # a request may hold a whole program: what would crowd the pot out streams with the text in front of it
        cut = max(cut, len(encoded.ids) - self.capacity // 4)
        return _Asked(tuple(opening), tuple(encoded.ids[:cut]), tuple(encoded.ids[cut:]), tuple(closing))

    def _cut(self, text: str, length: int, room: int, *, n_first: int) -> list[int]:
        """Ids of a text cut in the middle; tokenized again they can be more, and must not exceed `room`."""
        ids = self.tokenizer.encode(middle_cut(text, self.tokenizer, length, n_first=n_first))
        while len(ids) > room:
            length -= len(ids) - room
            ids = self.tokenizer.encode(middle_cut(text, self.tokenizer, length, n_first=n_first))
        return ids

    def _plan(self, one: LongSet, asked: _Asked, arm: str) -> Plan:
        suffix = (*asked.request, *asked.closing)
        judge = self._judge(one, asked, arm_of(arm).catalyst or self.catalyst)
        prompt = Prompt(prefix_ids=asked.opening, catalyst_ids=judge, suffix_ids=suffix)
        max_tokens = min(one.max_tokens, self.capacity // 2)
        capacity, budget = self.capacity, self.session.request.budget
        if arm in CUT:
            # nothing is distilled: the pot is as large as what stands in it
            behind = max(len(judge), len(suffix) + max_tokens)
            capacity, budget = len(asked.opening) + len(asked.document) + behind, None
            size = len(asked.opening) + len(asked.document) // 2 + 1
            return Plan(prompt, capacity, size, max_tokens, 0.0, self.session.request.chunk)
        request = replace(self.session.request, capacity=capacity, budget=budget, max_tokens=max_tokens)
        return make_plan(
            prompt,
            arm_of(arm).request(request),
            model=self.session.files.name,
            context_length=self.session.files.context_length,
            capacity=capacity,
            max_tokens=max_tokens,
        )

    def _judge(self, one: LongSet, asked: _Asked, named: str | None) -> tuple[int, ...]:
        """The catalyst with the chat format behind it: what was named, else the paper's choice for the set."""
        if asked.request and (is_question(named) if named else one.is_asked):
            return (*asked.request, *asked.closing)
        question = self.tokenizer.decode(asked.request).strip()
        said = load_catalyst(catalyst_name(named or "general")).ask(question)
        return (*self.tokenizer.encode(said), *asked.closing)

    def _read(self, plan: Plan, asked: _Asked) -> Pot:
        reader = new_reader(self.session.load().model, plan)
        for _ in reader.feed(asked.document):
            pass
        return reader.pot

    def _answer(self, pot: Pot, plan: Plan, one: LongSet) -> str:
        model, suffix, stops = self.session.load().model, plan.prompt.suffix_ids, set(self.session.stop_ids())
        if one.name == "samsum":
            stops.add(self.tokenizer.encode("\n")[-1])
            return self._at_least_one(pot, plan, frozenset(stops))
        steps = generate(model, pot, suffix, max_new_tokens=plan.max_tokens, stop_ids=stops)
        return self._text([step.token_id for step in steps])

    def _at_least_one(self, pot: Pot, plan: Plan, stops: frozenset[int]) -> str:
        """An answer whose first token is the likeliest that does not end it, as the official run of samsum has it."""
        model, suffix = self.session.load().model, plan.prompt.suffix_ids
        first = next(generate(model, pot.fork(), suffix, max_new_tokens=1, record=True))
        assert first.logits is not None
        logits = first.logits.flatten().clone()
        logits[list(stops)] = float("-inf")
        token = int(logits.argmax())
        rest = generate(model, pot, (*suffix, token), max_new_tokens=plan.max_tokens - 1, stop_ids=stops)
        return self._text([token, *(step.token_id for step in rest)])

    def _text(self, ids: Sequence[int]) -> str:
        detokenizer = Detokenizer(self.tokenizer)
        return "".join(detokenizer.push(token) for token in ids) + detokenizer.flush()


def official_length(size: int, room: int) -> int:
    """Longest prompt in tokens for a context of `size`, as LongBench chose them; at most `room`.

    A larger context never has a shorter one: below 4K, for which LongBench has none, what fits is given.
    """
    return min(room, max(_OFFICIAL_LEAST, size * 1000 // 1024 - _OFFICIAL_GAP))


def middle_cut(text: str, tokenizer: DocumentTokenizer, length: int, *, n_first: int = 0) -> str:
    """The first and the last half of a text that is longer than `length` tokens, as LongBench cuts prompts.

    Args:
        text: the prompt.
        tokenizer: counts and decodes; the halves are joined as text.
        length: most tokens.
        n_first: tokens that the model's own tokenizer puts in front, which the official count includes.
    """
    ids = tokenizer.encode(text)
    if len(ids) + n_first <= length:
        return text
    half = max(length // 2, 0)
    return tokenizer.decode(ids[: max(half - n_first, 0)]) + tokenizer.decode(ids[len(ids) - half :])
