"""Answer the embedded model's evaluation sets through the pot and without it, with the paper's ablations beside.

Every arm meets the same text, the same words around it and greedy decoding; they differ in what the model holds of the
text when it answers. Texts go straight to the engine, since files and streaming are measured elsewhere.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from infinipot_cli.bench.citations import PagedBook
from infinipot_cli.bench.distilled import check_distilled
from infinipot_cli.bench.metrics import exact_match, f1, first_sentences, rouge_l
from infinipot_cli.bench.plants import is_right
from infinipot_cli.bench.pocket_record import PocketTrial
from infinipot_cli.bench.pocket_sets import ABSENT, N_PREDICTED, Item
from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine import Pot, Reader, generate
from infinipot_cli.engine.distill import distill
from infinipot_cli.errors import UsageError
from infinipot_cli.model.load import memory_guard
from infinipot_cli.plan import Plan, Task
from infinipot_cli.policies import DEFAULT, parse_settings
from infinipot_cli.reading import new_reader
from infinipot_cli.session import Session, ask, summarize
from infinipot_cli.settings import DEFAULT_MODEL, usual_choices
from infinipot_cli.tokens import Detokenizer

NOT_DISTILLING = ("full", "truncated")
LEAD_SENTENCES = {"scitldr": 1}
_LEAD = 3


class Runner:
    """Answers items; keeps the last reading of each arm, for the next question on the same text.

    Args:
        session: model and pot; its sampling is not used.
        full_up_to: longest text that the arm `full` is given, in tokens.
        typed: settings that were asked for, as for `--set`, the last word for the arm `ask`.
    """

    def __init__(self, session: Session, *, full_up_to: int, typed: Sequence[str] = ()) -> None:
        self.session, self.full_up_to, self.typed = session, full_up_to, tuple(typed)
        self.tokenizer = session.tokenizer
        self._pots: dict[str, tuple[str, Pot]] = {}
        self._text: tuple[str | None, list[int]] = (None, [])

    def run(self, item: Item, arms: Sequence[str]) -> Iterator[PocketTrial]:
        """The arms of one item that apply to it."""
        for arm in arms:
            if self._applies(item, arm):
                start = time.perf_counter()
                n_tokens = len(self._ids(item))
                with memory_guard(f"answer {item.set_name} from {n_tokens} tokens"):
                    pot, given, scores = self._lead(item) if arm == "lead" else self._answered(item, arm)
                yield PocketTrial(
                    set_name=item.set_name,
                    group=item.group,
                    number=item.number,
                    arm=arm,
                    question=item.question,
                    given=given,
                    scores=scores,
                    n_tokens=n_tokens,
                    n_distilled=pot.n_cycles if pot else 0,
                    seconds=round(time.perf_counter() - start, 3),
                )

    def _applies(self, item: Item, arm: str) -> bool:
        if arm == "lead":
            return item.task == "summarize"
        if (arm == "ask" and item.task == "predict") or (arm == "general" and item.task != "ask"):
            return False  # they are the arm `pot` there
        return arm != "full" or len(self._ids(item)) <= self.full_up_to

    def _ids(self, item: Item) -> list[int]:
        if self._text[0] != item.document:
            self._text = (item.document, self.tokenizer.encode(item.text()))
        return self._text[1]

    def _lead(self, item: Item) -> tuple[None, str, dict[str, float]]:
        given = first_sentences(item.text(), _n_sentences(item))
        return None, given, {"rouge_l": rouge_l(given, item.wanted)}

    def _answered(self, item: Item, arm: str) -> tuple[Pot, str, dict[str, float]]:
        if item.task == "predict":
            pot, nats = self._predicted(item, arm)
            return pot, "", {"nats": nats}
        if arm == "ask":
            return self._as_the_command(item)
        plan = self.session.plan(self.session.settle(_task(item, arm)))
        pot = self._read(item, arm, plan)
        if arm not in NOT_DISTILLING:
            check_distilled(plan, len(self._ids(item)), pot)
        detokenizer = Detokenizer(self.tokenizer)
        steps = generate(
            self.session.load().model,
            pot,
            plan.prompt.suffix_ids,
            max_new_tokens=plan.max_tokens,
            stop_ids=self.session.stop_ids(),
        )
        given = ("".join(detokenizer.push(step.token_id) for step in steps) + detokenizer.flush()).strip()
        return pot, given, _scores(item, given)

    def _as_the_command(self, item: Item) -> tuple[Pot, str, dict[str, float]]:
        """What `ask` or `summarize` would print, with the command's own settings wherever none were asked for.

        Sentences are picked as many as the arm `lead` takes.
        """
        wished, is_asked = self.session.request, item.task == "ask"
        self.session.request = replace(wished, choice=command_choice(self.session, self.typed, is_asked=is_asked))
        try:
            with self.session.reading_of([PagedBook((item.text(),))], _task(item, "ask")) as reading:
                for _ in reading.read():
                    pass
                if not is_asked and self.session.model_name == DEFAULT_MODEL:
                    given = " ".join(passage.quote for passage in reading.pick(_n_sentences(item)))
                else:
                    given = "".join(reading.answer()).strip()
                return reading.pot, given, _scores(item, given)
        finally:
            self.session.request = wished

    def _read(self, item: Item, arm: str, plan: Plan) -> Pot:
        """A pot that holds what this arm holds of the text; its own copy where another question may follow."""
        # where a question judges, or its length decides what fits, it needs a reading of its own
        asked = len(plan.prompt.suffix_ids) + plan.max_tokens
        key = f"{item.document}\n{plan.prompt.prefix_ids} "
        key += f"{asked}" if arm in NOT_DISTILLING else f"{plan.prompt.catalyst_ids} {plan.budget}"
        if self._pots.get(arm, ("", None))[0] != key:
            ids = self._ids(item)
            if arm == "truncated":
                room = plan.capacity - len(plan.prompt.prefix_ids) - max(asked, len(plan.prompt.catalyst_ids))
                ids = middle_cut(ids, room)
            reader = self._reader(plan, arm, len(ids))
            for _ in reader.feed(ids):
                pass
            self._pots[arm] = (key, reader.pot)
        return self._pots[arm][1].fork()

    def _reader(self, plan: Plan, arm: str, n_tokens: int) -> Reader:
        if arm == "full":
            prompt = plan.prompt
            asked = max(len(prompt.catalyst_ids), len(prompt.suffix_ids) + plan.max_tokens)
            capacity = len(prompt.prefix_ids) + n_tokens + asked + N_PREDICTED
            plan = replace(plan, capacity=capacity, budget=capacity // 2)
        if arm != "pot":  # the only one of another policy than the paper's
            plan = replace(plan, policy=DEFAULT, policy_settings=())
        novelty_ratio = {"cap": 0.0, "nuc": 1.0}.get(arm, plan.novelty_ratio)
        return new_reader(self.session.load().model, replace(plan, novelty_ratio=novelty_ratio))

    def _predicted(self, item: Item, arm: str) -> tuple[Pot, float]:
        """Mean negative log-likelihood of the last tokens of a stretch of prose, in nats a token.

        Raises:
            UsageError: the text is too short for any token to be predicted.
        """
        plan = self.session.plan(_task(item, arm))
        ids = self._ids(item)
        n_full = plan.capacity - len(plan.prompt.catalyst_ids)
        # a distillation among the last tokens would drop some of those that are measured
        n_predicted = min(N_PREDICTED, len(ids) // 2, (plan.capacity - plan.budget) // 2, n_full - plan.budget)
        if n_predicted < 1:
            raise UsageError(f"a text of {len(ids)} tokens is too short to predict the last of them")
        before, last = ids[: len(ids) - n_predicted], ids[len(ids) - n_predicted :]
        if arm == "truncated":
            before = before[-(n_full - len(plan.prompt.prefix_ids) - n_predicted) :]
        reader = self._reader(plan, arm, len(ids))
        for _ in reader.feed(before):
            pass
        pot = reader.pot
        if arm not in NOT_DISTILLING:
            check_distilled(plan, len(before), pot)
        if pot.n_held + n_predicted > pot.capacity - len(pot.catalyst_ids):
            distill(reader.model, pot)
        # nothing is distilled any more; at 0 the engine would not compute novelty, and a setting could make it a rank
        pot.novelty_ratio, pot.choice = 1.0, PAPER
        for _ in reader.feed(last):
            pass
        return pot, float(pot.novelty[0, 0, -n_predicted:].mean())


def command_choice(session: Session, typed: Sequence[str], *, is_asked: bool) -> Choice:
    """The settings with which `ask`, or else `summarize`, would read.

    Args:
        session: model and policy.
        typed: settings that were asked for, as for `--set`; they win over the command's own.
        is_asked: whether there is a question.

    Raises:
        UsageError: as `--set` does.
    """
    policy = session.request.policy or DEFAULT
    is_usual = is_asked and policy == DEFAULT
    usual = usual_choices(session.model_name, knows_question=True) if is_usual else ()
    return parse_settings(policy, [*usual, *typed])[0]


def middle_cut(ids: list[int], n: int) -> list[int]:
    """The first and the last half of `n` tokens, as LongBench truncates a text that is too long."""
    return ids if len(ids) <= n else ids[: n // 2] + ids[len(ids) - (n - n // 2) :]


def _task(item: Item, arm: str) -> Task:
    if item.task == "ask":
        return ask(item.question, catalyst="general" if arm in ("general", "nuc") else "question")
    return replace(summarize(), max_tokens=16) if item.task == "predict" else summarize()


def _n_sentences(item: Item) -> int:
    """As many as what people wrote has, about."""
    return LEAD_SENTENCES.get(item.set_name, _LEAD)


def _scores(item: Item, given: str) -> dict[str, float]:
    if item.task == "summarize":
        return {"rouge_l": rouge_l(given, item.wanted)}
    if item.set_name == "absent":
        return {"right": float(is_right(given, ABSENT))}
    refused = {"refused": float(is_right(given, ABSENT))}
    if item.set_name in ("passkey", "facts"):
        return {"right": float(is_right(given, item.wanted[0]))} | refused
    return {"f1": f1(given, item.wanted), "em": exact_match(given, item.wanted)} | refused
