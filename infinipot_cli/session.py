"""The composition root: documents, tokenizer, model and pot, put together in the order in which they can fail.

Cheap things come first, so that a mistake is answered at once: the documents are opened and give their first text, the
prompt is counted against the pot, and only then are torch and transformers imported and weights loaded.
"""

import copy
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from infinipot_cli.documents import Document, LateDocument, Wishes, open_document
from infinipot_cli.endings import held_back
from infinipot_cli.errors import ModelError, UsageError, is_foreign_failure
from infinipot_cli.model.catalog import find
from infinipot_cli.model.chat import chat_frame, next_turn
from infinipot_cli.model.files import ModelFiles
from infinipot_cli.model.footprint import sized
from infinipot_cli.plan import Plan, Prompt, Task, Turn, asked_ahead, make_plan, make_prompt
from infinipot_cli.reading import Reading
from infinipot_cli.settings import (
    ASK_TOKENS,
    DEFAULT_MODEL,
    POCKET_POT_SIZE,
    POT_SIZE,
    SUMMARIES,
    SUMMARY_TOKENS,
    Length,
    Loading,
    PotRequest,
    Quantization,
    Sampling,
    prepare_environment,
)
from infinipot_cli.sources import Input
from infinipot_cli.startup.quick_imports import begin_loading, import_libraries, without_collecting
from infinipot_cli.templates import catalyst_name, load_template
from infinipot_cli.tokens.tokenizer import DocumentTokenizer, from_tokenizer_json

if TYPE_CHECKING:
    from infinipot_cli.model.load import LoadedModel


def summarize(length: Length = Length.MEDIUM) -> Task:
    """The task of a summary."""
    max_tokens, template = SUMMARIES[length]
    return replace(SUMMARIZE, template=template, max_tokens=max_tokens)


# Documents that are opened and looked into before the model is loaded; of more, each when its turn comes.
OPEN_AT_ONCE = 16
STDIN = "-"
ASK_TEMPLATE = "ask"
# What stands ahead of a document may take this part of the pot.
_SHARE_AHEAD = 8

SUMMARIZE = Task("summarize", "catalyst-general", question="", max_tokens=SUMMARY_TOKENS)


def ask(question: str, *, catalyst: str = "question") -> Task:
    """The task of answering one question.

    Args:
        question: the user's words.
        catalyst: `question` lets the question itself judge the entries (CaP-Q), `general` a fixed request (CaP-G);
            another name of `templates.CATALYSTS`, a template or a file.

    Raises:
        UsageError: the question is blank.
    """
    return ask_all([question], catalyst=catalyst)


def ask_all(questions: Sequence[str], *, catalyst: str = "question") -> Task:
    """The task of answering several questions over one reading.

    Args:
        questions: the user's words.
        catalyst: `question` lets all questions judge the entries together (CaP-Q), as far as they leave room to read;
            `general` a fixed request (CaP-G); another name of `templates.CATALYSTS`, a template or a file.

    Raises:
        UsageError: there is no question, or a blank one; or no such catalyst.
    """
    if not questions or not all(question.strip() for question in questions):
        raise UsageError(
            "the question is empty", hint='infinipot ask book.txt "Who found the map?"', code="no_question"
        )
    first, *further = (question.strip() for question in questions)
    return Task(ASK_TEMPLATE, catalyst_name(catalyst), question=first, max_tokens=ASK_TOKENS, further=tuple(further))


