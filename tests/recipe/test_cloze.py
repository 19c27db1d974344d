"""Questions made of a sentence: what they ask for is in it, and they do not say it."""

import random
import re
from itertools import pairwise
from pathlib import Path

import pytest

from infinipot_cli.explain.sentences import ends
from infinipot_cli.recipe.cloze import make_cloze

BOOK = Path(__file__).parents[1] / "data" / "treasure-island.txt"


@pytest.mark.parametrize("seed", range(3))
def test_a_phrase_of_the_sentence_answers_and_the_question_does_not_say_it(seed: int) -> None:
    rng, text, n_asked = random.Random(seed), " ".join(BOOK.read_text(encoding="utf-8")[30_000:120_000].split()), 0
    for start, end in pairwise(ends(text)):
        sentence = text[start:end].strip()
        pair = make_cloze(rng, sentence)
        if pair is None:
            continue
        n_asked += 1
        question, answer = pair
        assert sentence.count(answer) == 1 and answer.strip() == answer != ""
        assert question.endswith("?") and not re.search(rf"\b{re.escape(answer)}\b", question)
        asked, there = re.findall(r"\w+", question.casefold()), sentence.casefold()
        assert sum(word in there for word in asked) >= 2, "its words are mostly those of the sentence"
    assert n_asked > 200


@pytest.mark.parametrize(
    ("sentence", "answer", "questions"),
    [
        ("The bridge of Harwick was built by Edwin Gale in 1412.", "1412", r"(?i)when|year|what date|how m|what\b"),
        ("The bridge of Harwick was built by Edwin Gale in 1412.", "Edwin Gale", r"(?i)who|what|which|how"),
        ("In the town of Harwick stood 240 looms for wool.", "240", r"(?i)how m|what"),
    ],
)
def test_question_words_suit_the_phrase(sentence: str, answer: str, questions: str) -> None:
    made = [make_cloze(random.Random(seed), sentence) for seed in range(200)]
    found = [pair[0] for pair in made if pair and pair[1] == answer]
    assert found and all(re.search(questions, question) for question in found)


@pytest.mark.parametrize("sentence", ["", "Yes.", "It was so, and there he was.", "word " * 80])
def test_some_sentences_have_nothing_to_ask_for(sentence: str) -> None:
    assert all(make_cloze(random.Random(seed), sentence) is None for seed in range(20))
