"""Streaming changes no id: any cutting of a text gives the ids and offsets of the whole text."""

import itertools
import re
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import kinds, novel, tokenizer_json

from infinipot_cli.documents import TextPiece
from infinipot_cli.tokens import DocumentTokenizer, from_tokenizer_json, stream, stream_tokens

FRAGMENTS = [
    *("the", " and", " sea", " a", "I", ". ", ", ", "“Yes,” ", "’s", "'ll ", "'s", "x_y(z)=", " x", "A", "b", "_"),
    *("\n", "\n\n", " \n", " ", "  ", "   ", "\t", "\u3000", "====", "----", "...", "1", "42", " 1873", "½", "²"),
    *(
        "日本語",
        "。",
        "、",
        "これは",
        "：",
        "😀",
        "👩‍👩‍👧",
        "é",
        "e\u0301",
        " ру́сский",
        "ﬁ",
        "<|end|>",
        "</s>",
        "<think>",
    ),
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=400).map("".join)


@pytest.fixture(params=kinds(), scope="module")
def tokenizer(request: pytest.FixtureRequest) -> DocumentTokenizer:
    return from_tokenizer_json(tokenizer_json(request.param))


@pytest.fixture(scope="module")
def pocket() -> DocumentTokenizer:
    return from_tokenizer_json(tokenizer_json("pocket"))


def pieces(text: str, *cuts: int, first: int = 0) -> list[TextPiece]:
    bounds = [0, *sorted(cuts), len(text)]
    return [TextPiece(text[a:b], None, first + a, None) for a, b in itertools.pairwise(bounds) if a < b]


def every(text: str, n_chars: int) -> list[TextPiece]:
    return pieces(text, *range(n_chars, len(text), n_chars))


def streamed(text_pieces: list[TextPiece], tokenizer: DocumentTokenizer, **options: int) -> tuple[list[int], list[int]]:
    runs = list(stream_tokens(text_pieces, tokenizer, **options))
    assert all(run.ids and len(run.ids) == len(run.char_start) for run in runs)
    return [id_ for run in runs for id_ in run.ids], [start for run in runs for start in run.char_start]


@given(text=TEXTS, data=st.data(), window_chars=st.sampled_from([1, 40, 300, 16384]))
@settings(max_examples=60, deadline=None)
def test_any_cutting_gives_the_ids_of_the_whole_text(
    text: str, data: st.DataObject, window_chars: int, tokenizer: DocumentTokenizer
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=30))
    whole = tokenizer.encode_with_offsets(text)
    ids, starts = streamed(pieces(text, *cuts), tokenizer, window_chars=window_chars)
    assert ids == whole.ids
    assert starts == whole.starts


@pytest.mark.parametrize("n_chars", [1, 97, 4096, 10**6])
def test_a_novel_in_pieces_has_the_ids_of_the_whole(n_chars: int, tokenizer: DocumentTokenizer) -> None:
    text = novel(20_000)
    assert streamed(every(text, n_chars), tokenizer)[0] == tokenizer.encode(text)


@pytest.mark.parametrize(
    "unit", ["=", " ", "\n", "1", "a", "日本語", "日本語。これは、", "ab\n", "word ", "😀", "e\u0301", "\t "]
)
def test_long_runs_are_cut_where_the_text_says_not_where_reads_end(
    unit: str, tokenizer: DocumentTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HARD_LIMIT_CHARS", 300)
    text = "A beginning" + unit * (2_000 // len(unit)) + " and an end of it, at last"
    expected = streamed(every(text, len(text)), tokenizer)
    for n_chars in (1, 7, 299, 301):
        assert streamed(every(text, n_chars), tokenizer) == expected
    ids, starts = expected
    assert starts == sorted(starts)
    assert len(ids) <= len(tokenizer.encode(text)) + 60
    # one kind makes a single blank of a run of them, which a cut inside the run interrupts
    shown, whole = (re.sub(" +", " ", tokenizer.decode(i)) for i in (ids, tokenizer.encode(text)))
    assert shown == whole


def test_offsets_count_from_the_start_of_the_document(pocket: DocumentTokenizer) -> None:
    text = novel(2_000)
    ids, starts = streamed(pieces(text, 700, 1400, first=5_000), pocket)
    assert starts == [5_000 + start for start in pocket.encode_with_offsets(text).starts]
    assert ids == pocket.encode(text)


def test_tokens_inside_one_character_share_its_place(pocket: DocumentTokenizer) -> None:
    text = "word " * 60 + "𝔘𝔫𝔦" + " word" * 60
    _, starts = streamed(every(text, 11), pocket)
    assert {starts.count(text.index(char)) for char in "𝔘𝔫𝔦"} == {4}


def test_control_tokens_cut_by_a_read_stay_text(tokenizer: DocumentTokenizer) -> None:
    text = "He said <|end|> and </s> then <think> aloud. " * 30
    ids, _ = streamed(every(text, 5), tokenizer)
    assert tokenizer.control_ids.isdisjoint(ids)


def test_runs_come_soon_after_their_text(pocket: DocumentTokenizer) -> None:
    n_given = 0

    def pipe() -> Iterator[TextPiece]:
        nonlocal n_given
        for number in range(1000):
            line = f"line {number} of a log\n"
            yield TextPiece(line, None, n_given, None)
            n_given += len(line)

    for run in stream_tokens(pipe(), pocket):
        assert n_given - run.char_start[-1] < 200


def test_nothing_comes_of_no_text(pocket: DocumentTokenizer) -> None:
    assert list(stream_tokens([], pocket)) == []


def test_reading_a_book_is_fast(pocket: DocumentTokenizer) -> None:
    text = novel() * 3
    began = time.perf_counter()
    streamed(every(text, 65_536), pocket)
    assert time.perf_counter() - began < 1.5  # 0.04 s when the machine is quiet


def test_memory_does_not_grow_with_the_text(pocket: DocumentTokenizer) -> None:
    def endless(n_pieces: int) -> Iterator[TextPiece]:
        text = novel(20_000)
        for number in range(n_pieces):
            yield TextPiece(text, None, number * len(text), None)

    peaks = []
    for n_pieces in (10, 50):
        tracemalloc.start()
        for _ in stream_tokens(endless(n_pieces), pocket):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3
