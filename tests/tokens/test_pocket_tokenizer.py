"""The embedded model's tokenizer: a local tiktoken encoding with the very ids of the tokenizers library.

INFINIPOT_TEXTS=FOLDER pytest tests/tokens/test_pocket_tokenizer.py

holds every document of a folder to it as well.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

import infinipot_cli
from infinipot_cli.documents import open_document
from infinipot_cli.errors import DocumentError
from infinipot_cli.tokens import DocumentTokenizer, from_tokenizer_json, stream_tokens
from infinipot_cli.tokens.tokenizer import _FastByteTokenizer

JSON = Path(infinipot_cli.__file__).parent / "pocket" / "tokenizer.json"
HERE = Path(__file__).parents[1] / "data"
SPACES = st.sampled_from(
    [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2003", "\u3000", "\u200b", "\u0085", "\x1c", "\ufeff"]
)
# letters, digits, marks, signs and spaces of every script, unassigned and private places, joined emoji, broken pairs
LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SIGNS = st.sampled_from(
    ["'s", "’ll", "don't", "½", "٣٤", "Ⅻ", "e\u0301", "👩\u200d👩\u200d👧", "🇩🇪", "ｆｕｌｌ", "\U000e0041", "ǅ"]
)
WORDS = st.text("aetoinsrhldAEIT .,!?'\"0123456789-_/\n", max_size=30)
TEXTS = st.lists(LETTERS | SPACES | SIGNS | WORDS, max_size=25).map("".join)


@cache
def ours() -> DocumentTokenizer:
    return from_tokenizer_json(JSON)


@cache
def reference() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer.from_file(str(JSON))
    tokenizer.encode_special_tokens = True  # a document's "<s>" is text, and hypothesis finds it in the sources
    return tokenizer


def folders() -> Iterator[Path]:
    yield HERE
    if os.environ.get("INFINIPOT_TEXTS"):
        yield Path(os.environ["INFINIPOT_TEXTS"])


# Scans, and one that its password alone opens.
REFUSED = {
    "imagemagick-ASCII85Decode.pdf", "imagemagick-CCITTFaxDecode.pdf", "imagemagick-lzw.pdf",
    "libreoffice-writer-password.pdf",
}  # fmt: skip


def documents() -> list[Path]:
    found = [path for folder in folders() for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in found if path.name not in REFUSED]


def test_it_is_a_local_tiktoken_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("tiktoken tried to fetch a vocabulary")

    for name in ("read_file", "read_file_cached", "load_tiktoken_bpe"):
        monkeypatch.setattr(f"tiktoken.load.{name}", refuse)
    tokenizer = from_tokenizer_json(JSON)
    assert isinstance(tokenizer, _FastByteTokenizer)
    encodings = [value for value in vars(tokenizer).values() if isinstance(value, tiktoken.Encoding)]
    assert len(encodings) == 1
    assert tokenizer.vocabulary_size == reference().get_vocab_size() == 8192


@given(text=TEXTS)
@settings(max_examples=400, deadline=None)
def test_random_text_has_the_ids_of_the_tokenizers_library(text: str) -> None:
    assert ours().encode(text) == reference().encode(text, add_special_tokens=False).ids
    assert ours().decode(ours().encode(text)) == text


def test_every_character_that_unicode_has_keeps_its_ids() -> None:
    """In blocks of 64 with letters and spaces between, over the whole range but the surrogates."""
    for start in range(0, 0x110000, 64 * 16):  # one block in sixteen; together with the random texts above
        block = [chr(code) for code in range(start, start + 64) if not 0xD800 <= code < 0xE000]
        text = "a".join(block) + " " + " ".join(block) + "".join(block)
        assert ours().encode(text) == reference().encode(text, add_special_tokens=False).ids, hex(start)


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_a_whole_document_has_the_ids_of_the_tokenizers_library(path: Path) -> None:
    try:
        with open_document(str(path)) as document:
            pieces = list(document.pieces())
    except DocumentError as error:
        if path.is_relative_to(HERE):  # these are all meant to be read
            raise
        pytest.skip(error.message)  # a binary in somebody's folder
    text = "".join(piece.text for piece in pieces)
    wanted = reference().encode(text, add_special_tokens=False).ids
    assert ours().encode(text) == wanted
    assert [token for run in stream_tokens(pieces, ours()) for token in run.ids] == wanted
