"""The pot: a KV cache of fixed capacity that knows where each of its entries came from.

Position and place are one: entry i of every head stands at position i, so shrinking the pot is all that CR-RoPE needs
from the model's side (paper §3.5). Heads hold different tokens but equally many, unless `Choice.spread` lets some hold
more and others stand behind empty places.
"""

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.engine.layer import PotLayer
from infinipot_cli.engine.notes import Notes
from infinipot_cli.engine.policies import Numbering, Policy, Timing, make
from infinipot_cli.engine.withheld import Withheld
from infinipot_cli.errors import PotError, PotSizeError
from infinipot_cli.model.rope import LayerRope


class Pot(Cache):
    """A transformers cache with a fixed number of entries per layer and KV head (the paper's memory pot).

    Attributes:
        capacity: |M|, the most entries ever held, catalyst included.
        budget: |C|, entries kept by one distillation.
        novelty_ratio: α, share of the budget for the most novel tokens.
        catalyst_ids: the prompt that judges the entries.
        n_prefix: protected entries in front.
        n_seen: tokens consumed: prefix and document, then suffix and answer.
        n_cycles: distillations so far.
        n_seen_distilled: the same at the latest distillation.
        choice: what is kept, where that differs from the paper.
        pinned: origins that no distillation may drop, as ranges without their ends, ascending.
        favoured: the same for the next distillation; whoever reads may put others in their place.
        n_empty: empty places in front of each head, (L, K), where heads hold unequally many; None if none has any.
        token_ids: of every token that any head holds, by origin, where `choice.renew` reads them again.
        kept_history: `origins` after each distillation, when recording.
        policy: who decides what stays.
        rows: what the token read last attends to, by layer, (H, n_held), where only the policy can tell.
        votes: attention of the row read last, or summed over all rows, fp32, (L, K, n_held), as the policy has it; None
            where the policy asks for neither.
        reordered: where the entries held stood in the latest forward, (L, K, n_held); None if they stand there now.
        withheld: tokens that are read once the question is known, where the policy has it so.
        latest_ids: of the last tokens read, as many as vote on a whole prompt.
        last_state: final hidden state of the last consumed token, (width,), None before the first.
    """

    def __init__(
        self, ropes: tuple[LayerRope, ...], windows: tuple[int | None, ...], n_kv_heads: int, *, capacity: int,
        budget: int, novelty_ratio: float, catalyst_ids: tuple[int, ...], n_prefix: int, record: bool,
        choice: Choice = PAPER, policy: Policy | None = None,
    ) -> None:  # fmt: skip
        policy = policy or make()
        if policy.timing is Timing.WHEN_FULL:
            _check_sizes(capacity, budget, novelty_ratio, len(catalyst_ids))
            _check_protected(policy, n_prefix + choice.sinks + choice.recent, budget, capacity - len(catalyst_ids) - 1)
        elif policy.timing is Timing.EVERY_TOKEN and min(policy.always(capacity - 1)) < 0:
            raise PotSizeError(
                f"more entries shall always stay than a pot of {capacity} places holds",
                hint="take a larger pot with -s",
            )
        elif policy.timing is Timing.AFTER_PROMPT and policy.n_window > capacity:
            raise PotSizeError(
                f"the last {policy.n_window} rows of a prompt shall vote and stay, and the pot has {capacity} places",
                hint=f"--set window={capacity} is the most here, or take a larger pot with -s",
            )
        elif policy.timing is Timing.CUT and n_prefix >= capacity:
            raise PotSizeError(
                f"a prefix of {n_prefix} tokens fills a pot of {capacity} places", hint="take a larger pot with -s"
            )
        grows = not policy.is_bounded
        of_layers = zip(ropes, windows, strict=True)
        super().__init__(layers=[PotLayer(capacity, rope, window, grows=grows) for rope, window in of_layers])
        self.policy = policy
        self.capacity = capacity
        self.budget = budget
        self.novelty_ratio = policy.novelty_ratio(novelty_ratio)
        self.catalyst_ids = catalyst_ids
        self.n_prefix = n_prefix
        self.choice = choice
        self.n_seen = 0
        self.n_seen_distilled = 0
        self.n_cycles = 0
        self.n_kv_heads = n_kv_heads
        self.pinned: list[tuple[int, int]] = []
        self.favoured: list[tuple[int, int]] = []
        self.last_state: Tensor | None = None
        self.votes: Tensor | None = None
        self.reordered: Tensor | None = None
        self.withheld: Withheld | None = None
        self.latest_ids: deque[int] = deque(maxlen=policy.n_window)
        self.rows: dict[int, Tensor] = {}
        self.n_empty: Tensor | None = None
        self.token_ids: dict[int, int] = {}
        self.kept_history: list[Tensor] = []
        self.record = record
        self._is_whole = True
        self._notes = Notes(len(ropes), n_kv_heads)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Bring all layers from one state to the next inside this; what is interrupted there is of no use any more."""
        self.check_whole()
        self._is_whole = False
        yield
        self._is_whole = True

    def check_whole(self) -> None:
        """Refuse to go on with what an interruption has left half changed.

        Raises:
            PotError: layers are in different states.
        """
        if not self._is_whole:
            raise PotError(
                "the pot was interrupted while it was changed", hint="read its documents again", code="broken_pot"
            )

    @property
    def pot_layers(self) -> list[PotLayer]:
        """The layers, typed."""
        return self.layers  # type: ignore[return-value]

    @property
    def n_held(self) -> int:
        """Entries held per layer and KV head; of the longest, if some hold fewer."""
        return self.pot_layers[0].n

    def positions(self, ids: Tensor) -> dict[str, Tensor]:
        """What a forward of ids (1, T) must be told of their positions: nothing where they follow the entries."""
        if self.policy.numbering is Numbering.RESET:
            return {}
        return {"position_ids": torch.arange(self.n_seen, self.n_seen + ids.shape[1], device=ids.device)[None]}

    @property
    def peak(self) -> int:
        """Most entries ever held, catalyst included."""
        return max(layer.peak for layer in self.pot_layers)

    @property
    def origins(self) -> Tensor:
        """Where each entry came from, counted over prefix then document; int, ascending, (L, K, n_held).

        Empty places, which stand in front, come from -1.
        """
        return self._notes.origins(self.n_held)

    @property
    def text(self) -> list[int]:
        """Origins that any head holds, ascending."""
        origins = self.origins
        found: list[int] = origins[origins >= 0].unique().tolist()
        return found

    @property
    def novelty(self) -> Tensor:
        """NuC of each entry when it was read, nats, fp32, (L, K, n_held); inf for the very first token.

        With a novelty ratio of 0 nobody asks for it, the head does not run, and all that is read counts as 0.
        """
        return self._notes.novelty(self.n_held)

    @property
    def nbytes(self) -> int:
        """Bytes of keys, values and what travels with the entries."""
        return sum(layer.nbytes for layer in self.pot_layers) + self._notes.nbytes

    def note(self, novelty: Tensor, ids: Sequence[int] = ()) -> None:
        """Write down origin, novelty (T,) and ids of the T entries that a forward has just appended."""
        n_new = novelty.shape[0]
        keys = self.pot_layers[0].keys
        assert keys is not None
        self._notes.reserve(keys.shape[2], keys.device)
        self._notes.write(self.n_held - n_new, self.n_seen, novelty)
        if self.choice.renew:
            self.token_ids.update(enumerate(ids, start=self.n_seen))
        self.n_seen += n_new

    def overwrite_notes(self, origins: Tensor, novelty: Tensor) -> None:
        """Put stored origins and novelty, (L, K, n_held), in the place of what `note` wrote."""
        self._notes.overwrite(origins, novelty)

    def pin(self, origin: int) -> None:
        """Keep the entry of this origin for ever; origins come in ascending order."""
        if self.pinned and self.pinned[-1][1] == origin:
            self.pinned[-1] = (self.pinned[-1][0], origin + 1)
        else:
            self.pinned.append((origin, origin + 1))

    def withhold(self, ids: Sequence[int]) -> None:
        """Let tokens wait for the question."""
        self.withheld = self.withheld or Withheld()
        self.withheld.add(ids, self.capacity)
        self.n_seen += len(ids)

    def replace_notes(self, places: Tensor) -> None:
        """Write down that the token just read took these places, (L, K)."""
        self._notes.replace(places, self.n_seen)
        self.n_seen += 1

    def put_in_order(self) -> None:
        """Let all entries stand in the order in which they came."""
        order = self.origins.argsort(dim=-1)
        self._notes.keep(order)
        if self.votes is not None:
            self.votes = self.votes.gather(-1, order)
        for number, layer in enumerate(self.pot_layers):
            layer.reorder(order[number])
        self.reordered = order

    def rewind(self, n_held: int) -> None:
        """Forget every entry after the first `n_held`; what was written there is never read again."""
        for layer in self.pot_layers:
            layer.rewind(n_held)

    def keep(self, indices: Tensor) -> Tensor:
        """Keep these entries of each layer and head, ascending, (L, K, C); local layers keep their most recent.

        Indices of -1 in front leave places empty. Returns those that were kept.
        """
        with self.changing():
            kept = self._keep(indices.clone())
        self.n_cycles += 1
        self.n_seen_distilled = self.n_seen
        if self.choice.renew:
            self.token_ids = {origin: self.token_ids[origin] for origin in self.text}
        if self.record:
            self.kept_history.append(self.origins)
        return kept

    def _keep(self, indices: Tensor) -> Tensor:
        n = indices.shape[-1]
        for number, layer in enumerate(self.pot_layers):
            if layer.is_local:
                latest = torch.arange(self.n_held - n, self.n_held, device=indices.device)
                indices[number] = latest.where(indices[number] >= 0, -1)
        is_empty = indices < 0
        self.n_empty = is_empty.sum(-1) if bool(is_empty.any()) else None
        self._notes.keep(indices, self.choice.decay)
        if self.votes is not None:
            there = indices.to(self.votes.device)
            self.votes = self.votes.gather(-1, there.clamp(min=0)).masked_fill(there < 0, 0.0)
        for number, layer in enumerate(self.pot_layers):
            layer.keep(indices[number], resets=self.policy.numbering is Numbering.RESET)
        return indices

    def fork(self) -> Self:
        """An independent copy, for several questions over one reading."""
        with torch.inference_mode(False):
            return copy.deepcopy(self)


def _check_sizes(capacity: int, budget: int, novelty_ratio: float, n_catalyst: int) -> None:
    if budget >= capacity:
        raise PotSizeError(f"the budget must be below the capacity (got {budget} and {capacity})")
    if n_catalyst < 1:
        raise PotSizeError("the catalyst prompt is empty")
    if budget + n_catalyst + 1 > capacity:
        raise PotSizeError(
            f"budget {budget} and a catalyst of {n_catalyst} tokens leave no place to read into (capacity {capacity})"
        )
    if not 0.0 <= novelty_ratio <= 1.0:
        raise PotSizeError(f"the novelty ratio must lie between 0 and 1 (got {novelty_ratio})")


def _check_protected(policy: Policy, n_protected: int, budget: int, most: int) -> None:
    """Refuse a budget that what always stays would fill: `n_protected` entries, and those that the policy adds."""
    n_always = n_protected + sum(policy.always(budget))
    if budget > n_always:
        return
    # what a policy adds may grow with the budget
    works = (more for more in range(budget + 1, most + 1) if more > n_protected + sum(policy.always(more)))
    least = next(works, None)
    raise PotSizeError(
        f"the budget must be above the {n_always} entries that always stay (got {budget})",
        hint="keep less, or take a larger pot with -s" if least is None else f"--budget {least} is the least here",
    )
