"""A small stand-in for LongBench's data, in its layout, made of one book: for runs where the real sets are missing.

Every one of the 16 English sets of the paper's average gets a few rows whose answers are known because they were put
into the text, so that prompts, post-processing and metrics of each are exercised. The scores say how arms compare on
such rows. They are not LongBench's.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

from infinipot_cli.bench.plants import Plant, fresh_facts, hide
from infinipot_cli.errors import OutputError, UsageError

NOTE = (
    "LongBench's data are not part of infinipot. These rows were made from the book in its layout, with answers that "
    "were put into the text, and asked with the official prompts and metrics; they compare arms and are not "
    "LongBench's scores. --data DIR takes the real sets."
)
_PARAGRAPHS = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)]*\s+")
_CLASSES = {"Who": "Person", "Where": "Place", "When": "Date", "What": "Thing", "How": "Number"}
_NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Frank")

Row = dict[str, object]


def write(folder: Path, book: str, *, n: int, n_chars: int, seed: int = 0) -> None:
    """Write the sets.

    Args:
        folder: is made if it is missing.
        book: text that the rows are cut from.
        n: rows of each set.
        n_chars: about so many characters of each row's context.
        seed: of all choices.

    Raises:
        UsageError: the book is too short.
        OutputError: the folder cannot be written.
    """
    if len(book) < 2 * n_chars:
        raise UsageError(
            f"the book has {len(book)} characters, and {2 * n_chars} are wanted", hint="take a longer --book"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, make in _MAKERS.items():
            rng = random.Random(f"{seed} {name}")
            facts = fresh_facts(8 * n, rng)
            rows = [make(_Text(book, n_chars, rng), facts[8 * number : 8 * number + 8]) for number in range(n)]
            lines = (json.dumps(_whole(row, name, number)) + "\n" for number, row in enumerate(rows))
            (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error


def _whole(row: Row, name: str, number: int) -> Row:
    usual: Row = {"input": "", "all_classes": None, "language": "en", "dataset": name, "_id": f"{name}-{number}"}
    return {**usual, **row, "length": len(str(row["context"]).split())}


class _Text:
    """Stretches of the book from random places."""

    def __init__(self, book: str, n_chars: int, rng: random.Random) -> None:
        self._book, self.n_chars, self.rng = book, n_chars, rng

    def prose(self, n_chars: int | None = None) -> str:
        """So many characters of whole sentences, or a little less."""
        wanted = n_chars or self.n_chars
        start = self.rng.randrange(len(self._book) - wanted)
        sentences = _SENTENCE.split(" ".join(self._book[start : start + wanted].split()))
        return " ".join(sentences[1:-1]) or sentences[0]

    def with_hidden(self, plants: Sequence[Plant], n_chars: int | None = None) -> str:
        """Prose with statements between its sentences."""
        text = self.prose(n_chars)
        for plant in plants:
            text = hide(text, plant.statement, self.rng.random() * 0.9)
        return text

    def passages(self, n: int) -> list[str]:
        """`n` different short passages that fill the context together."""
        found: dict[str, None] = {}
        while len(found) < n:
            found[self.prose(max(200, self.n_chars // n))] = None
        return list(found)


def _one_text(text: _Text, facts: Sequence[Plant]) -> Row:
    return {"context": text.with_hidden(facts[:3]), "input": facts[0].question, "answers": [facts[0].answer]}


def _many_texts(text: _Text, facts: Sequence[Plant]) -> Row:
    parts = [text.with_hidden([fact], text.n_chars // 6) for fact in facts[:6]]
    text.rng.shuffle(parts)
    context = "\n".join(f"Passage {number}:\n{part}" for number, part in enumerate(parts, start=1))
    return {"context": context, "input": facts[0].question, "answers": [facts[0].answer]}


def _summary(text: _Text, facts: Sequence[Plant]) -> Row:
    hidden = " ".join(fact.statement for fact in facts[:3])
    return {"context": text.with_hidden(facts[:3]), "input": "Which facts are reported?", "answers": [hidden]}


def _examples(text: _Text, facts: Sequence[Plant], shown: Callable[[Plant], str]) -> str:
    parts: list[str] = []
    for fact in cycle(facts[1:]):
        parts.append(shown(fact))
        if sum(map(len, parts)) >= text.n_chars:
            break
    return "\n".join(parts)


def _kind(fact: Plant) -> str:
    return next((name for word, name in _CLASSES.items() if fact.question.startswith(word)), "Thing")


def _question_types(text: _Text, facts: Sequence[Plant]) -> Row:
    context = _examples(text, facts, lambda fact: f"Question: {fact.question}\nType: {_kind(fact)}")
    asked = f"Question: {facts[0].question}\nType:"
    return {
        "context": context, "input": asked, "answers": [_kind(facts[0])], "all_classes": sorted({*_CLASSES.values()}),
    }  # fmt: skip


def _trivia(text: _Text, facts: Sequence[Plant]) -> Row:
    def passage(fact: Plant) -> str:
        return f"Passage:\n{text.with_hidden([fact], 600)}\nQuestion:\n{fact.question}\nAnswer:\n"

    context = _examples(text, facts, lambda fact: passage(fact) + fact.answer + "\n")
    return {"context": context, "input": passage(facts[0]), "answers": [facts[0].answer]}


def _dialogues(text: _Text, facts: Sequence[Plant]) -> Row:
    def dialogue(fact: Plant) -> str:
        said = islice(_SENTENCE.split(text.prose(500)), 4)
        lines = [f"{text.rng.choice(_NAMES)}: {line}" for line in (*said, f"Did you know? {fact.statement}")]
        return "Dialogue: " + "\n".join(lines) + "\nSummary: "

    context = _examples(text, facts, lambda fact: dialogue(fact) + fact.statement)
    return {"context": context, "input": dialogue(facts[0]), "answers": [facts[0].statement]}


def _count(text: _Text, _: Sequence[Plant]) -> Row:
    n_unique = text.rng.randrange(4, 8)
    unique = text.passages(n_unique)
    listed = [*unique, *text.rng.choices(unique, k=3)]
    text.rng.shuffle(listed)
    context = "\n\n".join(f"Paragraph {number}: {part}" for number, part in enumerate(listed, start=1))
    return {"context": context, "answers": [str(n_unique)]}


def _retrieval(text: _Text, facts: Sequence[Plant]) -> Row:
    parts = text.passages(30)
    wanted = text.rng.randrange(30)
    parts[wanted] = f"{parts[wanted]} {facts[0].statement}"
    context = "\n\n".join(f"Paragraph {number}: {part}" for number, part in enumerate(parts, start=1))
    return {"context": context, "input": facts[0].statement, "answers": [f"Paragraph {wanted + 1}"]}


def _code(text: _Text, _: Sequence[Plant]) -> Row:
    """A stretch of this package's own source, and the line that follows."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    source = "\n".join(path.read_text(encoding="utf-8") for path in text.rng.sample(files, min(8, len(files))))
    lines = source[: 2 * text.n_chars].splitlines()
    half = [place for place, line in enumerate(lines) if len(line.strip()) > 12 and place > len(lines) // 2]
    last = text.rng.choice(half)
    context = "\n".join(lines[:last])[-text.n_chars :]
    return {"context": context + "\n", "answers": [lines[last]]}


_MAKERS: dict[str, Callable[[_Text, Sequence[Plant]], Row]] = {
    **dict.fromkeys(("narrativeqa", "qasper", "multifieldqa_en"), _one_text),
    **dict.fromkeys(("hotpotqa", "2wikimqa", "musique"), _many_texts),
    **dict.fromkeys(("gov_report", "qmsum", "multi_news"), _summary),
    "trec": _question_types,
    "triviaqa": _trivia,
    "samsum": _dialogues,
    "passage_count": _count,
    "passage_retrieval_en": _retrieval,
    **dict.fromkeys(("lcc", "repobench-p"), _code),
}
