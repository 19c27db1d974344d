"""Answers come out in whole characters, and nothing is lost or added on the way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tokenizers import kinds, tokenizer_json

from infinipot_cli.tokens import Detokenizer, DocumentTokenizer, from_tokenizer_json

WORDS = ["The", " letter", "’s", " é", "日本語", "。", "😀", "👩‍👩‍👧", "\n", "  ", " 1873", "naïve", "e\u0301", "—"]
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=30).map("".join)


@pytest.fixture(params=kinds(), scope="module")
def tokenizer(request: pytest.FixtureRequest) -> DocumentTokenizer:
    return from_tokenizer_json(tokenizer_json(request.param))


def pushed(ids: list[int], tokenizer: DocumentTokenizer) -> list[str]:
    detokenizer = Detokenizer(tokenizer)
    return [*[detokenizer.push(id_) for id_ in ids], detokenizer.flush()]


@given(text=TEXTS)
@settings(max_examples=60, deadline=None)
def test_pieces_joined_are_the_whole_text(text: str, tokenizer: DocumentTokenizer) -> None:
    ids = tokenizer.encode(text)
    assert "".join(pushed(ids, tokenizer)) == tokenizer.decode(ids)


@given(text=TEXTS.filter(lambda text: "\ufffd" not in text))
@settings(max_examples=60, deadline=None)
def test_no_piece_holds_half_a_character(text: str, tokenizer: DocumentTokenizer) -> None:
    assert not any("\ufffd" in piece for piece in pushed(tokenizer.encode(text), tokenizer))


def test_text_is_not_held_back_longer_than_a_character(tokenizer: DocumentTokenizer) -> None:
    ids = tokenizer.encode("A plain answer of some words")
    shown = pushed(ids, tokenizer)
    assert shown[-1] == ""
    assert sum(piece == "" for piece in shown[:-1]) <= 1  # a leading blank may have no text


def test_special_tokens_have_no_text_and_break_nothing(tokenizer: DocumentTokenizer) -> None:
    ids = tokenizer.encode("Two words")
    with_specials = [x for id_ in ids for x in (min(tokenizer.special_ids), id_)]
    assert "".join(pushed(with_specials, tokenizer)) == tokenizer.decode(ids)


def test_an_answer_that_ends_inside_a_character_says_so() -> None:
    tokenizer = from_tokenizer_json(tokenizer_json("pocket"))
    ids = tokenizer.encode("end𝔘")
    *whole, last = pushed(ids[:-1], tokenizer)
    assert "".join(whole) == "end"
    assert last == "\ufffd"


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_ids_at_all_are_survived(data: st.DataObject, tokenizer: DocumentTokenizer) -> None:
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocabulary_size + 5), max_size=150))
    shown = pushed(ids, tokenizer)
    assert len("".join(shown)) <= len(tokenizer.decode(ids)) + len(ids)


def test_garbage_is_not_held_back_for_ever() -> None:
    tokenizer = from_tokenizer_json(tokenizer_json("pocket"))
    half = tokenizer.encode("😀")[1]
    shown = pushed([half] * 500, tokenizer)
    assert "".join(shown) == tokenizer.decode([half] * 500)
    assert len(shown[-1]) < 64 * 4  # an id may stand for several bytes


def test_a_detokenizer_can_be_used_again_after_a_flush(tokenizer: DocumentTokenizer) -> None:
    detokenizer = Detokenizer(tokenizer)
    ids = tokenizer.encode("Once more")
    first = "".join([detokenizer.push(id_) for id_ in ids]) + detokenizer.flush()
    second = "".join([detokenizer.push(id_) for id_ in ids]) + detokenizer.flush()
    assert first == second == tokenizer.decode(ids)
