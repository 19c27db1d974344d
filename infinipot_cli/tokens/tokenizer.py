"""Tokenizers as the program needs them: document text in, ids with character offsets out, and back.

Two implementations with the same behaviour: the Hugging Face tokenizer of any model, and tiktoken for
byte-level BPE of pocket's kind, which is several times faster and is used only where it was shown to give
the same ids.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import tokenizers

from infinipot_cli.tokens import control
from infinipot_cli.tokens.control import TokenizerSpec


@dataclass(frozen=True, slots=True)
class Encoded:
    """Ids of a text with the characters each token stands for.

    Args:
        ids: token ids.
        starts: index of the first character a token holds bytes of; tokens inside one character share it.
        ends: index after the last character a token holds bytes of; never decreases.
    """

    ids: list[int]
    starts: list[int]
    ends: list[int]


class DocumentTokenizer(Protocol):
    """What the rest of the program may ask of a tokenizer.

    Attributes:
        control_ids: ids of the tokens that structure a prompt; `encode` never gives one of them.
        special_ids: ids that have no place in an answer's text.
        vocabulary_size: number of ids, control tokens included.
        opening: control tokens that stand in front of a text that no chat format frames.
    """

    opening: str
    control_ids: frozenset[int]
    special_ids: frozenset[int]
    vocabulary_size: int

    def encode(self, text: str) -> list[int]:
        """Ids of document text; control tokens in it stay text."""

    def encode_with_ends(self, text: str) -> tuple[list[int], list[int]]:
        """Ids of document text and the index after the last character of each token."""

    def encode_with_offsets(self, text: str) -> Encoded:
        """Ids of document text with both character offsets."""

    def encode_template(self, text: str) -> list[int]:
        """Ids of text of our own, such as chat headers: control tokens are recognised, none is added."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens; a character cut in half becomes U+FFFD."""


def from_tokenizer_json(text_or_path: str | Path, *, is_proved: bool = False) -> DocumentTokenizer:
    """Build a tokenizer from the text of a tokenizer.json, or from its path.

    Args:
        text_or_path: either of them.
        is_proved: where tiktoken seems fit it gives the same ids for each token, as for the embedded model, which tests
            hold to it; it is not tried again.
    """
    is_text = isinstance(text_or_path, str) and text_or_path.lstrip()[:1] == "{"
    spec = control.parse(str(text_or_path) if is_text else Path(text_or_path).read_text(encoding="utf-8"))
    ranks = _tiktoken_ranks(spec, is_proved=is_proved)
    return _FastByteTokenizer(spec, ranks) if ranks else _JsonTokenizer(spec)


def from_backend(backend: tokenizers.Tokenizer) -> DocumentTokenizer:
    """Build a tokenizer from one that is loaded already, such as `backend_tokenizer` of a model's own."""
    return from_tokenizer_json(backend.to_str())


class _JsonTokenizer:
    """Any tokenizer.json, through two copies: one for documents, one for our own text and for answers."""

    def __init__(self, spec: TokenizerSpec) -> None:
        self._spec = spec
        self._templates = _build(control.without_framing(spec))
        self.opening = control.opening(spec)
        self.control_ids = frozenset(control.control_tokens(spec).values())
        self.special_ids = control.special_ids(spec)
        self.vocabulary_size = self._templates.get_vocab_size(with_added_tokens=True)

    @cached_property
    def _documents(self) -> tokenizers.Tokenizer:
        return _build(control.without_control(self._spec))

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._encode(text).ids
        return ids

    def encode_with_ends(self, text: str) -> tuple[list[int], list[int]]:
        encoded = self.encode_with_offsets(text)
        return encoded.ids, encoded.ends

    def encode_with_offsets(self, text: str) -> Encoded:
        encoding = self._encode(text)
        offsets = encoding.offsets
        return Encoded(encoding.ids, [start for start, _ in offsets], [end for _, end in offsets])

    def encode_template(self, text: str) -> list[int]:
        ids: list[int] = self._templates.encode(_storable(text), add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._templates.decode(list(ids), skip_special_tokens=True)
        return text

    def _encode(self, text: str) -> tokenizers.Encoding:
        return self._documents.encode(_storable(text), add_special_tokens=False)


# Pocket's pre-tokenizer. Oniguruma (tokenizers) and tiktoken's regex engine agree on it: the classes \s,
# \p{L} and \p{N} hold the same characters in both, which the tests check over all of Unicode.
FAST_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"

# On a run of about a million blanks tiktoken's regex engine panics, with a message of its own on stderr.
_LONG_BLANK = re.compile(r"\s{16384}")


class _FastByteTokenizer(_JsonTokenizer):
    """Byte-level BPE through tiktoken, built locally: no vocabulary is ever downloaded."""

    def __init__(self, spec: TokenizerSpec, ranks: dict[bytes, int]) -> None:
        import tiktoken

        super().__init__(spec)
        self._fast = tiktoken.Encoding("local", pat_str=FAST_PATTERN, mergeable_ranks=ranks, special_tokens={})
        # per id: characters that begin in the token, and whether it begins inside one
        self._n_begun = [0] * (max(ranks.values()) + 1)
        self._is_inside = [False] * len(self._n_begun)
        for token, id_ in ranks.items():
            self._n_begun[id_] = sum(byte & 0xC0 != 0x80 for byte in token)
            self._is_inside[id_] = token[0] & 0xC0 == 0x80

    def encode(self, text: str) -> list[int]:
        text = _storable(text)
        if _LONG_BLANK.search(text):
            return super().encode(text)
        return self._fast.encode_ordinary(text)

    def encode_with_offsets(self, text: str) -> Encoded:
        ids = self.encode(text)
        starts, ends = [], []
        n_begun, is_inside = self._n_begun, self._is_inside
        end = 0
        for id_ in ids:
            starts.append(end - is_inside[id_])
            end += n_begun[id_]
            ends.append(end)
        return Encoded(ids, starts, ends)


def _build(spec: TokenizerSpec) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))


