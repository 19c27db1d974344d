"""What training texts are put together from: real prose, planted facts, passages with questions; all as token ids.

A kind of text is a list of blocks of segments, at most so many tokens together; `examples.py` lays them out.
"""

import random
from collections.abc import Sized
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from infinipot_cli.recipe.cloze import make_cloze
from infinipot_cli.recipe.corpus import Corpus, Passage
from infinipot_cli.recipe.facts import Fact, make_fact, make_rivals, relations, reword, told_apart

Array = np.ndarray[Any, np.dtype[Any]]
TOKENS_PER_FACT = 64
MOST_PLANTED = 7
REAL_SHARE = 0.35
RIVAL_SHARE = 0.2  # of the invented facts, those that stand beside another of the same relation
LONGEST_LOG = 60
MOST_CLOZED = 12


@dataclass
class Segment:
    """A stretch of text, and the questions that it answers, each with its answer."""

    ids: list[int]
    questions: list[tuple[list[int], list[int]]]


class Material:
    """Draws pieces of text; deterministic for a seed."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self.corpus = corpus
        self.rng = random.Random(seed)
        self.numpy = np.random.default_rng(seed)
        tokenizer = corpus.tokenizer
        vocabulary = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
        self.closes = np.array([text.endswith((".", "!", "?", '."', '!"', '?"')) for text in vocabulary])
        self.opens = np.array([text.startswith(("Ġ", "Ċ")) for text in vocabulary])
        sample = np.concatenate([np.asarray(ids[:400_000]) for ids in corpus.prose])
        counts = np.bincount(sample, minlength=len(vocabulary)) + 1
        self.surprise = -np.log(counts / counts.sum()).astype(np.float32)
        self.newline = tokenizer.encode("\n").ids
        self.by_title: dict[str, list[Passage]] = {}
        for passage in corpus.passages.get("squad11", []):
            self.by_title.setdefault(passage.title, []).append(passage)
        self.by_title = {title: passages for title, passages in self.by_title.items() if len(passages) > 3}
        self.titles = list(self.by_title)
        self.sentences = corpus.passages.get("qamr", [])

    def has(self, kind: str) -> bool:
        """Whether the sets hold what texts of a kind are made of."""
        needed: dict[str, Sized] = {
            "wiki": self.titles,
            "tale": self.corpus.passages.get("fairytale", ()),
            "glossary": self.corpus.passages.get("glossary", ()),
            "summary": self.corpus.summaries,
            "leavings": self.corpus.leavings,
        }
        return kind not in needed or len(needed[kind]) > 0

    def prose(self, n_tokens: int) -> list[int]:
        """A random stretch of real prose, exactly this long."""
        source = self.rng.choices(self.corpus.prose, self.corpus.prose_weights)[0]
        if len(source) < n_tokens:  # a small set is read over and over
            source = np.resize(source, n_tokens)
        at = self.rng.randrange(0, max(1, len(source) - n_tokens - 1))
        found: list[int] = source[at : at + n_tokens].tolist()
        return found

    def residue(self, n_tokens: int) -> list[int]:
        """What a pot might still hold of a long reading: prose with most tokens missing, rare ones more likely kept."""
        stretch = np.array(self.prose(n_tokens * 4), dtype=np.int64)
        score = self.surprise[stretch] + self.numpy.normal(0, 3.0, len(stretch))
        found: list[int] = stretch[np.sort(np.argsort(-score)[:n_tokens])].tolist()
        return found

    def edges(self, ids: list[int]) -> list[int]:
        """Where a sentence may be put in: the two ends first, then every end of a sentence."""
        array = np.array(ids, dtype=np.int64)
        return [0, len(ids), *(np.flatnonzero(self.closes[array[:-1]] & self.opens[array[1:]]) + 1).tolist()]

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        ids: list[int] = self.corpus.tokenizer.encode(text).ids
        return ids

    def fact(self, fact: Fact, *, line: bool = False, most: int = 2) -> Segment:
        """A fact with at most so many of its questions."""
        text = ("\n" if line else " ") + fact.text
        asked = self.rng.sample(fact.questions, min(len(fact.questions), most))
        pairs = [(self.encode(" " + reword(self.rng, fact, q)), self.encode(" " + answer)) for q, answer in asked]
        return Segment(self.encode(text), pairs)

    def invented(self) -> Segment:
        """An invented fact with up to two of its questions."""
        return self.fact(make_fact(self.rng))

    def _sentence(self) -> Segment:
        passage = self.rng.choice(self.sentences)
        chosen = self.rng.sample(passage.questions, min(len(passage.questions), 2))
        ids = [token for sentence in passage.sentences for token in sentence]
        return Segment(ids, [(self._question(question.ids), question.answer) for question in chosen])

    def absent_question(self) -> list[int]:
        """A question that the text does not answer: of an invented fact that was not planted, or of another article."""
        if self.rng.random() < 0.5 and self.titles:
            passage = self.rng.choice(self.by_title[self.rng.choice(self.titles)])
            return self._question(self.rng.choice(passage.questions).ids)
        question, _ = self.rng.choice(make_fact(self.rng).questions)
        return self.encode(" " + question)

    def _question(self, ids: list[int]) -> list[int]:
        # questions are stored without the space that follows "Question:"
        return self.encode(" " + self.corpus.tokenizer.decode(ids))

    def _passage_parts(
        self, passage: Passage, most: int, n_tokens: int, cloze_share: float = 0.0
    ) -> list[Segment] | None:
        """A whole passage as segments, one a sentence, so that only the supporting sentence counts as support."""
        if sum(map(len, passage.sentences)) > n_tokens:
            return None
        parts = [Segment(list(sentence), []) for sentence in passage.sentences]
        for question in self.rng.sample(passage.questions, min(len(passage.questions), most)):
            if question.sentence < len(parts):
                parts[question.sentence].questions.append((self._question(question.ids), question.answer))
        for part in parts:
            if cloze_share and self.rng.random() < cloze_share:
                self.add_cloze(part)
        return parts

    def planted(self, n_tokens: int) -> list[list[Segment]]:
        """Up to seven facts, invented and real, each to go to a place of its own."""
        wanted = self.rng.randint(1, min(MOST_PLANTED, 1 + n_tokens // TOKENS_PER_FACT))
        parts, used = [], 0
        for _ in range(wanted):
            kind = self.rng.random()
            if kind < REAL_SHARE and self.titles:
                group = [self.real_sentence()]
            elif kind < REAL_SHARE + 0.15 and self.sentences:
                group = [self._sentence()]
            elif self.rng.random() < RIVAL_SHARE:
                group = [self.fact(fact) for fact in make_rivals(self.rng)]
            else:
                group = [self.invented()]
            used += sum(len(segment.ids) for segment in group)
            if used > n_tokens * 0.8:
                break
            parts += [[segment] for segment in group]
        return parts

    def real_sentence(self) -> Segment:
        """A sentence of an encyclopedia with up to two of its questions."""
        passage = self.rng.choice(self.by_title[self.rng.choice(self.titles)])
        return self.sentence(passage, self.rng.choice(passage.questions).sentence, most=2)

    def sentence(self, passage: Passage, number: int, *, most: int) -> Segment:
        """A sentence of a passage with at most so many of its questions."""
        here = [question for question in passage.questions if question.sentence == number]
        pairs = [(self._question(q.ids), q.answer) for q in self.rng.sample(here, min(len(here), most))]
        return Segment(list(passage.sentences[number]), pairs)

    def keyed(self, n_tokens: int) -> list[list[Segment]]:
        """One pass key or key and value."""
        passkeys = [relation for relation in relations() if "{key}" in relation.statements[0]]
        return [[self.fact(make_fact(self.rng, self.rng.choice(passkeys)), most=1)]]

    def log(self, n_tokens: int) -> list[list[Segment]]:
        """One block of log-like lines, questions on four of them."""
        kinds = [relation for relation in relations() if relation.kind == "log"]
        few = self.rng.sample(kinds, self.rng.randint(1, 4)) if self.rng.random() < 0.6 else kinds
        facts: list[Fact] = []
        used = 0
        while used < n_tokens * 0.8 and len(facts) < LONGEST_LOG:
            facts.append(make_fact(self.rng, self.rng.choice(few)))
            used += len(self.encode("\n" + facts[-1].text))
        if used > n_tokens * 0.9:
            facts.pop()
        block = [self.fact(fact, line=True, most=1) for fact in told_apart(facts)]
        for segment in self.rng.sample(block, max(0, len(block) - 4)):
            segment.questions.clear()
        return [block]

    def wiki(self, n_tokens: int, most: int = 4, cloze_share: float = 0.0) -> list[list[Segment]]:
        """Whole paragraphs of one encyclopedia article, with at most so many questions on each of the first two.

        A share of their sentences has cloze questions as well.
        """
        passages = self.rng.sample(group := self.by_title[self.rng.choice(self.titles)], len(group))
        blocks, used = [], 0
        for number, passage in enumerate(passages):
            parts = self._passage_parts(passage, most if number < 2 else 2, n_tokens - used, cloze_share)
            if parts:
                parts[0].ids[:0] = self.newline
                used += sum(len(part.ids) for part in parts)
                blocks.append(parts)
            if used > n_tokens * 0.75 or len(blocks) > 5:
                break
        self.rng.shuffle(blocks)
        return blocks

    def clozed(self, n_tokens: int) -> list[list[Segment]]:
        """A stretch of any prose, each of its sentences with a question made of it."""
        ids = self.prose(self.rng.randint(n_tokens // 3, n_tokens))
        edges = sorted(set(self.edges(ids)))
        block = [Segment(ids[start:end], []) for start, end in pairwise(edges)]
        for segment in self.rng.sample(block[1:-1], min(len(block[1:-1]), MOST_CLOZED)):  # the ends are cut off
            self.add_cloze(segment)
        return [block]

    def add_cloze(self, segment: Segment) -> None:
        """Ask about a sentence in its own words too, if it has a phrase to ask for."""
        pair = make_cloze(self.rng, " ".join(self.corpus.tokenizer.decode(segment.ids).split()))
        if pair:
            segment.questions.append((self.encode(" " + pair[0]), self.encode(" " + pair[1])))

    def tale(self, n_tokens: int) -> list[list[Segment]]:
        """A section of a story with questions on it, where one fits."""
        parts = self._passage_parts(self.rng.choice(self.corpus.passages["fairytale"]), 4, n_tokens)
        if parts:
            return [parts]
        return self.wiki(n_tokens) if self.titles else self.planted(n_tokens)

    def glossary(self, n_tokens: int) -> list[list[Segment]]:
        """A definition."""
        passage = self.rng.choice(self.corpus.passages["glossary"])
        parts = self._passage_parts(passage, 1, n_tokens)
        return [parts] if parts else self.planted(n_tokens)

    def summary(self, n_tokens: int) -> list[list[Segment]]:
        """A window of sentences around the one that sums the document up best."""
        passage = self.rng.choice(self.corpus.summaries)
        best = passage.questions[0].sentence
        # a window of sentences that holds the key sentence
        first = last = best
        used = len(passage.sentences[best])
        while True:
            grow_left = first > 0 and (last + 1 >= len(passage.sentences) or self.rng.random() < 0.5)
            index = first - 1 if grow_left else last + 1
            if index < 0 or index >= len(passage.sentences) or used + len(passage.sentences[index]) > n_tokens * 0.95:
                break
            used += len(passage.sentences[index])
            first, last = min(first, index), max(last, index)
        if used > n_tokens:
            return self.planted(n_tokens)
        block = [Segment(list(passage.sentences[i]), []) for i in range(first, last + 1)]
        block[best - first].questions.append(([], passage.sentences[best]))
        return [block]
