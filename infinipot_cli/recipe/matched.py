"""Texts of passages that match a question in words, one of which answers it: what a second reading puts in a pot.

`ask` reads the passages that hold the words of the question once more, in full (`--set reread`). They come from
everywhere in a document and are alike in just those words, so the reader must tell by the rest which of them answers.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from infinipot_cli.recipe.facts import make_fact, make_rivals
from infinipot_cli.recipe.material import Material, Segment

SHARE_OF_REAL = 0.65
SHARE_OF_RIVALS = 0.5  # of the invented facts
SHARE_OF_SHUFFLED = 0.3  # of the texts, where another passage may match better than the one that answers
STRETCH = 3_000  # tokens of prose in which passages like an invented question are looked for
SHORTEST, LONGEST = 6, 90  # tokens of one of them


def matched(material: Material, n_tokens: int, cloze_share: float = 0.0) -> list[list[Segment]]:
    """One block of passages, the best match first or anywhere, with questions; at most so many tokens.

    A share of them is asked a cloze question too.
    """
    rng = material.rng
    of_article = rng.random() < SHARE_OF_REAL and bool(material.titles)
    answers, others = _of_article(material) if of_article else _of_facts(material)
    words = _words((question for segment in answers for question, _ in segment.questions))
    most = rng.randint(n_tokens // 4, n_tokens) - sum(len(segment.ids) + 1 for segment in answers)
    chosen = list(answers)
    for segment in sorted(others, key=lambda segment: _likeness(material, words, segment.ids), reverse=True):
        if (most := most - len(segment.ids) - 1) < 0:
            break
        chosen.append(segment)
    for segment in chosen:
        if rng.random() < cloze_share:
            material.add_cloze(segment)
    if rng.random() < SHARE_OF_SHUFFLED:
        rng.shuffle(chosen)
    for segment in chosen:
        segment.ids[:0] = material.newline
    return [chosen]


def _of_article(material: Material) -> tuple[list[Segment], list[Segment]]:
    """A sentence of an article with its questions, sometimes with the one that follows it; and all other sentences."""
    rng = material.rng
    passages = material.by_title[rng.choice(material.titles)]
    passage = rng.choice(passages)
    number = rng.choice(passage.questions).sentence
    answer = material.sentence(passage, number, most=4)
    n_whole = 2 if number + 1 < len(passage.sentences) and rng.random() < 0.4 else 1
    if n_whole == 2:
        answer.ids += passage.sentences[number + 1]
    others = [
        material.sentence(other, place, most=2)
        for other in passages
        for place in range(len(other.sentences))
        if other is not passage or not number <= place < number + n_whole
    ]
    return [answer], [segment for segment in others if len(segment.ids) <= LONGEST]


def _of_facts(material: Material) -> tuple[list[Segment], list[Segment]]:
    """An invented fact, or rivals of one relation; and the sentences of a stretch of prose."""
    rng = material.rng
    facts = make_rivals(rng) if rng.random() < SHARE_OF_RIVALS else [make_fact(rng)]
    prose = material.prose(STRETCH)
    edges = sorted(set(material.edges(prose)))
    stretches = [prose[start:end] for start, end in pairwise(edges)]
    others = [Segment(ids, []) for ids in stretches if SHORTEST <= len(ids) <= LONGEST]
    return [material.fact(fact) for fact in facts], others


def _words(questions: Iterable[list[int]]) -> frozenset[int]:
    return frozenset(token for question in questions for token in question)


def _likeness(material: Material, words: frozenset[int], ids: Sequence[int]) -> float:
    """How rare the tokens are, together, that a passage has in common with the questions."""
    return float(np.sum(material.surprise[list(words.intersection(ids))]))
