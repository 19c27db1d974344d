"""Ways to hold a text that the benchmarks compare: InfiniPot as asked for, its ablations in the paper, policies."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from infinipot_cli.choice import PAPER
from infinipot_cli.errors import UsageError
from infinipot_cli.policies import DEFAULT, POLICIES, Settings, listed
from infinipot_cli.settings import NOVELTY_RATIO, PotRequest
from infinipot_cli.templates import catalyst_name, template_text

AS_ASKED = "infinipot"
# Behind these stands a share of novelty in percent, and the name or file of a catalyst.
ALPHA, CATALYST = "alpha-", "catalyst-"
# Names that LongBench's arms once had.
_FORMER = {"pot": AS_ASKED, "truncated": "truncation", "cap": "no-nuc", "nuc": "no-cap"}


@dataclass(frozen=True)
class Arm:
    """One way.

    Attributes:
        said: what it is, for a report.
        novelty: α; None leaves it as asked for.
        catalyst: what judges, a name of `templates.CATALYSTS`; None leaves it as asked for.
        policy: who decides what stays; None leaves it as asked for.
        policy_settings: of its own.
    """

    said: str
    novelty: float | None = None
    catalyst: str | None = None
    policy: str | None = None
    policy_settings: Settings = ()

    def request(self, wished: PotRequest) -> PotRequest:
        """A user's wishes about the pot as this arm changes them; what means nothing to its policy is left out.

        Raises:
            UsageError: it changes InfiniPot, and another policy was asked for; or wishes that it cannot fulfil.
        """
        if self.policy in (None, DEFAULT):
            is_ablation = self.novelty is not None or self.catalyst or self.policy_settings
            if is_ablation and wished.policy not in (None, DEFAULT):
                raise UsageError(
                    f"the arm {self.said!r} changes InfiniPot, and --policy asks for {wished.policy}",
                    hint="leave --policy out, and name policies among the --arms",
                )
            share = wished.novelty_ratio if self.novelty is None else self.novelty
            return replace(
                wished, novelty_ratio=share, policy_settings=(*wished.policy_settings, *self.policy_settings)
            )
        known = listed(self.policy or DEFAULT)
        is_kept = set(wished.choice.changed) <= known.choices
        return replace(
            wished,
            policy=self.policy,
            policy_settings=self.policy_settings,
            novelty_ratio=NOVELTY_RATIO,
            budget=wished.budget if known.distills else None,
            choice=wished.choice if is_kept else PAPER,
        )


ARMS = {
    AS_ASKED: Arm("catalyst and novelty, as asked for"),
    "general": Arm("the general request judges (CaP-G)", catalyst="general"),
    **{f"catalyst-{name}": Arm(f"CaP-{name.upper()} judges", catalyst=name) for name in ("p", "u", "g1", "g2")},
    "no-nuc": Arm("the catalyst alone (α = 0)", novelty=0.0),
    "alpha-25": Arm("α = 0.25", novelty=0.25),
    "alpha-75": Arm("α = 0.75", novelty=0.75),
    "no-cap": Arm("novelty alone (α = 1)", novelty=1.0),
    "no-cr-rope": Arm("positions stay as they were read", policy_settings=(("reset", False),)),
    "bare": Arm(
        "the last token's attention judges, positions stay", policy="tova", policy_settings=(("reset", False),)
    ),
    **{name: Arm(known.summary, policy=name) for name, known in POLICIES.items() if name != DEFAULT},
}


def arm(name: str) -> Arm:
    """An arm by its name: one of `ARMS`, `alpha-30` for any share of novelty, `catalyst-NAME` for any catalyst.

    Raises:
        UsageError: there is no such arm, or no such catalyst.
    """
    if name in ARMS:
        return ARMS[name]
    if name.startswith(ALPHA):
        share = _share(name)
        return Arm(f"α = {share:g}", novelty=share)
    if word := name.removeprefix(CATALYST) if name.startswith(CATALYST) else "":
        catalyst_name(word)
        return Arm(f"the catalyst {word} judges", catalyst=word)
    raise UsageError(
        f"{name!r} is no way to hold a text",
        hint="one of "
        + ", ".join(ARMS)
        + "; alpha-30 for any share of novelty, catalyst-FILE for any catalyst; or all",
    )


def _share(name: str) -> float:
    text = name.removeprefix(ALPHA)
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise UsageError(f"{name!r} is no share of novelty", hint=f"write {ALPHA}0 to {ALPHA}100, in percent")
    return percent / 100


def distills(name: str) -> bool:
    """Whether an arm empties a full pot in one go; InfiniPot's own ablations all do."""
    policy = arm(name).policy
    return policy is None or listed(policy).distills


def parse_arms(text: str, wished: PotRequest) -> tuple[str, ...]:
    """Names of arms as a user types them.

    Args:
        text: names separated by commas, or `all`.
        wished: what was asked of the pot, which each arm must be able to take.

    Raises:
        UsageError: there is no such arm, or it does not go with the wishes.
    """
    words = (word.strip() for word in text.split(","))
    found = tuple(ARMS) if text.strip() == "all" else tuple(dict.fromkeys(_FORMER.get(word, word) for word in words))
    for name in found:
        arm(name).request(wished)
    return found


def catalysts(names: Iterable[str], asked: str | None) -> dict[str, str]:
    """SHA-256 of every catalyst's text that arms or a user name, for a run's settings: a file may change between runs.

    Args:
        names: arms.
        asked: the user's own choice.
    """
    words = dict.fromkeys(word for word in (asked, *(arm(name).catalyst for name in names)) if word)
    return {word: sha256(template_text(catalyst_name(word)).encode()).hexdigest() for word in words}