class Session:
    """One model and one set of wishes about the pot; reads any number of documents, one reading at a time.

    Args:
        model: name of a model, as `model.catalog.find` takes it.
        request: what the user asked of the pot.
        wishes: what the user asked of the documents.
        sampling: how the tokens of an answer are chosen.
        loading: how the model is brought into memory.

    Attributes:
        apart: wishes for single documents that are not `wishes`, by source: where `--resume` goes on inside one.
        now: local date and time that the chat template is told, the same in all that one pot is asked.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        request: PotRequest | None = None,
        wishes: Wishes | None = None,
        sampling: Sampling | None = None,
        loading: Loading | None = None,
    ) -> None:
        prepare_environment()
        self.sampling = sampling or Sampling()
        self.model_name = model
        self.request = request or PotRequest()
        self.wishes = wishes or Wishes()
        self.loading = loading or Loading()
        self.apart: Mapping[str, Wishes] = {}
        self.now = datetime.now()
        self.load_seconds = 0.0
        self._files: ModelFiles | None = None
        self._tokenizer: DocumentTokenizer | None = None
        self._loaded: LoadedModel | None = None

    def with_wishes(self, wishes: Wishes) -> "Session":
        """A session with the same model in memory that asks this of every document."""
        made = copy.copy(self)
        made.wishes, made.apart = wishes, {}
        return made

    @property
    def files(self) -> ModelFiles:
        """The model's files, found at the first call."""
        if self._files is None:
            self._files = find(self.model_name, self.loading)
        return self._files

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded model is wanted, as it is."""
        return self.model_name == DEFAULT_MODEL and self.loading.quantize is Quantization.NONE

    @property
    def tokenizer(self) -> DocumentTokenizer:
        """The model's tokenizer, read at the first call."""
        if self._tokenizer is None:
            source = self.tokenizer_json()
            try:
                self._tokenizer = from_tokenizer_json(source, is_proved=self.is_embedded)
            except BaseException as error:  # a foreign parser on a foreign file: anything may come
                if not is_foreign_failure(error):
                    raise
                raise ModelError(
                    f"the tokenizer of {self.files.name} is damaged",
                    hint="fetch the model again in full",
                    code="damaged_model",
                ) from error
        return self._tokenizer

    def tokenizer_json(self) -> Path | str:
        """The model's tokenizer in the form of the tokenizers library: a file, or what it was converted to."""
        if self.files.tokenizer_json is not None:
            return self.files.tokenizer_json
        from infinipot_cli.model.load import tokenizer_json

        return tokenizer_json(self.files)

    def prepare(
        self,
        sources: Sequence[str],
        task: Task,
        *,
        found: Collection[str] = (),
        will_load: bool = True,
    ) -> Reading:
        """Open the documents and settle the plan; nothing heavy is imported.

        Args:
            sources: paths, or `-` for standard input.
            task: what the documents are read for.
            found: those of the sources that came out of a folder or a pattern; one that cannot be read is left out.
            will_load: the documents will be read, so that a model is needed soon.

        Raises:
            InfinipotError: anything that can be known before the weights are needed.
        """
        inputs = self.open(sources, found=found)
        try:
            _check_any(inputs)
            if will_load:
                begin_loading()
            task = self.settle(task)
            return Reading(self, inputs, task, self.plan(task))
        except BaseException:
            for entry in inputs:
                entry.document.close()
            raise

    def open(self, sources: Sequence[str], *, found: Collection[str] = ()) -> list[Input]:
        """Open the documents and take the first text of each; arguments and errors are those of `prepare`."""
        inputs: list[Input] = []
        try:
            for number, source in enumerate(sources):
                document: Document
                may_fail = source in found and len(sources) > 1
                wishes = self.apart.get(source, self.wishes)
                if may_fail or (number >= OPEN_AT_ONCE and source != STDIN):
                    document = LateDocument(source, wishes, may_fail=may_fail)
                else:
                    document = open_document(source, wishes=wishes)
                goes_on = wishes != self.wishes
                inputs.append(Input(document, document.pieces(), lines=wishes.line_numbers, goes_on=goes_on))
                if not isinstance(document, LateDocument):
                    _take_first(inputs[-1])
        except BaseException:
            for entry in inputs:
                entry.document.close()
            raise
        return inputs

    def reading_of(self, documents: Sequence[Document], task: Task) -> Reading:
        """A reading of documents that are open already, which it closes."""
        inputs = [Input(document, document.pieces()) for document in documents]
        task = self.settle(task)
        return Reading(self, inputs, task, self.plan(task))

    def settle(self, task: Task) -> Task:
        """The task with the prompt that will be used.

        Many questions give way to the general catalyst: their rows take places of the pot at every distillation; beyond
        a quarter of it that costs more reading than knowing the questions gains. What stands ahead of the document
        takes places all the time, so that what is long stands behind it only.
        """
        if task.ahead is None:
            task = replace(task, ahead=self._ahead(task))
        if task.further and len(self._prompt(task).catalyst_ids) > self._default_capacity() // 4:
            return replace(task, catalyst=SUMMARIZE.catalyst)
        return task

    def _ahead(self, task: Task) -> str:
        """What the document will be read behind, if that is wished for and fits."""
        if not self.request.choice.ahead:
            return ""
        ahead = asked_ahead(task)
        return ahead if len(self.tokenizer.encode(ahead)) <= self._default_capacity() // _SHARE_AHEAD else ""

    def prefix_ids(self, task: Task) -> tuple[int, ...]:
        """What a task's documents are read behind, in token ids."""
        return self._prompt(task).prefix_ids

    def plan(self, task: Task) -> Plan:
        """Count a task's prompt against the pot."""
        self.request = sized(self.request, self.files, self.loading)
        return make_plan(
            self._prompt(task),
            self.request,
            model=self.files.name,
            context_length=self.files.context_length,
            changing=self.files.changing,
            capacity=self._default_capacity(),
            max_tokens=task.max_tokens,
        )

    def _prompt(self, task: Task) -> Prompt:
        frame = chat_frame(
            self.files.chat_template,
            self.files.special_tokens,
            system=bool(task.system),
            think=self.loading.think,
            now=self.now,
            opening=self.tokenizer.opening,
        )
        return make_prompt(
            task, self.tokenizer, opening=frame.prefix, closing=frame.suffix, behind_system=frame.behind_system
        )

    def turn(self, question: str) -> Turn | None:
        """A further question of a conversation; None if the model's format has no further turns."""
        frame = next_turn(self.files.chat_template, self.files.special_tokens, think=self.loading.think, now=self.now)
        if frame is None:
            return None
        asked, end = load_template(ASK_TEMPLATE).ask(question), self.tokenizer.encode_template(frame.suffix)
        opening, alone = self.tokenizer.encode_template(frame.prefix), self.tokenizer.encode(asked.lstrip())
        return Turn(tuple(opening), (*self.tokenizer.encode(asked), *end), (*alone, *end))

    def _default_capacity(self) -> int:
        self.request = sized(self.request, self.files, self.loading)
        own = POCKET_POT_SIZE if self.model_name == DEFAULT_MODEL else POT_SIZE
        size = self.request.capacity or self.request.usual_capacity or own
        return min(size, self.files.context_length or size)

    def begin(self) -> None:
        """Let torch's machine code be loaded beside the building of the tokenizer, unless that needs torch itself."""
        begin_loading()
        if self._tokenizer is None and self.files.tokenizer_json is not None:
            self._tokenizer = self.tokenizer

    def load(self) -> "LoadedModel":
        """Import torch and load the weights, once."""
        if self._loaded is None:
            start = time.perf_counter()
            import_libraries(is_embedded=self.is_embedded)
            with without_collecting():
                with held_back():
                    from infinipot_cli.model.load import load
                self._loaded = load(self.files, self.loading, with_masks=self.request.choice.span)
            self.load_seconds = time.perf_counter() - start
        return self._loaded

    def stop_ids(self) -> frozenset[int]:
        """Every token id that ends an answer, by number or by name."""
        end = self.files.special_tokens.get("eos_token")
        named = self.tokenizer.encode_template(end) if end else []
        return self.files.stop_ids | (frozenset(named) if len(named) == 1 else frozenset())


def _take_first(entry: Input) -> bool:
    """Take a document's first piece, which proves it readable; false if it may be left out and must be."""
    first = next(entry.pieces, None)
    if first is not None:
        entry.pieces = chain([first], entry.pieces)
    return first is not None


def _check_any(inputs: Sequence[Input]) -> None:
    """Find the first document that can be read, before a model is loaded for nothing."""
    for entry in inputs:
        if not isinstance(entry.document, LateDocument) or _take_first(entry):
            return
    failure = inputs[0].document.failure
    if failure is not None:
        raise type(failure)(
            f"none of the {len(inputs)} documents can be read; the first: {failure.message}",
            hint=failure.hint,
            code=failure.code,
        )
