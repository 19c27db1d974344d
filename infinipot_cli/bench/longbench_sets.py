"""LongBench's 21 sets: their official prompts, answer lengths, metrics and groups, and their rows from a folder.

The data are not shipped: `HOW_TO_GET` says where they are. The prompts are LongBench's (MIT licence, in their file).
"""

import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from infinipot_cli.bench import longbench_metrics as metrics
from infinipot_cli.errors import DocumentError, UsageError

HOW_TO_GET = (
    "download data.zip of THUDM/LongBench (https://huggingface.co/datasets/THUDM/LongBench), unpack it, and name the "
    "folder with hotpotqa.jsonl and the others in it"
)
GROUPS = {"QA": "QA", "Summ": "summarisation", "FSL": "few-shot", "Others": "synthetic and code", "Chinese": "Chinese"}
_FIELDS = ("input", "context", "answers", "all_classes")


@dataclass(frozen=True)
class LongSet:
    """One set.

    Attributes:
        name: as its file is called.
        group: as the paper's tables group it; `Chinese` is in none of them.
        metric: official metric.
        max_tokens: longest answer.
        is_chat: its prompt is put into the model's chat format.
        is_first_line: only the first line of the answer counts.
    """

    name: str
    group: str
    metric: str
    max_tokens: int
    is_chat: bool = True
    is_first_line: bool = False

    @property
    def is_asked(self) -> bool:
        """Whether the question is the catalyst, as the paper has it for question answering."""
        return self.metric in ("F1", "F1-zh") and self.is_chat

    def score(self, given: str, wanted: Sequence[str], classes: Sequence[str]) -> float:
        """Best score of an answer against any wanted one, 0 to 1."""
        if self.is_first_line:
            given = given.lstrip("\n").split("\n")[0]
        if self.metric == "class":
            return max((metrics.classification(given, one, classes) for one in wanted), default=0.0)
        return max((metrics.METRICS[self.metric](given, one) for one in wanted), default=0.0)


_ALL = (
    LongSet("narrativeqa", "QA", "F1", 128),
    LongSet("qasper", "QA", "F1", 128),
    LongSet("multifieldqa_en", "QA", "F1", 64),
    LongSet("hotpotqa", "QA", "F1", 32),
    LongSet("2wikimqa", "QA", "F1", 32),
    LongSet("musique", "QA", "F1", 32),
    LongSet("gov_report", "Summ", "ROUGE-L", 512),
    LongSet("qmsum", "Summ", "ROUGE-L", 512),
    LongSet("multi_news", "Summ", "ROUGE-L", 512),
    LongSet("trec", "FSL", "class", 64, is_chat=False, is_first_line=True),
    LongSet("triviaqa", "FSL", "F1", 32, is_chat=False, is_first_line=True),
    LongSet("samsum", "FSL", "ROUGE-L", 128, is_chat=False, is_first_line=True),
    LongSet("passage_count", "Others", "count", 32),
    LongSet("passage_retrieval_en", "Others", "retrieval", 32),
    LongSet("lcc", "Others", "similarity", 64, is_chat=False),
    LongSet("repobench-p", "Others", "similarity", 64, is_chat=False),
    LongSet("multifieldqa_zh", "Chinese", "F1-zh", 64),
    LongSet("dureader", "Chinese", "ROUGE-L-zh", 128),
    LongSet("vcsum", "Chinese", "ROUGE-L-zh", 512),
    LongSet("lsht", "Chinese", "class", 64, is_chat=False, is_first_line=True),
    LongSet("passage_retrieval_zh", "Chinese", "retrieval-zh", 32),
)
SETS = {one.name: one for one in _ALL}
# Those of the paper, whose average it prints.
PAPER_SETS = tuple(one.name for one in _ALL if one.group != "Chinese")


