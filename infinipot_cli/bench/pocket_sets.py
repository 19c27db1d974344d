"""The evaluation sets of the embedded model, read from a folder of public sets: texts, questions, wanted answers.

Long texts are made when their turn comes, so a run of a million tokens holds one of them at a time.
"""

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from infinipot_cli.bench.plants import Plant, fresh_facts, hide, passkeys
from infinipot_cli.bench.pocket_rows import SHAPES, read_novel, read_rows
from infinipot_cli.errors import DocumentError, UsageError
from infinipot_cli.tokens import DocumentTokenizer

# Every tenth of the proposals whose abstracts serve as summaries is left out of training (recipe/corpus.py).
ONE_IN_HELD_OUT = 10
# The last tokens of a stretch of prose, whose likelihood is measured given everything before them.
N_PREDICTED = 128
# What a reader is trained to say of a question that its text does not answer.
ABSENT = "not in the text"


@dataclass(frozen=True)
class Item:
    """One thing to answer.

    Attributes:
        set_name: the set it belongs to.
        group: part of the set that has a row of its own, such as `32768 at 0.5`; empty for a set of one part.
        number: its place in the set.
        document: tells the text from any other of the set; items of the same text follow one another.
        text: makes the text.
        task: `ask`, `summarize` or `predict` (likelihood of the text's last tokens).
        question: empty unless the task is to ask.
        wanted: right answers, or summaries to compare with.
    """

    set_name: str
    group: str
    number: int
    document: str
    text: Callable[[], str]
    task: str
    question: str = ""
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Amounts:
    """How much of the sets is run.

    Attributes:
        n: items of a set, or of each length and depth.
        lengths: tokens of the long texts.
        depths: where lines are hidden, as shares of the text.
        seed: of the choice.
    """

    n: int
    lengths: tuple[int, ...]
    depths: tuple[float, ...]
    seed: int


def is_held_out(identifier: str) -> bool:
    """Whether a proposal is kept for evaluation; training leaves out its text and its abstract."""
    return zlib.crc32(identifier.encode()) % ONE_IN_HELD_OUT == 0


def short(n_tokens: int) -> str:
    """A number of tokens as people write it: 4k, 1m."""
    for unit, letter in ((1024**2, "m"), (1024, "k")):
        if n_tokens % unit == 0:
            return f"{n_tokens // unit}{letter}"
    return str(n_tokens)


