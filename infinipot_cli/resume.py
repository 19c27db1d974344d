"""Readings that are stored as pots and taken up again, by this or another process."""

import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from infinipot_cli.choice import AT_THE_QUESTION, Choice
from infinipot_cli.errors import ModelError, PotError, UsageError
from infinipot_cli.explain.packing import packed, unpacked
from infinipot_cli.plan import Judges, Task
from infinipot_cli.policies import DEFAULT, POLICIES, label
from infinipot_cli.pots import file, shelf
from infinipot_cli.pots.fingerprint import check_same, fingerprint
from infinipot_cli.pots.header import Fingerprint, Header
from infinipot_cli.reading import Reading
from infinipot_cli.session import ASK_TEMPLATE, Session
from infinipot_cli.settings import (
    DEFAULT_MODEL,
    DTYPES,
    NOVELTY_RATIO,
    Dtype,
    Entries,
    Loading,
    PotRequest,
    Quantization,
)
from infinipot_cli.sources import Input
from infinipot_cli.startup.quick_imports import import_libraries
from infinipot_cli.stored_documents import StoredDocument, asides, asides_of, stored_sources

if TYPE_CHECKING:
    from infinipot_cli.engine import PotState

TRAIL = "trail"  # name of the tensor that leads from entries back to text
ASIDES = "asides"  # of the one with what was said about the documents, and where the questions' words were found


def is_pot(word: str) -> bool:
    """Whether a word of the command line names a stored pot."""
    return word.startswith(shelf.MARK) and len(word) > 1 and not os.path.exists(word)


def model_of(name: str, model: str, *, was_chosen: bool, loading: Loading) -> tuple[str, Loading]:
    """The model to load for a stored pot: the one that filled it, unless the user named one, and in its numbers.

    Args:
        name: of the pot.
        model: as for `Session`.
        was_chosen: whether the user named it.
        loading: as for `Session`.

    Raises:
        PotError: there is no such pot, or its header is damaged.
    """
    header = header_of(name)
    stored = header.fingerprint
    if loading.dtype is Dtype.AUTO:
        loading = replace(loading, dtype=DTYPES.get(stored.dtype, Dtype.AUTO))
    if loading.quantize is Quantization.NONE and stored.quantization in {*Quantization}:
        loading = replace(loading, quantize=Quantization(stored.quantization))
    loading = replace(loading, text_only=True)  # all that a pot holds is text
    return (model if was_chosen else header.model), loading


def header_of(name: str) -> Header:
    """What a stored pot says of itself.

    Raises:
        PotError: there is no such pot, or its header is damaged.
    """
    return file.read_header(shelf.place_of(name), name)


def adopt(session: Session, header: Header, name: str) -> None:
    """Let a session wish for the sizes that a stored pot has, once it is sure that its model has filled it.

    The chat template is told the date that it was told then, so that what is asked stands behind the same prompt.

    Raises:
        ModelError: its model is not there.
        PotError: another model has.
        UsageError: other sizes were asked for.
    """
    _check_there(session, header, name)
    place = header.model if session.model_name == header.model else _findable(session)
    check_same(header, identity(session, _wanted_dtype(session, header)), name, place=place)
    longest = session.files.context_length
    if longest is not None and header.numbers["capacity"] > longest:
        raise PotError(f"pot {name} is larger than what {session.files.name} was trained for", code="damaged_pot")
    session.request, session.now = _as_stored(session.request, header, name), header.now


