"""Needles in the report: Table 4 with Figures 4 and 5, other needles, RULER."""

from collections.abc import Hashable, Sequence

from infinipot_cli.bench.arms import AS_ASKED
from infinipot_cli.bench.metrics import interval, mean
from infinipot_cli.bench.needle_record import NeedleTrial
from infinipot_cli.bench.pocket_sets import short
from infinipot_cli.bench.record import Count
from infinipot_cli.bench.report.blocks import Block, Grid, Heading, Paragraph
from infinipot_cli.bench.report.found import Found, Record
from infinipot_cli.bench.report.items import Item, Measured, files, measured, said
from infinipot_cli.bench.report.paper import canonical, named, needle_rows, ordered
from infinipot_cli.bench.report.plots import Panel, Plotter
from infinipot_cli.bench.ruler.questions import FILES
from infinipot_cli.bench.ruler.record import RulerTrial, averages, n_samples, scores

# Figure 5, in its order: what is added from one map to the next.
ABLATIONS = ("bare", "tova", "no-nuc", "infinipot")
_SETS = {name for names in FILES.values() for name in names}


def needles(found: Found) -> list[Measured[NeedleTrial]]:
    """Every hidden line once, the runs of all records together."""

    def question(record: Record, one: NeedleTrial) -> Hashable:
        hidden = said(record, ("seed", "data", "needle"))
        return (one.kind, one.length, one.depth, one.number, one.question, one.wanted, hidden)

    return measured(found, "needle", NeedleTrial, question)


def needle_trials(found: Found) -> dict[str, list[NeedleTrial]]:
    """All trials by arm."""
    by_arm: dict[str, list[NeedleTrial]] = {}
    for one in needles(found):
        by_arm.setdefault(one.arm, []).append(one.trial)
    return {arm: by_arm[arm] for arm in ordered(by_arm)}


def samples(found: Found) -> list[Measured[RulerTrial]]:
    """Every sample of RULER once, the runs of all records together."""

    def question(record: Record, one: RulerTrial) -> Hashable:
        # runs with and without question sets make the same samples of their book
        book = sorted(file for file in files(record).items() if file[0] not in _SETS)
        return (one.task, one.length, one.number, one.question, str(one.wanted), said(record, ("seed",)), *book)

    return measured(found, "ruler", RulerTrial, question)


def passkey_blocks(found: Found, plotter: Plotter) -> list[Block]:
    """Table 4 and Figures 4 and 5: pass keys by length and depth."""
    by_arm = {
        arm: [trial for trial in trials if trial.kind == "passkey"] for arm, trials in needle_trials(found).items()
    }
    by_arm = {arm: trials for arm, trials in by_arm.items() if trials}
    title = Heading("Table 4, Figures 4 and 5: pass keys by length and depth")
    if not by_arm:
        return [title, _absent("infinipot bench needle --kind passkey --tokens 4k,8k --depths 0.1,0.5,0.9 --json")]
    lengths = sorted({trial.length for trials in by_arm.values() for trial in trials})
    depths = sorted({trial.depth for trials in by_arm.values() for trial in trials})
    rows = [
        [named(arm), *(_depths(trials, length, depths) for length in lengths), _share(trials)]
        for arm, trials in by_arm.items()
    ]
    most = max(len([one for one in trials if one.length == lengths[0]]) for trials in by_arm.values())
    fitting = [short(length) for length in lengths if all(t.is_fit for t in by_arm["infinipot"] if t.length == length)
               ] if "infinipot" in by_arm else []  # fmt: skip
    where = "/".join(f"{depth:g}" for depth in depths)
    remark = f"Percent of pass keys found at depths {where}; up to {most} lines a length."
    if fitting:
        remark += f" At {', '.join(fitting)} the text fits the pot, which was not put to the test."
    blocks: list[Block] = [title, Paragraph(remark), Grid(["arm", *map(_length, lengths), "all, 95 %"], rows)]
    blocks += _figure_4(by_arm, plotter)
    blocks += _figure_5(by_arm, plotter)
    paper = needle_rows()
    blocks += [
        Paragraph("The paper's Table 4, at depths 0.1/0.5/0.9; OOD: beyond the trained positions, OOM: out of memory. "
                  "Two cells of M1 are damaged in the text at hand: SWA at 8K (5/100//100 there), and InfiniPot at 1M, "
                  "whose last number is lost (–)."),
        Grid(["row", *paper[0].cells], [[row.name, *row.cells.values()] for row in paper], n_ours=0),
    ]  # fmt: skip
    return blocks


def _figure_4(by_arm: dict[str, list[NeedleTrial]], plotter: Plotter) -> Sequence[Block]:
    curves: dict[str, list[tuple[float, float]]] = {named(arm): _curve(trials) for arm, trials in by_arm.items()}
    for row in needle_rows():
        if row.name in ("L3-InfiniPot-4K", "M3-InfiniPot-4K"):
            curves[f"paper: {row.name}"] = [(float(length), share) for length, share in row.curve()]
    spreads = {named(AS_ASKED): _intervals(by_arm[AS_ASKED])} if AS_ASKED in by_arm else {}
    panel = Panel("pass keys found", "tokens", "percent", curves, is_log=True, top=105, spreads=spreads)
    caption = "Figure 4: pass keys found by length of the text; bars: 95 % of InfiniPot's"
    return plotter.lines("figure-4", caption, [panel])