@dataclass(frozen=True)
class Row:
    """One text with its question.

    Attributes:
        set_name: of which set.
        number: line in the set's file, from 0.
        asked: the prompt up to the end of the text, and what follows it.
        wanted: right answers.
    """

    set_name: str
    number: int
    asked: tuple[str, str]
    wanted: tuple[str, ...]

    @property
    def prompt(self) -> str:
        """The whole official prompt."""
        return "".join(self.asked)


def prompts() -> dict[str, str]:
    """The official prompt of each set, with places for `{context}` and `{input}`."""
    text = resources.files("infinipot_cli.bench").joinpath("longbench_prompts.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)["prompts"]
    return found


def choose(names: Sequence[str], data: Path) -> list[str]:
    """The sets to run, in the official order; all that the folder holds unless some are named.

    Raises:
        UsageError: a set that does not exist.
        DocumentError: the folder holds none of them, or not one that was named.
    """
    if unknown := [name for name in names if name not in SETS]:
        raise UsageError(f"LongBench has no set {unknown[0]!r}", hint="one of " + ", ".join(SETS))
    present = [name for name in SETS if (data / f"{name}.jsonl").is_file()]
    if not present:
        raise DocumentError(f"{data} holds no set of LongBench", hint=HOW_TO_GET, code="no_data")
    if absent := [name for name in names if name not in present]:
        raise DocumentError(f"{data} has no {absent[0]}.jsonl", hint=HOW_TO_GET, code="no_data")
    return [name for name in present if not names or name in names]


def check_libraries(names: Sequence[str]) -> None:
    """Refuse sets that cannot be scored here, before hours go into the others.

    Raises:
        UsageError: a Chinese set is among them, and what cuts its words is missing.
    """
    cut = [name for name in names if SETS[name].metric in ("F1-zh", "ROUGE-L-zh")]
    if cut and importlib.util.find_spec("jieba") is None:
        rest = ",".join(name for name in names if name not in cut)
        raise UsageError(
            f"{', '.join(cut)}: their metrics need jieba, which cuts Chinese words",
            hint="pip install 'infinipot[zh]'" + (f", or leave them out: --only {rest}" if rest else ""),
        )


def rows(name: str, data: Path, n: int | None = None) -> tuple[list[Row], list[str]]:
    """The rows of one set, and the names of its classes, which the official evaluation takes from the last row.

    Args:
        name: of the set.
        data: the folder.
        n: only so many, from the first.

    Raises:
        DocumentError: a line is no row of LongBench, or there is none.
    """
    path = data / f"{name}.jsonl"
    template = prompts()[name]
    before, after = template.split("{context}")
    found: list[Row] = []
    classes: Sequence[str] | None = None
    for number, row in _lines(path):
        classes = row["all_classes"]
        if n is not None and len(found) == n:
            continue
        asked = (_fill(before, row) + row["context"], _fill(after, row))
        found.append(Row(name, number, asked, tuple(row["answers"] or ())))
    if not found:
        raise DocumentError(f"{path} holds no row", hint=HOW_TO_GET, code="bad_data")
    return found, list(classes or ())


def _fill(part: str, row: dict[str, Any]) -> str:
    return part.replace("{input}", str(row["input"]))


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if not line.strip():
                    continue
                row = json.loads(line)
                if what := _fault(row):
                    raise DocumentError(f"line {number + 1} of {path} {what}", hint=HOW_TO_GET, code="bad_data")
                yield number, row
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DocumentError(f"{path} is no JSON lines file: {error}", hint=HOW_TO_GET, code="bad_data") from error


def _fault(row: object) -> str:
    """What keeps a line from being a row of LongBench; nothing if nothing does."""
    if not isinstance(row, dict):
        return "is no object"
    if missing := [key for key in _FIELDS if key not in row]:
        return f"has no {missing[0]!r}"
    if not isinstance(row["context"], str):
        return "has a 'context' that is no text"
    for key in ("answers", "all_classes"):
        value = row[key] or ()
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            return f"has {key!r} that are no list of texts"
    return ""
