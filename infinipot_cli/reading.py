"""Documents on their way through one pot, and the answers that follow.

Reading and answering are generators; whoever iterates them decides when to stop.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from infinipot_cli.explain.lookout import Lookout, merged
from infinipot_cli.explain.record import Pass
from infinipot_cli.explain.trail import Trail
from infinipot_cli.pins import Pins
from infinipot_cli.plan import Plan, Task, sought
from infinipot_cli.progress import Progress
from infinipot_cli.settings import Loading, Sampling
from infinipot_cli.sources import Input, Meter, Stretches
from infinipot_cli.stop import Stop
from infinipot_cli.tokens.detokenize import Detokenizer
from infinipot_cli.tokens.reasoning import AnswerText
from infinipot_cli.tokens.stream import stream_tokens
from infinipot_cli.tokens.tokenizer import DocumentTokenizer

if TYPE_CHECKING:
    from infinipot_cli.engine import Attended, Pot, PotState, Reader
    from infinipot_cli.explain.citations import Passage
    from infinipot_cli.explain.evictions import Evictions
    from infinipot_cli.explain.overlooked import Overlooked
    from infinipot_cli.model.load import LoadedModel

# Distillations that a report lists; an endless pipe has no end of them.
MOST_PASSES = 10_000


@dataclass(frozen=True)
class Timing:
    """Seconds spent; for the loading only the first reading of a session pays."""

    load_seconds: float
    read_seconds: float
    answer_seconds: float


class ModelInUse(Protocol):
    """What a reading needs of the session that made it."""

    sampling: Sampling
    loading: Loading
    load_seconds: float

    @property
    def tokenizer(self) -> DocumentTokenizer:
        """The model's tokenizer."""

    def load(self) -> "LoadedModel":
        """The model, loaded once."""

    def stop_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""