def _intervals(trials: Sequence[NeedleTrial]) -> list[tuple[float, float]]:
    """Wilson's interval of the share found at each length, percent, lengths ascending."""
    found = []
    for length in sorted({trial.length or trial.n_tokens for trial in trials}):
        here = [trial.is_right for trial in trials if (trial.length or trial.n_tokens) == length]
        low, high = Count(sum(here), len(here)).interval
        found.append((100 * low, 100 * high))
    return found


def _curve(trials: Sequence[NeedleTrial]) -> list[tuple[float, float]]:
    lengths = sorted({trial.length or trial.n_tokens for trial in trials})
    return [
        (float(length), 100 * mean([one.score for one in trials if (one.length or one.n_tokens) == length]))
        for length in lengths
    ]


def _figure_5(by_arm: dict[str, list[NeedleTrial]], plotter: Plotter) -> Sequence[Block]:
    maps = {named(arm): _grid(by_arm[arm]) for arm in ABLATIONS if arm in by_arm}
    return plotter.heat("figure-5", "Figure 5: pass keys found by depth and length, as parts are added", maps)


def _grid(trials: Sequence[NeedleTrial]) -> dict[tuple[str, str], float]:
    """Percent found by depth and length, as they are written."""
    cells: dict[tuple[float, int], list[float]] = {}
    for trial in sorted(trials, key=lambda one: (one.depth, one.length)):
        cells.setdefault((trial.depth, trial.length), []).append(100 * trial.score)
    return {(f"{depth:g}", _length(length)): mean(found) for (depth, length), found in cells.items()}


def other_blocks(found: Found, plotter: Plotter) -> list[Block]:
    """Facts and Kamradt's sentence, which the paper does not report."""
    rows, maps = [], {}
    for arm, trials in needle_trials(found).items():
        for kind in dict.fromkeys(trial.kind for trial in trials if trial.kind != "passkey"):
            mine = [trial for trial in trials if trial.kind == kind]
            if arm == AS_ASKED:
                maps[kind] = _grid(mine)
            values = [trial.score for trial in mine]
            low, high = interval(values)
            rows.append(
                [named(arm), kind, str(len(values)), f"{100 * mean(values):.1f}", f"{100 * low:.0f}–{100 * high:.0f}"]
            )
    if not rows:
        return []
    said = "Plain facts, all or nothing; Kamradt's sentence, share of the expected words. The paper has neither."
    return [
        Heading("Other needles"),
        Paragraph(said),
        Grid(["arm", "what", "n", "score", "95 %"], rows),
        *plotter.heat("other-needles", "Other needles by depth and length, InfiniPot", maps),
    ]


def ruler_blocks(found: Found) -> list[Block]:
    """RULER: tasks by arms at every length, with means."""
    trials = [one.trial for one in samples(found)]
    if not trials:
        return []
    by_place = {(canonical(one.arm), one.task, one.length): one for one in scores(trials)}
    arms = ordered(arm for arm, _, _ in by_place)
    tasks = list(dict.fromkeys(task for _, task, _ in by_place))
    means = {canonical(arm): row for arm, row in averages(scores(trials)).items()}
    blocks: list[Block] = [
        Heading("RULER"),
        Paragraph(
            f"Official prompts and string matching, percent; {len(tasks)} of 13 tasks. The paper does not report RULER."
        ),
    ]
    for length in sorted({length for _, _, length in by_place}):
        rows = []
        for task in tasks:
            mine = [by_place.get((arm, task, length)) for arm in arms]
            cells = [f"{one.score:.1f}" if one else "–" for one in mine]
            rows.append([task, n_samples(one for one in mine if one), *cells])
        rows.append(["mean", "", *(f"{means[arm][length]:.1f}" if length in means[arm] else "–" for arm in arms)])
        blocks.append(Grid([f"{_length(length)} tokens", "n", *map(named, arms)], rows))
    return blocks


def needle_scores(found: Found) -> dict[str, dict[str, dict[Item, float]]]:
    """Score of every item by kind and arm, for paired comparisons; texts that fitted are left out."""
    by_kind: dict[str, dict[str, dict[Item, float]]] = {}
    for one in needles(found):
        if not one.trial.is_fit:
            by_kind.setdefault(one.trial.kind, {}).setdefault(one.arm, {})[one.item] = one.trial.score
    for sample in samples(found):
        if not sample.trial.is_fit:
            by_kind.setdefault("RULER", {}).setdefault(sample.arm, {})[sample.item] = sample.trial.score
    return by_kind


def _depths(trials: Sequence[NeedleTrial], length: int, depths: Sequence[float]) -> str:
    """Percent found at each depth of a length; one dash where nothing was measured."""
    if not any(trial.length == length for trial in trials):
        return "–"
    return "/".join(_at(trials, length, depth) for depth in depths)


def _share(trials: Sequence[NeedleTrial]) -> str:
    """Percent found of all, with Wilson's interval."""
    count = Count(sum(trial.is_right for trial in trials), len(trials))
    low, high = count.interval
    return f"{100 * count.right / count.total:.0f} ({100 * low:.0f}–{100 * high:.0f})"


def _at(trials: Sequence[NeedleTrial], length: int, depth: float) -> str:
    here = [trial.score for trial in trials if (trial.length, trial.depth) == (length, depth)]
    return f"{100 * mean(here):.0f}" if here else "–"


def _length(length: int) -> str:
    return short(length) if length else "whole book"


def _absent(command: str) -> Paragraph:
    return Paragraph(f"Not measured; the command is: {command}")
