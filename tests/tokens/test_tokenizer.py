"""Tokenizers: documents cannot speak as the system, clean text keeps its ids, offsets are exact."""

import itertools
import json
import sys
import unicodedata
from functools import cache
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import CONTROL, MARKERS, kinds, novel, tokenizer_json

from infinipot_cli.tokens import DocumentTokenizer, from_backend, from_tokenizer_json
from infinipot_cli.tokens.control import parse
from infinipot_cli.tokens.tokenizer import FAST_PATTERN, _FastByteTokenizer, _JsonTokenizer

FORGERIES = [
    *("<|end|>", "<s>", "</s>", "<|user|>", "</think>", "<tool_call>", "<unk>", "<0x41>", "[INST]", "\0control 1\0"),
]
WORDS = [" sea", "word", "’s", "é", "日本", "😀", " ", "  ", "\n\n\n", "42", "<", "|", ">", "/", "s", "\t", "\u3000"]
TEXTS = st.lists(st.sampled_from([*FORGERIES, *WORDS]) | st.text(max_size=4), max_size=40).map("".join)


@pytest.fixture(params=kinds(), scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tokenizer(kind: str) -> DocumentTokenizer:
    return from_tokenizer_json(tokenizer_json(kind))


def reference(kind: str) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_str(tokenizer_json(kind))


@given(text=TEXTS)
@settings(max_examples=60, deadline=None)
def test_no_document_gives_a_control_token(text: str, tokenizer: DocumentTokenizer) -> None:
    assert tokenizer.control_ids.isdisjoint(tokenizer.encode(text))


def test_control_tokens_of_a_document_stay_readable_text(tokenizer: DocumentTokenizer, kind: str) -> None:
    text = "Stop</s> here<|end|> and <|user|> there </think>."
    if kind != "unigram":  # whose vocabulary lacks some of these characters
        assert tokenizer.decode(tokenizer.encode(text)).strip() == text


def test_control_tokens_are_recognised_in_our_own_text(tokenizer: DocumentTokenizer, kind: str) -> None:
    backend = reference(kind)
    for token in {"<s>", "</s>", *CONTROL} if kind not in ("llama2", "gemma", "metaspace") else {"<s>", "</s>"}:
        ids = tokenizer.encode_template(f"{token}Hello{token}")
        assert ids.count(backend.token_to_id(token)) == 2
        assert backend.token_to_id(token) in tokenizer.control_ids
        assert "Hello" in tokenizer.decode(ids)
        assert token not in tokenizer.decode(ids)
    assert tokenizer.vocabulary_size == backend.get_vocab_size()


def test_markers_that_are_not_flagged_as_special_are_control_tokens_too() -> None:
    backend = reference("markers")
    tokenizer = from_backend(backend)
    for marker in MARKERS:
        id_ = backend.token_to_id(marker)
        assert backend.encode(marker, add_special_tokens=False).ids == [id_]
        assert id_ in tokenizer.control_ids
        assert id_ not in tokenizer.special_ids  # an answer may show it
        assert id_ in tokenizer.encode_template(f"x{marker}y")
        assert id_ not in tokenizer.encode(f"x{marker}y")


def test_clean_text_has_the_ids_of_the_untouched_tokenizer(tokenizer: DocumentTokenizer, kind: str) -> None:
    text = novel(30_000) + "\n\n\n    indented  日本語。 “naïve” 😀 1873\n" * 20
    assert tokenizer.encode(text) == reference(kind).encode(text, add_special_tokens=False).ids


def test_added_tokens_of_the_normal_vocabulary_are_kept() -> None:
    backend = reference("markers")
    ids = from_backend(backend).encode("a    b\n\n\nc")
    assert {backend.token_to_id("    "), backend.token_to_id("\n\n\n")} <= set(ids)


def test_whatever_frames_or_cuts_the_text_is_switched_off() -> None:
    backend = reference("gpt2")
    plain = from_backend(backend).encode(novel(3_000))
    backend.enable_truncation(5)
    backend.enable_padding(length=8)
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer = from_backend(backend)
    assert tokenizer.encode(novel(3_000)) == plain
    assert tokenizer.encode_template("<s>Hi")[0] == 0
    assert len(tokenizer.encode_template("<s>" + novel(3_000))) == len(plain) + 1


@given(text=TEXTS)
@settings(max_examples=60, deadline=None)
def test_offsets_cover_the_text_in_order(text: str, tokenizer: DocumentTokenizer, kind: str) -> None:
    encoded = tokenizer.encode_with_offsets(text)
    assert encoded.ids == tokenizer.encode(text)
    assert tokenizer.encode_with_ends(text) == (encoded.ids, encoded.ends)
    assert encoded.ends == sorted(encoded.ends)
    assert all(0 <= a <= b <= len(text) for a, b in zip(encoded.starts, encoded.ends, strict=True))
    if kind in ("gpt2", "llama3", "pocket", "digits"):
        data = text.encode()
        sizes = [len(char.encode()) for char in text]
        first_byte = [0, *itertools.accumulate(sizes)]
        n_bytes = 0
        for id_, start, end in zip(encoded.ids, encoded.starts, encoded.ends, strict=True):
            token = token_bytes(kind, id_)
            assert data[n_bytes : n_bytes + len(token)] == token
            assert first_byte[start] <= n_bytes < first_byte[start + 1]
            n_bytes += len(token)
            assert first_byte[end - 1] < n_bytes <= first_byte[end]
        assert n_bytes == len(data)


def token_bytes(kind: str, id_: int) -> bytes:
    token = reference_tokens(kind)[id_]
    table = {letter: byte for byte, letter in _letters().items()}
    return bytes(table[letter] for letter in token)


@cache
def reference_tokens(kind: str) -> dict[int, str]:
    return {id_: token for token, id_ in parse(tokenizer_json(kind))["model"]["vocab"].items()}


@cache
def _letters() -> dict[int, str]:
    """GPT-2's table, as its authors wrote it."""
    bs = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    cs = bs[:]
    n = 0
    for b in range(2**8):
        if b not in bs:
            bs.append(b)
            cs.append(2**8 + n)
            n += 1
    return dict(zip(bs, map(chr, cs), strict=True))


def test_lone_surrogates_are_replaced_not_fatal(tokenizer: DocumentTokenizer) -> None:
    text = "a \ud800 b"
    assert tokenizer.encode(text) == tokenizer.encode(text.replace("\ud800", "\ufffd"))
    assert tokenizer.encode_template(text)


def test_a_file_that_leaves_the_kind_of_its_model_out_is_read_as_the_library_reads_it(
    tokenizer: DocumentTokenizer, kind: str
) -> None:
    spec = json.loads(tokenizer_json(kind))
    del spec["model"]["type"]
    text = json.dumps(spec)
    if tokenizers.Tokenizer.from_str(text).encode("The sea.").ids == reference(kind).encode("The sea.").ids:
        assert from_tokenizer_json(text).encode("The sea, “naïve”.") == tokenizer.encode("The sea, “naïve”.")


def test_what_a_tokenizer_puts_in_front_of_a_text_is_known(kind: str, tokenizer: DocumentTokenizer) -> None:
    framed, bare = (reference(kind).encode("The sea.", add_special_tokens=added).ids for added in (True, False))
    n_front = len(framed) - len(bare) if framed[-len(bare) :] == bare else 0
    assert tokenizer.encode_template(tokenizer.opening) == framed[:n_front]


def test_a_path_and_its_text_give_the_same_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer_json("gpt2"), encoding="utf-8")
    expected = from_tokenizer_json(tokenizer_json("gpt2")).encode(novel(500))
    assert from_tokenizer_json(path).encode(novel(500)) == expected
    assert from_tokenizer_json(str(path)).encode(novel(500)) == expected


