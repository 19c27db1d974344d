"""Answers RULER's samples through the pot: the long text streams, the question behind it judges and asks.

The beginning of the answer stands behind the chat format's header, where RULER puts it; it is part of what judges, so
that the catalyst's last row votes as the first token of the answer will.
"""

import time

from infinipot_cli.bench.arms import arm as arm_of
from infinipot_cli.bench.distilled import check_distilled, fits
from infinipot_cli.bench.ruler.record import RulerTrial
from infinipot_cli.bench.ruler.sample import Sample
from infinipot_cli.bench.ruler.tasks import MAX_TOKENS, Maker, Source, score
from infinipot_cli.engine import Pot, generate
from infinipot_cli.model.chat import chat_frame
from infinipot_cli.model.load import memory_guard
from infinipot_cli.plan import Plan, Prompt, make_plan
from infinipot_cli.reading import new_reader
from infinipot_cli.session import Session, ask
from infinipot_cli.templates import catalyst_name, is_question, load_catalyst
from infinipot_cli.tokens import Detokenizer


class Runner:
    """Makes and answers samples.

    Args:
        session: model and wishes about the pot; its sampling is not used.
        source: what the samples are made of.
        catalyst: what judges where the arm does not say; None is the sample's question.
    """

    def __init__(self, session: Session, source: Source, catalyst: str | None = None) -> None:
        self.session, self.tokenizer, self.catalyst = session, session.tokenizer, catalyst
        files = session.files
        frame = chat_frame(files.chat_template, files.special_tokens, opening=self.tokenizer.opening)
        self.opening = tuple(self.tokenizer.encode_template(frame.prefix))
        self.closing = tuple(self.tokenizer.encode_template(frame.suffix))
        self.capacity = session.plan(ask("Who?")).capacity
        self.maker = Maker(source, self.tokenizer, len(self.opening) + len(self.closing))

    def run(self, task: str, length: int, number: int, arm: str) -> RulerTrial:
        """One sample answered by one arm.

        Raises:
            PotError: the pot should have distilled and did not.
            UsageError: the task does not fit the length.
        """
        sample, start = self.maker.make(task, length, number), time.perf_counter()
        document = self.tokenizer.encode(sample.text)
        plan = self._plan(sample, task, arm)
        n_tokens = len(document) + len(plan.prompt.suffix_ids) + len(self.opening)
        with memory_guard(f"answer {task} from {n_tokens} tokens"):
            pot = self._read(plan, document)
            given = self._answer(pot, plan)
        check_distilled(plan, len(document), pot)
        return RulerTrial(
            task=task,
            length=length,
            number=number,
            arm=arm,
            question=sample.question.strip(),
            wanted=list(sample.wanted),
            given=given,
            score=round(score(task, given, sample.wanted), 4),
            n_tokens=n_tokens,
            n_distilled=pot.n_cycles,
            seconds=round(time.perf_counter() - start, 3),
            is_fit=fits(plan, len(document)),
        )

    def _plan(self, sample: Sample, task: str, arm: str) -> Plan:
        behind = (*self.closing, *self.tokenizer.encode(sample.answer_prefix))
        suffix = (*self.tokenizer.encode(sample.question), *behind)
        judge, named = suffix, arm_of(arm).catalyst or self.catalyst
        if named and not is_question(named):
            said = load_catalyst(catalyst_name(named)).ask(sample.question.strip())
            judge = (*self.tokenizer.encode(said), *self.closing)
        return make_plan(
            Prompt(prefix_ids=self.opening, catalyst_ids=judge, suffix_ids=suffix),
            arm_of(arm).request(self.session.request),
            model=self.session.files.name,
            context_length=self.session.files.context_length,
            capacity=self.capacity,
            max_tokens=MAX_TOKENS[task],
        )

    def _read(self, plan: Plan, document: list[int]) -> Pot:
        reader = new_reader(self.session.load().model, plan)
        for _ in reader.feed(document):
            pass
        return reader.pot

    def _answer(self, pot: Pot, plan: Plan) -> str:
        detokenizer = Detokenizer(self.tokenizer)
        steps = generate(
            self.session.load().model,
            pot,
            plan.prompt.suffix_ids,
            max_new_tokens=plan.max_tokens,
            stop_ids=self.session.stop_ids(),
        )
        return "".join(detokenizer.push(step.token_id) for step in steps) + detokenizer.flush()
