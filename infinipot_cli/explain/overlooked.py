"""Honest limits: the passage that matches a question best may be one that the pot has mostly lost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infinipot_cli.explain.citations import Passage
from infinipot_cli.explain.stretches import Match
from infinipot_cli.explain.trail import ReadDocument

if TYPE_CHECKING:  # records are printed of runs that never load a model
    from torch import Tensor

# A passage with less of its entries in the pot counts as lost. Pocket answers facts of which half the heads hold the
# tokens, and misses most of those that a tenth holds (recipe/LOG.md, looks at the pot).
MOSTLY_LOST = 0.2


def overlooked(
    matches: list[Match], documents: list[ReadDocument], origins: "Tensor", *, threshold: float = MOSTLY_LOST
) -> Passage | None:
    """The first of the best passages, if the pot has lost most of each of them; no evidence lies on it.

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
    return Passage(
        document=match.document,
        path=document.name,
        kind=document.kind,
        page=page,
        label=label,
        line=line,
        char=match.char,
        quote=match.quote,
        score=0.0,
        kept=shares[0],
        last_line=document.lines.of(match.last_line) if line is not None else None,
    )


def is_among(lost: Passage, cited: Sequence[Passage]) -> bool:
    """Whether what is cited covers it: the same page, or text that overlaps."""
    return any(
        passage.document == lost.document
        and (passage.page == lost.page if lost.page is not None else _overlap(passage.char, lost.char))
        for passage in cited
    )


def record_of(lost: Passage) -> dict[str, object]:
    """For JSON."""
    return {
        "path": lost.path,
        "page": lost.page,
        "label": lost.label,
        "line": lost.line,
        "char": list(lost.char),
        "quote": lost.quote,
        "kept": round(lost.kept, 4),
    }


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _share(match: Match, origins: "Tensor") -> float:
    first, end = match.origins
    held = ((origins >= first) & (origins < end)).sum()
    return float(held) / ((end - first) * origins.shape[0] * origins.shape[1])
