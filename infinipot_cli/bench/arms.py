"""Ways to hold a text that the benchmarks compare: InfiniPot as asked for, and the paper's ablations of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from infinipot_cli.errors import UsageError
from infinipot_cli.settings import PotRequest

AS_ASKED = "infinipot"


@dataclass(frozen=True)
class Arm:
    """One way.

    Attributes:
        said: what it is, for a report.
        novelty: α; None leaves it as asked for.
        catalyst: what judges, `question` or `general`; None leaves it as asked for.
    """

    said: str
    novelty: float | None = None
    catalyst: str | None = None

    def request(self, wished: PotRequest) -> PotRequest:
        """A user's wishes about the pot as this arm changes them."""
        return wished if self.novelty is None else replace(wished, novelty_ratio=self.novelty)


ARMS = {
    AS_ASKED: Arm("catalyst and novelty, as asked for"),
    "general": Arm("the general request judges (CaP-G)", catalyst="general"),
    "no-nuc": Arm("the catalyst alone (α = 0)", novelty=0.0),
    "no-cap": Arm("novelty alone (α = 1)", novelty=1.0),
}


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
