"""What somebody meant whose words are not sources and then a question; it only words the message."""

import os
import shlex
from collections.abc import Sequence
from typing import NoReturn

from infinipot_cli.errors import DocumentError, UsageError

# Nobody asks a question that is one word and ends so.
_ENDINGS = tuple(".txt .md .rst .log .pdf .html .htm .epub .docx .csv .tsv .json .jsonl .xml .gz .bz2 .xz .zst".split())


def is_source(word: str) -> bool:
    """Whether a word names a document or a stored pot rather than asking something."""
    is_name = " " not in word or word.endswith(".pot")
    return os.path.exists(word) or (word.startswith("@") and len(word) > 1 and is_name)


def looks_like_a_document(word: str) -> bool:
    """Whether a word that is no file was meant as one."""
    return word.lower().endswith(_ENDINGS) and not any(letter.isspace() for letter in word)


def refuse_a_file_as_question(words: Sequence[str], what: str, command: str) -> NoReturn:
    """The last word is a file: perhaps the question stands in front of it.

    Raises:
        UsageError: always.
    """
    asked = [word for word in words if not is_source(word)]
    if asked and not any(_is_path(word) for word in asked):
        hint = shlex.join(["infinipot", command, *filter(is_source, words), " ".join(asked)])
    else:
        hint = f'{shlex.join(["infinipot", command, *words])} "…"'
    raise UsageError(f"the last word must be the question, and {words[-1]} is a {what}", hint=hint, code="no_question")


def check_quotes(words: Sequence[str], *, piped: bool, command: str) -> None:
    """Refuse a question whose words are not held together by quotes.

    Args:
        words: arguments as typed, the last of them no file.
        piped: whether a document comes from standard input where none is named.
        command: its name, for the hint.

    Raises:
        DocumentError: words stand where documents are expected, and what they say reads on in the last one.
    """
    n_sources = next((number for number, word in enumerate(words) if not is_source(word)), len(words))
    sources, asked = words[:n_sources], words[n_sources:]
    fewest = 2 if sources or piped else 3  # a file that is missing and a question of one word are two words
    if len(asked) < fewest or any(not word or _is_path(word) or " " in word for word in asked):
        return
    typed = shlex.join(["infinipot", command, *(sources or ([] if piped else ["book.txt"])), " ".join(asked)])
    quotes = f"a question of several words needs quotes: {'… | ' if piped and not sources else ''}{typed}"
    raise DocumentError(
        f"{asked[0]} does not exist",
        hint=quotes if len(asked) > 2 else f"is its name right? {quotes}",
        code="not_found",
    )


def check_no_question(words: Sequence[str], template: str) -> None:
    """Refuse a question beside a prompt that has no place for one; it would be looked for as a document.

    Raises:
        UsageError: the last word is a question.
    """
    if not words or is_source(words[-1]) or words[-1].lower().endswith(_ENDINGS):
        return
    if words[-1].endswith("?") or " " in words[-1]:
        raise UsageError(
            f"the template {template} has no {{question}}, so none can be asked with it",
            hint="leave the question out, or write {question} into the template where it goes",
        )


def check_question(sources: Sequence[str], question: str, command: str) -> None:
    """Refuse the name of a file that does not exist where the question is expected.

    Raises:
        UsageError: it is such a name.
    """
    if not looks_like_a_document(question):
        return
    from infinipot_cli.documents.source import near_miss  # seldom needed, and help must stay fast

    hint = f'{shlex.join(["infinipot", command, *sources])} "…"' if sources else near_miss(question)
    raise UsageError(f"there is no question, and {question} does not exist", hint=hint, code="no_question")


def _is_path(word: str) -> bool:
    return word == "-" or os.sep in word or "*" in word or looks_like_a_document(word)
