"""The choice of entries, by hand-worked examples and by invariants on random scores."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infinipot_cli.engine.importance import select, top


def chosen(votes: list[float], novelty: list[float], **options: object) -> list[int]:
    kept: list[int] = select(torch.tensor([[votes]]), torch.tensor([[novelty]]), **options)[0, 0].tolist()
    return kept


def test_novel_entries_come_first_then_the_best_by_attention() -> None:
    """Six entries, C = 4, α = 0.5: 1 and 4 are the most novel, 0 and 5 the best of the rest."""
    votes, novelty = [0.5, 0.9, 0.1, 0.2, 0.3, 0.4], [1.0, 9.0, 2.0, 3.0, 8.0, 0.5]
    assert chosen(votes, novelty, budget=4, novelty_ratio=0.5, n_prefix=0) == [0, 1, 4, 5]
    assert chosen(votes, novelty, budget=4, novelty_ratio=0.0, n_prefix=0) == [0, 1, 4, 5]
    assert chosen(votes, novelty, budget=4, novelty_ratio=1.0, n_prefix=0) == [1, 2, 3, 4]
    assert chosen(votes, novelty, budget=2, novelty_ratio=0.0, n_prefix=0) == [0, 1]


def test_the_prefix_counts_inside_the_budget() -> None:
    votes, novelty = [0.0, 0.0, 0.1, 0.2, 0.3, 0.4], [9.0, 9.0, 2.0, 3.0, 1.0, 0.5]
    assert chosen(votes, novelty, budget=3, novelty_ratio=0.9, n_prefix=2) == [0, 1, 3]
    assert chosen(votes, novelty, budget=4, novelty_ratio=0.25, n_prefix=2) == [0, 1, 3, 5]


def test_ties_go_to_the_more_recent_entry() -> None:
    assert chosen([1.0] * 6, [0.0] * 6, budget=2, novelty_ratio=0.0, n_prefix=0) == [4, 5]
    assert chosen([1.0, 0, 0, 0, 0, 0], [2.0] * 6, budget=3, novelty_ratio=0.7, n_prefix=0) == [0, 4, 5]
    assert top(torch.tensor([3.0, 5.0, 5.0, 1.0]), 2).tolist() == [2, 1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_choice_keeps_its_budget_order_and_protected_entries(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 40))
    budget = data.draw(st.integers(1, n))
    n_prefix = data.draw(st.integers(0, budget - 1))
    ratio = data.draw(st.floats(0, 1))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))
    votes = torch.randint(0, 5, (2, 3, n), generator=generator).float()
    novelty = torch.randint(0, 5, (2, 3, n), generator=generator).float()
    protected = torch.zeros(2, 3, n, dtype=torch.bool)
    n_protected = data.draw(st.integers(0, budget - n_prefix))
    protected[..., n - n_protected :] = True
    keep = select(votes, novelty, budget=budget, novelty_ratio=ratio, n_prefix=n_prefix, protected=protected)
    assert keep.shape == (2, 3, budget)
    assert (keep[..., 1:] > keep[..., :-1]).all()
    for head in keep.flatten(0, 1).tolist():
        assert set(range(n_prefix)) | set(range(n - n_protected, n)) <= set(head)
