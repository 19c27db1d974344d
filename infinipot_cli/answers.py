"""The half of a reading that answers: questions to its pot, and what the answers stood on."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from infinipot_cli.explain.lookout import Found, Lookout
from infinipot_cli.explain.passes import Passes
from infinipot_cli.explain.trail import Trail
from infinipot_cli.plan import Plan, Task, Turn, sought
from infinipot_cli.settings import PICKING_TOKENS, Loading, Sampling
from infinipot_cli.sources import Input
from infinipot_cli.tokens.reasoning import AnswerText, without_reasoning
from infinipot_cli.tokens.tokenizer import DocumentTokenizer

if TYPE_CHECKING:
    from infinipot_cli.engine import Attended, Pot
    from infinipot_cli.explain.citations import Passage
    from infinipot_cli.explain.held import Held
    from infinipot_cli.model.load import LoadedModel


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


class Answers:
    """What a pot that has read is asked, and answers.

    Attributes:
        inputs: the documents, with what was read and kept of each.
        task: what was asked.
        plan: the sizes.
        n_tokens: document tokens read so far.
        n_answer: tokens of the latest answer so far.
        said: its text so far.
        is_reasoning: the model was still reasoning when the latest answer ended, and had not answered.
        trail: leads from the tokens read back to pages and lines.
        attended: what the latest answer attended to; None unless it was asked for.
        overlooked: the passage that matches the latest question best, if the pot has lost most of it.
        unheard: the latest question's words, if none of them stands in anything that was read.
        passes: the distillations that led to the pot that the latest answer came from.
        n_reread: tokens of the documents that the pot read once more for the latest question.
        held: what it held when that question came, and these passages; None where there were none.
    """

    def __init__(self, model: ModelInUse, inputs: list[Input], task: Task, plan: Plan) -> None:
        self.inputs = inputs
        self.task = task
        self.plan = plan
        self.n_tokens = sum(entry.n_tokens for entry in inputs)
        self.n_answer = 0
        self.said = ""
        self.is_reasoning = False
        self.trail = Trail(len(plan.prompt.prefix_ids))
        self.attended: Attended | None = None
        self.overlooked: Passage | None = None
        self.unheard: tuple[str, ...] = ()
        self.passes = Passes()
        self.n_reread = 0
        self.held: Held | None = None
        self._model = model
        self._pot: Pot | None = None
        self._lookouts = [Lookout(words) for words in sought(task)]
        self._n_asked = self._n_decided = 0
        self._answer_seconds = 0.0

    @property
    def pot(self) -> "Pot":
        """The pot; there is one once `read` has begun."""
        assert self._pot is not None, "nothing was read yet"
        return self._pot

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Origin of the first token of each document that was read, and the one behind its last; ascending."""
        n_prefix = len(self.plan.prompt.prefix_ids)
        read = (entry for entry in self.inputs if entry.n_tokens)
        return [(n_prefix + entry.first_token, n_prefix + entry.end_token) for entry in read]

    @property
    def _end(self) -> int:
        """Origin behind the last token of a document."""
        return max((end for _, end in self.ranges), default=len(self.plan.prompt.prefix_ids))

    @property
    def n_kept(self) -> float:
        """Document tokens held in the pot when the question came, the mean over layers and heads."""
        return sum(entry.n_kept for entry in self.inputs)

    @property
    def n_fresh(self) -> int:
        """Document tokens that were read now, and not by an earlier reading of the same pot."""
        return sum(entry.n_tokens for entry in self.inputs if not entry.was_read)

    @property
    def kept_share(self) -> float:
        """`n_kept` as a share of all document tokens."""
        return self.n_kept / self.n_tokens if self.n_tokens else 0.0

    @property
    def reply(self) -> str:
        """The latest answer so far without the reasoning that may be shown with it."""
        return without_reasoning(self.said)

    @property
    def is_cut(self) -> bool:
        """Whether the answer ended because its room was used up."""
        return self.n_answer >= self.plan.max_tokens and self.n_answer != self._n_decided

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
        turn: Turn | None = None,
        watch: bool = False,
        lookout: Lookout | None = None,
        goes_on: bool = False,
    ) -> Iterator[str]:
        """Answer what a suffix asks of a pot.

        Args:
            pot_to_ask: gives the pot, which the answer changes.
            suffix: tokens of the question behind text of a document, up to the header that opens the answer.
            turn: in a conversation, what stands in front of the question; passages that are read again come between.
            watch: as for `answer`.
            lookout: has looked for the question's words while the documents were read.
            goes_on: this very pot will be asked again, so that what it holds must not make room for one question, and
                all of the answer stays in it.
        """
        from infinipot_cli.engine import generate
        from infinipot_cli.model.load import memory_guard

        detokenizer = AnswerText(self._model.tokenizer, suffix, shows_reasoning=self._model.loading.think)
        self.said, self.is_reasoning, self.overlooked, self.unheard = "", False, None, ()
        self._n_decided = 0
        self.n_answer, before, start = 0, self._answer_seconds, time.perf_counter()
        with memory_guard("answer"):
            pot = pot_to_ask()
            before_it = {"n_cycles": pot.n_cycles, "n_seen": pot.n_seen, "n_held": pot.n_held}
            opening = turn.opening if turn else ()
            rest = 1.0 if goes_on else self.plan.choice.rest
            again = self._reread(pot, lookout, len(suffix) + self.plan.max_tokens, opening, rest)
            if turn and not self.n_reread:
                suffix = (*turn.opening, *turn.alone)
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
                decided_by=self._decided_by(pot, again, suffix, lookout),
                goes_on=goes_on,
            )
            step = next(steps, None)
            self._count_kept(pot, self.held)
            self.passes.see_last(self.trail, pot, **before_it, has_reread=self.held is not None)
            self.overlooked = self._lost(lookout, pot) if lookout else None
            n_chars = sum(document.n_chars for document in self.trail.documents)
            self.unheard = lookout.unheard(n_chars) if lookout else ()
            while step is not None:
                self.n_answer += 1
                self._answer_seconds = before + time.perf_counter() - start
                if text := detokenizer.push(step.token_id):
                    self.said += text
                    yield text
                step = next(steps, None)
        self._answer_seconds = before + time.perf_counter() - start
        is_reasoning = detokenizer.is_reasoning
        if text := detokenizer.flush():
            self.said += text
            yield text
        self.is_reasoning = is_reasoning and not self.reply

    def _decided_by(
        self, pot: "Pot", passages: Sequence[str], suffix: Sequence[int], lookout: Lookout | None
    ) -> Callable[[], Sequence[int]] | None:
        """What decides on the answer once the question was read: None where it is written token by token."""
        from infinipot_cli.engine import can_weigh
        from infinipot_cli.explain.phrases import best_phrase

        is_wished = self.plan.choice.span and bool(passages) and self._model.sampling.temperature == 0
        model = self._model.load().model
        if not is_wished or lookout is None or not can_weigh(model, pot):
            return None
        tokenizer, stop_ids, nearness = self._model.tokenizer, self._model.stop_ids(), lookout.near(passages)

        def decide() -> Sequence[int]:
            phrase = best_phrase(model, pot, passages, suffix, tokenizer, stop_ids, nearness)
            self._n_decided = len(phrase)
            return phrase

        return decide

    def _reread(
        self, pot: "Pot", lookout: Lookout | None, n_behind: int, opening: Sequence[int], rest: float
    ) -> list[str]:
        """Read the passages that match a question best once more, where the pot may have lost what they say.

        A pot in which nothing was distilled holds them as they are, so that they are only read again where they shall
        stand alone.

        Args:
            pot: that will be asked.
            lookout: has looked for the question's words.
            n_behind: places that question and answer may take.
            opening: what stands in front of the passages.
            rest: share of its budget that the pot keeps of its own beside them; 1 keeps all there is room for.

        Returns:
            The passages that were read, as text.
        """
        from infinipot_cli.engine import reread
        from infinipot_cli.explain.held import held_at, unasked, with_reread
        from infinipot_cli.explain.rereading import Passages, to_read_again

        self.n_reread, self.held = 0, None
        self._forget_copies(pot)
        most = int(self.plan.choice.reread * pot.budget)
        if not most or lookout is None or not (pot.n_cycles or rest == 0):
            return []
        n_prefix = len(self.plan.prompt.prefix_ids)
        whole = (n_prefix, self._end) if rest == 0 else None
        spans = to_read_again(lookout, most, self.plan.choice.close, whole)
        passages = Passages(self.trail, spans, self._model.tokenizer, is_running_text=self.plan.choice.span)
        held = held_at(self.trail, pot, unasked(pot))
        self.passes.see_before_rereading(self.trail, pot)
        n_passages = len(opening) + sum(map(len, passages.ids))
        n_kept = max(pot.n_prefix, 1, min(int(rest * pot.budget), pot.budget - n_passages))
        n_most = pot.capacity - max(n_behind, len(pot.catalyst_ids)) - n_passages if rest == 1 else n_kept
        model = self._model.load().model
        read = reread(model, pot, passages.ids, n_kept=n_kept, n_most=n_most, opening=opening)
        if again := passages.again(read):
            self.trail.again += again
            self.n_reread, self.held = sum(one.n_tokens for one in again), with_reread(held, again)
        return passages.texts(read)

    def _forget_copies(self, pot: "Pot") -> None:
        """Forget what was read once more into copies of a pot: it has other tokens there, or will have."""
        self.trail.again = [again for again in self.trail.again if again.origin < pot.n_seen]

    def passages(self) -> "list[Passage]":
        """Sentences that the latest answer attended to, the most important first."""
        from infinipot_cli.explain.passages import passages

        if self.attended is None or not self.attended.n_rows:
            return []
        return passages(self.trail, self.attended, len(self.plan.prompt.prefix_ids), self.held)

    def cited(self) -> "list[Passage]":
        """Those of them that are worth citing; none where the answer is that there is none."""
        from infinipot_cli.explain.citations import cite, is_refusal

        return [] if is_refusal(self.said) else cite(self.passages())

    def pick(self, most: int, number: int = 0) -> "list[Passage]":
        """Sentences that stand for the text, told by its words and by what the model looks at when it begins to answer.

        Args:
            most: sentences.
            number: which of the task's questions, from 0.
        """
        from infinipot_cli.explain.key_sentences import key_sentences
        from infinipot_cli.explain.passages import Telling

        for _ in self.answer(number, watch=True):
            if self.n_answer >= PICKING_TOKENS:
                break
        if self.attended is None or not self.attended.n_rows:
            return []
        n_prefix = len(self.plan.prompt.prefix_ids)
        return key_sentences(Telling(self.trail, self.attended, n_prefix, self.held), self.trail, self._end, most)

    def look_back(self, question: str) -> Lookout:
        """Look for a question's words in what is remembered of all that was read."""
        lookout = Lookout(question)
        lookout.see(self.trail.blocks)
        return lookout

    def found(self) -> dict[str, Found]:
        """For each question, the passages that match it in words."""
        looked = zip(sought(self.task), self._lookouts, strict=True)
        return {words: lookout.found(self._end) for words, lookout in looked}

    def recall(self, found: Mapping[str, Found]) -> None:
        """Take what an earlier reading found for the same questions, of text that is not here any more."""
        for words, lookout in zip(sought(self.task), self._lookouts, strict=True):
            lookout.recalled = found.get(words)

    def _lost(self, lookout: Lookout, pot: "Pot") -> "Passage | None":
        """The passage that should have answered, if the pot that was asked has lost it."""
        from infinipot_cli.explain.held import origins_held
        from infinipot_cli.explain.overlooked import overlooked

        return overlooked(lookout.best(self._end), self.trail.documents, origins_held(self.trail, pot, self.held))

    def _watcher(self) -> "Attended":
        from infinipot_cli.engine import Attended
        from infinipot_cli.explain.evidence import token_lookup

        return Attended(partial(token_lookup, self.trail))

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
        edges = [n_prefix + first for _, first in entry.pages] + [n_prefix + entry.end_token]
        return list(zip((label for label, _ in entry.pages), coverage(self.pot, edges), strict=True))

    def count_kept(self) -> None:
        """Count what each document has in the pot as it is now, whatever was asked of it."""
        self._forget_copies(self.pot)
        self._count_kept(self.pot, None)

    def _count_kept(self, pot: "Pot", held: "Held | None") -> None:
        """Count what each document still has in the pot; entries differ between heads, so their mean is taken."""
        from infinipot_cli.explain.held import origins_held

        origins = origins_held(self.trail, pot, held)
        n_heads = origins.shape[0] * origins.shape[1]
        n_prefix = len(self.plan.prompt.prefix_ids)
        for entry in self.inputs:
            start, end = n_prefix + entry.first_token, n_prefix + entry.end_token
            entry.n_kept = int(((origins >= start) & (origins < end)).sum()) / n_heads
