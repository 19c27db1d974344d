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
        n_pages: pages of the document, None if it has none or their number is unknown.
        kept: share still held of each stretch read up to the latest distillation, in reading order.
        n_ahead: stretches of that length that were then still to come, as far as that is known.
        kept_by: what a stretch is made of, `page` or `part`.
        number: place of the document among those that are read, from 1.
        n_documents: how many those are.
    """

    source: str
    page: int | None
    n_tokens: int
    n_held: int
    capacity: int
    n_cycles: int
    done: float | None
    label: str | None = None
    n_pages: int | None = None
    kept: tuple[float, ...] = ()
    n_ahead: int = 0
    kept_by: str = "part"
    number: int = 1
    n_documents: int = 1