def _storable(text: str) -> str:
    """The text with lone surrogates replaced, which no tokenizer accepts; lengths stay as they are."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text


def _tiktoken_ranks(spec: TokenizerSpec, *, is_proved: bool = False) -> dict[bytes, int] | None:
    """Bytes and id of each token, if tiktoken will provably give the same ids; None otherwise.

    tiktoken merges any two neighbours whose bytes are a token, lowest id first; BPE of tokenizers merges
    listed pairs only, in list order. The two agree when ids grow along the list of merges, each token has
    one merge, and each token alone encodes to itself: whenever two neighbours spell a token, the merges
    inside their span ran as they do for that token alone, so the neighbours are its listed pair.
    """
    model = spec["model"]
    if not _is_fast_kind(spec):
        return None
    hidden = control.control_tokens(spec)
    letters = {letter: byte for byte, letter in _byte_letters().items()}
    plain = {token: id_ for token, id_ in model["vocab"].items() if token not in hidden}
    if any(letter not in letters for token in plain for letter in token):
        return None
    made = ["".join(control.merge_pair(merge)) for merge in model["merges"]]
    made_ids = [plain.get(token, -1) for token in made]
    grows = all(a < b for a, b in itertools.pairwise(made_ids))
    if not grows or plain.keys() != letters.keys() | set(made):
        return None
    if not is_proved and not _spells_itself(spec, plain):
        return None
    return {bytes(letters[letter] for letter in token): id_ for token, id_ in plain.items()}


def _spells_itself(spec: TokenizerSpec, plain: Mapping[str, int]) -> bool:
    """Whether each token's text alone is encoded as that token."""
    words = list(plain)
    bare = _build({**control.without_control(spec), "pre_tokenizer": None})
    return all(encoding.ids == [plain[word]] for word, encoding in zip(words, bare.encode_batch(words), strict=True))


def _is_fast_kind(spec: TokenizerSpec) -> bool:
    """Whether this is byte-level BPE split by pocket's pattern, with nothing else that changes ids."""
    model, pre_tokenizer = spec["model"], spec.get("pre_tokenizer") or {}
    steps = pre_tokenizer.get("pretokenizers") or [pre_tokenizer]
    changes = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges")
    return (
        model["type"] == "BPE"
        and not any(model.get(key) for key in changes)
        and spec.get("normalizer") is None
        and all(token["content"] in control.control_tokens(spec) for token in spec.get("added_tokens", ()))
        and len(steps) == 2
        and steps[0].get("type") == "Split"
        and steps[0].get("pattern") == {"Regex": FAST_PATTERN}
        and steps[0].get("behavior") == "Isolated"
        and not steps[0].get("invert")
        and steps[1].get("type") == "ByteLevel"
        and not steps[1].get("add_prefix_space")
        and not steps[1].get("use_regex", True)
    )


def _byte_letters() -> dict[int, str]:
    """The letter byte-level tokenizers write for each byte (GPT-2's table): itself if printable."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