def resume(
    session: Session, name: str, task: Task, sources: Sequence[str] = (), *, found: Collection[str] = ()
) -> Reading:
    """Take a stored pot, and open what shall be read into it besides.

    Args:
        session: with the model that filled the pot.
        name: of the pot, with its `@` or without.
        task: what is wanted of it.
        sources: further documents.
        found: as for `Session.prepare`.

    Raises:
        PotError: the pot is damaged, or another model has filled it.
        InfinipotError: anything else that can be known before the weights are needed.
    """
    header, data = file.read_all(shelf.place_of(name), name)  # a damaged one is said before torch is imported
    _check_there(session, header, name)
    session.begin()
    import_libraries(is_embedded=session.is_embedded)
    state = file.state_of(header, data, name)
    adopt(session, header, name)
    shelf.mark_used(name)
    task = session.settle(replace(task, ahead=header.ahead))
    plan = session.plan(task)
    if plan.prompt.prefix_ids != header.prefix_ids:
        raise _other_prompt(session, task, header, name)
    warnings, found_before = asides_of(_bytes_of(state, ASIDES), header)
    earlier = [
        Input(
            StoredDocument(source, said),
            iter(()),
            source.n_tokens,
            source.first_token,
            pages=list(source.pages),
            was_read=True,
            earlier_sum=source.sha256,
        )
        for source, said in zip(header.sources, [*warnings, *([] for _ in header.sources)], strict=False)
    ]
    trail = _bytes_of(state, TRAIL)
    if header.entries == Entries.INT8:
        from infinipot_cli.pots.compact import from_int8

        state = from_int8(state, header.fingerprint.dtype)
    reading = Reading(session, earlier + session.open(sources, found=found), task, plan, state)
    reading.trail = unpacked(
        trail,
        len(header.prefix_ids),
        n_seen=header.numbers["n_seen"],
        n_documents=len(header.sources),
        vocabulary_size=session.tokenizer.vocabulary_size,
    )
    reading.entries = Entries(header.entries)
    reading.judged = Judges(header.catalyst, header.questions, header.numbers["n_cycles"])
    if not sources:
        reading.recall(found_before)
    return reading


def _check_there(session: Session, header: Header, name: str) -> None:
    """Find the model that a stored pot is asked with.

    Raises:
        ModelError: it is not there, or cannot be used.
    """
    try:
        session.files  # noqa: B018  (found at the first call)
    except ModelError as error:
        if error.code != "model_not_found":
            raise
        if session.model_name != header.model:
            raise ModelError(error.message, hint="leave -m out: the pot knows its model", code=error.code) from error
        is_path = os.path.isabs(header.model)
        raise ModelError(
            f"pot {name} was read by {header.model}, which is not {'there' if is_path else 'on this machine'}",
            hint="where it is now: -m FOLDER" if is_path else f"infinipot models pull {header.model}",
            code=error.code,
        ) from error


def _other_prompt(session: Session, task: Task, header: Header, name: str) -> PotError:
    """The error of a task whose words in front of the documents are not those that a pot was read behind."""
    loading = session.loading
    session.loading = replace(loading, think=not loading.think)
    is_thought = session.prefix_ids(task) == header.prefix_ids
    session.loading = loading
    if is_thought:
        how, hint = ("without", "leave --think out") if loading.think else ("with", "give --think as then")
        return PotError(f"pot {name} was read {how} --think, which its prompt says", hint=hint, code="pot_prompt")
    for less, what, options in _with_less(task):
        if session.prefix_ids(less) == header.prefix_ids:
            return PotError(f"pot {name} was read without {what}", hint=f"leave {options} out", code="pot_prompt")
    return PotError(
        f"pot {name} was read behind another prompt", hint="give --system or -t as it was then", code="pot_prompt"
    )


def _with_less(task: Task) -> list[tuple[Task, str, str]]:
    """A task with less in front of the documents: what it then lacks, and the options that put it there."""
    usual = replace(task, template=ASK_TEMPLATE, parameters=())
    text = f"the text that {task.template} puts before the document"
    return [
        (usual, text, "-t"),
        (replace(task, system=""), "a system prompt", "--system"),
        (replace(usual, system=""), f"a system prompt and {text}", "--system and -t"),
    ]


def _bytes_of(state: "PotState", name: str) -> bytes:
    """Take what is no entry out of a stored pot; nothing where it was stored before there was any."""
    from infinipot_cli.pots.compact import tensor_as_bytes

    held = state.tensors.pop(name, None)
    return b"" if held is None else tensor_as_bytes(held)


