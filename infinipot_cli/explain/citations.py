"""Which of the passages that an answer attended to are cited: those of the pages or lines with the most evidence.

A citation is evidence of use, not proof of truth.
"""

from dataclasses import dataclass, replace

MOST_CITED = 3
# A place is cited if it has this much of the evidence of the best one. Chosen on books of `bench citations --seed 100`.
THRESHOLD = 0.5
REFUSAL = "not in the text"


@dataclass(frozen=True)
class Passage:
    """A sentence that an answer attended to.

    Attributes:
        document: the document's place among those read.
        path: its name.
        kind: what it is, as `Document.kind` says.
        page: page or chapter, from 1; None where there are none.
        label: what is printed on the page, or the chapter's title, where it is not the number.
        line: number of the line it starts on; None where there are pages.
        last_line: of the one it ends on.
        char: its first character, and the one behind its last, counted over the document's text.
        quote: its words.
        score: share of the answer's evidence that lies on it, 0 to 1.
        kept: share of its entries that the pot held when the question came, over layers and heads.
        attention: share of the answer's attention to the documents that lay on it, whatever it copied.
    """

    document: int
    path: str
    kind: str
    page: int | None
    label: str | None
    line: int | None
    char: tuple[int, int]
    quote: str
    score: float
    kept: float = 0.0
    attention: float = 0.0
    last_line: int | None = None

    @property
    def place(self) -> tuple[int, int]:
        """What a citation points at: the page, or else the line."""
        return (self.document, self.page if self.page is not None else self.line or 0)

    def to_record(self) -> dict[str, object]:
        """For JSON."""
        return {
            "path": self.path,
            "page": self.page,
            "label": self.label,
            "line": self.line,
            "char": list(self.char),
            "quote": self.quote,
            "score": self.score,
            "kept": self.kept,
            "attention": self.attention,
        }


def is_refusal(answer: str) -> bool:
    """Whether an answer is what the embedded reader says when it finds nothing; that stands on no passage."""
    return answer.strip().rstrip(".").casefold() == REFUSAL


def cite(ranked: list[Passage], *, threshold: float = THRESHOLD, most: int = MOST_CITED) -> list[Passage]:
    """The passages worth citing: one for each page, or each line where there are no pages; the best first.

    Args:
        ranked: as `passages` gives them; what is cited has the score of the whole page or line.
        threshold: part of the best place's evidence that a place must have.
        most: places at most.
    """
    scores: dict[tuple[int, int], float] = {}
    quoted: dict[tuple[int, int], Passage] = {}
    for passage in ranked:
        scores[passage.place] = scores.get(passage.place, 0.0) + passage.score
        quoted.setdefault(passage.place, passage)
    best = max(scores.values(), default=0.0)
    chosen = sorted((place for place in scores if scores[place] >= threshold * best), key=lambda place: -scores[place])
    return [replace(quoted[place], score=round(min(1.0, scores[place]), 4)) for place in chosen[:most]]
