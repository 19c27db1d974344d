"""Turn the public text and question sets into token arrays once, so that training draws examples without tokenizing.

`prepare` writes into a work folder: `tokenizer.json`, one `lm-NAME.npy` of token ids a prose source, and
`passages.json`: passages as lists of sentences with questions, each answer with the sentence that holds it.
"""

import json
import lzma
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from infinipot_cli.bench.pocket_sets import is_held_out
from infinipot_cli.recipe.apart import KeptApart
from infinipot_cli.recipe.train_tokenizer import train

SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
MOST_SENTENCES = 24
LONGEST_ANSWER = 24
# Sets of which some rows are kept for `infinipot bench pocket`, and the prose that holds the same texts.
PARTLY_HELD_OUT = {"sum_pep": "peps", "sum_rfc": "rfcs"}
# What each row of a set must have, by the beginning of its file's name; the first that fits counts.
FIELDS = {
    "qa/qa_": ("title", "context", "question", "answers"),
    "qa/glossary": ("title", "term", "meaning"),
    "summaries/sum_pep": ("id", "document", "summaries"),
    "summaries/sum_rfc": ("id", "document", "summaries"),
    "summaries/sum_": ("document",),
}
# Question sets that texts of a kind of their own are made of; without them there are more planted facts instead.
KINDS = {
    "qa/qa_squad11*": "paragraphs of encyclopedia articles", "qa/qa_qamr*": "single sentences with questions",
    "qa/qa_fairytale*": "stories with questions", "qa/glossary*": "definitions", "summaries/sum_*": "summaries",
}  # fmt: skip
SETS = "sets.json"  # of what a work folder was prepared
LEAST_PROSE = 50_000  # characters: as long as the longest text that is read to record what a pot keeps of it
PROSE_WEIGHT = {"novels_train": 5.0, "squad_contexts": 2.0, "fairytales_train": 1.0}


@dataclass(frozen=True)
class Question:
    """A question on a passage.

    Attributes:
        ids: tokens of the question's text.
        answer: tokens of the answer with a leading space, as it stands in running text.
        sentence: index of the sentence that supports the answer.
    """

    ids: list[int]
    answer: list[int]
    sentence: int


@dataclass(frozen=True)
class Passage:
    """Sentences of one source text, each tokenized with a leading space, and questions on them."""

    source: str
    title: str
    sentences: list[list[int]]
    questions: list[Question]


@dataclass(frozen=True)
class Leavings:
    """What one head of one pot held.

    Attributes:
        ids: its tokens in document order, header left out.
        support: which of them are the fact's; empty when the fact was not in the text.
        statement: tokens of the fact.
        question: tokens of the question, with a leading space.
        answer: tokens of the answer, likewise.
    """

    ids: list[int]
    support: list[int]
    statement: list[int]
    question: list[int]
    answer: list[int]

    @property
    def can_answer(self) -> bool:
        """Whether what is left of the fact still holds the answer, in one piece, and most of its words."""
        left = [self.ids[place] for place in self.support]
        n = len(self.answer)
        whole = any(left[start : start + n] == self.answer for start in range(len(left) - n + 1))
        return whole and len(left) >= 0.6 * len(self.statement)


@dataclass(frozen=True)
class Corpus:
    """Everything training draws from, as token ids."""

    tokenizer: Tokenizer
    prose: list[np.ndarray[Any, np.dtype[np.uint16]]]
    prose_weights: list[float]
    passages: dict[str, list[Passage]]
    summaries: list[Passage]
    leavings: list[Leavings]


def prepare(data: Path, work: Path) -> None:
    """Tokenize every set of `data` into `work`; what exists already is kept, and only whole files exist.

    Raises:
        SystemExit: with one line that says what of `data` is missing or damaged, or that `work` is of other sets.
    """
    _check_same(data, work)
    if (work / "passages.json").exists():  # which is written last
        return
    check(data)
    work.mkdir(parents=True, exist_ok=True)
    with _whole(work / SETS) as temporary:
        temporary.write_text(json.dumps(_sets(data)), encoding="utf-8")
    if not (work / "tokenizer.json").exists():
        with _whole(work / "tokenizer.json") as temporary:
            train(data, temporary)
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    apart = KeptApart(_evaluated(data))
    for path in sorted((data / "lm").glob("*.txt.xz")):
        target = work / f"lm-{path.name.removesuffix('.txt.xz')}.npy"
        if not target.exists():
            text = _without_evaluated(_without_held_out(data, path, apart), apart)
            parts = tokenizer.encode_batch([text[at : at + 100_000] for at in range(0, len(text), 100_000)])
            ids = np.array([token for part in parts for token in part.ids], dtype=np.uint16)
            with _whole(target) as temporary, temporary.open("wb") as out:
                np.save(out, ids)
    rows = {"qa": list(_passages(data, tokenizer, apart)), "summaries": list(_summaries(data, tokenizer, apart))}
    with _whole(work / "passages.json") as temporary:
        temporary.write_text(json.dumps(rows), encoding="utf-8")


