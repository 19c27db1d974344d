"""Which word of a command line is a document and which the question, and what standard input means beside them."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infinipot_cli.commands.options.slips import (
    check_question,
    check_quotes,
    is_source,
    looks_like_a_document,
    refuse_a_file_as_question,
)
from infinipot_cli.errors import DocumentError, UsageError

STDIN = "-"
# Stands for the questions to come in the plan of a reading that none has been asked of yet.
ANY_QUESTION = "What is the most important thing?"
ASK = "ask"


def input_is_piped() -> bool:
    """Whether something other than a terminal stands behind standard input."""
    return sys.stdin is not None and not sys.stdin.closed and not sys.stdin.isatty()


def sources_and_question(words: Sequence[str], *, piped: bool, command: str = ASK) -> tuple[list[str], str]:
    """Split the words of a command that asks into sources and the question.

    Standard input is read only if it is named, or if no source is named and it is no terminal; a program that merely
    inherited a pipe is thus never kept waiting.

    Args:
        words: arguments as typed.
        piped: whether standard input is no terminal.
        command: its name, for hints.

    Raises:
        UsageError: there is no question, no source, or standard input would be read twice.
        DocumentError: the question was not quoted.
    """
    *sources, last = words
    if not sources:
        return _single(last, piped=piped, command=command)
    if os.path.exists(last):
        refuse_a_file_as_question(words, _kind(last), command)
    _check_once(sources)
    check_quotes(words, piped=piped, command=command)
    check_question(sources, last, command)
    return sources, last


def sources_only(words: Sequence[str], *, piped: bool, example: str = "infinipot summarize book.txt") -> list[str]:
    """The sources of a command without a question.

    Raises:
        UsageError: there is no source, or standard input would be read twice.
    """
    if not words and not piped:
        raise UsageError("there is nothing to read", hint=example, code="no_source")
    _check_once(words)
    return list(words) or [STDIN]


def sources_and_questions(
    words: Sequence[str],
    questions: Sequence[str],
    listed: str | None,
    *,
    piped: bool,
    interactive: bool = False,
    command: str = ASK,
) -> tuple[list[str], list[str]]:
    """Sources and questions of a command that asks, wherever the questions stand.

    Args:
        words: arguments as typed; all of them are sources if a question stands elsewhere.
        questions: those given with `-Q`.
        listed: a file with one question a line, `-` for standard input, None without one.
        piped: whether standard input is no terminal.
        interactive: whether questions follow on standard input; there need be none yet then.
        command: its name, for hints.

    Raises:
        UsageError: there is no question, no source, or standard input would be read twice.
        DocumentError: the file of questions cannot be read, or the question was not quoted.
    """
    if not questions and listed is None:
        if interactive and words and is_source(words[-1]):
            return sources_only(words, piped=False), []
        if not words:
            raise UsageError("there is no question", hint=_example(command), code="no_question")
        sources, question = sources_and_question(words, piped=piped, command=command)
        return sources, [question]
    if listed == STDIN and (not words or STDIN in words):
        raise UsageError(
            "standard input (-) cannot be both the questions and the document",
            hint="infinipot ask book.txt --questions -",
            code="stdin_twice",
        )
    example = 'infinipot ask book.txt -Q "Who found the map?" -Q "Where was it?"'
    sources = sources_only(words, piped=piped and listed != STDIN, example=example)
    return sources, [*questions, *(listed_questions(listed) if listed is not None else [])]


def check_interactive(words: Sequence[str], *, taken: Mapping[str, object]) -> None:
    """Refuse a conversation that nobody could hold.

    Args:
        words: arguments as typed.
        taken: options that leave no room for one, with their values; true ones are too much.

    Raises:
        UsageError: standard input is the document, or the answers go somewhere else.
    """
    for option in (option for option, value in taken.items() if value):
        raise UsageError(
            f"-i asks one question after the other, and goes with no {option}", hint=f"leave {option} out, or -i"
        )
    example = 'infinipot ask book.txt "Who found the map?" -i'
    if STDIN in words or not any(is_source(word) for word in words):
        raise UsageError("with -i standard input is for the questions: name a document", hint=example, code="no_source")


def names_a_source(words: Sequence[str]) -> bool:
    """Whether these are not only a question, where no document is wanted."""
    return len(words) > 1 or any(word == STDIN or is_source(word) or looks_like_a_document(word) for word in words)


def listed_questions(path: str) -> list[str]:
    """The questions of a file, one a line; blank lines say nothing.

    Args:
        path: `-` for standard input.

    Raises:
        UsageError: there is none.
        DocumentError: it cannot be read.
    """
    try:
        data = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, ValueError, AttributeError) as error:  # AttributeError: standard input is closed
        why = "it is not UTF-8" if isinstance(error, UnicodeError) else getattr(error, "strerror", None) or str(error)
        raise DocumentError(f"the questions in {path} cannot be read: {why}", code="no_questions") from error
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise UsageError(f"there is no question in {path}", hint="one question a line", code="no_question")
    return found


def _single(word: str, *, piped: bool, command: str) -> tuple[list[str], str]:
    if word == STDIN:
        hint = f'infinipot {command} - "Which error came first?"'
        raise UsageError("there is no question", hint=hint, code="no_question")
    from shlex import quote  # seldom needed, and help must stay fast

    example = f'infinipot {command} {quote(word)} "…"'
    if not os.path.exists(word):
        if word.startswith("@"):
            raise UsageError(f"there is no question about {word}", hint=example, code="no_question")
        check_question([], word, command)
        if piped:
            return [STDIN], word
        hint = f"infinipot {command} book.txt {quote(word)}"
        raise UsageError("there is nothing to read: give a document before the question", hint=hint, code="no_source")
    if piped:
        raise UsageError(
            f"{word} is a {_kind(word)} and standard input is not a terminal: give the question last",
            hint=f'{example}, or … | infinipot {command} - "…"',
            code="no_question",
        )
    raise UsageError(f"there is no question about {word}", hint=example, code="no_question")


def _example(command: str) -> str:
    return f'infinipot {command} book.txt "Who found the map?"'


def _check_once(sources: Sequence[str]) -> None:
    if sources.count(STDIN) > 1:
        raise UsageError("standard input (-) can be read only once")


def _kind(path: str) -> str:
    return "folder" if os.path.isdir(path) else "file"
