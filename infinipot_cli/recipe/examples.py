"""Put training examples together: a text of exact length with planted facts or real passages, and questions over it.

Everything is done on token ids. A planted statement starts with a space and goes in after a sentence end, which is
where the tokenizer cuts as well, so the ids are those that the finished text would have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from infinipot_cli.recipe.corpus import Corpus
from infinipot_cli.recipe.matched import matched
from infinipot_cli.recipe.material import Array, Material, Segment

BOS, USER, ASSISTANT, END, PAD = 0, 3, 4, 5, 1
HEAD = (BOS, USER)
MOST_BRANCHES = 10
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
        most_asked: questions on a real paragraph.
        cloze_share: share of the sentences of real paragraphs with a question made of their own words (`cloze.py`).
        averages: from here on what is exported is the mean of the weights and of those in front of this stage.
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
    most_asked: int = 4
    cloze_share: float = 0.0
    averages: bool = False


Where = slice | list[int]  # places in the text
Span = tuple[Where, Segment]  # and what stands there
Asked = tuple[Where, list[int], list[int]]  # what supports an answer, its question, the answer


class ExampleMaker:
    """Draws examples of a stage; deterministic for a seed."""

    def __init__(self, corpus: Corpus, seed: int, n_layers: int, n_kv_heads: int) -> None:
        self.corpus = corpus
        self.material = Material(corpus, seed)
        self.rng, self.numpy = self.material.rng, self.material.numpy
        self.n_layers, self.n_kv = n_layers, n_kv_heads
        encode = self.material.encode
        self.lead = encode("\n\nQuestion:")
        self.summary_leads = [encode("\n\n" + wording) for wording in SUMMARY_WORDINGS]

    def _filler(self, n_tokens: int, residue_share: float) -> list[int]:
        n_residue = int(n_tokens * self.rng.random() * 0.7) if self.rng.random() < residue_share else 0
        return self.material.residue(n_residue) + self.material.prose(n_tokens - n_residue)

    def example(self, stage: Stage) -> dict[str, Array]:
        """Arrays of one text with its rows, as in `reader.Batch` without the batch axis."""
        text, spans = self._text(stage, stage.length - len(HEAD))
        asked = [
            (where, question, answer)
            for where, segment in spans
            # of what is cut off at the end nothing can be answered
            if not isinstance(where, slice) or where.stop <= stage.length
            for question, answer in segment.questions
        ]
        self.rng.shuffle(asked)
        if self.rng.random() < stage.absent_share:
            asked.insert(0, ([], self.material.absent_question(), self.material.encode(ABSENT)))
        return self._rows(text, asked, stage)

    def _text(self, stage: Stage, n_tokens: int) -> tuple[list[int], Sequence[Span]]:
        """A text of this many tokens behind the header, and where the segments stand that are asked about."""
        kind = self.rng.choices(list(stage.mix), list(stage.mix.values()))[0]
        if not self.material.has(kind):
            kind = "planted"
        if kind == "leavings":
            return self._behind_leavings(n_tokens)
        makers: dict[str, Callable[[int], list[list[Segment]]]] = {
            "planted": self.material.planted,
            "keyed": self.material.keyed,
            "log": self.material.log,
            "wiki": partial(self.material.wiki, most=stage.most_asked, cloze_share=stage.cloze_share),
            "clozed": self.material.clozed,
            "matched": partial(matched, self.material, cloze_share=stage.cloze_share),
            "tale": self.material.tale,
            "glossary": self.material.glossary,
            "summary": self.material.summary,
        }
        blocks = makers[kind](n_tokens)
        free = max(0, n_tokens - sum(len(segment.ids) for block in blocks for segment in block))
        filler = self._filler(free, stage.residue_share)
        return self._lay_out(blocks, filler, fill_inside=kind not in ("wiki", "matched", "summary"))

    def _lay_out(
        self, blocks: list[list[Segment]], filler: list[int], *, fill_inside: bool
    ) -> tuple[list[int], list[tuple[slice, Segment]]]:
        choices = self.material.edges(filler) if fill_inside and len(filler) > 8 else [0, len(filler)]
        # most places are as good as another, so that depth is uniform
        cuts = sorted(self.rng.choice(choices if self.rng.random() < 0.3 else choices[2:] or choices) for _ in blocks)
        text: list[int] = list(HEAD)
        spans = []
        start = 0
        for cut, block in zip(cuts, blocks, strict=True):
            text += filler[start:cut]
            start = cut
            for segment in block:
                spans.append((slice(len(text), len(text) + len(segment.ids)), segment))
                text += segment.ids
        return text + filler[start:], spans

    def _behind_leavings(self, n_tokens: int) -> tuple[list[int], list[Span]]:
        """Fresh prose behind what a real pot held, with the fact that the pot was asked for in one of the two."""
        held = self.rng.choice(self.corpus.leavings)
        pair = (held.question, held.answer)
        n_fresh = n_tokens - len(held.ids)
        planted = self.material.planted(max(0, n_fresh - len(held.statement)) // 2)
        for block in planted:  # one question each, so that there is room for the one that matters here
            del block[0].questions[1:]
        if not held.support:
            planted.append([Segment(held.statement, [pair])])
            self.rng.shuffle(planted)
        n_prose = max(0, n_fresh - sum(len(segment.ids) for block in planted for segment in block))
        fresh, spans = self._lay_out(planted, self.material.prose(n_prose), fill_inside=True)
        shift = len(held.ids)
        text = [*HEAD, *held.ids, *fresh[len(HEAD) :]]
        moved: list[Span] = [(slice(at.start + shift, at.stop + shift), segment) for at, segment in spans]
        if held.can_answer:
            moved.append(([len(HEAD) + place for place in held.support], Segment([], [pair])))
        return text, moved

    def _rows(self, text: list[int], asked: Sequence[Asked], stage: Stage) -> dict[str, Array]:
        """Arrays of a text and of the rows that ask."""
        r = stage.n_rows
        out = {
            "text": np.array(text[: stage.length], dtype=np.int64),
            "n_protected": np.array(len(HEAD), dtype=np.int64),
            "rows": np.full(r, PAD, dtype=np.int64),
            "offsets": np.zeros(r, dtype=np.int64),
            "branch": np.full(r, -1, dtype=np.int64),
            "is_question": np.zeros(r, dtype=bool),
            "support": np.zeros((MOST_BRANCHES, stage.length), dtype=bool),
        }
        used = n_branches = 0
        asking: list[int] = []
        labels: list[int] = []
        for where, question, answer in asked:
            words = self.lead + question if question else self.rng.choice(self.summary_leads)
            opening = [*words, END, ASSISTANT]
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
            out["support"][n_branches, where] = True
            used += len(rows) - 1
            n_branches += 1
        spare = r // 3 - len(asking)
        out["asked"] = np.array(asking + [0] * spare, dtype=np.int64)
        out["labels"] = np.array(labels + [-1] * spare, dtype=np.int64)
        out["scored"] = self.numpy.integers(len(HEAD) - 1, stage.length - 1, size=stage.n_scored)
        return out

    def batch(self, stage: Stage) -> dict[str, Array]:
        """A whole step's arrays; `kept` is present in the stage's share of distilled steps."""
        rows = [self.example(stage) for _ in range(stage.n_texts)]
        out = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        if self.rng.random() < stage.kept_share:
            out["kept"] = self._survivors(out, stage.budget)
        return out

    def _survivors(self, batch: dict[str, Array], budget: int) -> Array:
        """Which text places a distillation would leave, per layer and KV head: (n_layers, B, K, C), ascending.

        A stand-in for the pot's choice: the header always; half of the places by novelty,
        shared by all heads (here the rarity of the token); the rest at random per head; what supports an answer nine
        times in ten.
        """
        text, support = batch["text"], np.asarray(batch["support"].any(1))
        b, n = text.shape
        shared = self.material.surprise[text] + self.numpy.normal(0, 1.5, (b, n))
        novel = np.argsort(-shared, axis=1)[:, : budget // 2]
        base = np.zeros((b, n), dtype=np.float32)
        np.put_along_axis(base, novel, 0.5, axis=1)
        score = self.numpy.random((self.n_layers, b, self.n_kv, n), dtype=np.float32) + base[None, :, None]
        found = self.numpy.random(score.shape, dtype=np.float32) < 0.9
        score += 2.0 * (support[None, :, None] & found)
        score += 9.0 * (np.arange(n) < batch["n_protected"][:, None])[None, :, None]
        return np.sort(np.argpartition(-score, budget - 1, axis=-1)[..., :budget], axis=-1).astype(np.int64)
