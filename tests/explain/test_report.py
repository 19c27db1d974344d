"""The report: which rule saved an entry, against the selection itself."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

import infinipot_cli.engine.distill as distilling
from infinipot_cli.choice import Choice
from infinipot_cli.engine import Attended, Reader, generate, read
from infinipot_cli.engine.importance import most_novel
from infinipot_cli.explain.held import saved_by
from tests.engine.conftest import random_ids, tiny

_CAP, _NUC, _PINNED, _, _UNJUDGED = range(5)


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
    assert torch.all(rules[..., 30:] == _UNJUDGED) and torch.all(rules[..., :2] == _PINNED)
    nuc = attended.novelty.masked_fill(rules != _NUC, float("inf")).amin(-1)
    cap = attended.novelty.masked_fill(rules != _CAP, float("-inf")).amax(-1)
    assert torch.all(nuc >= cap)  # whoever was saved for its novelty was more novel than all who were not


@pytest.mark.parametrize(
    "choice",
    [Choice(sinks=3, recent=5), Choice(mass=0.6), Choice(fill=True), Choice(pool=3, group_max=True)],
    ids=lambda choice: ",".join(choice.changed),
)
def test_the_rules_are_those_of_the_selection_under_every_setting(llama: PreTrainedModel, choice: Choice) -> None:
    """Watched at the selection itself: what it was told to protect, and what it found novel."""
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    plain = distilling.select

    def watched(scores: Tensor, novelty: Tensor, *, protected: Tensor | None, **options: Any) -> Tensor:
        chosen = plain(scores, novelty, protected=protected, **options)
        stays = torch.zeros_like(scores, dtype=torch.bool) if protected is None else protected.clone()
        stays[..., : options["n_prefix"]] = True
        n_novel = (options["budget"] - stays.sum(-1, keepdim=True)).clamp(max=int(0.5 * options["budget"]))
        novel = most_novel(novelty, stays, n_novel)
        seen.append((stays.gather(-1, chosen), novel.gather(-1, chosen), chosen))
        return chosen

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distilling, "select", watched)
        pot = read(
            llama, random_ids(151, 3), catalyst_ids=random_ids(5, 8), prefix_ids=[2, 3], capacity=64, budget=30,
            choice=choice,
        )  # fmt: skip
        attended = Attended()
        list(generate(llama, pot, random_ids(4, 9), max_new_tokens=3, attended=attended))
    stays, novel, chosen = seen[-1]
    rules = saved_by(pot, attended)[..., : chosen.shape[-1]]
    assert torch.equal(rules == _PINNED, stays)
    assert torch.equal(rules == _NUC, novel)


def test_pinned_entries_are_told_from_others(llama: PreTrainedModel) -> None:
    reader = Reader(llama, catalyst_ids=random_ids(5, 8), prefix_ids=[2, 3], capacity=64, budget=30)
    list(reader.feed(random_ids(20, 1)))
    reader.pot.pin(7)
    reader.pot.favoured = [(9, 12)]
    list(reader.feed(random_ids(100, 2)))
    attended = Attended()
    list(generate(llama, reader.pot, random_ids(4, 9), max_new_tokens=3, attended=attended))
    rules, origins = saved_by(reader.pot, attended), attended.origins
    assert set(origins[rules == _PINNED].tolist()) == {0, 1, 7, 9, 10, 11}
