"""Which of the paper's orderings hold in the records of a folder, on the same items arm against arm."""

from collections.abc import Mapping, Sequence

from infinipot_cli.bench.metrics import FEWEST
from infinipot_cli.bench.report.blocks import Block, Grid, Heading, Paragraph
from infinipot_cli.bench.report.compare import Comparison, compare
from infinipot_cli.bench.report.cost import cost_cells
from infinipot_cli.bench.report.found import Found
from infinipot_cli.bench.report.items import Item
from infinipot_cli.bench.report.longbench import LongBench, question_scores
from infinipot_cli.bench.report.needles import needle_scores
from infinipot_cli.bench.report.paper import named

# The paper's Table 1: InfiniPot above every other way to live in the same memory.
BASELINES = ("truncation", "sliding_window", "streaming_llm", "h2o", "tova", "sirllm", "random")
# (better, worse, whether equality breaks it, where the paper says so)
_ORDERINGS = (
    *(("infinipot", baseline, True, "Table 1, §4.2") for baseline in BASELINES[:-1]),
    ("infinipot", "random", True, "sanity"),
    ("infinipot", "general", True, "Table 2: CaP-Q > CaP-G"),
    ("general", "tova", True, "Tables 2, 3: CaP-G > no CaP"),
    ("infinipot", "no-nuc", False, "Table 3: CaP + NuC ≥ CaP"),
    ("infinipot", "no-cap", False, "Table 3: CaP + NuC ≥ NuC"),
    ("infinipot", "no-cr-rope", True, "§3.5, Table 4: CR-RoPE needed"),
    ("tova", "bare", True, "Table 4: CR-RoPE needed"),
)
_KINDS = {"passkey": "pass keys", "fact": "plain facts", "kamradt": "Kamradt", "RULER": "RULER"}

TOGETHER = "needles and questions"
_POOLED = ("pass keys", "plain facts")

ByArm = Mapping[str, Mapping[Item, float]]


def comparisons(found: Found) -> list[Comparison]:
    """Every ordering of the paper on every set of items that has both arms."""
    measured: dict[str, ByArm] = {_KINDS[kind]: by_arm for kind, by_arm in needle_scores(found).items()}
    bench = LongBench(found)
    questions = question_scores(bench, "QA")
    measured["LongBench questions"] = questions
    measured["LongBench, all sets"] = question_scores(bench)
    measured = {TOGETHER: _together(*(measured.get(what, {}) for what in _POOLED), questions), **measured}
    result = []
    for better, worse, is_strict, where in _ORDERINGS:
        claim = f"{named(better)} {'>' if is_strict else '≥'} {named(worse)} ({where})"
        for what, by_arm in measured.items():
            if better in by_arm and worse in by_arm:
                one = compare(claim, what, by_arm[better], by_arm[worse], is_strict=is_strict)
                result += [one] if one else []
    return result


def _together(*parts: ByArm) -> ByArm:
    """Items of several kinds as one set."""
    pooled: dict[str, dict[Item, float]] = {}
    for number, by_arm in enumerate(parts):
        for arm, scores in by_arm.items():
            mine = {Item((number, item.question), item.way): score for item, score in scores.items()}
            pooled.setdefault(arm, {}).update(mine)
    return pooled


def cost_claims(found: Found) -> list[list[str]]:
    """What the paper says of time and memory, held against the measurements."""
    cells = cost_cells(found)
    mine = sorted((cell for cell in cells if cell.method == "infinipot"), key=lambda cell: cell.n_tokens)
    claims = []
    if mine:
        shares = [100 * cell.median("distill_ratio") for cell in mine if cell.is_distilled]
        if shares:
            said = f"{min(shares):.1f}–{max(shares):.1f} %"
            is_kept = max(shares) <= 3
            claims.append(["distilling takes 1 to 3 % of the time to the first token (Table 5)", said, _word(is_kept)])
    if len(mine) > 1:
        first, last = (cell.median("cache_bytes") for cell in (mine[0], mine[-1]))
        said = f"{first / 1e6:.1f} MB at {mine[0].n_tokens}, {last / 1e6:.1f} MB at {mine[-1].n_tokens}"
        flat = abs(last - first) <= 0.05 * first
        claims.append(["InfiniPot's cache does not grow with the text (Figure 7)", said, _word(flat)])
    for method in ("full", "snapkv", "streaming_llm"):
        longest = max((cell.n_tokens for cell in cells if cell.method == method), default=0)
        other = next((cell for cell in cells if (cell.method, cell.n_tokens) == (method, longest)), None)
        here = next((cell for cell in mine if cell.n_tokens == longest), None)
        if other is None or here is None:
            continue
        longer, larger = (other.ratio(here, quantity) or 1.0 for quantity in ("ttft_seconds", "grown_bytes"))
        said = f"×{longer:.2f} time, ×{larger:.2f} memory"
        is_less = longer > 1 or larger > 1
        claims.append([f"{named(method)} takes more time or memory than InfiniPot at {longest} (Figure 7)", said,
                       _word(is_less)])  # fmt: skip
    return claims


def ordering_blocks(found: Found) -> list[Block]:
    """The verdicts, those that do not hold said first."""
    made, costs = comparisons(found), cost_claims(found)
    title = Heading("Do the paper's orderings hold here?")
    if not made and not costs:
        return [title, Paragraph("Nothing to compare: the records hold one arm only.")]
    together = [one for one in made if one.on == TOGETHER]
    apart = [one for one in made if one.on != TOGETHER]
    header = ["the paper", "on", "n", "first", "second", "difference", "95 %", "here"]
    blocks: list[Block] = [title, Paragraph(_summary(together or made))]
    for heading, rows in (("", together), ("The same, kind by kind", apart)):
        if rows:
            blocks += [Heading(heading, 3)] if heading else []
            blocks.append(Grid(header, [_row(one) for one in rows]))
    if costs:
        blocks.append(Grid(["the paper, on time and memory", "here", "verdict"], costs))
    return blocks


def _summary(made: Sequence[Comparison]) -> str:
    counts: dict[str, int] = {}
    for one in made:
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    against = [f"{one.claim} on {one.on}" for one in made if one.verdict == "does not hold"]
    said = ", ".join(f"{verdict} {n}" for verdict, n in sorted(counts.items(), key=lambda pair: -pair[1]))
    return (
        f"Of {len(made)} comparisons on the same items: {said}. "
        + (f"Against the paper: {'; '.join(against)}. " if against else "None is clearly against the paper. ")
        + "A comparison holds, or does not, where the 95 % interval of the paired difference leaves out zero; "
        + f"fewer than {FEWEST} items are too few to say."
    )


def _row(one: Comparison) -> list[str]:
    low, high = one.interval
    return [
        one.claim, one.on, str(one.n), f"{one.better:.1f}", f"{one.worse:.1f}", f"{one.difference:+.1f}",
        f"{low:+.1f} to {high:+.1f}", one.verdict,
    ]  # fmt: skip


def _word(is_kept: bool) -> str:
    return "holds" if is_kept else "does not hold"
