"""Which word of a command line is a document and which the question, and what standard input means beside them."""

import os
import sys
from collections.abc import Sequence

from infinipot_cli.errors import UsageError

STDIN = "-"
_EXAMPLE = 'infinipot ask book.txt "Who found the map?"'


def input_is_piped() -> bool:
    """Whether something other than a terminal stands behind standard input."""
    return sys.stdin is not None and not sys.stdin.closed and not sys.stdin.isatty()


def sources_and_question(words: Sequence[str], *, piped: bool) -> tuple[list[str], str]:
    """Split the words of `ask` into sources and the question.

    Standard input is read only if it is named, or if no source is named and it is no terminal; a program that merely
    inherited a pipe is thus never kept waiting.

    Args:
        words: arguments as typed.
        piped: whether standard input is no terminal.

    Raises:
        UsageError: there is no question, no source, or standard input would be read twice.
    """
    *sources, last = words
    if not sources:
        return _single(last, piped=piped)
    if os.path.isfile(last):
        raise UsageError(f"the last word must be the question, and {last} is a file", hint=_EXAMPLE, code="no_question")
    _check_once(sources)
    return sources, last


def sources_only(words: Sequence[str], *, piped: bool) -> list[str]:
    """The sources of a command without a question.

    Raises:
        UsageError: there is no source, or standard input would be read twice.
    """
    if not words and not piped:
        raise UsageError("there is nothing to read", hint="infinipot summarize book.txt", code="no_source")
    _check_once(words)
    return list(words) or [STDIN]


def _single(word: str, *, piped: bool) -> tuple[list[str], str]:
    if word == STDIN:
        raise UsageError("there is no question", hint='infinipot ask - "Which error came first?"', code="no_question")
    if not os.path.exists(word):
        if piped:
            return [STDIN], word
        raise UsageError(
            "there is nothing to read: give a document before the question", hint=_EXAMPLE, code="no_source"
        )
    if piped:
        raise UsageError(
            f"{word} is a file and standard input is not a terminal: give the question last",
            hint=f'infinipot ask {word} "…", or … | infinipot ask - "…"',
            code="no_question",
        )
    raise UsageError(f"there is no question about {word}", hint=f'infinipot ask {word} "…"', code="no_question")


def _check_once(sources: Sequence[str]) -> None:
    if sources.count(STDIN) > 1:
        raise UsageError("standard input (-) can be read only once")
