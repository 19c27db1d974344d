"""Ways to hold a text that the benchmarks compare: InfiniPot as asked for, its ablations in the paper, policies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from infinipot_cli.choice import PAPER
from infinipot_cli.errors import UsageError
from infinipot_cli.policies import DEFAULT, POLICIES, Settings, listed
from infinipot_cli.settings import NOVELTY_RATIO, PotRequest

AS_ASKED = "infinipot"


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
        """A user's wishes about the pot as this arm changes them; what means nothing to its policy is left out."""
        if self.policy in (None, DEFAULT):
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


def distills(name: str) -> bool:
    """Whether an arm empties a full pot in one go; InfiniPot's own ablations all do."""
    policy = ARMS[name].policy if name in ARMS else None
    return policy is None or listed(policy).distills


def parse_arms(text: str) -> tuple[str, ...]:
    """Names of arms as a user types them.

    Args:
        text: names separated by commas, or `all`.

    Raises:
        UsageError: there is no such arm.
    """
    found = tuple(ARMS) if text == "all" else tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    check(found)
    return found


def check(names: Sequence[str]) -> None:
    """Refuse a name that is none of `ARMS`.

    Raises:
        UsageError: there is no such arm.
    """
    for name in names:
        if name not in ARMS:
            raise UsageError(f"{name!r} is no way to hold a text", hint="one of " + ", ".join(ARMS) + ", or all")