def save(
    session: Session,
    reading: Reading,
    name: str,
    entries: Entries | None = None,
    *,
    tell: Callable[[int], None] = lambda _: None,
) -> int:
    """Store what a reading has read; returns bytes.

    Args:
        session: that made the reading.
        reading: what was said in its pot is stored with it. It may not be at its end.
        name: of the pot; an old pot of this name is replaced.
        entries: how keys and values are written; as in the pot that the reading was taken from unless given.
        tell: is told, before anything is written, how many bytes the tensors will take.

    Raises:
        OutputError: it cannot be written.
        UsageError: no pot can have this name.
    """
    from infinipot_cli.engine import capture
    from infinipot_cli.pots.compact import bytes_as_tensor, to_int8

    path, entries = shelf.path_of(name), entries or reading.entries
    state = capture(reading.pot)
    state = to_int8(state) if entries is Entries.INT8 else state
    reading.shorten_trail()
    state.tensors[TRAIL] = bytes_as_tensor(packed(reading.trail.until(reading.pot.n_seen)))
    state.tensors[ASIDES] = bytes_as_tensor(asides(reading))
    tell(sum(tensor.numel() * tensor.element_size() for tensor in state.tensors.values()))
    judged = reading.judged.and_then(reading.task, reading.pot.n_cycles)
    header = Header(
        model=_findable(session),
        fingerprint=identity(session, session.load().dtype),
        numbers=state.numbers,
        prefix_ids=reading.plan.prompt.prefix_ids,
        catalyst=judged.catalyst,
        questions=judged.questions,
        sources=tuple(stored_sources(reading.inputs)),
        ahead=reading.task.ahead or "",
        created=time.time(),
        entries=entries.value,
        told=session.now.isoformat(),
    )
    return file.write(path, header, state)


def identity(session: Session, dtype: str) -> Fingerprint:
    """What a session's model is, computing in these numbers."""
    tokenizer = session.tokenizer_json()
    text = tokenizer.read_text(encoding="utf-8") if isinstance(tokenizer, Path) else tokenizer
    return fingerprint(session.files, text, dtype, session.loading.quantize.value)


def _wanted_dtype(session: Session, header: Header) -> str:
    """What the session will compute in, as pots call it."""
    wanted = session.loading.dtype
    return next((name for name, dtype in DTYPES.items() if dtype is wanted), header.fingerprint.dtype)


def _findable(session: Session) -> str:
    """What `-m` must be to find this model again from any folder."""
    path = Path(os.path.expanduser(session.model_name))
    is_path = session.model_name != DEFAULT_MODEL and path.exists()
    return str(path.resolve()) if is_path else session.model_name


def _as_stored(request: PotRequest, header: Header, name: str) -> PotRequest:
    """The user's wishes with the sizes that the pot has; wishes for others cannot be met."""
    numbers = header.numbers
    if request.memory is not None:
        raise UsageError(
            f"pot {name} has {numbers['capacity']} places; --memory would need another reading",
            hint="leave --memory out",
        )
    for wish, field, option in (
        (request.capacity, "capacity", "-s"), (request.budget, "budget", "--budget"),
    ):  # fmt: skip
        if wish is not None and wish != numbers[field]:
            raise UsageError(
                f"pot {name} has {field} {numbers[field]}; {option} {wish} would need another reading",
                hint=f"leave {option} out",
            )
    policy = numbers.get("policy", DEFAULT)
    own = tuple(sorted(numbers.get("policy_settings", {}).items()))
    if policy not in POLICIES or not {setting for setting, _ in own} <= set(POLICIES[policy].settings):
        raise PotError(f"pot {name} was read under the policy {policy}, which is another here", code="pot_version")
    usual = dict(POLICIES[policy].settings)
    is_other = any({**usual, **dict(own)}.get(name) != value for name, value in request.policy_settings)
    if is_other or request.policy not in (None, policy):
        wanted = label(request.policy or policy, request.policy_settings)
        raise PotError(
            f"pot {name} was read under the policy {label(policy, own)} and cannot go on under --policy {wanted}",
            hint="leave --policy out, or read the documents again",
            code="pot_policy",
        )
    return replace(
        request,
        policy=policy,
        policy_settings=own,
        capacity=numbers["capacity"],
        budget=numbers["budget"],
        novelty_ratio=numbers["novelty_ratio"] if policy == DEFAULT else NOVELTY_RATIO,
        # how it was read is as it was; what is read again is a matter of the question
        choice=replace(
            Choice(**numbers["choice"]), **{name: getattr(request.choice, name) for name in AT_THE_QUESTION}
        ),
    )
