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
from tests.documents.small_pdf import pdf


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


@pytest.mark.parametrize("n_pages", [(1, 1), (3, 1, 2)])
def test_each_document_begins_with_its_first_page(n_pages: tuple[int, ...], tmp_path: Path, tiny_model: Path) -> None:
    for place, n in enumerate(n_pages):
        (tmp_path / f"{place}.pdf").write_bytes(pdf(*(f"Page {number} of {n}." for number in range(1, n + 1))))
    session = Session(str(tiny_model), PotRequest(capacity=400, max_tokens=20))
    with session.prepare([str(tmp_path / f"{place}.pdf") for place in range(len(n_pages))], ask("Who?")) as reading:
        list(reading.read())
        for entry, n in zip(reading.inputs, n_pages, strict=True):
            assert [label for label, _ in entry.pages] == [str(number) for number in range(1, n + 1)]
            assert [label for label, _ in reading.held_by_page(entry)] == [label for label, _ in entry.pages]


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
