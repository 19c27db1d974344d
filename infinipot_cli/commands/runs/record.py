"""Answers as JSON: what `--json` and `--jsonl` print. Changes are additive; `infinipot schema` describes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from infinipot_cli.commands.runs.lacking import Lacking
from infinipot_cli.commands.runs.verifying import SecondLook
from infinipot_cli.display.digest import digest_lines, digest_record
from infinipot_cli.endings import Terminated, stopping
from infinipot_cli.errors import InfinipotError
from infinipot_cli.explain.citations import Passage
from infinipot_cli.policies import label
from infinipot_cli.reading import Reading
from infinipot_cli.session import Session

SCHEMA = 1


@dataclass(frozen=True)
class Answered:
    """One answer and what it rests on.

    Attributes:
        question: the user's words; empty for a summary.
        text: the answer.
        n_tokens: its length.
        is_cut: whether it ended because its room was used up.
        n_kept: document tokens held when it began, the mean over layers and heads.
        kept_share: the same as a share of all tokens read.
        seconds: what it took.
        sources: the passages cited; None if they were not asked for.
        explained: the report on it, if one was asked for.
        verified: the second look at its sources, likewise.
        lacking: what it lacks, as far as words tell.
    """

    question: str
    text: str
    n_tokens: int
    is_cut: bool
    n_kept: float
    kept_share: float
    seconds: float
    sources: tuple[Passage, ...] | None = None
    explained: dict[str, object] | None = None
    verified: SecondLook | None = None
    lacking: Lacking = Lacking()  # noqa: RUF009  (frozen)


def one_answer(session: Session, reading: Reading, answered: Answered, key: str) -> dict[str, object]:
    """One answer with everything about its reading.

    Args:
        session: what the reading was made with.
        reading: a finished one.
        answered: the answer.
        key: what it is called, `answer` or `summary`.
    """
    question = {"question": answered.question} if answered.question else {}
    return {
        "schema": SCHEMA,
        **question,
        key: answered.text,
        "is_cut": answered.is_cut,
        **_sources(answered),
        **_about(session, reading, answered),
    }


def several_answers(session: Session, reading: Reading, answers: Sequence[Answered], key: str) -> dict[str, object]:
    """Several answers over one reading.

    `timing` is of all of them together and `retention` of the one of which the least was kept; `retention.reread` and
    `input` are of the latest.
    """
    listed = [
        {
            "question": answered.question,
            key: answered.text,
            "is_cut": answered.is_cut,
            "kept": round(answered.n_kept, 2),
            "answer_s": round(answered.seconds, 3),
            **_sources(answered),
        }
        for answered in answers
    ]
    together = replace(
        min(answers, key=lambda answered: answered.kept_share),
        n_tokens=sum(answered.n_tokens for answered in answers),
        seconds=sum(answered.seconds for answered in answers),
    )
    return {"schema": SCHEMA, "answers": listed, **_about(session, reading, together)}


def reading_only(session: Session, reading: Reading, pot: str | None) -> dict[str, object]:
    """A reading that nothing was asked of, and the pot it was stored as."""
    reading.count_kept()
    nothing = Answered("", "", 0, False, reading.n_kept, reading.kept_share, 0.0)
    stored = {"stored": f"@{pot.removeprefix('@')}"} if pot else {}
    return {"schema": SCHEMA, **stored, **_about(session, reading, nothing)}


def counted_only(reading: Reading, key: str) -> dict[str, object]:
    """Logs whose lines were counted and that no model has read; what they say of themselves is the summary."""
    logs = [(entry.log, entry.document.name) for entry in reading.inputs if entry.log is not None]
    several = len(reading.inputs) > 1
    return {
        "schema": SCHEMA,
        key: "\n".join(line for log, name in logs for line in digest_lines(log, name if several else "")),
        "is_cut": False,
        "input": [
            {
                "path": entry.document.name,
                "type": entry.document.kind,
                "pages": entry.document.n_pages,
                **({"error": problem(entry.document.failure)} if entry.document.failure else {}),
                **({"log": digest_record(entry.log)} if entry.log is not None else {}),
            }
            for entry in reading.inputs
        ],
        "warnings": warning_rows(reading),
    }


def failed(source: str, error: InfinipotError) -> dict[str, object]:
    """A document that could not be read, among others that could."""
    return {"schema": SCHEMA, "input": [{"path": source}], "error": problem(error)}


def stopped_in(source: str, end: KeyboardInterrupt | Terminated) -> dict[str, object]:
    """A document in whose reading or answer a signal has ended the run, among others that had their answers."""
    message, hint, exit_code = stopping(end)
    error = {"code": "interrupted", "message": message, "hint": hint, "exit_code": exit_code}
    return {"schema": SCHEMA, "input": [{"path": source}], "error": error}


def problem(error: InfinipotError) -> dict[str, object]:
    """What failed, beside what did not."""
    return {"code": error.code, "message": error.message, "hint": error.hint, "exit_code": error.exit_code}


def _sources(answered: Answered) -> dict[str, object]:
    said: dict[str, object] = {}
    if answered.sources is not None:
        said["sources"] = [passage.to_record() for passage in answered.sources]
    if answered.explained is not None:
        said["explain"] = answered.explained
    if answered.verified is not None:
        said["verified"] = answered.verified.to_record()
    return said | answered.lacking.to_record()


def _sampling(session: Session) -> dict[str, object]:
    """What drew the answer, enough to draw it again; nothing where nothing was drawn."""
    chosen = session.sampling
    if not chosen.temperature:
        return {}
    return {"sampling": {"temperature": chosen.temperature, "top_p": chosen.top_p, "seed": chosen.seed}}


def _about(session: Session, reading: Reading, answered: Answered) -> dict[str, object]:
    plan, timing, loaded, n_fresh = reading.plan, reading.timing, session.load(), reading.n_fresh
    return {
        "model": {
            "id": loaded.name,
            "revision": session.files.revision,
            "dtype": loaded.dtype,
            "device": loaded.device,
            "attention": loaded.attention,
            "quantization": loaded.quantization,
        },
        "pot": {
            "size": plan.capacity,
            "budget": plan.budget,
            "used": reading.pot.n_held,
            "peak": reading.pot.peak,
            "bytes": reading.pot.nbytes,
            "distillations": reading.pot.n_cycles,
            "catalyst": reading.task.catalyst,
            "choice": plan.choice.changed,
            "policy": label(plan.policy, plan.policy_settings),
            "was_read": all(entry.was_read for entry in reading.inputs),
            "saved": reading.saved_as,
        },
        **_sampling(session),
        "retention": {
            "read": reading.n_tokens,
            "kept": round(answered.n_kept, 2),
            "places": plan.capacity,
            "share": round(answered.kept_share, 6),
            "reread": reading.n_reread,
        },
        "input": input_rows(reading),
        "timing": {
            "load_s": round(timing.load_seconds, 3),
            "read_s": round(timing.read_seconds, 3),
            "tok_s": round(n_fresh / timing.read_seconds, 1) if n_fresh and timing.read_seconds else None,
            "answer_s": round(answered.seconds, 3),
            "answer_tokens": answered.n_tokens,
        },
        "warnings": warning_rows(reading),
    }


def input_rows(reading: Reading) -> list[dict[str, object]]:
    """Each document of a reading: what was read of it, what of that is held, and why it could not be read."""
    return [
        {
            "path": entry.document.name,
            "sha256": entry.text_sum,
            "type": entry.document.kind,
            "pages": entry.document.n_pages,
            "tokens": entry.n_tokens,
            "kept": round(entry.n_kept, 2),
            **({"error": problem(entry.document.failure)} if entry.document.failure else {}),
            **({"log": digest_record(entry.log)} if entry.log is not None and entry.log.is_log else {}),
        }
        for entry in reading.inputs
    ]


def warning_rows(reading: Reading) -> list[dict[str, object]]:
    """What documents had to say of their state, and why the pot is not stored."""
    warnings: list[dict[str, object]] = [{"code": "document", "message": message} for message in reading.warnings]
    if reading.unsaved is not None:
        warnings.append({"code": reading.unsaved.code, "message": reading.unsaved.message})
    return warnings
