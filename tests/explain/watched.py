"""A text as a trail sees it, cut into tokens by a pattern."""

import re
from collections.abc import Iterator

from infinipot_cli.documents.piece import TextPiece
from infinipot_cli.explain.trail import Block, Trail
from infinipot_cli.tokens.stream import TokenRun


def watched(trail: Trail, text: str, n_together: int, token: str) -> Iterator[list[Block]]:
    """The blocks that come of each so many tokens of one more document."""
    trail.begin("book.txt", "text")
    starts = [place.start() for place in re.finditer(token, text)]
    for _ in trail.watch([TextPiece(text, None, 0, None)]):
        pass
    for first in range(0, len(starts), n_together):
        part = starts[first : first + n_together]
        end = starts[first + n_together] if first + n_together < len(starts) else len(text)
        yield trail.add(TokenRun(part, part, end))
