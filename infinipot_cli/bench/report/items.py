"""Which item a score is of, so that nothing is counted twice and only like is held against like.

Records of one folder overlap: two steps of a suite hide the same lines, and one question is asked of pots of several
sizes.
"""

import json
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from infinipot_cli.bench.report.found import WAY, Found, Record
from infinipot_cli.bench.report.paper import canonical


class Trial(Protocol):
    """What all trials have."""

    @property
    def arm(self) -> str:
        """How the text was held."""


T = TypeVar("T", bound=Trial)


@dataclass(frozen=True)
class Item:
    """What was asked, and of what.

    Attributes:
        question: the question and its text; scores of one question do not count as independent.
        way: the model, its pot and whatever else the arms of a run share.
    """

    question: Hashable
    way: Hashable


@dataclass(frozen=True)
class Measured(Generic[T]):
    """One trial and what it was of.

    Attributes:
        model: that answered.
        arm: how the text was held, by its one name.
        item: what was asked.
        trial: what came.
    """

    model: str
    arm: str
    item: Item
    trial: T


def measured(
    found: Found,
    bench: str,
    make: Callable[..., T],
    question: Callable[[Record, T], Hashable],
    size: Callable[[T], Hashable] = lambda _: None,
) -> list[Measured[T]]:
    """The trials of all records of a benchmark; what was measured twice counts once, as the first record has it.

    Args:
        found: the records.
        bench: which benchmark.
        make: builds a trial from its fields.
        question: what tells a question from every other.
        size: of the pot, where the record has several.
    """
    once: dict[tuple[str, Item], Measured[T]] = {}
    for record in found.of(bench):
        way = said(record, WAY)
        for trial in record.trials(make):
            one = Measured(record.model, canonical(trial.arm), Item(question(record, trial), (way, size(trial))), trial)
            once.setdefault((one.arm, one.item), one)
    return list(once.values())


def said(record: Record, names: Iterable[str]) -> str:
    """What a record says of its run under some names, as JSON."""
    known = {**record.fields, **record.settings}
    return json.dumps({name: known[name] for name in names if name in known}, sort_keys=True)


def files(record: Record) -> dict[str, str]:
    """The data that a run read, by name, with what tells one content from another."""
    known = record.settings.get("data")
    return {str(name): str(mark) for name, mark in known.items()} if isinstance(known, dict) else {}
