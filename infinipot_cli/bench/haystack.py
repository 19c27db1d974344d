"""A long text to measure with: any document or folder of them, cut or repeated to a number of tokens."""

import math
from pathlib import Path

from infinipot_cli.documents import open_document
from infinipot_cli.documents.collect import collect
from infinipot_cli.errors import UsageError
from infinipot_cli.tokens import DocumentTokenizer


def read_book(source: str) -> str:
    """The whole text of a document, or of all documents of a folder in the order of their names.

    Raises:
        DocumentError: one cannot be read, or the folder holds none.
    """
    return "\n\n".join(_text(path) for path in collect([source]).sources)


def files_of(source: str) -> list[Path]:
    """The files behind a book, for a record to name."""
    return [path for path in map(Path, collect([source]).sources) if path.is_file()]


def _text(source: str) -> str:
    with open_document(source) as document:
        return "".join(piece.text for piece in document.pieces())


def cut(text: str, tokenizer: DocumentTokenizer, n_tokens: int) -> str:
    """The first `n_tokens` of a text.

    Raises:
        UsageError: the text is shorter.
    """
    _, ends = tokenizer.encode_with_ends(text)
    if len(ends) < n_tokens:
        raise UsageError(f"the book has {len(ends)} tokens, and {n_tokens} are wanted", hint="take a longer --book")
    return text[: ends[n_tokens - 1]]


def repeat(text: str, tokenizer: DocumentTokenizer, n_tokens: int) -> str:
    """A text repeated from its start until it holds about `n_tokens`."""
    per_copy = len(tokenizer.encode(text + "\n\n"))
    copies = math.ceil(n_tokens / per_copy)
    last = cut(text + "\n\n", tokenizer, n_tokens - (copies - 1) * per_copy)
    return (text + "\n\n") * (copies - 1) + last


def fit(text: str, tokenizer: DocumentTokenizer, n_tokens: int) -> str:
    """A text cut to `n_tokens`, or repeated from its start where it is shorter."""
    is_long = len(tokenizer.encode(text)) >= n_tokens
    return cut(text, tokenizer, n_tokens) if is_long else repeat(text, tokenizer, n_tokens)
