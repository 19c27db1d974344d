"""What will stand in the pot, counted before anything is read: prompt, budget and room for the answer.

A prompt has three parts of token ids: a prefix that is read first and always kept, the catalyst that judges the entries
at each distillation, and the suffix that asks once the document has been read. All of them, the answer too, must find
room in the pot beside what one distillation keeps. Counting needs a tokenizer but no weights, so a size that cannot
work is refused before torch is imported.
"""

from dataclasses import dataclass

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.errors import PotSizeError
from infinipot_cli.policies import DEFAULT, Settings, distills, has_room
from infinipot_cli.settings import PotRequest
from infinipot_cli.templates import CATALYSTS, is_question, load_catalyst, load_template
from infinipot_cli.tokens.tokenizer import DocumentTokenizer

# An answer of fewer tokens is not worth a run; an unset answer length may shrink as far as this, no further.
SHORTEST_ANSWER = 16


@dataclass(frozen=True)
class Task:
    """What the document is read for.

    Attributes:
        template: name of the prompt that holds the document and, after it, the request.
        catalyst: name of the prompt whose end stands behind the entries when they are judged.
        question: the user's words; empty where the templates hold none.
        max_tokens: room for the answer unless the user says otherwise.
        further: more questions over the same reading.
        system: an instruction in front of everything; empty without one.
        parameters: values for places that the template names beside document and question.
        ahead: what stands in front of the document besides; None where that is not settled yet.
    """

    template: str
    catalyst: str
    question: str
    max_tokens: int
    further: tuple[str, ...] = ()
    system: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    ahead: str | None = None

    @property
    def questions(self) -> tuple[str, ...]:
        """All questions, in the order of their answers."""
        return (self.question, *self.further)


@dataclass(frozen=True)
class Judges:
    """What has judged the entries of a pot.

    Attributes:
        catalyst: name of the prompt.
        questions: what was asked.
        n_cycles: distillations so far.
    """

    catalyst: str
    questions: tuple[str, ...]
    n_cycles: int = 0

    def and_then(self, task: Task, n_cycles: int) -> "Judges":
        """The same once a task has gone on with the pot.

        What a question has distilled stays distilled for that one, whatever is read behind it.

        Args:
            task: with its own catalyst and questions.
            n_cycles: distillations since the pot was new.
        """
        own = tuple(question for question in task.questions if question)
        if not self.n_cycles:
            return Judges(task.catalyst, own, n_cycles)
        has_judged = n_cycles > self.n_cycles and task.catalyst != CATALYSTS["general"]
        if is_question(self.catalyst) and not has_judged:
            return Judges(self.catalyst, self.questions, n_cycles)
        both = tuple(dict.fromkeys((*self.questions, *own)))
        if is_question(self.catalyst) or not has_judged:
            return Judges(self.catalyst, both, n_cycles)
        return Judges(task.catalyst, own, n_cycles)


def asked_ahead(task: Task) -> str:
    """The questions as they stand in front of a document: in the words that ask them behind it, a paragraph each."""
    template = load_template(task.template).filled(dict(task.parameters), task.template)
    return "".join(template.ask(question).strip() + "\n\n" for question in task.questions)


def sought(task: Task) -> tuple[str, ...]:
    """What each answer is about, in words: the questions, or what a template says that brings its own; else nothing."""
    if task.template != task.catalyst:
        return task.questions
    template = load_template(task.template).filled(dict(task.parameters), task.template)
    return tuple(template.ask(question) for question in task.questions)


@dataclass(frozen=True)
class Turn:
    """A further question of a conversation in token ids.

    Attributes:
        opening: ends the last answer and opens the turn.
        behind: the question and what follows it, behind text of a document that stands in this turn.
        alone: the same where there is none.
    """

    opening: tuple[int, ...]
    behind: tuple[int, ...]
    alone: tuple[int, ...]


@dataclass(frozen=True)
class Prompt:
    """A task in token ids.

    Attributes:
        prefix_ids: read before the document, always kept.
        catalyst_ids: stand behind the entries while they are judged, and leave no trace.
        suffix_ids: read after the document; the answer follows them.
        further_suffixes: the same for each further question, which a copy of the pot is asked.
    """

    prefix_ids: tuple[int, ...]
    catalyst_ids: tuple[int, ...]
    suffix_ids: tuple[int, ...]
    further_suffixes: tuple[tuple[int, ...], ...] = ()

    @property
    def suffixes(self) -> tuple[tuple[int, ...], ...]:
        """What each question reads after the document."""
        return (self.suffix_ids, *self.further_suffixes)