class Sets:
    """The sets of one folder, as its README lays it out.

    Args:
        folder: holds `documents/`, `evaluation/` and `summaries/`.
        tokenizer: of the model; lengths are counted in its tokens.
        amounts: how much of each.
    """

    def __init__(self, folder: Path, tokenizer: DocumentTokenizer, amounts: Amounts) -> None:
        self.folder, self.tokenizer, self.amounts = folder, tokenizer, amounts
        self.makers: dict[str, tuple[str, Callable[[str], list[Item]]]] = {
            "passkey": ("documents", self._planted),
            "facts": ("documents", self._planted),
            "squad": ("evaluation/longqa_squad_dev.jsonl", self._squad),
            "squad-articles": ("evaluation/longqa_squad_dev.jsonl", self._squad),
            "absent": ("evaluation/longqa_squad_dev.jsonl", self._absent),
            "fairytale": ("evaluation/longqa_fairytale_val.jsonl", self._fairytale),
            "perplexity": ("documents", self._prose),
            "scitldr": ("evaluation/sum_scitldr_dev.jsonl", self._summaries),
            "peps": ("summaries/sum_pep.jsonl", self._summaries),
            "rfcs": ("summaries/sum_rfc.jsonl", self._summaries),
        }

    def check(self, only: Sequence[str]) -> list[str]:
        """The sets to run: those named, or all that the folder has.

        Raises:
            UsageError: a name is none of theirs.
            DocumentError: the folder, or a set that was named, is not there.
        """
        if not self.folder.is_dir():
            raise DocumentError(f"{self.folder} is no folder", hint="--data wants the folder of evaluation sets")
        for name in only:
            if name not in self.makers:
                raise UsageError(f"{name!r} is no set of this benchmark", hint="one of " + ", ".join(self.makers))
        found = [name for name in self.makers if (not only or name in only) and self._exists(self.makers[name][0])]
        for name in only:
            if name not in found:
                raise DocumentError(
                    f"{self.folder} does not hold {self.makers[name][0]}, which the set {name} is read from",
                    hint="infinipot_cli/recipe/README.md says where the sets come from",
                )
        if not found:
            raise DocumentError(f"{self.folder} holds none of the evaluation sets")
        return found

    def items(self, name: str) -> list[Item]:
        """The chosen items of one set, those of one text together.

        Raises:
            DocumentError: its file is damaged, or not of the shape that the set wants.
            UsageError: a length is too short for the set.
        """
        return self.makers[name][1](name)

    def files(self, names: Sequence[str]) -> list[Path]:
        """The files behind some sets, for a record to name."""
        parts = dict.fromkeys(self.makers[name][0] for name in names)
        found = (self._novels() if part == "documents" else [next(self._paths(part))] for part in parts)
        return [path for paths in found for path in paths]

    def _exists(self, part: str) -> bool:
        return bool(self._novels()) if part == "documents" else any(self._paths(part))

    def _paths(self, part: str) -> Iterator[Path]:
        return (path for path in (self.folder / part, self.folder / f"{part}.xz") if path.is_file())

    def _novels(self) -> list[Path]:
        return sorted(path for path in (self.folder / "documents").glob("*.txt") if path.is_file())

    def _rows(self, name: str) -> list[dict[str, Any]]:
        return read_rows(next(self._paths(self.makers[name][0])), SHAPES[name])

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self.amounts.seed} {name}")

    def _sample(self, rows: list[Any], rng: random.Random) -> list[Any]:
        """Some of the rows, in their own order."""
        chosen = sorted(rng.sample(range(len(rows)), min(self.amounts.n, len(rows))))
        return [rows[place] for place in chosen]

    @cached_property
    def haystack(self) -> "Haystack":
        """All novels behind one another."""
        return Haystack([read_novel(path) for path in self._novels()], self.tokenizer)

    def _planted(self, name: str) -> list[Item]:
        found: list[Item] = []
        for length in self.amounts.lengths:
            for depth in self.amounts.depths:
                rng = self._rng(f"{name} {length} {depth}")
                plants = (passkeys if name == "passkey" else fresh_facts)(self.amounts.n, rng)
                for plant in plants:
                    make = partial(self._hidden, plant, length, depth, rng.random())
                    number, group = len(found), f"{short(length)} at {depth:g}"
                    found.append(
                        Item(name, group, number, f"{name} {number}", make, "ask", plant.question, (plant.answer,))
                    )
        return found

    def _hidden(self, plant: Plant, length: int, depth: float, start: float) -> str:
        n_plant = len(self.tokenizer.encode(" " + plant.statement))
        return hide(self.haystack.stretch(max(1, length - n_plant), start), plant.statement, depth)

    def _squad(self, name: str) -> list[Item]:
        rows = self._rows(name)
        pairs = [(place, row, question) for place, row in enumerate(rows) for question in row["qas"]]
        found: list[Item] = []
        for place, row, asked in self._sample(pairs, self._rng("squad")):
            span = (asked["para_start"], asked["para_end"]) if name == "squad" else (0, len(row["document"]))
            wanted = tuple(dict.fromkeys(asked["answers"]))
            text = partial(row["document"].__getitem__, slice(*span))
            found.append(Item(name, "", len(found), f"{name} {place} {span}", text, "ask", asked["question"], wanted))
        return found

    def _absent(self, name: str) -> list[Item]:
        """Paragraphs with questions about another article, which they cannot answer."""
        rows = self._rows(name)
        rng = self._rng(name)
        pairs = [(place, row, question) for place, row in enumerate(rows) for question in row["qas"]]
        found: list[Item] = []
        for place, row, here in self._sample(pairs, rng):
            others = [another for another in rows if another is not row and another["qas"]]
            if not others:
                continue
            other = rng.choice(others)
            asked = rng.choice(other["qas"])["question"]
            span = slice(here["para_start"], here["para_end"])
            text = partial(row["document"].__getitem__, span)
            found.append(Item(name, "", len(found), f"{name} {place} {span}", text, "ask", asked, (ABSENT,)))
        return found

    def _fairytale(self, name: str) -> list[Item]:
        pairs = [(place, row, asked) for place, row in enumerate(self._rows(name)) for asked in row["qas"]]
        return [
            Item(
                name, str(asked.get("kind", "")), number, f"{name} {place}", partial(str, row["document"]), "ask",
                asked["question"], tuple(asked["answers"]),
            )
            for number, (place, row, asked) in enumerate(self._sample(pairs, self._rng(name)))
        ]  # fmt: skip

    def _prose(self, name: str) -> list[Item]:
        found: list[Item] = []
        for length in self.amounts.lengths:
            if length < 2:
                raise UsageError(f"the likelihood of a text needs 2 tokens of it at least, not {length}")
            rng = self._rng(f"{name} {length}")
            for _ in range(self.amounts.n):
                make = partial(self.haystack.stretch, length, rng.random())
                found.append(Item(name, short(length), len(found), f"{name} {len(found)}", make, "predict"))
        return found

    def _summaries(self, name: str) -> list[Item]:
        rows = self._rows(name)
        if name != "scitldr":
            rows = [row for row in rows if is_held_out(row["id"])]
        return [
            Item(
                name, "", number, f"{name} {number}", partial(str, row["document"]), "summarize",
                wanted=tuple(row["summaries"]),
            )
            for number, row in enumerate(self._sample(rows, self._rng(name)))
        ]  # fmt: skip


class Haystack:
    """Several texts behind one another, from which stretches of any number of tokens are cut; its end meets its start.

    Args:
        texts: the texts.
        tokenizer: lengths are counted in its tokens.
    """

    def __init__(self, texts: Sequence[str], tokenizer: DocumentTokenizer) -> None:
        self.text = "\n\n".join(texts) + "\n\n"
        _, self.ends = tokenizer.encode_with_ends(self.text)

    def stretch(self, n_tokens: int, start: float) -> str:
        """About `n_tokens` tokens of text.

        Args:
            n_tokens: how many.
            start: where, as a share of the whole.
        """
        first = int(start * len(self.ends)) % len(self.ends)
        parts, left, begin = [], n_tokens, self.ends[first - 1] if first else 0
        while left > 0:
            last = min(first + left, len(self.ends))
            parts.append(self.text[begin : self.ends[last - 1]])
            left -= last - first
            first, begin = 0, 0
        return "".join(parts)
