"""One distillation: hear the voters, rank, keep, renumber (paper §3.2; procedure in Appendix B)."""

from contextlib import suppress

import torch
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.engine.consume import Hearing, by_kv_head
from infinipot_cli.engine.events import Distilled
from infinipot_cli.engine.forward import forward
from infinipot_cli.engine.importance import concentrated_budget, inside, pooled, select
from infinipot_cli.engine.policies import Evidence, Voters
from infinipot_cli.engine.pot import Pot
from infinipot_cli.engine.renewal import renewed_novelty
from infinipot_cli.engine.sharing import select_shared, widest_head
from infinipot_cli.errors import PotSizeError
from infinipot_cli.model.attention import AllHeard, captured_votes
from infinipot_cli.model.device import clock
from infinipot_cli.model.port import port_of


@torch.no_grad()
def distill(
    model: PreTrainedModel, pot: Pot, *, hearing: Hearing | None = None, protected: Tensor | None = None,
    n_kept: int | None = None, n_places: int | None = None,
) -> Distilled:  # fmt: skip
    """Reduce a pot to its budget; the catalyst leaves no trace.

    Args:
        model: the model that filled the pot.
        pot: holds more entries than its budget, and has room for the catalyst.
        hearing: what the catalyst has said of these entries already; it is not run again then.
        protected: entries to keep beside the prefix (question and answer while generating), (L, K, n_held).
        n_kept: entries to keep where that is not the budget.
        n_places: most places of a head where heads differ, if that is less than `widest_head` says.

    Raises:
        PotSizeError: an answer has taken the places of the catalyst, or what must stay fills the pot.
    """
    start, n_before = clock(model.device), pot.n_held
    assert (n_kept or pot.budget) < n_before
    if n_before > pot.capacity - len(pot.catalyst_ids):
        raise PotSizeError(
            f"{n_before} entries leave no room for a catalyst of {len(pot.catalyst_ids)} tokens"
            f" (capacity {pot.capacity})",
            hint="fork the pot before each answer",
        )
    if hearing is not None and hearing.votes.shape[-1] == n_before:
        votes, start = hearing.votes, start - hearing.seconds
    else:
        votes = catalyst_votes(model, pot)
    evidence = Evidence(
        votes=votes,
        novelty=pot.novelty.to(votes.device),
        origins=pot.origins.to(votes.device),
        keys=[layer.keys[0, :, : layer.n] for layer in pot.pot_layers if layer.keys is not None],
        n_seen=pot.n_seen,
        capacity=pot.capacity,
    )
    pot.keep(_survivors(pot, evidence, protected, n_kept, n_places))
    if pot.choice.renew and pot.novelty_ratio:
        pot.overwrite_notes(pot.origins, renewed_novelty(model, port_of(model), pot))
    return Distilled(pot.n_cycles, pot.n_seen, n_before, pot.n_held, clock(model.device) - start)


def catalyst_votes(model: PreTrainedModel, pot: Pot) -> Tensor:
    """Attention of the policy's voters to the entries held, fp32, (L, K, N); zeros where nobody votes."""
    if pot.policy.voters is Voters.LAST:
        assert pot.votes is not None and pot.votes.shape[-1] >= pot.n_held
        return pot.votes[..., : pot.n_held]
    if pot.policy.voters is not Voters.CATALYST:
        return torch.zeros_like(pot.novelty)
    n_before, ids = pot.n_held, torch.tensor([pot.catalyst_ids], device=model.device)
    try:
        with (
            captured_votes(model, n_before, group_max=pot.choice.group_max, n_layers=len(pot.layers)) as votes,
            suppress(AllHeard),
        ):
            forward(model, pot, ids)
    finally:
        pot.rewind(n_before)
    return by_kv_head(votes, pot.n_kv_heads, group_max=pot.choice.group_max)


