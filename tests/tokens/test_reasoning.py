"""Reasoning stays out of an answer however it is marked, cut into tokens or begun."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from infinipot_cli.tokens.reasoning import AnswerText, without_reasoning
from infinipot_cli.tokens.tokenizer import DocumentTokenizer, from_backend

CONTROL = ["<s>", "<|channel|>", "<|message|>", "<|start|>", "<|end|>"]


def tokenizer(*, tags: bool, special: bool = False) -> DocumentTokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate([*CONTROL, *letters])}
    found = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    found.add_special_tokens([AddedToken(token, special=True) for token in CONTROL])
    if tags:
        found.add_tokens([AddedToken(tag, special=special) for tag in ("<think>", "</think>")])
    return from_backend(found)


KINDS = {
    "tags of letters": tokenizer(tags=False),
    "tags of one token": tokenizer(tags=True),
    "tags of one control token": tokenizer(tags=True, special=True),
}


def shown(kind: DocumentTokenizer, text: str, prompt: str = "", *, think: bool = False) -> tuple[str, bool]:
    answer = AnswerText(kind, kind.encode_template(prompt), shows_reasoning=think)
    pieces: Sequence[str] = [answer.push(token) for token in kind.encode_template(text)]
    is_reasoning = answer.is_reasoning
    return "".join([*pieces, answer.flush()]), is_reasoning


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
@pytest.mark.parametrize(
    ("prompt", "text", "wanted", "is_reasoning"),
    [
        ("", "<think>\nhm, 2?\n</think>\n\nThe answer.", "The answer.", False),
        ("assistant<think>\n", "hm\n</think>\n\nThe answer.", "The answer.", False),
        ("<think>\n\n</think>\n\n", "The answer.", "The answer.", False),
        ("", "The answer.", "The answer.", False),
        ("", " 1 < 2 and <thin", " 1 < 2 and <thin", False),
        ("", "<think>never done", "", True),
        ("<think>", "never done", "", True),
        ("", "<think></think>a <think>b</think>c", "a c", False),
    ],
)
def test_what_stands_between_tags_is_not_shown(
    kind: DocumentTokenizer, prompt: str, text: str, wanted: str, is_reasoning: bool
) -> None:
    assert shown(kind, text, prompt) == (wanted, is_reasoning)


@pytest.mark.parametrize("kind", ["tags of letters", "tags of one token"])
def test_an_answer_that_speaks_of_a_tag_comes_out_whole(kind: str) -> None:
    for text in (
        "The <think> tag opens it.", "Use <think> and </thin", "<think>hm</think>It is [THINK], no more.",
        "It is </think>, no more.",
    ):  # fmt: skip
        assert shown(KINDS[kind], text)[0] == text.removeprefix("<think>hm</think>")


@pytest.mark.parametrize("text", ["Flint.", "The ship sailed.\nIt sank."])
def test_a_turn_without_a_channel_is_the_answer(text: str) -> None:
    assert shown(KINDS["tags of letters"], text, "<|start|>assistant")[0] == text


@pytest.mark.parametrize(
    ("text", "wanted", "is_reasoning"),
    [
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Flint.", "Flint.", False),
        ("<|channel|>final<|message|>Flint.", "Flint.", False),
        ("<|channel|>analysis<|message|>hm, it", "", True),
        ("<|channel|>commentary to=x<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>a", "a", False),
        ("<|message|>Flint.", "Flint.", False),
    ],
)
def test_only_the_final_channel_is_the_answer(text: str, wanted: str, is_reasoning: bool) -> None:
    assert shown(KINDS["tags of letters"], text, "<|start|>assistant") == (wanted, is_reasoning)


@given(st.text(alphabet="ab <>/think|é漢\n", max_size=40))
def test_text_without_reasoning_comes_out_whole(text: str) -> None:
    if not any(tag in text for tag in ("<think>", "</think>")):
        assert shown(KINDS["tags of letters"], text)[0] == text


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("", "<think>\nhm,\n\n2?\n</think>\n\nThe answer."),
        ("assistant<think>\n", "hm,\n\n2?</think>The answer."),
        ("", "<think>hm,\n\n2?</think>\nThe answer."),
        ("<|start|>assistant", "<|channel|>analysis<|message|>hm,\n\n2?<|end|><|start|>assistant"
         "<|channel|>final<|message|>The answer."),
        ("<|start|>assistant", "<|channel|>analysis<|message|>hm,\n<|end|><|start|>assistant"
         "<|channel|>commentary<|message|>2?<|end|><|start|>assistant<|channel|>final<|message|>The answer."),
    ],
)  # fmt: skip
def test_reasoning_that_is_asked_for_stands_in_one_way_in_front_of_the_answer(
    kind: DocumentTokenizer, prompt: str, text: str
) -> None:
    found = "<think>\nhm,\n\n2?\n</think>\n\nThe answer."
    assert shown(kind, text, prompt, think=True) == (found, False)
    assert without_reasoning(found) == "The answer."


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
@pytest.mark.parametrize(
    ("prompt", "text", "wanted"),
    [
        ("", "The answer.", "The answer."),
        ("<think>\n\n</think>\n\n", "The answer.", "The answer."),
        ("<think>", "</think>The answer.", "The answer."),
        ("<think>", "never done ", "<think>\nnever done "),
        ("<think>", "done</think>", "<think>\ndone\n</think>\n\n"),
    ],
)
def test_without_reasoning_or_without_an_end_of_it_no_tag_is_made_up(
    kind: DocumentTokenizer, prompt: str, text: str, wanted: str
) -> None:
    assert shown(kind, text, prompt, think=True)[0] == wanted
    assert without_reasoning(wanted) == ("The answer." if "answer" in wanted else "")


@given(st.text(alphabet="ab <>/think|\n", max_size=40), st.text(alphabet="ab <>/think|é漢\n", max_size=40))
def test_shown_reasoning_costs_the_answer_nothing(reasoning: str, answer: str) -> None:
    """Whoever asks for reasoning gets the same answer behind it."""
    if not any(tag in reasoning + answer for tag in ("<think>", "</think>")):
        text = f"<think>{reasoning}</think>{answer}"
        hidden, _ = shown(KINDS["tags of one token"], text)
        assert without_reasoning(shown(KINDS["tags of one token"], text, think=True)[0]) == hidden


@pytest.mark.parametrize("kind", ["tags of letters", "tags of one token"])
def test_an_answer_behind_shown_reasoning_may_speak_of_tags(kind: str) -> None:
    for text in ("The <think> tag opens it.", "Use <think> and </think>.", "It is [THINK], no more."):
        assert shown(KINDS[kind], text, think=True)[0] == text
        assert without_reasoning(text) == text
