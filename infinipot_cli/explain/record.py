"""What a report says: three facts that are never mixed, for every page and every token of it.

*Kept*: the share of layer × head slots of the pot that still held it when the question came, split by what saved it.
*Attended*: the share of the answer's attention to the documents that lay on it. *Cited*: it passed the threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

from infinipot_cli.explain.citations import Passage

MOST_LOSSES = 4
_LEAST_LOSS = 0.005  # less is shown as nothing
RULES = ("cap", "nuc", "pinned", "reread", "unjudged")
FORGOTTEN = " […] "
RULE_NAMES = ("CaP", "NuC", "words or pin", "read again", "unjudged")
_LEGEND_ANSWERED = (
    "kept: share of layer and head slots that still held it when the question came; by CaP (the question asked for it),"
    " NuC (it was surprising), words or pin (it holds the question's words, or you pinned it), read again in front of"
    " the question (it holds its words), or not yet judged. attended: share of the answer's attention to the documents."
    " cited: passed the threshold. A citation is evidence of use, not proof of truth."
)
_LEGEND_UNASKED = (
    "kept: share of layer and head slots that hold it; by CaP (what it was read for asked for it), NuC (it was"
    " surprising), words or pin (it holds a question's words, or you pinned it), or not yet judged."
)


def by_rule(values: Sequence[str]) -> str:
    """What each rule saved, in words; what is empty is left out."""
    return ", ".join(f"{name} {value}" for name, value in zip(RULE_NAMES, values, strict=True) if value)


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive tokens that share their facts.

    Attributes:
        text: their text; `FORGOTTEN` where that is not known any more.
        kept: share of slots that hold them, by rule, in the order of `RULES`; the mean where the text is forgotten.
        attended: share of the answer's attention.
        lines_forgotten: line ends in a text that is forgotten; None where it is not.
    """

    text: str
    kept: tuple[float, ...]
    attended: float
    lines_forgotten: int | None = None

    @property
    def share(self) -> float:
        """Share of slots that hold them, whatever saved them."""
        return sum(self.kept)

    @property
    def is_forgotten(self) -> bool:
        """Whether the text is not known any more."""
        return self.lines_forgotten is not None


@dataclass(frozen=True)
class Part:
    """A page, a chapter, or some lines of a text.

    Attributes:
        path: the document.
        page: number from 1; None for texts.
        label: what is printed on it, or its title.
        lines: first and last line of a text; None where there are pages.
        n_tokens: its tokens.
        kept: mean share of slots that hold a token of it, by rule.
        attended: share of the answer's attention.
        cited: whether a source of the answer stands on it.
        spans: its text.
        slots: share of its tokens that each layer and KV head holds, (L, K).
        evicted: numbers of distillations, and the share of its entries that each evicted.
        char: its first character and the one behind its last, counted over the document.
        kind: of its document, as `Document.kind` says.
    """

    path: str
    page: int | None
    label: str | None
    lines: tuple[int, int] | None
    n_tokens: int
    kept: tuple[float, ...]
    attended: float
    cited: bool
    spans: tuple[Span, ...]
    slots: tuple[tuple[float, ...], ...] = ()
    evicted: tuple[tuple[int, float], ...] = ()
    char: tuple[int, int] = (0, 0)
    kind: str = ""

    @property
    def is_forgotten(self) -> bool:
        """Whether no text of it is known any more."""
        return all(span.is_forgotten for span in self.spans)

    def holds(self, passage: Passage) -> bool:
        """Whether a passage of its document begins here or goes on here."""
        if self.page is not None:
            return passage.page == self.page
        return self.char[0] < passage.char[1] and passage.char[0] < self.char[1]

    @property
    def layers(self) -> list[float]:
        """Share of its tokens that each layer holds, mean over its heads."""
        return [sum(heads) / len(heads) for heads in self.slots]

    @property
    def fate(self) -> str:
        """What was evicted of it and when, on one line; empty if that is not known."""
        told_of = [loss for loss in self.evicted if loss[1] >= _LEAST_LOSS]
        largest = sorted(sorted(told_of, key=lambda loss: -loss[1])[:MOST_LOSSES])
        rest = sum(share for _, share in self.evicted) - sum(share for _, share in largest)
        told = ", ".join(f"{100 * share:.0f} % in {cycle}" for cycle, share in largest)
        told = told.replace(" in ", " in distillation ", 1)
        return told and f"evicted: {told}" + (f", {100 * rest:.0f} % in others" if rest >= _LEAST_LOSS else "")

    @property
    def share(self) -> float:
        """Mean share of slots that hold a token of it."""
        return sum(self.kept)

    def told(self, *, is_answered: bool) -> str:
        """What is known of it, without its title; of an answer's attention nothing where there was none."""
        rules = by_rule([f"{100 * share:.3g} %" if share else "" for share in self.kept])
        rules = f" ({rules})" if rules else ""
        attended = f" · attended {100 * self.attended:.3g} %" if is_answered else ""
        cited = " · cited" if self.cited else ""
        return f"kept {100 * self.share:.3g} % of {self.n_tokens} tokens{rules}{attended}{cited}"

    @property
    def title(self) -> str:
        """How people call it."""
        if self.page is None:
            assert self.lines is not None
            return f"l. {self.lines[0]}–{self.lines[1]}"
        if self.kind == "epub":
            return f"ch. {self.page}" + (f" “{self.label}”" if self.label else "")
        return f"p. {self.label or self.page}"


