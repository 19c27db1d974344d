"""The policies there are: who decides what a full pot keeps, under names that commands and records use. No torch.

A policy is one file in `engine/policies/` and one line here. Its settings stand in both places, so that a wrong one is
answered before torch is imported; a test holds the two against each other.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from infinipot_cli.choice import NAMES, PAPER, Choice, parse_value
from infinipot_cli.errors import UsageError

Value = int | float | bool
Settings = tuple[tuple[str, Value], ...]

DEFAULT = "infinipot"
OFFICIAL = "official"  # the setting that means: as in the method's own code, where the paper ran it otherwise

_PROMPT = frozenset({"ahead"})  # of `Choice`, what says how the prompt is put together, whoever decides
# What every policy that distills can take.
_ANY = _PROMPT | {"sinks", "recent", "fill", "words", "reread", "rest", "close", "span"}
_VOTES = _ANY | {"pool", "group_max", "mass", "spread"}
_NOVELTY = _ANY | {"decay", "rank", "fresh", "renew"}


@dataclass(frozen=True)
class Listed:
    """What is known of a policy without its code.

    Attributes:
        class_name: in `engine/policies/NAME.py`.
        summary: what it does, in a sentence without its end.
        choices: settings of `Choice` that mean something to it.
        settings: its own, with their defaults.
        distills: whether it empties a full pot in one go, down to the budget; such a pot can be stored and taken up.
        is_bounded: whether the pot never holds more than its capacity.
        official_steps: whether its own code, unlike the paper's, makes room token by token.
        has_catalyst: whether a catalyst prompt judges.
        cuts: whether only so much is read as fits beside question and answer.
    """

    class_name: str
    summary: str
    choices: frozenset[str] = _PROMPT
    settings: Mapping[str, Value] = field(default_factory=dict)
    distills: bool = False
    is_bounded: bool = True
    official_steps: bool = False
    has_catalyst: bool = False
    cuts: bool = False


POLICIES: dict[str, Listed] = {
    "infinipot": Listed("InfiniPot", "catalyst and novelty judge a full pot: the paper", _VOTES | _NOVELTY,
                        {"cap": True, "reset": True}, distills=True, has_catalyst=True),
    "tova": Listed("Tova", "what the last token attends to", _VOTES, {"official": False, "reset": True}, distills=True,
                   official_steps=True),
    "sirllm": Listed("SirLLM", "the most surprising tokens", _NOVELTY, {"official": False, "reset": True},
                     distills=True),
    "streaming_llm": Listed("StreamingLLM", "the first tokens and the latest", settings={"sinks": 4, "reset": True}),
    "h2o": Listed("H2O", "what drew most attention so far, and the latest", settings={"heavy": 4, "reset": True}),
    "sliding_window": Listed("SlidingWindow", "the latest"),
    "snapkv": Listed("SnapKV", "what the end of the prompt attends to, of everything",
                     settings={"window": 32, "kernel": 7, "average": False}, is_bounded=False),
    "full": Listed("Full", "everything", is_bounded=False),
    "self_extend": Listed("SelfExtend", "everything, far tokens in groups", settings={"group": 4, "window": 0},
                          is_bounded=False),
    "truncation": Listed("Truncation", "the beginning and the end", cuts=True),
    "keydiff": Listed("KeyDiff", "keys unlike the mean key", _ANY | {"pool"}, {"reset": True}, distills=True),
    "random": Listed("Random", "chance: the floor for all others", _ANY, {"seed": 0, "reset": True}, distills=True),
}  # fmt: skip
POLICY_NAMES = tuple(POLICIES)


def listed(name: str) -> Listed:
    """What is known of a policy.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in POLICIES:
        near = difflib.get_close_matches(name, POLICY_NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(POLICY_NAMES)}"
        raise UsageError(f"there is no policy {name!r}", hint=hint, code="no_policy")
    return POLICIES[name]


def distills(policy: str, settings: Settings) -> bool:
    """Whether a policy, set so, empties a full pot in one go down to the budget."""
    here = listed(policy)
    return here.distills and not (here.official_steps and dict(settings).get(OFFICIAL))


def has_room(policy: str, settings: Settings) -> bool:
    """Whether an answer of any length goes on without a distillation: nothing leaves, or one entry for each token."""
    return not distills(policy, settings) and not listed(policy).cuts


def has_catalyst(policy: str, settings: Settings) -> bool:
    """Whether a catalyst prompt judges under a policy, set so."""
    return listed(policy).has_catalyst and dict(settings).get("cap", True) is True


def parse_settings(policy: str, words: Iterable[str]) -> tuple[Choice, Settings]:
    """`--set` as a user types it, for one policy.

    Args:
        policy: its name.
        words: `NAME=VALUE` each; a switch may stand without a value.

    Returns:
        What every distilling policy shares, and the policy's own settings that were given.

    Raises:
        UsageError: an unknown name, one that means nothing to this policy, or a value that makes no sense.
    """
    here = listed(policy)
    shared: dict[str, Value] = {}
    own: dict[str, Value] = {}
    for word in words:
        name, _, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if name in here.settings:
            own[name] = parse_value(name, text, type(here.settings[name]))
        elif name in here.choices:
            shared[name] = parse_value(name, text, type(getattr(PAPER, name)))
        else:
            raise _unknown(name, policy, here)
    if shared and own.get(OFFICIAL):
        raise UsageError(f"--set {OFFICIAL} runs {policy} as its own code does, which knows no {min(shared)}")
    choice = Choice(**shared)  # type: ignore[arg-type]  # each value has the type of its field
    return choice, tuple(sorted(own.items()))


def _unknown(name: str, policy: str, here: Listed) -> UsageError:
    known = [*here.settings, *sorted(here.choices)]
    there = f"there are {', '.join(known)}" if known else "it has none"
    if name in NAMES or any(name in other.settings for other in POLICIES.values()):
        return UsageError(f"--set {name} means nothing to the policy {policy}", hint=there)
    near = difflib.get_close_matches(name, known, n=1)
    return UsageError(f"--set knows no setting {name!r}", hint=f"did you mean {near[0]}?" if near else there)


def label(policy: str, settings: Settings) -> str:
    """A policy and how it differs from its default, on one line, as records call it."""
    usual = listed(policy).settings
    changed = [f"{name}={shown(value)}" for name, value in settings if value != usual.get(name)]
    return " ".join([policy, *changed])


def shown(value: Value) -> str:
    """The value of a setting as a user types it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int) else f"{value:g}"