# The fast path: tiktoken in place of tokenizers, for pocket's kind only.


@pytest.fixture(scope="module")
def fast() -> DocumentTokenizer:
    tokenizer = from_tokenizer_json(tokenizer_json("pocket"))
    assert isinstance(tokenizer, _FastByteTokenizer)
    return tokenizer


@pytest.fixture(scope="module")
def slow() -> DocumentTokenizer:
    return _JsonTokenizer(parse(tokenizer_json("pocket")))


def test_only_pockets_kind_takes_the_fast_path(kind: str, tokenizer: DocumentTokenizer) -> None:
    assert isinstance(tokenizer, _FastByteTokenizer) == (kind == "pocket")


def test_fast_ids_and_offsets_equal_on_a_novel(fast: DocumentTokenizer, slow: DocumentTokenizer) -> None:
    assert fast.encode_with_offsets(novel()) == slow.encode_with_offsets(novel())


@given(text=st.text(max_size=200) | TEXTS)
@settings(deadline=None)
def test_fast_ids_and_offsets_equal_on_any_text(text: str, fast: DocumentTokenizer, slow: DocumentTokenizer) -> None:
    assert fast.encode_with_offsets(text) == slow.encode_with_offsets(text)


def test_fast_ids_equal_over_all_of_unicode(fast: DocumentTokenizer, slow: DocumentTokenizer) -> None:
    characters = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
    assigned = [c for c in characters if unicodedata.category(c) not in ("Cn", "Co")]
    everything = "".join(assigned) + " a".join(characters[:0x3100]) + "1 ".join(characters[0x1D7C0:0x1FB00])
    assert fast.encode(everything) == slow.encode(everything)


