"""The composition root: documents, tokenizer, model and pot, put together in the order in which they can fail.

Cheap things come first, so that a mistake is answered at once: the documents are opened and give their first text, the
prompt is counted against the pot, and only then are torch and transformers imported and weights loaded. Reading and
answering are generators; whoever iterates them decides when to stop.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from infinipot_cli.documents import open_document
from infinipot_cli.errors import ModelError, UsageError
from infinipot_cli.model.catalog import find
from infinipot_cli.model.chat import chat_frame
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.plan import Plan, Prompt, Task, make_plan, make_prompt
from infinipot_cli.progress import Progress
from infinipot_cli.settings import (
    ASK_TOKENS,
    DEFAULT_MODEL,
    POCKET_POT_SIZE,
    POT_SIZE,
    SUMMARIES,
    SUMMARY_TOKENS,
    Length,
    PotRequest,
    Sampling,
    prepare_environment,
)
from infinipot_cli.sources import Input, Meter, Stretches
from infinipot_cli.tokens.detokenize import Detokenizer
from infinipot_cli.tokens.stream import stream_tokens
from infinipot_cli.tokens.tokenizer import DocumentTokenizer, from_tokenizer_json

if TYPE_CHECKING:
    from infinipot_cli.engine import Pot
    from infinipot_cli.model.load import LoadedModel


def summarize(length: Length = Length.MEDIUM) -> Task:
    """The task of a summary."""
    max_tokens, template = SUMMARIES[length]
    return replace(SUMMARIZE, template=template, max_tokens=max_tokens)


SUMMARIZE = Task("summarize", "catalyst-general", question="", max_tokens=SUMMARY_TOKENS)


def ask(question: str, *, catalyst: str = "question") -> Task:
    """The task of answering one question.

    Args:
        question: the user's words.
        catalyst: `question` lets the question itself judge the entries (CaP-Q), `general` a fixed request (CaP-G).

    Raises:
        UsageError: the question is blank.
    """
    return ask_all([question], catalyst=catalyst)


def ask_all(questions: Sequence[str], *, catalyst: str = "question") -> Task:
    """The task of answering several questions over one reading.

    Args:
        questions: the user's words.
        catalyst: `question` lets all questions judge the entries together (CaP-Q), as far as they leave room to read;
            `general` a fixed request (CaP-G).

    Raises:
        UsageError: there is no question, or a blank one.
    """
    if not questions or not all(question.strip() for question in questions):
        raise UsageError(
            "the question is empty", hint='infinipot ask book.txt "Who found the map?"', code="no_question"
        )
    first, *further = (question.strip() for question in questions)
    return Task("ask", f"catalyst-{catalyst}", question=first, max_tokens=ASK_TOKENS, further=tuple(further))


@dataclass(frozen=True)
class Timing:
    """Seconds spent; for the loading only the first reading of a session pays."""

    load_seconds: float
    read_seconds: float
    answer_seconds: float


class Session:
    """One model and one set of wishes about the pot; reads any number of documents, one reading at a time.

    Args:
        model: name of a model, as `model.catalog.find` takes it.
        request: what the user asked of the pot.
        sampling: how the tokens of an answer are chosen.
    """

    def __init__(
        self, model: str = DEFAULT_MODEL, request: PotRequest | None = None, sampling: Sampling | None = None
    ) -> None:
        prepare_environment()
        self.sampling = sampling or Sampling()
        self.model_name = model
        self.request = request or PotRequest()
        self.load_seconds = 0.0
        self._files: ModelFiles | None = None
        self._tokenizer: DocumentTokenizer | None = None
        self._loaded: LoadedModel | None = None

    @property
    def files(self) -> ModelFiles:
        """The model's files, found at the first call."""
        if self._files is None:
            self._files = find(self.model_name)
        return self._files

    @property
    def tokenizer(self) -> DocumentTokenizer:
        """The model's tokenizer, read at the first call."""
        if self._tokenizer is None:
            source: Path | str | None = self.files.tokenizer_json
            if source is None:
                from infinipot_cli.model.load import tokenizer_json

                source = tokenizer_json(self.files)
            try:
                self._tokenizer = from_tokenizer_json(source)
            except Exception as error:  # a foreign parser on a foreign file: anything may come
                raise ModelError(f"the tokenizer of {self.files.name} is damaged", code="damaged_model") from error
        return self._tokenizer

    def prepare(self, sources: Sequence[str], task: Task, *, stdin: BinaryIO | None = None) -> "Reading":
        """Open the documents and settle the plan; nothing heavy is imported.

        Args:
            sources: paths, or `-` for standard input.
            task: what the documents are read for.
            stdin: the bytes behind `-`, the process's own when None.

        Raises:
            InfinipotError: anything that can be known before the weights are needed.
        """
        inputs: list[Input] = []
        try:
            for source in sources:
                document = open_document(source, stdin=stdin)
                inputs.append(Input(document, iter(())))
                pieces = document.pieces()
                inputs[-1].pieces = chain([next(pieces)], pieces)
            task = self.settle(task)
            return Reading(self, inputs, task, self.plan(task))
        except BaseException:
            for entry in inputs:
                entry.document.close()
            raise

    def settle(self, task: Task) -> Task:
        """The task with the catalyst that will be used: many questions give way to the general one.

        Their rows take places of the pot at every distillation; beyond a quarter of it that costs more reading than
        knowing the questions gains.
        """
        if task.further and len(self._prompt(task).catalyst_ids) > self._default_capacity() // 4:
            return replace(task, catalyst=SUMMARIZE.catalyst)
        return task

    def plan(self, task: Task) -> Plan:
        """Count a task's prompt against the pot."""
        return make_plan(
            self._prompt(task),
            self.request,
            model=self.files.name,
            context_length=self.files.context_length,
            capacity=self._default_capacity(),
            max_tokens=task.max_tokens,
        )

    def _prompt(self, task: Task) -> Prompt:
        frame = chat_frame(self.files.chat_template, self.files.special_tokens, system=bool(task.system))
        return make_prompt(
            task, self.tokenizer, opening=frame.prefix, closing=frame.suffix, behind_system=frame.behind_system
        )

    def _default_capacity(self) -> int:
        size = self.request.capacity or (POCKET_POT_SIZE if self.files.name == DEFAULT_MODEL else POT_SIZE)
        return min(size, self.files.context_length or size)

    def load(self) -> "LoadedModel":
        """Import torch and load the weights, once."""
        if self._loaded is None:
            start = time.perf_counter()
            from infinipot_cli.model.load import load

            self._loaded = load(self.files)
            self.load_seconds = time.perf_counter() - start
        return self._loaded

    def stop_ids(self) -> frozenset[int]:
        """Every token id that ends an answer, by number or by name."""
        end = self.files.special_tokens.get("eos_token")
        named = self.tokenizer.encode_template(end) if end else []
        return self.files.stop_ids | (frozenset(named) if len(named) == 1 else frozenset())


