"""Documents on their way through one pot, and the answers that follow.

Reading and answering are generators; whoever iterates them decides when to stop.
"""

import time
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from infinipot_cli.answers import Answers, ModelInUse, Timing
from infinipot_cli.errors import OutputError
from infinipot_cli.explain.lookout import merged
from infinipot_cli.pins import Pins
from infinipot_cli.plan import Judges, Plan, Task
from infinipot_cli.progress import Progress
from infinipot_cli.settings import Entries
from infinipot_cli.sources import Input, Meter, Stretches
from infinipot_cli.stop import Stop
from infinipot_cli.tokens.stream import stream_tokens

if TYPE_CHECKING:
    from infinipot_cli.engine import PotState, Reader
    from infinipot_cli.model.load import LoadedModel


class Reading(Answers):
    """Documents on their way through one pot, and the answer that follows. Made by `Session.prepare`.

    Attributes:
        stop: ends the reading early; the pot is whole then, and can be asked about what was read.
        rest: of a reading that was ended early, the document it was in and the option that chooses what is left.
        pins: what no distillation may drop.
        announces: whether a document is announced by its name even where it is the only one.
        saved_as: how the pot is asked again, `@NAME`; None while it is stored nowhere.
        unsaved: why it could not be stored, where that was asked for.
        entries: how the pot that it was taken from writes keys and values.
        judged: what has judged that pot's entries; nothing where there was none.
    """

    def __init__(
        self, model: ModelInUse, inputs: list[Input], task: Task, plan: Plan, state: "PotState | None" = None
    ) -> None:
        super().__init__(model, inputs, task, plan)
        self.stop = Stop()
        self.rest = ("", "")
        self.pins = Pins()
        self.announces = len(inputs) > 1
        self.saved_as: str | None = None
        self.unsaved: OutputError | None = None
        self.entries = Entries.EXACT
        self.judged = Judges("", ())
        self._state = state
        self._stretches = Stretches((), 0, "part")
        self._kept: tuple[float, ...] = ()
        self._load_seconds = self._read_seconds = 0.0

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        for entry in self.inputs:
            entry.document.close()

    @property
    def warnings(self) -> list[str]:
        """What the documents had to say about their own state."""
        missing = self.pins.missing if self._pot is not None else []
        return [line for entry in self.inputs for line in entry.document.warnings] + missing

    @property
    def timing(self) -> Timing:
        """Seconds spent so far."""
        return Timing(self._load_seconds, self._read_seconds, self._answer_seconds)

    def check_pins(self) -> None:
        """See that what shall be pinned can be in the document, where only one is to be read.

        Raises:
            UsageError: it has no such page, or that page will not be read.
        """
        unread = [entry.document for entry in self.inputs if not entry.was_read]
        if len(unread) == 1:
            self.pins.check(unread[0])

    def read(self) -> Iterator[Progress]:
        """Read all documents into a new pot, one after the other."""
        before = self._model.load_seconds
        loaded = self._model.load()
        self._load_seconds += self._model.load_seconds - before  # nothing where an earlier reading has loaded it
        from infinipot_cli.engine import Distilled
        from infinipot_cli.model.load import check_room, check_trained, memory_guard

        if self._pot is None:  # else it has its room already
            check_trained(loaded, self.plan.capacity)
            check_room(loaded, self.plan.capacity, self.plan.budget)
        plan, start, is_first = self.plan, time.perf_counter(), self._pot is None
        with memory_guard(f"read with a pot of {plan.capacity} places"):
            reader = new_reader(loaded.model, plan) if is_first and self._state is None else self._resumed(loaded)
            self._pot = reader.pot
            self.passes.begin(self.trail, self.pot)
            meter = Meter(self.inputs, n_tokens=self.pot.n_seen - len(plan.prompt.prefix_ids))
            for lookout in self._lookouts if is_first else ():  # a stored pot was read before, as far as is remembered
                lookout.see(self.trail.blocks)
            for meter.current, entry in enumerate(self.inputs):
                if entry.was_read:
                    continue
                before, entry.first_token = self.n_tokens, self.pot.n_seen - len(plan.prompt.prefix_ids)
                for event in reader.feed(self.stop.guard(self._ids(entry, meter))):
                    if isinstance(event, Distilled):
                        self.passes.see(event, self.trail, self.pot)
                        self._look(meter)
                        self._forget()
                    entry.n_tokens = self.pot.n_seen - len(plan.prompt.prefix_ids) - entry.first_token
                    self.n_tokens = before + entry.n_tokens
                    self._read_seconds = time.perf_counter() - start
                    yield self._progress(entry, meter)
                if self.stop.is_wanted:
                    entry.pages = [page for page in entry.pages if page[1] < entry.end_token]
                    self.rest = (entry.document.name, self.trail.cut(self.pot.n_seen))
                    break

    def _resumed(self, loaded: "LoadedModel") -> "Reader":
        """A reader on the stored pot, or on the one that is there.

        What is asked now judges its entries from here on, if there is room for it.
        """
        from infinipot_cli.engine import Reader, restore

        if self._state is not None:
            self._pot = restore(loaded.model, self._state)
            self._state = None  # its tensors have been copied
            # the end of a long answer may have taken the places of the catalyst
            self._pot.rewind(min(self._pot.n_held, self._pot.capacity - len(self._pot.catalyst_ids)))
        pot = self.pot
        self.trail.skip(max(0, pot.n_seen - self.trail.n_seen))  # what was said in a conversation is of no document
        if pot.n_held + len(self.plan.prompt.catalyst_ids) <= pot.capacity:
            pot.catalyst_ids = self.plan.prompt.catalyst_ids
        return Reader.resumed(loaded.model, pot, chunk=self.plan.chunk)

    def read_more(self, inputs: list[Input]) -> Iterator[Progress]:
        """Read further documents, or parts of them once more, behind all that the pot holds; `stop` is a new one."""
        self.stop = Stop()  # the wish that ended what was read before is not for these
        for entry in self.inputs:
            entry.was_read = True
        self.inputs += inputs
        self.announces = True
        self._forget_copies(self.pot)
        return self.read()

    def count(self) -> None:
        """Count the tokens of all documents instead of reading them into a pot."""
        meter = Meter(self.inputs)
        for meter.current, entry in enumerate(self.inputs):
            entry.n_tokens = sum(1 for _ in self._ids(entry, meter))
            self.n_tokens += entry.n_tokens

    def silent_pages(self) -> dict[str, str]:
        """What is to be said of pages that gave no text, by their number and by what is printed on them."""
        spoke = {(document.name, start.page) for document in self.trail.documents for start in document.pages}
        by_number: dict[str, str] = {}
        by_label: dict[str, str] = {}
        for document in (entry.document for entry in self.inputs):
            name, what = document.name, "chapter" if document.kind == "epub" else "page"
            last = max((page for path, page in spoke if path == name), default=0)
            wanted = None if document.wanted is None else set(document.wanted)
            for number in range(1, (document.n_pages or 0) + 1):
                if (name, number) in spoke:
                    continue
                why = "has no text that could be read"
                if wanted is None:
                    why = "has no text, or was not read"
                elif number not in wanted or (self.rest[0] and number > last):
                    why = "was not read"
                by_number.setdefault(str(number), f"{what} {number} of {name} {why}")
                if document.labels:
                    label = document.labels[number - 1]
                    by_label.setdefault(label, f"{what} {label} of {name} {why}")
        return by_label | by_number

    def _favour(self) -> None:
        """Let the next distillation keep the passages that match the questions best, of all that was read."""
        if not self.plan.choice.words or self._pot is None:
            return
        choice, n_pinned = self.plan.choice, sum(end - start for start, end in self.pot.pinned)
        room = self.plan.budget - len(self.plan.prompt.prefix_ids) - n_pinned - choice.sinks - choice.recent
        most = min(int(choice.words * self.plan.budget), room - 1) // len(self._lookouts)
        self.pot.favoured = merged(span for lookout in self._lookouts for span in lookout.favoured(most))

    def _forget(self) -> None:
        """Let go of text that the pot holds little of, so that an endless pipe takes no more memory than a book."""
        if self.trail.is_full:
            self.shorten_trail()

    def shorten_trail(self) -> None:
        """Let the trail forget text of which the pot holds little, if it is long; what may be read again stays."""
        from infinipot_cli.explain.evidence import held_counts

        if self.trail.is_long:
            most = int(self.plan.choice.reread * self.plan.budget)
            spared = [span for lookout in self._lookouts for span in lookout.to_reread(most)]
            self.trail.forget(held_counts(self.pot.origins, self.trail.ranges), self.pot.n_seen, spared)

    def _ids(self, entry: Input, meter: Meter) -> Iterator[int]:
        """The tokens of one document, behind its name where there are several."""
        tokenizer = self._model.tokenizer
        first = next(entry.pieces, None)
        if first is None:
            return
        if self.announces and not entry.goes_on:
            announced = self._announced(entry.document.name, is_first=not meter.n_tokens)
            meter.n_tokens += len(announced)
            self.trail.skip(len(announced))
            yield from announced
        self.trail.begin(entry.document.name, entry.document.kind, entry.lines)
        pieces = self.trail.watch(meter.watch(self.pins.watch(chain([first], entry.pieces), entry.document)))
        n_prefix = len(self.plan.prompt.prefix_ids)
        for run in stream_tokens(pieces, tokenizer):
            added = self.trail.add(run)
            if sum(lookout.see(added) for lookout in self._lookouts):
                self._favour()
            for token, char, end in zip(run.ids, run.char_start, [*run.char_start[1:], run.char_end], strict=True):
                if self.pins and self._pot is not None and self.pins.covers(char, max(end, char + 1)):
                    self._pot.pin(n_prefix + meter.n_tokens)
                meter.step(char)
                yield token

    def _announced(self, name: str, *, is_first: bool) -> list[int]:
        """What stands in front of a document, so that the model knows its name."""
        gap = "" if is_first else "\n\n"
        return self._model.tokenizer.encode(f"{gap}Document: {name}\n\n")

    def all_ids(self) -> list[int]:
        """Everything that was read, with the names of the documents; empty where not all of it is remembered."""
        ids: list[int] = []
        n_prefix = len(self.plan.prompt.prefix_ids)
        for block in self.trail.blocks:
            if block.origin > n_prefix + len(ids):
                ids += self._announced(self.trail.documents[block.document].name, is_first=not ids)
            if block.origin != n_prefix + len(ids):
                return []
            ids += block.ids
        return ids if len(ids) == self.n_tokens else []

    def _progress(self, entry: Input, meter: Meter) -> Progress:
        # a document that was begun before is there in parts
        names = list(dict.fromkeys(one.document.name for one in self.inputs))
        return Progress(
            source=entry.document.name,
            page=meter.page,
            n_tokens=self.n_tokens,
            n_held=self.pot.n_held,
            capacity=max(self.plan.capacity, self.pot.n_held),
            n_cycles=self.pot.n_cycles,
            done=meter.share(),
            label=meter.label,
            n_pages=entry.document.n_pages,
            kept=self._kept,
            n_ahead=self._stretches.n_ahead,
            kept_by=self._stretches.by,
            number=names.index(entry.document.name) + 1,
            n_documents=len(names),
        )

    def _look(self, meter: Meter) -> None:
        """See what a distillation has left of each stretch that was read."""
        from infinipot_cli.engine import coverage

        n_prefix = len(self.plan.prompt.prefix_ids)
        self._stretches = meter.stretches(self.pot.n_seen - n_prefix)
        self._kept = tuple(coverage(self.pot, [n_prefix + edge for edge in self._stretches.edges]))


def new_reader(model: Any, plan: Plan, *, record: bool = False) -> "Reader":
    """A reader with an empty pot, as planned; one that keeps a record remembers what each distillation kept."""
    from infinipot_cli.engine import Reader
    from infinipot_cli.engine.policies import make

    return Reader(
        model,
        catalyst_ids=plan.prompt.catalyst_ids,
        prefix_ids=plan.prompt.prefix_ids,
        capacity=plan.capacity,
        budget=plan.budget,
        novelty_ratio=plan.novelty_ratio,
        record=record,
        choice=plan.choice,
        chunk=plan.chunk,
        policy=make(plan.policy, plan.policy_settings),
    )
