"""RULER's thirteen tasks by name: what each hides, how long its answers are, and samples of a length.

Prompts, sizes and scoring are those of NVIDIA/RULER (Apache-2.0; Hsieh et al. 2024, arXiv:2404.06654). Differs: the
prose is the user's own book instead of Paul Graham's essays, and the words are our own.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infinipot_cli.bench.ruler import chains, counts, questions
from infinipot_cli.bench.ruler.needles import Needles
from infinipot_cli.bench.ruler.sample import Sample, largest
from infinipot_cli.errors import DocumentError, UsageError
from infinipot_cli.tokens import DocumentTokenizer

_NEEDLES = {
    "niah_single_1": Needles("noise"),
    "niah_single_2": Needles("essay"),
    "niah_single_3": Needles("essay", values="uuids"),
    "niah_multikey_1": Needles("essay", n_keys=4),
    "niah_multikey_2": Needles("needle"),
    "niah_multikey_3": Needles("needle", keys="uuids", values="uuids"),
    "niah_multivalue": Needles("essay", n_values=4),
    "niah_multiquery": Needles("essay", n_keys=4, n_queries=4),
}
# Longest answer of each task in tokens.
MAX_TOKENS = {**dict.fromkeys(_NEEDLES, 128), "vt": 30, "cwe": 120, "fwe": 50, "qa_1": 32, "qa_2": 32}
TASKS = tuple(MAX_TOKENS)
OF_DATA = ("qa_1", "qa_2")
_CONTROL = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True)
class Source:
    """What samples are made of.

    Attributes:
        essay: words of the prose.
        data: folder of the question sets; None without one.
        seed: of all choices.
    """

    essay: Sequence[str]
    data: Path | None
    seed: int


def choose(only: Sequence[str], data: Path | None) -> list[str]:
    """The tasks to run: those named, or all that can be made.

    Raises:
        UsageError: there is no such task.
        DocumentError: a task was named whose questions are not there.
    """
    for name in only:
        if name not in TASKS:
            raise UsageError(f"RULER has no task {name!r}", hint="one of " + ", ".join(TASKS))
    absent = [name for name in OF_DATA if questions.find(name, data) is None]
    for name in only:
        if name in absent:
            where = f"{data} holds no questions for it" if data else "its questions are not part of infinipot"
            raise DocumentError(f"{name} cannot be made: {where}", hint=questions.HOW_TO_GET, code="no_data")
    return [name for name in TASKS if (name in only if only else name not in absent)]


def score(task: str, given: str, wanted: Sequence[str]) -> float:
    """RULER's score of an answer, 0 to 1: the share of what was wanted that it contains; of questions, any of it."""
    text = _CONTROL.sub("\n", given.strip()).strip().lower()
    found = [float(one.lower() in text) for one in wanted]
    return max(found) if task in OF_DATA else sum(found) / len(found)


class Maker:
    """Makes samples of any task and length; sizes that fit are found once for each.

    Args:
        source: what they are made of.
        tokenizer: counts.
        n_frame: tokens of the chat format, which belong to a length as the answer does.
    """

    def __init__(self, source: Source, tokenizer: DocumentTokenizer, n_frame: int) -> None:
        self.source, self.tokenizer, self.n_frame = source, tokenizer, n_frame
        self._sizes: dict[tuple[str, int], int] = {}
        self._sets: dict[str, questions.QuestionSet] = {}

    def make(self, task: str, length: int, number: int) -> Sample:
        """A sample of at most so many tokens, chat format and answer included; the same arguments give the same one.

        Raises:
            UsageError: the task does not fit the length.
            DocumentError: its set has too few documents to fill the length.
        """
        room = length - MAX_TOKENS[task] - self.n_frame
        if (task, length) not in self._sizes:
            # of the first number, whichever is asked for: a run that goes on makes what it would have made
            self._sizes[task, length] = self._largest(task, length, room, 0)
        size = max(self._sizes[task, length], self._smallest(task, number))
        sample = self._of(task, length, number)(size)
        while sample.n_tokens(self.tokenizer) > room:
            smaller = max(size - max(1, size // 50), self._smallest(task, number))
            if smaller == size:
                raise _too_short(task, length)
            size = smaller
            sample = self._of(task, length, number)(size)
        return sample

    def _largest(self, task: str, length: int, room: int, number: int) -> int:
        first = _NEEDLES[task].first_size if task in _NEEDLES else 20
        smallest = self._smallest(task, number)
        make = self._of(task, length, number)
        found = largest(make, room, self.tokenizer, (smallest, max(first, smallest)))
        if found is None:
            raise _too_short(task, length)
        if task in OF_DATA and (made := make(found)) == make(2 * found):
            n_tokens = made.n_tokens(self.tokenizer)
            raise DocumentError(
                f"the documents of {task} make a prompt of {n_tokens} tokens, and {room} are wanted",
                hint="take a shorter --tokens, or a larger set",
                code="too_few_documents",
            )
        return found

    def _smallest(self, task: str, number: int) -> int:
        if task in OF_DATA:
            return self._set(task).smallest(number)
        if task in _NEEDLES:
            return _NEEDLES[task].smallest
        # the third coded word must come up at all, and more often than the fourth
        return {"vt": chains.N_HOPS + 1, "cwe": counts.N_COMMON + 1, "fwe": 150}[task]

    def _of(self, task: str, length: int, number: int) -> Callable[[int], Sample]:
        def made(size: int) -> Sample:
            rng = random.Random(f"{self.source.seed} {task} {length} {number}")
            if task in _NEEDLES:
                return _NEEDLES[task].make(size, self.source.essay, rng)
            if task == "vt":
                return chains.make(size, rng)
            if task == "cwe":
                return counts.common_words(size, length, rng)
            if task == "fwe":
                return counts.frequent_words(size, length, rng)
            return self._set(task).make(
                random.Random(f"{self.source.seed} {task}").randrange(10**6) + number, size, rng
            )

        return made

    def _set(self, task: str) -> questions.QuestionSet:
        if task not in self._sets:
            path = questions.find(task, self.source.data)
            assert path is not None, "choose() leaves such tasks out"
            self._sets[task] = questions.load(path)
        return self._sets[task]


def _too_short(task: str, length: int) -> UsageError:
    return UsageError(
        f"{length} tokens are too few for {task}: its prompt, the chat format and {MAX_TOKENS[task]} tokens of answer",
        hint="take a longer --tokens",
    )
