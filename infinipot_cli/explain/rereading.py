"""Passages that a pot reads once more: their tokens as the model shall meet them, and where each stood before."""

import itertools
from collections.abc import Iterable, Sequence

from infinipot_cli.engine import Reread
from infinipot_cli.explain.lookout import Lookout, apart
from infinipot_cli.explain.phrases import as_running_text
from infinipot_cli.explain.trail import Again, Trail
from infinipot_cli.tokens.tokenizer import DocumentTokenizer


def to_read_again(
    lookout: Lookout, most: int, close: float, whole: tuple[int, int] | None = None
) -> list[tuple[int, int]]:
    """What shall be read once more for a question: first origins and those behind the last, the best first.

    Args:
        lookout: has looked for its words.
        most: tokens, in all.
        close: share of the best one's match that the others must have.
        whole: all that was read, if that shall be read again where no word of the question is in it and it is short.
    """
    spans = apart(lookout.to_reread(most, close))
    if not spans and whole is not None and whole[1] - whole[0] <= most:
        return [whole]
    return spans


class Passages:
    """Passages of what was read, each behind the end of a line.

    Args:
        trail: of what was read.
        spans: first origin of each passage and the one behind its last, the best passage first; those of which a token
            is forgotten are left out.
        tokenizer: the model's.
        is_running_text: a passage that was wrapped is read as if it had not been.

    Attributes:
        ids: tokens of each.
    """

    def __init__(
        self, trail: Trail, spans: Iterable[tuple[int, int]], tokenizer: DocumentTokenizer, *, is_running_text: bool
    ) -> None:
        self._tokenizer = tokenizer
        self._gap = tokenizer.encode("\n")
        self._firsts: list[int] = []
        self._parts: list[list[tuple[int, list[int]]]] = []
        for first, end in spans:
            if ids := trail.ids(first, end):
                self._firsts.append(first)
                self._parts.append(as_running_text(ids, tokenizer) if is_running_text else [(0, ids)])
        self.ids = [list(itertools.chain(self._gap, *(ids for _, ids in parts))) for parts in self._parts]

    def again(self, read: Sequence[Reread]) -> list[Again]:
        """Where the tokens of those that were read stand now, and where they stood."""
        found = list[Again]()
        for one in read:
            origin = one.origin + len(self._gap)
            for place, ids in self._parts[one.number]:
                found.append(Again(self._firsts[one.number] + place, origin, len(ids)))
                origin += len(ids)
        return found

    def texts(self, read: Sequence[Reread]) -> list[str]:
        """What those that were read say."""
        return [self._tokenizer.decode(self.ids[one.number]) for one in read]
