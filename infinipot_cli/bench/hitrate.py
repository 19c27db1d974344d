"""What the pot keeps beside what a model that forgets nothing would look at (paper §3.4, Figures 2 and 3).

Global scoring reads the text with everything kept and takes the attention of the row that chooses the answer's first
token. What each way of choosing has kept after each distillation is held against the same number of entries that
global scoring ranks highest among the tokens read so far; the prefix, which every way keeps, does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.bench.hitrate_record import GLOBAL, N_BINS, Histogram, HitRow, HitTrial
from infinipot_cli.choice import PAPER
from infinipot_cli.engine import Distilled, Reader
from infinipot_cli.engine.consume import by_kv_head, consume
from infinipot_cli.engine.importance import top
from infinipot_cli.errors import UsageError
from infinipot_cli.model.attention import captured_last_row
from infinipot_cli.plan import Plan
from infinipot_cli.policies import DEFAULT, label
from infinipot_cli.reading import new_reader

QUESTION, GENERAL, NO_NOVELTY = "CaP-Q", "CaP-G", "CaP-Q, no NuC"
LAST_TOKEN, RECENT = "no CaP", "recent"

# Tokens read until a distillation, and the origins of what it kept, (L, K, C).
Kept = list[tuple[int, Tensor]]


@dataclass(frozen=True)
class Everything:
    """What a model that forgets nothing makes of a text.

    Attributes:
        votes: attention of the row that chooses the first token of the answer, fp32, (L, K, N).
        novelty: of each token, nats, (N,).
        layers: those that distil in a pot of the measured size.
    """

    votes: Tensor
    novelty: Tensor
    layers: list[int]


def measure(
    model: PreTrainedModel, plan: Plan, general: Plan, document: Sequence[int], *, question: str, depth: float
) -> HitTrial:
    """Read one text in every way.

    Args:
        model: any rotary decoder; text and question should fit its trained context, or global scoring means nothing.
        plan: sizes and the prompt that asks the question (CaP-Q).
        general: the same with the general catalyst (CaP-G).
        document: token ids.
        question: for the record.
        depth: for the record.

    Raises:
        UsageError: the document fits the pot, so that nothing would be distilled.
    """
    truth = everything(model, plan, document)
    kept = {
        QUESTION: by_catalyst(model, plan, document),
        GENERAL: by_catalyst(model, replace(general, novelty_ratio=plan.novelty_ratio), document),
        NO_NOVELTY: by_catalyst(model, replace(plan, novelty_ratio=0.0), document),
        LAST_TOKEN: by_last_token(model, plan, document),
    }
    if plan.policy != DEFAULT:
        kept[label(plan.policy, plan.policy_settings)] = by_policy(model, plan, document)
    if not all(kept.values()):
        raise UsageError(f"{len(document)} tokens fit the pot of {plan.capacity}, so nothing is distilled")
    n_prefix = len(plan.prompt.prefix_ids)
    kept[RECENT] = [(seen, _most_recent(found, seen, n_prefix)) for seen, found in kept[QUESTION]]
    rows = [
        _row(truth, way, cycle, seen, found, n_prefix)
        for way, cycles in kept.items()
        for cycle, (seen, found) in enumerate(cycles, start=1)
    ]
    ends = sorted({truth.layers[0], truth.layers[-1]})
    last = {way: cycles[-1] for way, cycles in kept.items()}
    seen, found = last[QUESTION]
    last[GLOBAL] = seen, global_choice(truth.votes[..., :seen], found.shape[-1], n_prefix)
    histograms = [
        Histogram(way, layer, _tenths(found[layer], seen, n_prefix)) for way, (seen, found) in last.items()
        for layer in ends
    ]  # fmt: skip
    overlap = [
        float(overlap_share(first, second, seen, n_prefix)[truth.layers].mean())
        for (seen, first), (_, second) in zip(kept[QUESTION], kept[NO_NOVELTY], strict=True)
    ]
    return HitTrial(question, depth, len(document), truth.layers, rows, histograms, overlap)


def everything(model: PreTrainedModel, plan: Plan, document: Sequence[int]) -> Everything:
    """Read with everything kept and look at what the first token of the answer attends to."""
    prompt, n_prefix = plan.prompt, len(plan.prompt.prefix_ids)
    n = n_prefix + len(document)
    # a pot that the whole text fits is a plain cache
    reader = Reader(
        model, catalyst_ids=prompt.suffix_ids[:1], prefix_ids=prompt.prefix_ids, budget=n_prefix + 1,
        capacity=n + len(prompt.suffix_ids) + 1, novelty_ratio=1.0, chunk=plan.chunk,
    )  # fmt: skip
    for _ in reader.feed(document):
        pass
    novelty = reader.pot.novelty[0, 0].cpu().clone()
    novelty[0] = 0.0  # nothing predicts the first token
    with captured_last_row(model) as rows:
        consume(model, reader.port, reader.pot, prompt.suffix_ids)
    assert reader.pot.n_cycles == 0
    votes = by_kv_head(rows, reader.port.n_kv_heads)[..., :n].cpu()
    windows = reader.port.windows
    distilling = [number for number, window in enumerate(windows) if window is None or window >= plan.capacity]
    return Everything(votes, novelty, distilling)


def agreement(model: PreTrainedModel, plan: Plan, document: Sequence[int], held: Tensor) -> tuple[float, ...]:
    """Hit rate of what a pot held when its answer began, by layer, mean over heads; layers with a window count too.

    Args:
        model: that filled the pot.
        plan: of the reading; its first question is asked.
        document: token ids, all of them; they should fit the trained context.
        held: origins of the pot's entries, ascending, (L, K, N); those behind the document do not count, nor do empty
            places, and a head that has some is held against as many entries as it holds.
    """
    n_prefix, n = len(plan.prompt.prefix_ids), len(plan.prompt.prefix_ids) + len(document)
    votes = everything(model, plan, document).votes
    found = held[..., : int((held[0, 0] < n).sum())]
    shares = torch.zeros(found.shape[:2])
    for number, n_empty in enumerate((found < 0).sum(-1)):
        for size in n_empty.unique().tolist():
            alike = n_empty == size
            mine, seen = found[number, alike, size:][None], votes[number, alike][None]
            wanted = global_choice(seen, mine.shape[-1], n_prefix)
            shares[number, alike] = overlap_share(mine.swapdims(0, 1), wanted.swapdims(0, 1), n, n_prefix)
    return tuple(round(share, 4) for share in shares.mean(-1).tolist())


def by_catalyst(model: PreTrainedModel, plan: Plan, document: Sequence[int]) -> Kept:
    """What InfiniPot keeps, with the plan's settings beyond the paper."""
    return by_policy(model, replace(plan, policy=DEFAULT, policy_settings=()), document)