def _survivors(
    pot: Pot, evidence: Evidence, protected: Tensor | None, n_kept: int | None, n_places: int | None
) -> Tensor:
    """The entries to keep, (L, K, C): those of the policy, with what `pot.choice` changes about it."""
    budget = n_kept or pot.budget
    _check_pins(pot, evidence.origins)
    choice, scores, origins = pot.choice, pot.policy.rank(evidence), evidence.origins
    fresh, protected = origins >= pot.n_seen_distilled, _must_stay(pot, origins, protected)
    if choice.pool > 1:
        scores = pooled(scores, choice.pool).masked_fill(origins < 0, 0.0)
    if choice.mass and n_kept is None:  # else as much shall stay as fits
        least = min(budget, pot.n_prefix + 1)  # the prefix stays whatever it weighs
        budget = max(least, concentrated_budget(scores, choice.mass, pot.novelty_ratio, budget))
    if protected is not None:  # what must stay comes before what should
        budget = max(budget, _places(pot, protected))
    if choice.spread or pot.n_empty is not None:
        prefix = (origins >= 0) & (origins < pot.n_prefix)
        widest = widest_head(pot) if n_places is None else min(widest_head(pot), n_places)
        return select_shared(
            scores, evidence.novelty, origins, budget=min(budget, scores.shape[-1]), novelty_ratio=pot.novelty_ratio,
            protected=prefix if protected is None else prefix | protected, spread=choice.spread,
            widest=max(budget, widest), fresh=fresh, fresh_share=choice.fresh,
            local=[number for number, layer in enumerate(pot.pot_layers) if layer.is_local],
        )  # fmt: skip
    return select(
        scores, evidence.novelty, budget=min(budget, scores.shape[-1]), novelty_ratio=pot.novelty_ratio,
        n_prefix=pot.n_prefix, protected=protected, fresh=fresh, fresh_share=choice.fresh,
    )  # fmt: skip


def _must_stay(pot: Pot, origins: Tensor, protected: Tensor | None) -> Tensor | None:
    """What stays behind the prefix whatever its scores, boolean, (L, K, N); None if nothing does."""
    first, latest = pot.policy.always(pot.budget)
    first, latest = max(first, pot.choice.sinks), max(latest, pot.choice.recent)
    if first or latest:
        kept = (origins < pot.n_prefix + first) | (origins >= pot.n_seen - latest)
        kept &= origins >= pot.n_prefix
        protected = kept if protected is None else kept | protected.to(origins.device)
    for ranges in filter(None, (pot.pinned, pot.favoured)):
        kept = inside(ranges, origins) & (origins >= pot.n_prefix)
        protected = kept if protected is None else kept | protected.to(origins.device)
    return protected


def n_staying(pot: Pot) -> int:
    """Places of a head, the prefix included, that no distillation gives away."""
    protected = _must_stay(pot, pot.origins, None)
    return pot.n_prefix + (0 if protected is None else int(protected.sum(-1).max()))


def _places(pot: Pot, protected: Tensor) -> int:
    """Places that what must stay takes, the prefix included; protected as for `distill`.

    Raises:
        PotSizeError: the pot would be full of it.
    """
    n_must = pot.n_prefix + int(protected.sum(-1).max())
    if n_must >= pot.capacity - len(pot.catalyst_ids):
        raise PotSizeError(
            f"what must stay takes {n_must} of {pot.capacity} places and leaves none to read into",
            hint="pin or keep less, or take a larger pot with -s",
        )
    return n_must


def _check_pins(pot: Pot, origins: Tensor) -> None:
    """Refuse pins that take more places than a distillation keeps.

    Raises:
        PotSizeError: there are too many of them.
    """
    if not pot.pinned:
        return
    n_pinned = int((inside(pot.pinned, origins) & (origins >= pot.n_prefix)).sum(-1).max())
    if n_pinned + pot.n_prefix > pot.budget:
        raise PotSizeError(
            f"what is pinned takes {n_pinned} places, and a distillation keeps {pot.budget}",
            hint="pin less, or take a larger pot with -s",
        )