def _sets(data: Path) -> dict[str, int]:
    """The sizes in bytes of all that a corpus is made of, by file."""
    paths = [path for kind in ("lm", "qa", "summaries") for path in (data / kind).glob("*.xz")]
    return {path.relative_to(data).as_posix(): path.stat().st_size for path in sorted(paths)}


def _check_same(data: Path, work: Path) -> None:
    """Refuse what was prepared from other sets: tokens of both would be mixed, or the old ones taken for the new."""
    path = work / SETS
    if not data.is_dir() or not path.exists():
        return
    before, now = json.loads(path.read_text(encoding="utf-8")), _sets(data)
    others = sorted(name for name in {**before, **now} if before.get(name) != now.get(name))
    if others:
        raise SystemExit(
            f"error: {work} was prepared from other sets than {data} holds ({others[0]} differs): take another folder,"
            " or empty it"
        )


def check(data: Path) -> None:
    """Look at all prose and at the beginning of every other set: what is wrong is said now and not after an hour.

    Raises:
        SystemExit: a set that is needed is missing, or one is damaged or of another shape, in one line.
    """
    if not data.is_dir():
        raise SystemExit(f"error: {data} is no folder")
    prose = sorted((data / "lm").glob("*.txt.xz"))
    if not prose:
        raise SystemExit(f"error: {data / 'lm'} holds no prose (*.txt.xz)")
    n_prose = sum(len(_read(path)) for path in prose)
    if n_prose < LEAST_PROSE:
        raise SystemExit(
            f"error: {data / 'lm'} holds {n_prose:,} characters of prose; it takes {LEAST_PROSE:,} or more"
        )
    for kind, what in KINDS.items():
        paths = sorted(data.glob(f"{kind}.jsonl.xz"))
        if not paths:
            print(f"{data} has no {kind}.jsonl.xz, so no text will be made of {what}")
    for kind in FIELDS:
        for path in sorted(data.glob(f"{kind}*.jsonl.xz")):
            next(_rows(path), None)


def _read(path: Path) -> str:
    """A compressed text.

    Raises:
        SystemExit: it is damaged.
    """
    try:
        with lzma.open(path, "rt", encoding="utf-8") as stream:
            return stream.read()
    except (lzma.LZMAError, EOFError, ValueError) as error:
        raise SystemExit(f"error: {path} is damaged: {error}") from None


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A path to write to that becomes the target when all is written, so that a kill never leaves half a file."""
    temporary = target.with_name(f"{target.name}.tmp")
    yield temporary
    os.replace(temporary, target)


def _evaluated(data: Path) -> Iterator[str]:
    """All texts that `infinipot bench pocket` asks about or hides facts in, or may."""
    yield from (path.read_text(encoding="utf-8", errors="replace") for path in (data / "documents").glob("*.txt"))
    for path in sorted(_sets_named(data / "evaluation", "*")):
        yield from (str(row.get("document", "")) for row in _rows(path))
    for name in PARTLY_HELD_OUT:
        for path in _sets_named(data / "summaries", name):
            yield from (
                "\n".join((row["document"], *row["summaries"])) for row in _rows(path) if is_held_out(row["id"])
            )


def _sets_named(folder: Path, name: str) -> list[Path]:
    """Sets of a folder, compressed or not, as `infinipot bench pocket` takes them."""
    return [*folder.glob(f"{name}.jsonl"), *folder.glob(f"{name}.jsonl.xz")]


def _without_held_out(data: Path, path: Path, apart: KeptApart) -> str:
    """The text of a prose file less the documents that are kept for evaluation, and other versions of them."""
    text = _read(path)
    for name, prose in PARTLY_HELD_OUT.items():
        if path.name != f"{prose}.txt.xz":
            continue
        for rows in _sets_named(data / "summaries", name):
            for row in _rows(rows):
                if is_held_out(row["id"]) or apart.is_like(row["document"]):
                    for part in (row["document"], *row["summaries"]):
                        text = text.replace(part, "")
    return text


def _without_evaluated(text: str, apart: KeptApart) -> str:
    """A text less its paragraphs that are too much like what evaluation asks about."""
    return "\n\n".join(part for part in text.split("\n\n") if not apart.is_like(part))


def load(work: Path) -> Corpus:
    """What `prepare` wrote."""
    prose, weights = [], []
    for path in sorted(work.glob("lm-*.npy")):
        ids = np.load(path, mmap_mode="r")
        if not len(ids):
            continue
        prose.append(ids)
        weights.append(PROSE_WEIGHT.get(path.stem.removeprefix("lm-"), 0.5))
    rows = json.loads((work / "passages.json").read_text(encoding="utf-8"))
    passages: dict[str, list[Passage]] = defaultdict(list)
    for row in rows["qa"]:
        passages[row["source"]].append(_passage(row))
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    return Corpus(
        tokenizer, prose, weights, dict(passages), [_passage(row) for row in rows["summaries"]], _leavings(work)
    )


def _leavings(work: Path) -> list[Leavings]:
    """What has been recorded so far; nothing when nothing has."""
    path = work / "leavings.jsonl"
    if not path.exists():
        return []
    return [Leavings(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _passage(row: dict[str, Any]) -> Passage:
    questions = [Question(ids, answer, sentence) for ids, answer, sentence in row["questions"]]
    return Passage(row["source"], row["title"], row["sentences"], questions)


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Character spans of the sentences of a text, rough but never cutting inside a word."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)] + [len(text)]
    return [(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True) if text[start:end].strip()]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a set.

    Raises:
        SystemExit: it is damaged, or a row has not what rows of its kind have; with the line.
    """
    wanted = next((fields for kind, fields in FIELDS.items() if f"{path.parent.name}/{path.name}".startswith(kind)), ())
    number = 0
    try:
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                row = json.loads(line)
                missing = [name for name in wanted if not isinstance(row, dict) or name not in row]
                if missing:
                    raise SystemExit(f"error: {path}, line {number}: a row without {' and '.join(missing)}")
                yield row
    except (lzma.LZMAError, EOFError, ValueError) as error:
        raise SystemExit(f"error: {path} is damaged behind line {number}: {error}") from None