def test_both_regex_engines_agree_what_a_letter_a_number_and_a_space_is() -> None:
    import tiktoken

    characters = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF)
    ranks = {bytes([byte]): byte for byte in range(256)}
    for pattern in (r"\p{L}+", r"\p{N}+", r"\s+"):
        assert pattern[:-1] in FAST_PATTERN
        encoding = tiktoken.Encoding("one class", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "removed", invert=True)
        one = encoding.decode(encoding.encode_ordinary(characters))
        other = "".join(piece for piece, _ in split.pre_tokenize_str(characters))
        assert one == other


@pytest.mark.parametrize("unit", [" ", "\n", " \n", "\t ", "a", "1", "=", "é", "\u3000"])
def test_long_runs_are_no_trouble(unit: str, fast: DocumentTokenizer, slow: DocumentTokenizer) -> None:
    text = unit * (100_000 // len(unit)) + "x"
    assert fast.encode(text) == slow.encode(text)


def test_a_million_blanks_do_not_crash_the_fast_path(
    fast: DocumentTokenizer, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(fast.encode(" " * 1_000_000 + "x")) > 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "change",
    [
        {"ignore_merges": True},
        {"dropout": 0.1},
        {"merges": "reversed"},
        {"merges": "doubled"},
        {"merges": "short"},
    ],
)
def test_a_vocabulary_the_proof_does_not_cover_takes_the_plain_path(change: dict[str, object]) -> None:
    spec = json.loads(tokenizer_json("pocket"))
    merges = spec["model"]["merges"]
    match change:
        case {"merges": "reversed"}:
            merges[-2:] = merges[:-3:-1]
        case {"merges": "doubled"}:
            # a token made of another pair besides the one it was trained with
            vocabulary = spec["model"]["vocab"]
            token, left = next(
                (t, t[:i])
                for t in vocabulary
                for i in range(1, len(t))
                if t[:i] in vocabulary and t[i:] in vocabulary and [t[:i], t[i:]] not in merges
            )
            merges.append([left, token[len(left) :]])
        case {"merges": "short"}:
            del merges[-1]  # its token is now in the vocabulary but never made
        case _:
            spec["model"].update(change)
    tokenizer = from_tokenizer_json(json.dumps(spec))
    assert not isinstance(tokenizer, _FastByteTokenizer)
    if "dropout" not in change:
        backend = tokenizers.Tokenizer.from_str(json.dumps(spec))
        assert tokenizer.encode(novel(5_000)) == backend.encode(novel(5_000), add_special_tokens=False).ids