def by_policy(model: PreTrainedModel, plan: Plan, document: Sequence[int]) -> Kept:
    """What the plan's policy keeps, at the same moments."""
    reader = new_reader(model, plan, record=True)
    seen = [event.n_seen for event in reader.feed(document) if isinstance(event, Distilled)]
    return [(n, found.cpu()) for n, found in zip(seen, reader.pot.kept_history, strict=True)]


def by_last_token(model: PreTrainedModel, plan: Plan, document: Sequence[int]) -> Kept:
    """The paper's "without CaP": the last token read judges, at the same moments and with no novelty."""
    judged = replace(plan, policy="tova", policy_settings=(), novelty_ratio=0.0, choice=PAPER)
    return by_policy(model, judged, document)


def versions() -> dict[str, str]:
    """Of the libraries that compute."""
    return {"torch": str(torch.__version__), "transformers": transformers.__version__}


def global_choice(votes: Tensor, n_kept: int, n_prefix: int) -> Tensor:
    """The prefix and the entries ranked highest behind it, ascending, (L, K, n_kept)."""
    best = top(votes[..., n_prefix:], n_kept - n_prefix) + n_prefix
    prefix = torch.arange(n_prefix).expand(*votes.shape[:2], n_prefix)
    return torch.cat((prefix, best), dim=-1).sort(dim=-1).values


def overlap_share(first: Tensor, second: Tensor, n_seen: int, n_prefix: int) -> Tensor:
    """Share of equally many entries that both have, behind the prefix: origins (L, K, C) to means over heads (L,)."""
    masks = [
        torch.zeros((*found.shape[:2], n_seen)).scatter_(-1, found.long(), 1.0)[..., n_prefix:]
        for found in (first, second)
    ]
    return ((masks[0] * masks[1]).sum(-1) / max(1, first.shape[-1] - n_prefix)).mean(-1)


def _most_recent(like: Tensor, n_seen: int, n_prefix: int) -> Tensor:
    """What a sliding window beside the prefix holds, in the shape of `like`."""
    n_recent = like.shape[-1] - n_prefix
    return torch.cat((torch.arange(n_prefix), torch.arange(n_seen - n_recent, n_seen))).expand_as(like)


def _row(truth: Everything, way: str, cycle: int, n_seen: int, found: Tensor, n_prefix: int) -> HitRow:
    n_kept = found.shape[-1]
    wanted = global_choice(truth.votes[..., :n_seen], n_kept, n_prefix)
    hits = overlap_share(found, wanted, n_seen, n_prefix)[truth.layers]
    means = [float(truth.novelty[origins[truth.layers][..., n_prefix:].long()].mean()) for origins in (found, wanted)]
    chance = (n_kept - n_prefix) / (n_seen - n_prefix)
    return HitRow(way, cycle, n_seen, tuple(hits.tolist()), chance, *means)


def _tenths(found: Tensor, n_seen: int, n_prefix: int) -> tuple[float, ...]:
    """Shares of a layer's entries (K, C) behind the prefix that stand in each tenth of what was read."""
    places = ((found[..., n_prefix:].long() - n_prefix) * N_BINS // (n_seen - n_prefix)).flatten()
    return tuple((torch.bincount(places, minlength=N_BINS) / len(places)).tolist())
