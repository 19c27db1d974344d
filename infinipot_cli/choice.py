"""Named settings of what a distillation keeps, beyond the paper. No torch.

Each is off by default, and then it is the paper's procedure to the token. Commands that answer switch some on:
`settings.ASK_CHOICES`, and `POCKET_CHOICES` for the embedded model. A setting becomes a default only if it is better on
every task that was measured; `infinipot bench needle --set NAME=VALUE` measures one.
"""

import dataclasses
from dataclasses import dataclass

from infinipot_cli.errors import UsageError

LARGEST_POOL = 101
_OF_NOVELTY = frozenset({"decay", "rank", "fresh", "renew"})
_OF_CAP = frozenset({"pool", "group_max", "mass", "spread"})


@dataclass(frozen=True)
class Choice:
    """How a distillation chooses. Every field says how it differs from the paper.

    Attributes:
        sinks: Differs: so many of the first document tokens are kept for ever (StreamingLLM keeps 4).
        recent: Differs: so many of the latest tokens are kept whatever their scores.
        pool: Differs: CaP scores are replaced by the highest among so many neighbours (an odd number), so that whole
            phrases stay (SnapKV pools so, over what one prefill attends to).
        group_max: Differs: a KV head's score is the highest of its query heads' instead of their sum.
        fill: Differs: the distillation in front of the question keeps as much as fits instead of |C|; where passages
            are read once more it has been made already.
        mass: Differs: |C| is only as large as it must be to hold this share of the CaP scores, on average over heads,
            at least a quarter of what was asked for; 0 turns this off.
        spread: Differs: of the places that the catalyst gives away, this share is not each head's own but goes to the
            highest scores of the whole layer (after Ada-KV); the rest is what every head has for certain. A layer keeps
            as many as ever, but the pot is as long as its longest head, so less is read between two distillations.
        decay: Differs: what an entry's novelty is multiplied with at each distillation that it survives.
        rank: Differs: novelty is a token's rank among those of its chunk, from 0 to 1, instead of nats.
        renew: Differs: novelty of what stays is found again at each distillation, given what the pot then holds of what
            came before (Eq. 4, second case), instead of being carried from when it was read; every token that any head
            holds is read once more for it, which takes longer than reading does.
        words: Differs: passages that hold words of the question keep up to this share of |C| in every head, the best of
            all that was read so far, by how rare the words are (as BM25 weighs them); reading knows the text, the
            catalyst need not guess.
        reread: Differs: before a question is asked, the passages that hold its words are read once more, in full,
            behind what the pot then holds; they take up to this share of |C|, and the pot is distilled once more to
            make room for them.
        rest: Differs: beside what is read once more the pot keeps no more than this share of |C|.
        close: Differs: of these passages those are left out that match the question less than this share of the best
            one's match.
        span: Differs: where passages are read once more, they are read as running text, without their line ends, and
            the answer is a phrase of them, word for word: of all phrases the one that agrees best with all others, each
            as likely as the model has it and the words of the question near it make it. An attention without masks, or
            one that sees the latest entries alone, and a pot whose positions go on behind what it holds, answer token
            by token all the same.
        fresh: Differs: this share of the places for novel tokens is open only to what was read since the last
            distillation.
        ahead: Differs: the questions stand in front of the document too, and stay, so that a causal model reads it with
            them in mind; as long as they take no more than an eighth of the pot.
    """

    sinks: int = 0
    recent: int = 0
    pool: int = 1
    group_max: bool = False
    fill: bool = False
    mass: float = 0.0
    spread: float = 0.0
    decay: float = 1.0
    rank: bool = False
    fresh: float = 0.0
    renew: bool = False
    words: float = 0.0
    reread: float = 0.0
    rest: float = 1.0
    close: float = 0.0
    span: bool = False
    ahead: bool = False

    def __post_init__(self) -> None:
        for name, value in (("sinks", self.sinks), ("recent", self.recent)):
            if value < 0:
                raise UsageError(f"{name} must be 0 or more, not {value}")
        if not (1 <= self.pool <= LARGEST_POOL and self.pool % 2):
            raise UsageError(f"pool must be an odd number from 1 to {LARGEST_POOL}, not {self.pool}")
        for name in ("mass", "spread", "decay", "fresh", "words", "reread", "rest", "close"):
            share = getattr(self, name)
            if not 0.0 <= share <= 1.0:
                raise UsageError(f"{name} must lie between 0 and 1, not {share}")
        if self.renew and self.decay != 1.0:
            raise UsageError(
                "decay fades novelty that is carried from one distillation to the next, and with renew none is",
                hint="leave one of them out",
            )

    def check_share(self, novelty_ratio: float) -> None:
        """Refuse settings of a score that chooses nothing.

        Args:
            novelty_ratio: α, the share of the places that novelty gives away; CaP has the others.

        Raises:
            UsageError: a setting changes a score that gives no place away.
        """
        without = {0.0: ("novelty", _OF_NOVELTY), 1.0: ("the catalyst", _OF_CAP)}
        chooser, settings = without.get(novelty_ratio, ("", frozenset()))
        for name in self.changed:
            if name in settings:
                raise UsageError(
                    f"--set {name} changes what {chooser} chooses, and --novelty {novelty_ratio:g} leaves it no places",
                    hint=f"leave {name} out, or take another share",
                )

    @property
    def changed(self) -> dict[str, int | float | bool]:
        """The settings that differ from the paper, by name."""
        fields = dataclasses.fields(self)
        return {field.name: getattr(self, field.name) for field in fields if getattr(self, field.name) != field.default}


PAPER = Choice()
NAMES = tuple(field.name for field in dataclasses.fields(Choice))
# Those that a stored pot takes anew with each question; with the others it was read.
AT_THE_QUESTION = ("reread", "rest", "close", "span")
# The same in a few words, for `--set help`.
IN_SHORT = {
    "sinks": "so many of the first document tokens stay for ever",
    "recent": "so many of the latest tokens stay whatever their scores",
    "pool": "the catalyst's scores are the highest among so many neighbours (odd)",
    "group_max": "a KV head's score is the highest of its query heads', not their sum",
    "fill": "the distillation before the question keeps as much as fits",
    "mass": "only as much stays as holds this share of the catalyst's scores",
    "spread": "this share of the catalyst's places goes to the best of the whole layer",
    "decay": "novelty is multiplied with this at each distillation",
    "rank": "novelty is a token's rank in its chunk",
    "fresh": "this share of the novel places is for what was read since the last distillation",
    "renew": "novelty of what stays is found again at each distillation",
    "words": "passages that hold words of the question keep up to this share of the budget",
    "reread": "the best of them are read again before the question, up to this share",
    "rest": "beside what is read again no more than this share stays",
    "close": "passages that match less than this share of the best one are not read again",
    "span": "the answer is a phrase of what is read again, word for word",
    "ahead": "the question stands in front of the document too",
}


def parse_value(name: str, text: str, kind: type) -> int | float | bool:
    """The value of a setting as a user types it.

    Args:
        name: of the setting, for messages.
        text: behind the equals sign; empty switches on.
        kind: bool, int or float.

    Raises:
        UsageError: the text is no such value.
    """
    text = text.strip().lower()
    try:
        if kind is bool:
            return {"": True, "on": True, "true": True, "1": True, "off": False, "false": False, "0": False}[text]
        return int(text) if kind is int else float(text)
    except (KeyError, ValueError) as error:
        wanted = {bool: "on or off", int: "a whole number", float: "a number"}[kind]
        raise UsageError(f"--set {name} wants {wanted}, not {text!r}") from error
