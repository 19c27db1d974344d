"""RULER's two tasks of questions on documents: SQuAD's and HotpotQA's, each among documents of other questions.

The sets are not part of infinipot. RULER takes SQuAD 2.0's development set and HotpotQA's in the distractor setting;
both are read as they are published, SQuAD also as the articles that `infinipot bench pocket` reads.
"""

import json
import lzma
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infinipot_cli.bench.ruler.sample import Sample
from infinipot_cli.errors import DocumentError

FILES = {
    "qa_1": ("squad.json", "dev-v2.0.json", "dev-v1.1.json", "longqa_squad_dev.jsonl", "longqa_squad_dev.jsonl.xz"),
    "qa_2": ("hotpotqa.json", "hotpot_dev_distractor_v1.json"),
}
HOW_TO_GET = (
    "qa_1 needs SQuAD's dev-v2.0.json (https://rajpurkar.github.io/SQuAD-explorer), qa_2 HotpotQA's "
    "hotpot_dev_distractor_v1.json (https://hotpotqa.github.io), in the folder of --data"
)
_ASK = "Answer the question based on the given documents. Only give me the answer and do not output any other words."


@dataclass(frozen=True)
class Question:
    """A question, its answers, the documents that hold them, and those of the same article."""

    question: str
    answers: tuple[str, ...]
    supporting: tuple[int, ...]
    related: tuple[int, ...]


@dataclass(frozen=True)
class QuestionSet:
    """All questions of a set and all documents that they are asked among."""

    questions: Sequence[Question]
    documents: Sequence[str]

    def make(self, number: int, size: int, rng: random.Random) -> Sample:
        """The question of that number among so many documents, its own ones in random places.

        Args:
            number: of the question; behind the last the first comes again.
            size: documents, at least those that hold the answer.
            rng: of the other documents and of all places.
        """
        asked = self.questions[number % len(self.questions)]
        chosen = list(asked.supporting)
        n_more = max(size - len(chosen), 0)
        related = rng.sample(asked.related, min(n_more, len(asked.related)))
        known = {*chosen, *asked.related}
        other = [place for place in range(len(self.documents)) if place not in known]
        chosen += related
        while other and len(chosen) < size:
            chosen += rng.sample(other, min(size - len(chosen), len(other)))
        rng.shuffle(chosen)
        documents = "\n\n".join(
            f"Document {place}:\n{self.documents[one]}" for place, one in enumerate(chosen, start=1)
        )
        text = f"{_ASK}\n\nThe following are given documents.\n\n{documents}"
        return Sample(text, f"\n\n{_ASK}\n\nQuestion: {asked.question}", " Answer:", asked.answers)

    def smallest(self, number: int) -> int:
        """Documents that hold the answer."""
        return len(self.questions[number % len(self.questions)].supporting)


def find(task: str, data: Path | None) -> Path | None:
    """The file of a task in the folder of the sets, wherever below it; None if it is not there."""
    if data is None:
        return None
    for name in FILES[task]:
        for path in (data / name, data / "evaluation" / name):
            if path.is_file():
                return path
    return None


def load(path: Path) -> QuestionSet:
    """Read a set.

    Raises:
        DocumentError: the file is none of those sets.
    """
    try:
        opening = lzma.open if path.suffix == ".xz" else open
        with opening(path, "rt", encoding="utf-8") as file:
            if ".jsonl" in path.name:
                return _squad([_article(json.loads(line)) for line in file if line.strip()])
            whole = json.load(file)
        return _squad(whole["data"]) if isinstance(whole, dict) else _hotpot(whole)
    except (OSError, lzma.LZMAError) as error:
        raise DocumentError(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DocumentError(f"{path} is no set of questions: {error!r}", hint=HOW_TO_GET, code="bad_data") from error


def _article(row: dict[str, Any]) -> dict[str, Any]:
    """An article of one text with its paragraphs' places, as SQuAD has it."""
    by_place: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for asked in row["qas"]:
        answers = [{"text": answer} for answer in asked["answers"]]
        place = (asked["para_start"], asked["para_end"])
        by_place.setdefault(place, []).append({"question": asked["question"], "answers": answers})
    return {
        "paragraphs": [
            {"context": row["document"][start:end].strip(), "qas": qas} for (start, end), qas in by_place.items()
        ]
    }


def _squad(articles: Sequence[dict[str, Any]]) -> QuestionSet:
    documents = sorted({part["context"] for article in articles for part in article["paragraphs"]})
    place = {text: number for number, text in enumerate(documents)}
    questions = []
    for article in articles:
        here = [place[part["context"]] for part in article["paragraphs"]]
        for part in article["paragraphs"]:
            mine = place[part["context"]]
            related = tuple(one for one in dict.fromkeys(here) if one != mine)
            for asked in part["qas"]:
                if not asked.get("is_impossible"):
                    answers = tuple(dict.fromkeys(answer["text"] for answer in asked["answers"]))
                    questions.append(Question(asked["question"], answers, (mine,), related))
    return _checked(questions, documents)


def _hotpot(rows: Sequence[dict[str, Any]]) -> QuestionSet:
    texts = [[f"{title}\n{''.join(parts)}" for title, parts in row["context"]] for row in rows]
    documents = sorted({text for row in texts for text in row})
    place = {text: number for number, text in enumerate(documents)}
    questions = [
        Question(row["question"], (row["answer"],), tuple(dict.fromkeys(place[text] for text in mine)), ())
        for row, mine in zip(rows, texts, strict=True)
    ]
    return _checked(questions, documents)


def _checked(questions: Sequence[Question], documents: Sequence[str]) -> QuestionSet:
    if not questions:
        raise ValueError("it holds no question")
    return QuestionSet(questions, documents)
