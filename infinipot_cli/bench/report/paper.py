"""The paper's own numbers, as far as its text has them, for the report to stand beside."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from infinipot_cli.bench.arms import ALPHA, CATALYST
from infinipot_cli.bench.metrics import mean
from infinipot_cli.policies import POLICIES, listed

# Names of arms in older records, and other names of the same arm, and what this report calls them.
_SAME = {
    "pot": "infinipot", "cap": "no-nuc", "nuc": "no-cap", "truncated": "truncation", "catalyst-g": "general",
    "catalyst-general": "general", "alpha-0": "no-nuc", "alpha-100": "no-cap",
}  # fmt: skip
# What the paper calls the arms.
NAMES = {
    "infinipot": "InfiniPot (CaP-Q, NuC)",
    "general": "InfiniPot, CaP-G",
    **{f"catalyst-{name.lower()}": f"InfiniPot, CaP-{name}" for name in ("P", "U", "G1", "G2")},
    "no-nuc": "w/o NuC (α = 0)",
    "no-cap": "w/o CaP (α = 1)",
    "alpha-25": "α = 0.25",
    "alpha-75": "α = 0.75",
    "full": "PT (AllKV)",
    "truncation": "TR",
    "sliding_window": "SWA",
    "streaming_llm": "StreamingLLM",
    "h2o": "H2O",
    "sirllm": "SirLLM",
    "tova": "TOVA (w/o CaP, NuC)",
    "snapkv": "SnapKV",
    "self_extend": "Self-Extend",
    "random": "random",
    "keydiff": "KeyDiff (not in the paper)",
    "no-cr-rope": "w/o CR-RoPE",
    "bare": "w/o CR-RoPE, CaP, NuC",
}


def canonical(arm: str) -> str:
    """One name for an arm that benchmarks have called differently."""
    return _SAME.get(arm, arm)


def named(arm: str) -> str:
    """What the report calls an arm."""
    name = canonical(arm)
    if name in NAMES:
        return NAMES[name]
    if name.startswith(CATALYST):
        return f"InfiniPot, CaP: {Path(name.removeprefix(CATALYST)).name}"
    return f"α = {float(name.removeprefix(ALPHA)) / 100:g}" if name.startswith(ALPHA) else arm


def ordered(arms: Iterable[str]) -> list[str]:
    """Arms by their one name, InfiniPot and its ablations first, whatever order they were measured in."""
    places = {name: place for place, name in enumerate(NAMES)}
    return sorted(dict.fromkeys(map(canonical, arms)), key=lambda name: places.get(name, len(places)))


def sized(arm: str, capacity: int) -> str:
    """An arm with the pot it had, or that it has none."""
    name = canonical(arm)
    grows = name in POLICIES and not listed(name).is_bounded
    return f"{named(arm)}, memory grows" if grows or name == "full" else f"{named(arm)}, pot {capacity}"


@dataclass(frozen=True)
class NeedleRow:
    """A row of the paper's Table 4: percent at depths 0.1, 0.5 and 0.9, as printed, by length."""

    name: str
    cells: dict[str, str]

    def curve(self) -> list[tuple[int, float]]:
        """Mean over the depths by length in tokens, where there are numbers."""
        found = []
        for length, cell in self.cells.items():
            points = [float(word) for word in cell.split("/") if word.isdecimal()]
            if points:
                found.append((tokens(length), mean(points)))
        return found


def tokens(length: str) -> int:
    """The paper's way to write a length, in tokens."""
    return int(length[:-1]) * {"K": 1024, "M": 1024**2}[length[-1]]


def needle_rows() -> list[NeedleRow]:
    """Table 4. Differs: two cells of the text at hand are damaged; a lost number is a dash."""
    lines = resources.files("infinipot_cli.bench").joinpath("needle_paper.tsv").read_text(encoding="utf-8").splitlines()
    lengths = lines[0].split("\t")[1:]
    rows = (line.split("\t") for line in lines[1:])
    return [NeedleRow(name, dict(zip(lengths, cells, strict=True))) for name, *cells in rows]
