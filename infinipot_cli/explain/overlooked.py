"""Honest limits: the passage that matches a question best may be one that the pot has mostly lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.stretches import Match
from infinipot_cli.explain.trail import ReadDocument

if TYPE_CHECKING:  # records are printed of runs that never load a model
    from torch import Tensor

# A passage with less of its entries in the pot counts as lost. Pocket answers facts of which half the heads hold the
# tokens, and misses most of those that a tenth holds (recipe/LOG.md, looks at the pot).
MOSTLY_LOST = 0.2


@dataclass(frozen=True)
class Overlooked:
    """A passage that matches a question best and is mostly lost.

    Attributes:
        document: the document's place among those read.
        path: its name.
        kind: what it is, as `Document.kind` says.
        page: page or chapter, from 1; None where there are none.
        label: what is printed on the page, where that is not the number.
        line: number of its first line; None where there are pages.
        last_line: of its last one.
        char: its place in the document's text.
        quote: its words.
        kept: share of its entries that the pot holds, over layers and heads.
    """

    document: int
    path: str
    kind: str
    page: int | None
    label: str | None
    line: int | None
    char: tuple[int, int]
    quote: str
    kept: float
    last_line: int | None = None

    def is_among(self, cited: Sequence[Passage]) -> bool:
        """Whether what is cited covers it: the same page, or text that overlaps."""
        return any(
            passage.path == self.path
            and (passage.page == self.page if self.page is not None else _overlap(passage.char, self.char))
            for passage in cited
        )

    def as_passage(self) -> Passage:
        """The same as something that could be cited; no evidence lies on it."""
        return Passage(
            document=self.document,
            path=self.path,
            kind=self.kind,
            page=self.page,
            label=self.label,
            line=self.line,
            char=self.char,
            quote=self.quote,
            score=0.0,
            kept=self.kept,
            last_line=self.last_line,
        )

    def to_record(self) -> dict[str, object]:
        """For JSON."""
        return {
            "path": self.path,
            "page": self.page,
            "label": self.label,
            "line": self.line,
            "char": list(self.char),
            "quote": self.quote,
            "kept": round(self.kept, 4),
        }


def overlooked(
    matches: list[Match], documents: list[ReadDocument], origins: "Tensor", *, threshold: float = MOSTLY_LOST
) -> Overlooked | None:
    """The first of the best passages, if the pot has lost most of each of them.

    Args:
        matches: as `Lookout.best` gives them.
        documents: what was read.
        origins: of the pot's entries when the question came, (L, K, N).
        threshold: share of a passage's entries below which it is lost.
    """
    shares = [_share(match, origins) for match in matches]
    if not matches or max(shares) >= threshold:
        return None
    match = matches[0]
    document = documents[match.document]
    page, label, line = document.place_at(match.char[0], match.line)
    return Overlooked(
        document=match.document,
        path=document.name,
        kind=document.kind,
        page=page,
        label=label,
        line=line,
        char=match.char,
        quote=match.quote,
        kept=shares[0],
        last_line=document.lines.of(match.last_line) if line is not None else None,
    )


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _share(match: Match, origins: "Tensor") -> float:
    first, end = match.origins
    held = ((origins >= first) & (origins < end)).sum()
    return float(held) / ((end - first) * origins.shape[0] * origins.shape[1])
