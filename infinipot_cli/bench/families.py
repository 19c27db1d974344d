"""Hold the engine to every family of models, each as a tiny random model, against plain transformers and `Replay`."""

from collections.abc import Iterator

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel

from infinipot_cli.bench.record import FamilyRow
from infinipot_cli.bench.replay import Attentions, Replay
from infinipot_cli.bench.tiny_models import FAMILIES, Family, build, random_ids
from infinipot_cli.engine import Consumed, Pot, Reader, generate, read
from infinipot_cli.errors import UsageError
from infinipot_cli.model.port import port_of

CYCLES = 250
_N_ANSWER = 6
_ROTATED_POT = 30


def run(names: frozenset[str] = frozenset(), cycles: int = CYCLES) -> Iterator[FamilyRow]:
    """Check families one after the other.

    Args:
        names: those to check, by name or model type; all when empty.
        cycles: distillations before the rotation is checked.

    Raises:
        UsageError: a name is none of theirs.
    """
    transformers.logging.set_verbosity_error()
    unknown = names - {name for family in FAMILIES for name in (family.name, family.model_type)}
    if unknown:
        raise UsageError(
            f"{sorted(unknown)[0]!r} is no family known here",
            hint="one of " + ", ".join(dict.fromkeys(family.model_type for family in FAMILIES)),
        )
    for family in FAMILIES:
        if not names or {family.name, family.model_type} & names:
            yield check(family, cycles)


def check(family: Family, cycles: int = CYCLES) -> FamilyRow:
    """All checks of one family."""
    model = build(family)
    n_equal, n_compared, answer = compared_to_replay(model)
    return FamilyRow(
        family=family.name,
        model_type=family.model_type,
        trait=family.trait,
        fits=fitting_error(model),
        n_equal=n_equal,
        n_compared=n_compared,
        n_cycles=cycles,
        rotation=rotation_error(model, cycles),
        rotation_bf16=rotation_error(build(family).bfloat16(), cycles),
        generation=answer,
    )


def fitting_error(model: PreTrainedModel) -> float:
    """Largest difference of logits between a pot that nothing was dropped from and plain transformers.

    Infinite if the answers differ.
    """
    prefix, document, suffix = random_ids(3, 1), random_ids(40, 2), random_ids(6, 3)
    pot = read(model, document, catalyst_ids=[2, 3], prefix_ids=prefix, capacity=64, budget=32, chunk=11)
    steps = list(generate(model, pot, suffix, max_new_tokens=_N_ANSWER, record=True))
    ids, wanted = [*prefix, *document, *suffix], []
    with torch.inference_mode():
        for _ in range(_N_ANSWER):
            wanted.append(model(torch.tensor([ids]), use_cache=False).logits[0, -1])
            ids.append(int(wanted[-1].argmax()))
    assert pot.n_cycles == 0
    return _difference([step.logits for step in steps], wanted)


def compared_to_replay(model: PreTrainedModel) -> tuple[int, int, float]:
    """Head-cycles with equal kept sets, head-cycles compared, and the largest difference of the answers' logits."""
    prefix, document, catalyst, suffix = (random_ids(n, seed) for n, seed in ((3, 1), (120, 2), (4, 3), (6, 4)))
    sizes = {"capacity": 40, "budget": 20, "novelty_ratio": 0.5}
    pot = read(model, document, catalyst_ids=catalyst, prefix_ids=prefix, record=True, chunk=7, **sizes)  # type: ignore[arg-type]
    steps = list(generate(model, pot, suffix, max_new_tokens=_N_ANSWER, record=True))
    replay = Replay(model, port_of(model).windows, pot.origins.shape[1], **sizes)  # type: ignore[arg-type]
    wanted = replay.run(prefix=prefix, document=document, catalyst=catalyst, suffix=suffix, n_answer=_N_ANSWER)
    pairs = [
        (ours, theirs)
        for got, kept in zip(pot.kept_history, wanted.kept, strict=True)
        for ours_layer, theirs_layer in zip(got.tolist(), kept, strict=True)
        for ours, theirs in zip(ours_layer, theirs_layer, strict=True)
    ]
    n_equal = sum(ours == theirs for ours, theirs in pairs)
    return n_equal, len(pairs), _difference([step.logits for step in steps], wanted.logits)


@torch.no_grad()
def rotation_error(model: PreTrainedModel, cycles: int) -> float:
    """How far stored keys and values are from those the model makes afresh of the same states at the same places.

    Relative, the largest over layers, after so many distillations.
    """
    reader = Reader(model, catalyst_ids=random_ids(2, 5), capacity=_ROTATED_POT, budget=_ROTATED_POT - 8)
    attentions = Attentions(model, _ROTATED_POT)
    states: list[list[Tensor]] = [[] for _ in attentions.modules]
    n_seen = 0
    with attentions.watched():
        for event in reader.feed(random_ids(_ROTATED_POT + 6 * cycles, 6)):
            if isinstance(event, Consumed):
                for parts, read_last in zip(states, attentions.states, strict=True):
                    parts.append(read_last[: event.n_seen - n_seen])  # a catalyst may have been read behind them
                n_seen = event.n_seen
    assert reader.pot.n_cycles >= cycles
    return max(_layer_error(reader.pot, attentions, number, torch.cat(parts)) for number, parts in enumerate(states))


def _layer_error(pot: Pot, attentions: Attentions, number: int, states: Tensor) -> float:
    layer, origins = pot.pot_layers[number], pot.origins[number]
    assert layer.keys is not None and layer.values is not None
    made = [attentions.keys(number, states[places]) for places in origins]
    errors = []
    for stored, part in ((layer.keys, 0), (layer.values, 1)):
        wanted = torch.stack([pair[part][kv] for kv, pair in enumerate(made)]).float()
        errors.append(float((stored[0, :, : layer.n].float() - wanted).norm() / wanted.norm()))
    return max(errors)


def _difference(got: "list[Tensor | None]", wanted: list[Tensor]) -> float:
    rows = [row for row in got if row is not None]
    if [int(row.argmax()) for row in rows] != [int(row.argmax()) for row in wanted]:
        return float("inf")
    return float((torch.stack(rows) - torch.stack(wanted)).abs().max())
