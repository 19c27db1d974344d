"""Where tokens stand in their documents, and what of each part is still held."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.documents import TextPiece
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest
from infinipot_cli.sources import N_STRETCHES, Input, Meter


@given(st.lists(st.integers(1, 30), min_size=2, max_size=200), st.integers(1, 10_000), st.booleans())
def test_stretches_are_pages_and_cover_what_was_read(lengths: list[int], n_read: int, counted: bool) -> None:
    document = SimpleNamespace(n_pages=len(lengths) if counted else None, n_bytes=None)
    meter = Meter([Input(document, iter(()))])  # type: ignore[arg-type]
    start, pieces, starts = 0, [], []
    for number, length in enumerate(lengths, start=1):
        pieces.append(TextPiece("x" * length, number, start, None))
        starts.append(start)
        start += length
    for _ in meter.watch(pieces):
        pass
    for char in range(start):  # one token a character
        meter.step(char)
    assert meter.page_starts == starts
    n_read = min(n_read, start)
    cut = meter.stretches(n_read)
    assert cut.edges[0] == 0 and cut.edges[-1] == n_read
    assert list(cut.edges) == sorted(set(cut.edges))
    assert len(cut.edges) - 1 + cut.n_ahead <= N_STRETCHES
    if cut.by == "page":
        assert set(cut.edges[:-1]) <= set(starts)


def test_what_is_shown_as_kept_is_what_the_pot_holds(story: Path, tiny_model: Path) -> None:
    session = Session(str(tiny_model), PotRequest(capacity=400, max_tokens=20))
    with session.prepare([str(story)], ask("Who?")) as reading:
        shown = []
        for progress in reading.read():
            if progress.n_cycles > len(shown):
                shown.append(progress)
        n_prefix = len(reading.plan.prompt.prefix_ids)
    assert len(shown) == reading.pot.n_cycles > 0
    for progress in shown:
        assert len(progress.kept) + progress.n_ahead == N_STRETCHES
        assert all(0 <= share <= 1 for share in progress.kept)
        # stretches are equally long but for one token, so their mean share is that of all
        n_read = progress.n_tokens if progress.n_held == reading.plan.budget else None
        if n_read:
            mean = sum(progress.kept) / len(progress.kept)
            assert mean == pytest.approx((reading.plan.budget - n_prefix) / n_read, rel=0.1)