@dataclass(frozen=True)
class Plan:
    """A prompt and sizes that fit one pot.

    Attributes:
        prompt: the task in token ids.
        capacity: most entries the pot holds.
        budget: entries kept by one distillation.
        max_tokens: most tokens of the answer.
        novelty_ratio: share of the budget for the most novel tokens.
        chunk: tokens per forward pass.
        choice: settings of what is kept, beyond the paper.
        policy: name of who decides what stays.
        policy_settings: of its own, where they differ from its defaults.
    """

    prompt: Prompt
    capacity: int
    budget: int
    max_tokens: int
    novelty_ratio: float
    chunk: int
    choice: Choice = PAPER
    policy: str = DEFAULT
    policy_settings: Settings = ()

    def n_cycles(self, n_tokens: int) -> int:
        """Distillations that reading a document of so many tokens takes; answering may add one."""
        if not distills(self.policy, self.policy_settings):
            return 0
        full = self.capacity - len(self.prompt.catalyst_ids)
        return max(0, -(-(len(self.prompt.prefix_ids) + n_tokens - full) // (full - self.budget)))


def make_prompt(
    task: Task, tokenizer: DocumentTokenizer, *, opening: str, closing: str, behind_system: str | None = None
) -> Prompt:
    """Turn a task into token ids.

    The catalyst ends as the suffix does, with the header that opens the answer, so that its last rows vote as the
    first token of the answer will. Several questions stand in one catalyst, one after the other: its rows vote alike,
    so what matters to any of them stays.

    Args:
        task: what is asked.
        tokenizer: of the model that will read.
        opening: the chat format in front of the user's text; control tokens in it are meant.
        closing: the chat format behind it.
        behind_system: the chat format between a system prompt and the text; None where the format has none, and the
            system prompt then opens the user's text.
    """
    template = load_template(task.template).filled(dict(task.parameters), task.template)
    catalyst = load_catalyst(task.catalyst)
    if task.catalyst == task.template:
        catalyst = template
    start = list(tokenizer.encode_template(opening))
    if task.system and behind_system is not None:
        start += [*tokenizer.encode(task.system), *tokenizer.encode_template(behind_system)]
    elif task.system:
        start += tokenizer.encode(task.system + "\n\n")
    end = tokenizer.encode_template(closing)
    judges = dict.fromkeys(catalyst.ask(question) for question in task.questions)
    suffixes = [(*tokenizer.encode(template.ask(question)), *end) for question in task.questions]
    return Prompt(
        prefix_ids=(*start, *tokenizer.encode((task.ahead or "") + template.before)),
        catalyst_ids=(*tokenizer.encode("".join(judges)), *end),
        suffix_ids=suffixes[0],
        further_suffixes=tuple(suffixes[1:]),
    )


def make_plan(
    prompt: Prompt, request: PotRequest, *, model: str, context_length: int | None, capacity: int, max_tokens: int,
    changing: str = "",
) -> Plan:  # fmt: skip
    """Settle the sizes that the user left open, and refuse those that cannot work.

    Args:
        prompt: what must fit.
        request: what the user asked for.
        model: name of the model, for messages.
        context_length: longest context the model was trained for, None if unknown. Positions run to capacity - 1.
        capacity: pot size unless the user gave one; cut to the trained context.
        max_tokens: room for the answer unless the user gave one; smaller where the pot has not that much. A longer one
            that the user gave is distilled while it is written, as what was read before was, or needs no place.
        changing: kind of a rotation that changes at `context_length`, whatever the model was trained for.

    Raises:
        PotSizeError: pot, budget, prompt, answer and what shall always stay do not fit each other.
    """
    size = request.capacity or min(capacity, context_length or capacity)
    if context_length is not None and size > context_length:
        what = f"at which {model} changes its rotation ({changing})" if changing else f"that {model} was trained for"
        raise PotSizeError(
            f"a pot of {size} places is larger than the {context_length} tokens {what}",
            hint=f"-s {context_length} is the most for this model",
        )
    n_prefix, n_suffix = len(prompt.prefix_ids), max(map(len, prompt.suffixes))
    need = _need(prompt, request, size)
    if need.free + need.budget > size:
        raise _too_small(size, n_question=n_suffix, need=need, request=request)
    budget = request.budget or min(request.usual_budget or size // 2, size - need.free)
    if budget <= n_prefix:
        raise PotSizeError(f"a budget of {budget} is smaller than the {n_prefix + 1} entries that are always kept")
    if need.outgrows and budget < need.budget:
        raise PotSizeError(
            f"a budget of {budget} cannot hold the question while an answer of {request.max_tokens} tokens is written",
            hint=f"--budget {need.budget} is the least here, or a shorter answer with -n",
        )
    if budget + need.free > size:
        raise PotSizeError(
            f"budget {budget} leaves {size - budget} of {size} places, and question and answer need {need.free}",
            hint=f"--budget {size - need.free} is the most here, or take a larger pot with -s",
        )
    _check_kept(request.choice, n_prefix, budget, need, most=size - need.free)
    room = size - budget - n_suffix
    return Plan(
        prompt=prompt,
        capacity=size,
        budget=budget,
        max_tokens=request.max_tokens or min(max_tokens, room),
        novelty_ratio=request.novelty_ratio,
        choice=request.choice,
        policy=request.policy or DEFAULT,
        policy_settings=request.policy_settings,
        chunk=request.chunk,
    )


@dataclass(frozen=True)
class _Need:
    """What a pot must have.

    Attributes:
        free: places that a distillation must leave free.
        budget: what it must be able to keep.
        answer: tokens of the answer that are counted in `free`.
        outgrows: whether the answer is longer than that, and distilled while it is written.
    """

    free: int
    budget: int
    answer: int
    outgrows: bool = False


def _need(prompt: Prompt, request: PotRequest, size: int) -> _Need:
    """What a pot of this size must have for a prompt and its answer."""
    n_prefix, n_catalyst, n_suffix = len(prompt.prefix_ids), len(prompt.catalyst_ids), max(map(len, prompt.suffixes))
    policy, asked = request.policy or DEFAULT, request.max_tokens or SHORTEST_ANSWER
    # What a distillation must be able to keep: the prefix, and enough of the document for reading it to make sense.
    budget = n_prefix + max(1, size // 8)
    if has_room(policy, request.policy_settings):
        answer = min(asked, SHORTEST_ANSWER)
        return _Need(n_suffix + answer, budget, answer)
    # What it must leave free: the catalyst and one new token, or the question and its answer.
    free = max(n_catalyst + 1, n_suffix + asked)
    if free + max(budget, request.budget or 0) <= size or not distills(policy, request.policy_settings):
        return _Need(free, budget, asked)
    # the question stays while the answer grows past the pot, and the catalyst must fit behind both
    return _Need(
        free=n_suffix + max(n_catalyst, SHORTEST_ANSWER) + 1,
        budget=max(budget, n_prefix + n_suffix + SHORTEST_ANSWER),
        answer=SHORTEST_ANSWER,
        outgrows=asked > SHORTEST_ANSWER,
    )


def _check_kept(choice: Choice, n_prefix: int, budget: int, need: _Need, *, most: int) -> None:
    """Refuse options that keep so much that nothing else has a place in the budget, of which there can be `most`."""
    n_chosen = choice.sinks + choice.recent
    least = n_prefix + n_chosen + (2 if need.outgrows else 1)
    if not n_chosen or budget >= least:
        return
    options = (("--keep-first", choice.sinks), ("--keep-last", choice.recent))
    named = " and ".join(f"{option} {n}" for option, n in options if n)
    least = max(least, need.budget) if need.outgrows else least
    hint = f"--budget {least} is the least here, or keep less"
    raise PotSizeError(
        f"{named} and {n_prefix} tokens of the prompt fill all that a distillation keeps, which is {budget}",
        hint=hint if least <= most else "keep less, or take a larger pot with -s",
    )


def _too_small(size: int, *, n_question: int, need: _Need, request: PotRequest) -> PotSizeError:
    if n_question > size // 2:
        return PotSizeError(
            f"the question takes {n_question} tokens and cannot fit a pot of {size} places",
            hint="ask a shorter question, or take a larger pot with -s",
            code="question_too_long",
        )
    is_long = bool(request.max_tokens) and not has_room(request.policy or DEFAULT, request.policy_settings)
    return PotSizeError(
        f"a pot of {size} places is smaller than the prompt: {n_question} tokens of question, {need.answer} for the"
        f" answer, and room to read need {need.free + need.budget}",
        hint="take a larger pot with -s" + (", or a shorter answer with -n" if is_long else ""),
    )
