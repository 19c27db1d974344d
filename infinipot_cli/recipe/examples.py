"""Put training examples together: a text of exact length with planted facts or real passages, and questions over it.

Everything is done on token ids. A planted statement starts with a space and goes in after a sentence end, which is
where the tokenizer cuts as well, so the ids are those that the finished text would have.
"""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from infinipot_cli.recipe.corpus import Corpus, Passage
from infinipot_cli.recipe.facts import Fact, make_fact, relations

Array = np.ndarray[Any, np.dtype[Any]]
BOS, USER, ASSISTANT, END, PAD = 0, 3, 4, 5, 1
HEAD = (BOS, USER)
MOST_BRANCHES = 10
TOKENS_PER_FACT = 64
MOST_PLANTED = 7
REAL_SHARE = 0.35
ABSENT = " not in the text"
SUMMARY_WORDINGS = (  # those of prompts/summarize.md and prompts/catalyst-general.md
    "Summarize the text.",
    "Summarize the text, keeping its most important names, numbers and events.",
)


@dataclass(frozen=True)
class Stage:
    """One step of the curriculum.

    Attributes:
        length: text tokens, the two of the header included.
        n_rows: question and answer rows of one text.
        n_texts: texts in a step.
        tokens: text tokens to train on before the next stage.
        mix: weight of each kind of example.
        kept_share: share of steps whose question rows see a distilled text.
        budget: entries such a text is distilled to.
        residue_share: share of texts that begin with the leavings of an earlier reading.
        n_scored: text places of each text where the language-model loss is taken.
        absent_share: share of texts with a question that they do not answer.
    """

    length: int
    n_rows: int
    n_texts: int
    tokens: int
    mix: dict[str, float]
    kept_share: float = 0.0
    budget: int = 0
    residue_share: float = 0.0
    n_scored: int = 48
    absent_share: float = 0.0


@dataclass
class Segment:
    """A stretch of text; `support` says it is what the questions are about."""

    ids: list[int]
    questions: list[tuple[list[int], list[int]]]