class Reading:
    """Documents on their way through one pot, and the answer that follows. Made by `Session.prepare`.

    Attributes:
        inputs: the documents, with what was read and kept of each.
        plan: the sizes this reading works with.
        n_tokens: document tokens read so far.
        n_answer: tokens of the latest answer so far.
    """

    def __init__(self, session: Session, inputs: list[Input], task: Task, plan: Plan) -> None:
        self.inputs = inputs
        self.task = task
        self.plan = plan
        self.n_tokens = 0
        self.n_answer = 0
        self._session = session
        self._pot: Pot | None = None
        self._n_asked = 0
        self._stretches = Stretches((), 0, "part")
        self._kept: tuple[float, ...] = ()
        self._read_seconds = 0.0
        self._answer_seconds = 0.0

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        for entry in self.inputs:
            entry.document.close()

    @property
    def pot(self) -> "Pot":
        """The pot; there is one once `read` has begun."""
        assert self._pot is not None, "nothing was read yet"
        return self._pot

    @property
    def n_kept(self) -> float:
        """Document tokens held in the pot when the answer began, the mean over layers and heads."""
        return sum(entry.n_kept for entry in self.inputs)

    @property
    def kept_share(self) -> float:
        """The same as a share of all tokens read."""
        return self.n_kept / self.n_tokens if self.n_tokens else 0.0

    @property
    def is_cut(self) -> bool:
        """Whether the answer ended because its room was used up."""
        return self.n_answer >= self.plan.max_tokens

    @property
    def warnings(self) -> list[str]:
        """What the documents had to say about their own state."""
        return [line for entry in self.inputs for line in entry.document.warnings]

    @property
    def timing(self) -> Timing:
        """Seconds spent so far."""
        return Timing(self._session.load_seconds, self._read_seconds, self._answer_seconds)

    def read(self) -> Iterator[Progress]:
        """Read all documents into a new pot, one after the other."""
        loaded = self._session.load()
        from infinipot_cli.engine import Distilled, Reader
        from infinipot_cli.model.load import memory_guard

        plan, start = self.plan, time.perf_counter()
        with memory_guard(f"read with a pot of {plan.capacity} places"):
            reader = Reader(
                loaded.model,
                catalyst_ids=plan.prompt.catalyst_ids,
                prefix_ids=plan.prompt.prefix_ids,
                capacity=plan.capacity,
                budget=plan.budget,
                novelty_ratio=plan.novelty_ratio,
                chunk=plan.chunk,
            )
            self._pot = reader.pot
            meter = Meter(self.inputs)
            for meter.current, entry in enumerate(self.inputs):
                before = self.n_tokens
                for event in reader.feed(self._ids(entry, meter)):
                    if isinstance(event, Distilled):
                        self._look(meter)
                    self.n_tokens = self.pot.n_seen - len(plan.prompt.prefix_ids)
                    self._read_seconds = time.perf_counter() - start
                    yield self._progress(entry, meter)
                entry.n_tokens = self.n_tokens - before

    def count(self) -> None:
        """Count the tokens of all documents instead of reading them into a pot."""
        meter = Meter(self.inputs)
        for meter.current, entry in enumerate(self.inputs):
            entry.n_tokens = sum(1 for _ in self._ids(entry, meter))
            self.n_tokens += entry.n_tokens

    def answer(self, number: int = 0) -> Iterator[str]:
        """Answer one question from the pot, in pieces of text that never cut a character.

        Of several questions each is asked of its own copy of the pot, so no answer depends on another.

        Args:
            number: which of the task's questions, from 0.
        """
        from infinipot_cli.engine import generate
        from infinipot_cli.model.load import memory_guard

        detokenizer = Detokenizer(self._session.tokenizer)
        self.n_answer, before, start = 0, self._answer_seconds, time.perf_counter()
        with memory_guard("answer"):
            pot = self._asked_pot()
            steps = generate(
                self._session.load().model,
                pot,
                self.plan.prompt.suffixes[number],
                max_new_tokens=self.plan.max_tokens,
                stop_ids=self._session.stop_ids(),
                temperature=self._session.sampling.temperature,
                top_p=self._session.sampling.top_p,
                seed=self._session.sampling.seed,
            )
            step = next(steps, None)
            self._count_kept(pot)
            while step is not None:
                self.n_answer += 1
                self._answer_seconds = before + time.perf_counter() - start
                if text := detokenizer.push(step.token_id):
                    yield text
                step = next(steps, None)
        self._answer_seconds = before + time.perf_counter() - start
        if text := detokenizer.flush():
            yield text

    def _ids(self, entry: Input, meter: Meter) -> Iterator[int]:
        """The tokens of one document, behind its name where there are several."""
        tokenizer = self._session.tokenizer
        if len(self.inputs) > 1:
            gap = "\n\n" if meter.current else ""
            announced = tokenizer.encode(f"{gap}Document: {entry.document.name}\n\n")
            meter.n_tokens += len(announced)
            yield from announced
        for run in stream_tokens(meter.watch(entry.pieces), tokenizer):
            for token, char in zip(run.ids, run.char_start, strict=True):
                meter.step(char)
                yield token

    def _progress(self, entry: Input, meter: Meter) -> Progress:
        return Progress(
            source=entry.document.name,
            page=meter.page,
            n_tokens=self.n_tokens,
            n_held=self.pot.n_held,
            capacity=self.plan.capacity,
            n_cycles=self.pot.n_cycles,
            done=meter.share(),
            n_pages=entry.document.n_pages,
            kept=self._kept,
            n_ahead=self._stretches.n_ahead,
            kept_by=self._stretches.by,
        )

    def _look(self, meter: Meter) -> None:
        """See what a distillation has left of each stretch that was read."""
        from infinipot_cli.engine import coverage

        n_prefix = len(self.plan.prompt.prefix_ids)
        self._stretches = meter.stretches(self.pot.n_seen - n_prefix)
        self._kept = tuple(coverage(self.pot, [n_prefix + edge for edge in self._stretches.edges]))

    def _asked_pot(self) -> "Pot":
        """The pot itself for the last question, a copy for those before it."""
        self._n_asked += 1
        return self.pot.fork() if self._n_asked < len(self.task.questions) else self.pot

    def _count_kept(self, pot: "Pot") -> None:
        """Count what each document still has in the pot; entries differ between heads, so their mean is taken."""
        origins = pot.origins
        n_heads = origins.shape[0] * origins.shape[1]
        start = len(self.plan.prompt.prefix_ids)
        for entry in self.inputs:
            end = start + entry.n_tokens
            entry.n_kept = int(((origins >= start) & (origins < end)).sum()) / n_heads
            start = end