@dataclass(frozen=True)
class Pass:
    """One distillation: entries that each slot held before and after."""

    cycle: int
    n_seen: int
    n_before: int
    n_held: int


@dataclass(frozen=True)
class Report:
    """One answer and where it came from.

    Attributes:
        question: what was asked; empty for a summary, and where nothing was.
        answer: what came; empty where nothing was asked.
        n_tokens: document tokens read.
        kept_share: part of them that the pot held when the question came.
        protected: entries of each slot that always stay.
        parts: pages or stretches of lines, in reading order.
        passages: sentences that the answer attended to, the most important first.
        cited: those that became sources.
        passes: the distillations, but for those before the pot was stored.
        heads: attention of each layer and query head to the documents, as a share of its rows.
        copying: the part of it that lay on the very token that was then chosen.
        agreement: for each layer the share of what the pot held that is also among as many entries which the answer's
            first token would have attended to most with everything in memory (paper §3.4); None where that was not
            checked.
        thirds: share kept of the first, middle and last third of the tokens, wherever parts begin and end.
        silent_pages: what is to be said of pages that gave no text, by number and label.
        n_unrecorded: distillations before the pot was stored, of which it is not known what they evicted.
        n_untold: tokens that are in no part, because an earlier version has forgotten where they stood.
    """

    question: str
    answer: str
    n_tokens: int
    kept_share: float
    protected: int
    parts: tuple[Part, ...]
    passages: tuple[Passage, ...]
    cited: tuple[Passage, ...]
    passes: tuple[Pass, ...]
    heads: tuple[tuple[float, ...], ...]
    copying: tuple[tuple[float, ...], ...]
    agreement: tuple[float, ...] | None = None
    thirds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    silent_pages: Mapping[str, str] = field(default_factory=dict)
    n_unrecorded: int = 0
    n_untold: int = 0

    @property
    def is_answered(self) -> bool:
        """Whether anything was asked; else the report is on the pot alone."""
        return any(any(layer) for layer in self.heads)

    @property
    def legend(self) -> str:
        """What its words mean."""
        return _LEGEND_ANSWERED if self.is_answered else _LEGEND_UNASKED

    @property
    def reading_passes(self) -> list[Pass]:
        """The distillations while documents were read; the one that made room for the question comes behind them."""
        n_seen = self.protected + self.n_tokens  # no pot is distilled behind the last token of a document
        return [done for done in self.passes if done.n_seen < n_seen]

    @property
    def n_layers(self) -> int:
        """Layers of which it is known what each holds."""
        return len(self.parts[0].slots) if self.parts else 0

    def is_cited(self, passage: Passage) -> bool:
        """Whether a source of the answer stands in the same place."""
        return any(source.place == passage.place for source in self.cited)

    @property
    def longest_gap(self) -> tuple[Part, Part] | None:
        """First and last of the longest row of parts of which nothing was kept; None where parts are missing."""
        if self.n_untold:
            return None
        best: list[Part] = []
        row: list[Part] = []
        for part in self.parts:
            row = [*row, part] if not part.share else []
            best = row if len(row) > len(best) else best
        return (best[0], best[-1]) if best else None

    @cached_property
    def is_of_several(self) -> bool:
        """Whether places need the name of their document."""
        return len({part.path for part in self.parts}) > 1

    def _titled(self, part: Part) -> str:
        return f"{part.path} {part.title}" if self.is_of_several else part.title

    def to_record(self) -> dict[str, object]:
        """For JSON; texts of the parts are left out."""
        gap = self.longest_gap
        return {
            "schema": 1,
            "question": self.question,
            "answer": self.answer,
            "read": self.n_tokens,
            "kept_share": round(self.kept_share, 6),
            "protected": self.protected,
            "thirds": [round(share, 6) for share in self.thirds],
            "longest_gap": [self._titled(gap[0]), self._titled(gap[1])] if gap else None,
            "parts": [
                {
                    "path": part.path,
                    "page": part.page,
                    "label": part.label,
                    "lines": part.lines,
                    "tokens": part.n_tokens,
                    "kept": {
                        "share": round(part.share, 6),
                        **{rule: round(value, 6) for rule, value in zip(RULES, part.kept, strict=True)},
                    },
                    "attended": round(part.attended, 6),
                    "cited": part.cited,
                    "slots": [[round(share, 4) for share in heads] for heads in part.slots],
                    "evicted": [[cycle, round(share, 4)] for cycle, share in part.evicted],
                }
                for part in self.parts
            ],
            "passages": [passage.to_record() for passage in self.passages],
            "sources": [passage.to_record() for passage in self.cited],
            "passes": [asdict(done) for done in self.passes],
            "unrecorded": self.n_unrecorded,
            "untold": self.n_untold,
            "heads": {"attended": self.heads, "copied": self.copying},
            "agreement": self.agreement,
        }
