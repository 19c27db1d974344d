"""Where a reading stands: what the session tells and the reading bar shows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where a reading stands.

    Attributes:
        source: name of the document being read.
        page: its page, counted from 1, None for documents without pages.
        n_tokens: document tokens read so far, over all sources.
        n_held: entries in the pot.
        capacity: most entries it can hold.
        n_cycles: distillations so far.
        done: share of all sources read, 0 to 1, None when the end is unknown.
        label: what is printed on the page, where that is not its number.
    """

    source: str
    page: int | None
    n_tokens: int
    n_held: int
    capacity: int
    n_cycles: int
    done: float | None
    label: str | None = None