class ExampleMaker:
    """Draws examples of a stage; deterministic for a seed."""

    def __init__(self, corpus: Corpus, seed: int, n_layers: int, n_kv_heads: int) -> None:
        self.corpus = corpus
        self.rng = random.Random(seed)
        self.numpy = np.random.default_rng(seed)
        self.n_layers, self.n_kv = n_layers, n_kv_heads
        tokenizer = corpus.tokenizer
        vocabulary = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
        self.closes = np.array([text.endswith((".", "!", "?", '."', '!"', '?"')) for text in vocabulary])
        self.opens = np.array([text.startswith(("Ġ", "Ċ")) for text in vocabulary])
        sample = np.concatenate([np.asarray(ids[:400_000]) for ids in corpus.prose])
        counts = np.bincount(sample, minlength=len(vocabulary)) + 1
        self.surprise = -np.log(counts / counts.sum()).astype(np.float32)
        self.lead = tokenizer.encode("\n\nQuestion:").ids
        self.summary_leads = [tokenizer.encode("\n\n" + wording).ids for wording in SUMMARY_WORDINGS]
        self.newline = tokenizer.encode("\n").ids
        self.by_title: dict[str, list[Passage]] = {}
        for passage in corpus.passages.get("squad11", []):
            self.by_title.setdefault(passage.title, []).append(passage)
        self.by_title = {title: passages for title, passages in self.by_title.items() if len(passages) > 3}
        self.titles = list(self.by_title)
        self.sentences = corpus.passages.get("qamr", [])

    # ---- text material

    def prose(self, n_tokens: int) -> list[int]:
        """A random stretch of real prose, exactly this long."""
        source = self.rng.choices(self.corpus.prose, self.corpus.prose_weights)[0]
        at = self.rng.randrange(0, max(1, len(source) - n_tokens - 1))
        found: list[int] = source[at : at + n_tokens].tolist()
        return found

    def residue(self, n_tokens: int) -> list[int]:
        """What a pot might still hold of a long reading: prose with most tokens missing, rare ones more likely kept."""
        stretch = np.array(self.prose(n_tokens * 4), dtype=np.int64)
        score = self.surprise[stretch] + self.numpy.normal(0, 3.0, len(stretch))
        found: list[int] = stretch[np.sort(np.argsort(-score)[:n_tokens])].tolist()
        return found

    def _filler(self, n_tokens: int, residue_share: float) -> list[int]:
        n_residue = int(n_tokens * self.rng.random() * 0.7) if self.rng.random() < residue_share else 0
        return self.residue(n_residue) + self.prose(n_tokens - n_residue)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.corpus.tokenizer.encode(text).ids
        return ids

    def _fact(self, fact: Fact, *, line: bool = False, most: int = 2) -> Segment:
        text = ("\n" if line else " ") + fact.text
        asked = self.rng.sample(fact.questions, min(len(fact.questions), most))
        pairs = [(self._encode(" " + question), self._encode(" " + answer)) for question, answer in asked]
        return Segment(self._encode(text), pairs)

    def _sentence(self) -> Segment:
        passage = self.rng.choice(self.sentences)
        chosen = self.rng.sample(passage.questions, min(len(passage.questions), 2))
        ids = [token for sentence in passage.sentences for token in sentence]
        return Segment(ids, [(self._question(question.ids), question.answer) for question in chosen])

    def _absent_question(self) -> list[int]:
        """A question that the text does not answer: of an invented fact that was not planted, or of another article."""
        if self.rng.random() < 0.5 and self.titles:
            passage = self.rng.choice(self.by_title[self.rng.choice(self.titles)])
            return self._question(self.rng.choice(passage.questions).ids)
        question, _ = self.rng.choice(make_fact(self.rng).questions)
        return self._encode(" " + question)

    def _question(self, ids: list[int]) -> list[int]:
        # questions are stored without the space that follows "Question:"
        return self._encode(" " + self.corpus.tokenizer.decode(ids))

    def _passage_parts(self, passage: Passage, most: int, n_tokens: int) -> list[Segment] | None:
        """A whole passage as segments, one a sentence, so that only the supporting sentence counts as support."""
        if sum(map(len, passage.sentences)) > n_tokens:
            return None
        parts = [Segment(list(sentence), []) for sentence in passage.sentences]
        for question in self.rng.sample(passage.questions, min(len(passage.questions), most)):
            if question.sentence < len(parts):
                parts[question.sentence].questions.append((self._question(question.ids), question.answer))
        return parts

    # ---- kinds of text: a list of segments of at most n_tokens, and whether prose surrounds it

    def _planted(self, n_tokens: int) -> list[list[Segment]]:
        wanted = self.rng.randint(1, min(MOST_PLANTED, 1 + n_tokens // TOKENS_PER_FACT))
        parts, used = [], 0
        for _ in range(wanted):
            kind = self.rng.random()
            if kind < REAL_SHARE and self.titles:
                segment = self._real_sentence()
            elif kind < REAL_SHARE + 0.15 and self.sentences:
                segment = self._sentence()
            else:
                segment = self._fact(make_fact(self.rng))
            if used + len(segment.ids) > n_tokens * 0.8:
                break
            used += len(segment.ids)
            parts.append([segment])
        return parts

    def _real_sentence(self) -> Segment:
        """A sentence of an encyclopedia with up to two of its questions."""
        passage = self.rng.choice(self.by_title[self.rng.choice(self.titles)])
        number = self.rng.choice(passage.questions).sentence
        here = [question for question in passage.questions if question.sentence == number]
        pairs = [(self._question(q.ids), q.answer) for q in self.rng.sample(here, min(len(here), 2))]
        return Segment(list(passage.sentences[number]), pairs)

    def _keyed(self, n_tokens: int) -> list[list[Segment]]:
        passkeys = [relation for relation in relations() if "{key}" in relation.statements[0]]
        return [[self._fact(make_fact(self.rng, self.rng.choice(passkeys)), most=1)]]

    def _log(self, n_tokens: int) -> list[list[Segment]]:
        kinds = [
            relation
            for relation in relations()
            if {"{host}", "{noun}:", "="} & set(" ".join(relation.statements).split())
        ]
        kinds = kinds or list(relations())
        block: list[Segment] = []
        used = 0
        while used < n_tokens * 0.8 and len(block) < 60:
            segment = self._fact(make_fact(self.rng, self.rng.choice(kinds)), line=True, most=1)
            used += len(segment.ids)
            block.append(segment)
        if used > n_tokens * 0.9:
            block.pop()
        for segment in self.rng.sample(block, max(0, len(block) - 4)):
            segment.questions.clear()
        return [block]

    def _wiki(self, n_tokens: int) -> list[list[Segment]]:
        passages = self.rng.sample(group := self.by_title[self.rng.choice(self.titles)], len(group))
        blocks, used = [], 0
        for number, passage in enumerate(passages):
            parts = self._passage_parts(passage, 3 if number < 2 else 1, n_tokens - used)
            if parts:
                parts[0].ids[:0] = self.newline
                used += sum(len(part.ids) for part in parts)
                blocks.append(parts)
            if used > n_tokens * 0.75 or len(blocks) > 5:
                break
        self.rng.shuffle(blocks)
        return blocks

    def _tale(self, n_tokens: int) -> list[list[Segment]]:
        parts = self._passage_parts(self.rng.choice(self.corpus.passages["fairytale"]), 4, n_tokens)
        return [parts] if parts else self._wiki(n_tokens)

    def _glossary(self, n_tokens: int) -> list[list[Segment]]:
        passage = self.rng.choice(self.corpus.passages["glossary"])
        parts = self._passage_parts(passage, 1, n_tokens)
        return [parts] if parts else self._planted(n_tokens)

    def _summary(self, n_tokens: int) -> list[list[Segment]]:
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
            return self._planted(n_tokens)
        block = [Segment(list(passage.sentences[i]), []) for i in range(first, last + 1)]
        block[best - first].questions.append(([], passage.sentences[best]))
        return [block]

    # ---- one example

    def example(self, stage: Stage) -> dict[str, Array]:
        """Arrays of one text with its rows, as in `reader.Batch` without the batch axis."""
        n_tokens = stage.length - len(HEAD)
        kind = self.rng.choices(list(stage.mix), list(stage.mix.values()))[0]
        makers = {
            "planted": self._planted,
            "keyed": self._keyed,
            "log": self._log,
            "wiki": self._wiki,
            "tale": self._tale,
            "glossary": self._glossary,
            "summary": self._summary,
        }
        blocks = makers[kind](n_tokens)
        free = max(0, n_tokens - sum(len(segment.ids) for block in blocks for segment in block))
        filler = self._filler(free, stage.residue_share)
        text, spans = self._lay_out(blocks, filler, fill_inside=kind not in ("wiki", "summary"))
        return self._rows(text, spans, stage)

    def _lay_out(
        self, blocks: list[list[Segment]], filler: list[int], *, fill_inside: bool
    ) -> tuple[list[int], list[tuple[int, int, Segment]]]:
        ids = np.array(filler, dtype=np.int64)
        if fill_inside and len(ids) > 8:
            edges = np.flatnonzero(self.closes[ids[:-1]] & self.opens[ids[1:]]) + 1
            choices = [0, len(ids), *edges.tolist()]
        else:
            choices = [0, len(ids)]
        # most places are as good as another, so that depth is uniform
        cuts = sorted(self.rng.choice(choices if self.rng.random() < 0.3 else choices[2:] or choices) for _ in blocks)
        text: list[int] = list(HEAD)
        spans = []
        start = 0
        for cut, block in zip(cuts, blocks, strict=True):
            text += filler[start:cut]
            start = cut
            for segment in block:
                spans.append((len(text), len(text) + len(segment.ids), segment))
                text += segment.ids
        return text + filler[start:], spans

    def _rows(self, text: list[int], spans: list[tuple[int, int, Segment]], stage: Stage) -> dict[str, Array]:
        r = stage.n_rows
        out = {
            "text": np.array(text[: stage.length], dtype=np.int64),
            "rows": np.full(r, PAD, dtype=np.int64),
            "offsets": np.zeros(r, dtype=np.int64),
            "branch": np.full(r, -1, dtype=np.int64),
            "is_question": np.zeros(r, dtype=bool),
            "support": np.zeros((MOST_BRANCHES, stage.length), dtype=bool),
        }
        asked = [(a, b, question, answer) for a, b, segment in spans for question, answer in segment.questions]
        self.rng.shuffle(asked)
        if self.rng.random() < stage.absent_share:
            asked.insert(0, (0, 0, self._absent_question(), self._encode(ABSENT)))
        used = n_branches = 0
        asking: list[int] = []
        labels: list[int] = []
        for start, end, question, answer in asked:
            opening = (self.lead + question if question else self.rng.choice(self.summary_leads)) + [END, ASSISTANT]
            rows = opening + answer + [END]
            if used + len(rows) - 1 > r or n_branches == MOST_BRANCHES or len(asking) + len(answer) >= r // 3:
                continue
            here = slice(used, used + len(rows) - 1)
            out["rows"][here] = rows[:-1]
            out["offsets"][here] = np.arange(len(rows) - 1)
            out["branch"][here] = n_branches
            asking += range(used + len(opening) - 1, used + len(rows) - 1)
            labels += rows[len(opening) :]
            out["is_question"][used : used + len(opening)] = True
            out["support"][n_branches, start:end] = True
            used += len(rows) - 1
            n_branches += 1
        spare = r // 3 - len(asking)
        out["asked"] = np.array(asking + [0] * spare, dtype=np.int64)
        out["labels"] = np.array(labels + [-1] * spare, dtype=np.int64)
        out["scored"] = self.numpy.integers(1, stage.length - 1, size=stage.n_scored)
        return out

    def batch(self, stage: Stage) -> dict[str, Array]:
        """A whole step's arrays; `kept` is present in the stage's share of distilled steps."""
        rows = [self.example(stage) for _ in range(stage.n_texts)]
        out = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        if self.rng.random() < stage.kept_share:
            out["kept"] = self._survivors(out["text"], np.asarray(out["support"].any(1)), stage.budget)
        return out

    def _survivors(self, text: Array, support: Array, budget: int) -> Array:
        """Which text places a distillation would leave, per layer and KV head: (n_layers, B, K, C), ascending.

        A stand-in for the pot's choice: the header always; half of the places by novelty, shared by all heads (here the
        rarity of the token); the rest at random per head; what supports an answer nine times in ten.
        """
        b, n = text.shape
        shared = self.surprise[text] + self.numpy.normal(0, 1.5, (b, n))
        novel = np.argsort(-shared, axis=1)[:, : budget // 2]
        base = np.zeros((b, n), dtype=np.float32)
        np.put_along_axis(base, novel, 0.5, axis=1)
        score = self.numpy.random((self.n_layers, b, self.n_kv, n), dtype=np.float32) + base[None, :, None]
        found = self.numpy.random(score.shape, dtype=np.float32) < 0.9
        score += 2.0 * (support[None, :, None] & found)
        score[..., : len(HEAD)] = 9.0
        return np.sort(np.argpartition(-score, budget - 1, axis=-1)[..., :budget], axis=-1).astype(np.int64)