class Reading:
    """Documents on their way through one pot, and the answer that follows. Made by `Session.prepare`.

    Attributes:
        inputs: the documents, with what was read and kept of each.
        plan: the sizes this reading works with.
        n_tokens: document tokens read so far.
        n_answer: tokens of the latest answer so far.
        stop: ends the reading early; the pot is whole then, and can be asked about what was read.
        rest: of a reading that was ended early, the document it was in and the option that chooses what is left.
        is_reasoning: the latest answer ended while the model was still reasoning.
        pins: what no distillation may drop.
        trail: leads from the tokens read back to pages and lines.
        attended: what the latest answer attended to; None unless it was asked for.
        overlooked: the passage that matches the latest question best, if the pot has lost most of it.
        passes: the latest distillations.
        evictions: what each distillation took; None unless it was asked for.
    """

    def __init__(
        self, model: ModelInUse, inputs: list[Input], task: Task, plan: Plan, state: "PotState | None" = None
    ) -> None:
        self.inputs = inputs
        self.task = task
        self.plan = plan
        self.n_tokens = sum(entry.n_tokens for entry in inputs)
        self.n_answer = 0
        self.stop = Stop()
        self.rest = ("", "")
        self.is_reasoning = False
        self.pins = Pins()
        self.trail = Trail(len(plan.prompt.prefix_ids))
        self.attended: Attended | None = None
        self.overlooked: Overlooked | None = None
        self.evictions: Evictions | None = None
        self.passes: deque[Pass] = deque(maxlen=MOST_PASSES)
        self._model = model
        self._state = state
        self._pot: Pot | None = None
        self._n_asked = 0
        self._lookouts = [Lookout(words) for words in sought(task)]
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
        missing = self.pins.missing if self._pot is not None else []
        return [line for entry in self.inputs for line in entry.document.warnings] + missing

    @property
    def timing(self) -> Timing:
        """Seconds spent so far."""
        return Timing(self._model.load_seconds, self._read_seconds, self._answer_seconds)

    def read(self) -> Iterator[Progress]:
        """Read all documents into a new pot, one after the other."""
        loaded = self._model.load()
        from infinipot_cli.engine import Distilled
        from infinipot_cli.model.load import memory_guard

        plan, start = self.plan, time.perf_counter()
        with memory_guard(f"read with a pot of {plan.capacity} places"):
            reader = self._resumed(loaded) if self._state is not None else self._new_reader(loaded)
            self._pot = reader.pot
            if self.evictions is not None:
                self.evictions.begin(self.trail, self.pot.origins)
            meter = Meter(self.inputs, n_tokens=self.n_tokens)
            for lookout in self._lookouts:  # a stored pot has been read before, as far as is remembered
                lookout.see(self.trail.blocks)
            for meter.current, entry in enumerate(self.inputs):
                if entry.was_read:
                    continue
                before = self.n_tokens
                for event in reader.feed(self.stop.guard(self._ids(entry, meter))):
                    if isinstance(event, Distilled):
                        self.passes.append(Pass(event.cycle, event.n_seen, event.n_before, event.n_held))
                        if self.evictions is not None:
                            self.evictions.see(event.cycle, self.trail, self.pot.origins, self.pot.n_seen)
                        self._look(meter)
                        self._forget()
                    self.n_tokens = self.pot.n_seen - len(plan.prompt.prefix_ids)
                    self._read_seconds = time.perf_counter() - start
                    yield self._progress(entry, meter)
                entry.n_tokens = self.n_tokens - before
                if self.stop.is_wanted:
                    entry.pages = [page for page in entry.pages if page[1] < self.n_tokens]
                    self.rest = (entry.document.name, self.trail.cut(self.pot.n_seen))
                    break

    def _new_reader(self, loaded: "LoadedModel") -> "Reader":
        from infinipot_cli.engine import Reader
        from infinipot_cli.engine.policies import make

        plan = self.plan
        return Reader(
            loaded.model,
            catalyst_ids=plan.prompt.catalyst_ids,
            prefix_ids=plan.prompt.prefix_ids,
            capacity=plan.capacity,
            budget=plan.budget,
            novelty_ratio=plan.novelty_ratio,
            choice=plan.choice,
            chunk=plan.chunk,
            policy=make(plan.policy, plan.policy_settings),
        )

    def _resumed(self, loaded: "LoadedModel") -> "Reader":
        """A reader on the stored pot; what is asked now judges its entries from here on, if there is room for it."""
        from infinipot_cli.engine import Reader, restore

        assert self._state is not None
        pot = restore(loaded.model, self._state)
        self._state = None  # its tensors have been copied
        if pot.n_held + len(self.plan.prompt.catalyst_ids) <= pot.capacity:
            pot.catalyst_ids = self.plan.prompt.catalyst_ids
        return Reader.resumed(loaded.model, pot, chunk=self.plan.chunk)

    def count(self) -> None:
        """Count the tokens of all documents instead of reading them into a pot."""
        meter = Meter(self.inputs)
        for meter.current, entry in enumerate(self.inputs):
            entry.n_tokens = sum(1 for _ in self._ids(entry, meter))
            self.n_tokens += entry.n_tokens

    def answer(self, number: int = 0, *, watch: bool = False) -> Iterator[str]:
        """Answer one question from the pot, in pieces of text that never cut a character.

        Of several questions each is asked of its own copy of the pot, so no answer depends on another.

        Args:
            number: which of the task's questions, from 0.
            watch: take note of what the answer attends to; changes no word of it.
        """
        yield from self.answer_from(
            self._asked_pot, self.plan.prompt.suffixes[number], watch=watch, lookout=self._lookouts[number]
        )

    def answer_from(
        self,
        pot_to_ask: "Callable[[], Pot]",
        suffix: Sequence[int],
        *,
        watch: bool = False,
        lookout: Lookout | None = None,
    ) -> Iterator[str]:
        """Answer what a suffix asks of a pot.

        Args:
            pot_to_ask: gives the pot, which the answer changes.
            suffix: tokens of the question, up to the header that opens the answer.
            watch: as for `answer`.
            lookout: has looked for the question's words while the documents were read.
        """
        from infinipot_cli.engine import generate
        from infinipot_cli.model.load import memory_guard

        detokenizer = (
            Detokenizer(self._model.tokenizer)
            if self._model.loading.think
            else AnswerText(self._model.tokenizer, suffix)
        )
        self.n_answer, before, start = 0, self._answer_seconds, time.perf_counter()
        with memory_guard("answer"):
            pot = pot_to_ask()
            self.attended = self._watcher() if watch else None
            steps = generate(
                self._model.load().model,
                pot,
                suffix,
                max_new_tokens=self.plan.max_tokens,
                stop_ids=self._model.stop_ids(),
                temperature=self._model.sampling.temperature,
                top_p=self._model.sampling.top_p,
                seed=self._model.sampling.seed,
                attended=self.attended,
            )
            step = next(steps, None)
            self._count_kept(pot)
            self.overlooked = self._lost(lookout, pot) if lookout else None
            while step is not None:
                self.n_answer += 1
                self._answer_seconds = before + time.perf_counter() - start
                if text := detokenizer.push(step.token_id):
                    yield text
                step = next(steps, None)
        self._answer_seconds = before + time.perf_counter() - start
        self.is_reasoning = isinstance(detokenizer, AnswerText) and detokenizer.is_reasoning
        if text := detokenizer.flush():
            yield text

    def passages(self) -> "list[Passage]":
        """Sentences that the latest answer attended to, the most important first."""
        from infinipot_cli.explain.passages import passages

        if self.attended is None or not self.attended.n_rows:
            return []
        return passages(self.trail, self.attended, len(self.plan.prompt.prefix_ids))

    def watch_evictions(self) -> None:
        """Take note of what each distillation takes; to be said before reading."""
        from infinipot_cli.explain.evictions import Evictions

        self.evictions = Evictions()

    def _favour(self) -> None:
        """Let the next distillation keep the passages that match the questions best, of all that was read."""
        if not self.plan.choice.words or self._pot is None:
            return
        room = self.plan.budget - len(self.plan.prompt.prefix_ids) - sum(end - start for start, end in self.pot.pinned)
        most = min(int(self.plan.choice.words * self.plan.budget), room - 1) // len(self._lookouts)
        self.pot.favoured = merged(span for lookout in self._lookouts for span in lookout.favoured(most))

    def _lost(self, lookout: Lookout, pot: "Pot") -> "Overlooked | None":
        """The passage that should have answered, if the pot that was asked has lost it."""
        from infinipot_cli.explain.overlooked import overlooked

        n_seen = len(self.plan.prompt.prefix_ids) + self.n_tokens
        return overlooked(lookout.best(n_seen), self.trail.documents, pot.origins)

    def _watcher(self) -> "Attended":
        from infinipot_cli.engine import Attended
        from infinipot_cli.explain.evidence import token_lookup

        return Attended(partial(token_lookup, self.trail))

    def _forget(self) -> None:
        """Let go of text that the pot holds little of, so that an endless pipe takes no more memory than a book."""
        if self.trail.is_full:
            self.forget_what_is_gone()

    def forget_what_is_gone(self) -> None:
        """Let the trail forget text of which the pot holds nothing."""
        from infinipot_cli.explain.evidence import held_counts

        self.trail.forget(held_counts(self.pot.origins, self.trail.edges), self.pot.n_seen)

    def _ids(self, entry: Input, meter: Meter) -> Iterator[int]:
        """The tokens of one document, behind its name where there are several."""
        tokenizer = self._model.tokenizer
        first = next(entry.pieces, None)
        if first is None:
            return
        if len(self.inputs) > 1:
            gap = "\n\n" if meter.n_tokens else ""
            announced = tokenizer.encode(f"{gap}Document: {entry.document.name}\n\n")
            meter.n_tokens += len(announced)
            self.trail.skip(len(announced))
            yield from announced
        self.trail.begin(entry.document.name, entry.document.kind, entry.first_line)
        pieces = self.trail.watch(meter.watch(self.pins.watch(chain([first], entry.pieces))))
        n_prefix = len(self.plan.prompt.prefix_ids)
        for run in stream_tokens(pieces, tokenizer):
            added = self.trail.add(run)
            if sum(lookout.see(added) for lookout in self._lookouts):
                self._favour()
            for token, char, end in zip(run.ids, run.char_start, [*run.char_start[1:], run.char_end], strict=True):
                if self.pins and self._pot is not None and self.pins.covers(char, max(end, char + 1)):
                    self._pot.pin(n_prefix + meter.n_tokens)
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
            label=meter.label,
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

    def held_by_page(self, entry: Input) -> list[tuple[str, float]]:
        """Label of each page of a document, and the share of its tokens that the pot holds now."""
        from infinipot_cli.engine import coverage

        if not entry.pages:
            return []
        n_prefix = len(self.plan.prompt.prefix_ids)
        end = sum(other.n_tokens for other in self.inputs[: self.inputs.index(entry) + 1])
        edges = [n_prefix + first for _, first in entry.pages] + [n_prefix + end]
        return list(zip((label for label, _ in entry.pages), coverage(self.pot, edges), strict=True))

    def count_kept(self) -> None:
        """Count what each document has in the pot as it is now."""
        self._count_kept(self.pot)

    def _count_kept(self, pot: "Pot") -> None:
        """Count what each document still has in the pot; entries differ between heads, so their mean is taken."""
        origins = pot.origins
        n_heads = origins.shape[0] * origins.shape[1]
        start = len(self.plan.prompt.prefix_ids)
        for entry in self.inputs:
            end = start + entry.n_tokens
            entry.n_kept = int(((origins >= start) & (origins < end)).sum()) / n_heads
            start = end
