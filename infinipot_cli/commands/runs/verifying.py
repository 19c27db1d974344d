"""A second look: read the cited pages or lines again, alone and in full, and ask once more."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from infinipot_cli.display.console import Console, say
from infinipot_cli.display.problem import show_warning
from infinipot_cli.display.safe import safe
from infinipot_cli.documents import open_document
from infinipot_cli.errors import InfinipotError
from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.lookout import merged
from infinipot_cli.plan import Task
from infinipot_cli.reading import Reading
from infinipot_cli.session import ASK_TEMPLATE, Session
from infinipot_cli.settings import DEFAULT_MODEL, Loading
from infinipot_cli.sources import Input
from infinipot_cli.stored_documents import document_of, original

# Lines read before and behind a cited one.
AROUND = 3
# With the signs that make another answer of the same letters: -5, C++, C#.
_WORD = re.compile(r"(?:(?<!\w)[-+](?=\d))?\w+[+#]*")


@dataclass(frozen=True)
class SecondLook:
    """What came of it.

    Attributes:
        path: the document that was read, as it is found from here.
        option: which part of it, as an option of `ask`.
        others: the same of further documents that were read beside it.
        is_named: whether there are documents to tell apart.
        answer: what came; empty if there was nothing to read again, and `reason` says why.
        is_whole: whether all of the part was in the pot.
        agrees: whether the answer is the first one.
        reason: why there was no second look.
    """

    path: str = ""
    option: str = ""
    others: tuple[tuple[str, str], ...] = ()
    is_named: bool = False
    answer: str = ""
    is_whole: bool = False
    agrees: bool = False
    reason: str = ""

    def to_record(self) -> dict[str, object]:
        """For JSON."""
        others = [{"path": path, "option": option} for path, option in self.others]
        return {
            "path": self.path,
            "option": self.option,
            **({"others": others} if others else {}),
            "answer": self.answer,
            "is_whole": self.is_whole,
            "agrees": self.agrees,
            "reason": self.reason,
        }

    @property
    def line(self) -> str:
        """What the user is told."""
        if self.reason:
            return f"not verified: {self.reason}"
        read = [(self.path, self.option), *self.others]
        part = " and ".join(f"{path} {option}" if self.is_named else option for path, option in read)
        part += "" if self.is_whole else ", which did not fit the pot as a whole,"
        if self.agrees:
            return f"verified: reading {part} again gives the same answer"
        return f"the answers differ: reading {part} again gives “{self.answer or 'no answer'}”"


def look_again(session: Session, reading: Reading, question: str, overlooked: Passage | None) -> SecondLook:
    """Read what was cited again, and what was overlooked, and ask again; without what is not there any more.

    Args:
        session: what the first reading was made with.
        reading: the first one, whose latest answer it was.
        question: what was asked.
        overlooked: the passage that should have been cited; None where there is none.
    """
    cited = [*([overlooked] if overlooked is not None else []), *reading.cited()]
    if not cited:
        return SecondLook(reason="the answer has no sources")
    found: dict[str, list[Passage]] = {}
    for passage in cited:
        path, reason = original(document_of(reading.inputs, passage))
        if reason and not found:
            return SecondLook(reason=reason)
        if path:
            found.setdefault(path, []).append(passage)
    read = {path: places(passages) for path, passages in found.items()}
    (path, option), *others = ((path, " ".join(_option(*part))) for path, part in read.items())
    look = SecondLook(path, option, tuple(others), is_named=len(reading.inputs) > 1)
    try:
        with _reading_of(session, read, replace(reading.task, question=question, further=())) as second:
            for _ in second.read():
                pass
            for _ in second.answer():
                pass
            said = safe(second.reply).strip()
            agrees = _words(said) == _words(safe(reading.reply))
            return replace(look, answer=said, is_whole=not second.pot.n_cycles, agrees=agrees)
    except InfinipotError as error:  # the answer is there already, and stands
        return replace(look, reason=error.message)


def _reading_of(session: Session, read: Mapping[str, tuple[str, str]], task: Task) -> Reading:
    """A reading of parts of documents, by path as `places` gives them."""
    with contextlib.ExitStack() as stack:
        documents = []
        for path, (pages, lines) in read.items():
            wishes = replace(session.wishes, pages=pages) if pages else replace(session.wishes, lines=lines)
            documents.append(stack.enter_context(open_document(path, wishes=wishes)))
        reading = session.reading_of(documents, task)
        stack.pop_all()  # they are the reading's now
        return reading


def _option(pages: str, lines: str) -> list[str]:
    """The option of `ask` that reads a part, as `places` gives it."""
    return ["--pages", pages] if pages else ["--lines", lines]


def places(passages: Sequence[Passage]) -> tuple[str, str]:
    """Where passages of one document stand, as the values of `--pages` and `--lines`; one of the two is empty."""
    pages = sorted({passage.page for passage in passages if passage.page is not None})
    if pages:
        return ",".join(map(str, pages)), ""
    ranges = ((one.line, one.last_line or one.line) for one in passages if one.line is not None)
    around = merged((max(1, first - AROUND), last + AROUND + 1) for first, last in ranges)
    return "", ",".join(f"{first}-{end - 1}" for first, end in around)


def reading_again(
    session: Session, inputs: Sequence[Input], task: Task, passage: Passage, *, names_model: bool
) -> list[str]:
    """The command that asks a passage's place alone, as words; none where it cannot be read again.

    Args:
        session: what the first reading was made with.
        inputs: of that reading.
        task: what was asked, one question.
        passage: that shall be read.
        names_model: whether the embedded model is named too.
    """
    path, reason = original(document_of(inputs, passage))
    if reason:
        return []
    words = [path, task.question] if task.question else [path]  # a template may bring its own
    options = [*_option(*places([passage])), *_options(session, task, names_model=names_model)]
    if any(word.startswith("-") for word in words):
        return ["infinipot", "ask", *options, "--", *words]
    return ["infinipot", "ask", *words, *options]


def _options(session: Session, task: Task, *, names_model: bool) -> list[str]:
    """What else must be said so that a document is read and asked as it was."""
    wishes, loading, usual = session.wishes, session.loading, Loading()
    valued: list[tuple[str, str | None]] = [
        ("--type", wishes.type),
        ("--encoding", wishes.encoding),
        ("--password-file", wishes.password_file),
        ("-t", task.template if task.template != ASK_TEMPLATE else None),
        *(("-p", f"{name}={value}") for name, value in task.parameters),
        ("--system", task.system or None),
        ("-m", session.model_name if names_model or session.model_name != DEFAULT_MODEL else None),
        ("--device", loading.device if loading.device != usual.device else None),
        ("--quantize", loading.quantize if loading.quantize is not usual.quantize else None),
    ]
    flags = {
        "--text-only": loading.text_only and session.files.text_only,  # said of every stored pot
        "--trust-remote-code": loading.trust_remote_code,
        "--allow-pickle": loading.allow_pickle,
        "--think": loading.think,
    }
    given = [word for option, value in valued if value is not None for word in (option, value)]
    return [*given, *(flag for flag, is_set in flags.items() if is_set)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("\u2212", "-"))


def tell_of(look: SecondLook, console: Console) -> None:
    """Say whether a second look gave the same answer."""
    if look.agrees:
        say(console, look.line)
    else:
        show_warning(console, look.line)
