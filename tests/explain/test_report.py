"""The report: which rule saved an entry, against the selection itself."""

import pytest
import torch
from transformers import PreTrainedModel

from infinipot_cli.engine import Attended, generate, read
from infinipot_cli.explain.report import saved_by
from tests.engine.conftest import random_ids, tiny

_UNJUDGED, _CAP, _NUC = 2, 0, 1


@pytest.fixture(scope="module")
def llama() -> PreTrainedModel:
    return tiny("llama")


@pytest.mark.parametrize(("ratio", "n_novel"), [(0.0, 0), (0.5, 15), (1.0, 28)])
def test_every_judged_entry_is_saved_by_one_rule(llama: PreTrainedModel, ratio: float, n_novel: int) -> None:
    pot = read(
        llama, random_ids(150, 3), catalyst_ids=random_ids(5, 8), prefix_ids=[2, 3], capacity=64, budget=30,
        novelty_ratio=ratio,
    )  # fmt: skip
    attended = Attended()
    list(generate(llama, pot, random_ids(4, 9), max_new_tokens=3, attended=attended))
    rules = saved_by(pot, attended)
    assert torch.all((rules == _NUC).sum(-1) == n_novel)
    assert torch.all((rules == _CAP).sum(-1) == 28 - n_novel)
    assert torch.all(rules[..., 30:] == _UNJUDGED) and torch.all(rules[..., :2] == _UNJUDGED)
    nuc = attended.novelty.masked_fill(rules != _NUC, float("inf")).amin(-1)
    cap = attended.novelty.masked_fill(rules != _CAP, float("-inf")).amax(-1)
    assert torch.all(nuc >= cap)  # whoever was saved for its novelty was more novel than all who were not