def _encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def _passages(data: Path, tokenizer: Tokenizer, apart: KeptApart) -> Iterator[dict[str, Any]]:
    for path in sorted((data / "qa").glob("qa_*.jsonl.xz")):
        by_context: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in _rows(path):
            by_context[row["context"]].append(row)
        for context, rows in by_context.items():
            if apart.is_like(context):
                continue
            spans = sentences_of(context)
            questions = []
            for row in rows:
                for answer in row["answers"][:1]:
                    at = context.find(answer)
                    ids = tokenizer.encode(" " + answer.strip()).ids
                    if at >= 0 and answer.strip() and len(ids) <= LONGEST_ANSWER:
                        sentence = next(i for i, (_, end) in enumerate(spans) if at < end)
                        questions.append((tokenizer.encode(row["question"]).ids, ids, sentence))
            if questions and spans:
                sentences = _encode(tokenizer, [" " + " ".join(context[a:b].split()) for a, b in spans])
                source = path.name.removesuffix(".jsonl.xz").removeprefix("qa_").split("_")[0]
                yield {"source": source, "title": rows[0]["title"], "sentences": sentences, "questions": questions}
    yield from _glossary(data, tokenizer)


def _glossary(data: Path, tokenizer: Tokenizer) -> Iterator[dict[str, Any]]:
    for path in sorted((data / "qa").glob("glossary*.jsonl.xz")):
        for row in _rows(path):
            answer = tokenizer.encode(" " + row["meaning"]).ids
            if len(answer) <= LONGEST_ANSWER:
                sentence = tokenizer.encode(f" {row['term'].capitalize()} is {row['meaning']}.").ids
                question = tokenizer.encode(f"What is {row['term']}?").ids
                yield {
                    "source": "glossary",
                    "title": row["title"],
                    "sentences": [sentence],
                    "questions": [(question, answer, 0)],
                }


def _summaries(data: Path, tokenizer: Tokenizer, apart: KeptApart) -> Iterator[dict[str, Any]]:
    """Documents with the sentence that shares most words with the human summary as the answer."""
    for path in sorted((data / "summaries").glob("sum_*.jsonl.xz")):
        name = path.name.removesuffix(".jsonl.xz")
        for row in _rows(path):
            if (name in PARTLY_HELD_OUT and is_held_out(row["id"])) or apart.is_like(row["document"]):
                continue
            summary = row["summaries"][0] if row.get("summaries") else row.get("summary", "")
            text = row["document"][:8_000]
            spans = sentences_of(text)[: MOST_SENTENCES * 2]
            sentences = [" ".join(text[a:b].split()) for a, b in spans]
            scored = [
                (_overlap(sentence, summary), i)
                for i, sentence in enumerate(sentences)
                if 6 <= len(sentence.split()) <= 45
            ]
            if not scored or max(scored)[0] <= 0:
                continue
            best = max(scored)[1]
            ids = _encode(tokenizer, [" " + sentence for sentence in sentences])
            yield {
                "source": "summary",
                "title": row.get("title", ""),
                "sentences": ids,
                "questions": [([], ids[best], best)],
            }


def _overlap(sentence: str, summary: str) -> float:
    words, wanted = set(sentence.lower().split()), set(summary.lower().split())
    common = len(words & wanted)
    return 2 * common / (len(words) + len(wanted)) if common else 0.0
