"""LongBench in the report: Tables 1, 2, 3 and 7 and Figure 6, beside the paper's rows."""

from collections.abc import Hashable, Sequence

from infinipot_cli.bench.arms import ALPHA, CATALYST
from infinipot_cli.bench.longbench_record import GROUPS, LongTrial, PaperRow, paper_models, paper_rows
from infinipot_cli.bench.longbench_sets import PAPER_SETS, SETS
from infinipot_cli.bench.metrics import interval_of_means, mean
from infinipot_cli.bench.report.blocks import Block, Grid, Heading, Paragraph
from infinipot_cli.bench.report.found import Found, Record
from infinipot_cli.bench.report.items import Item, files, measured
from infinipot_cli.bench.report.paper import canonical, named, ordered, sized
from infinipot_cli.bench.report.plots import Panel, Plotter

# Rows of Tables 2 and 3 in the paper's order, as far as there are arms for them.
CATALYSTS = ("catalyst-p", "catalyst-u", "general", "infinipot", "catalyst-g1", "catalyst-g2")
ALPHAS = ("tova", "no-nuc", "alpha-25", "infinipot", "alpha-75", "no-cap")
_COMMAND = "infinipot bench longbench --data DIR --arms all --json"
_HEADER = ["row", *GROUPS, "Avg", "95 %"]
# More than rounding can put between an average and the groups printed beside it.
_MISPRINT = 0.02
_TRUNCATIONS = ("full", "truncation", "sliding_window", "infinipot")


class LongBench:
    """All LongBench trials of a folder.

    Args:
        found: the records.
    """

    def __init__(self, found: Found) -> None:
        self.measured = measured(found, "longbench", LongTrial, _question, lambda trial: trial.capacity)
        self.by_model: dict[str, list[LongTrial]] = {}
        for one in self.measured:
            self.by_model.setdefault(one.model, []).append(one.trial)

    @property
    def trials(self) -> list[LongTrial]:
        """Those of the first model."""
        return next(iter(self.by_model.values()), [])

    def arms(self, trials: Sequence[LongTrial]) -> list[str]:
        """Arms, the paper's own first."""
        return ordered(trial.arm for trial in trials)

    def capacity(self, trials: Sequence[LongTrial]) -> int:
        """The pot that most was measured with."""
        sizes = [trial.capacity for trial in trials]
        return max(dict.fromkeys(sizes), key=sizes.count)


def table_1(bench: LongBench, llm: str) -> list[Block]:
    """Every arm, in groups and set by set."""
    title = Heading("Table 1: LongBench, memory-constrained and not")
    trials = bench.trials
    rows = _paper(llm, "1")
    if not trials:
        missing = Paragraph(f"Not measured; the command is: {_COMMAND}")
        return [title, missing, Grid(_HEADER, rows, n_ours=0), *_misprinted("1", llm)]
    capacity = bench.capacity(trials)
    mine = [trial for trial in trials if trial.capacity == capacity]
    arms = bench.arms(mine)
    ours = [[sized(arm, capacity), *_groups(mine, arm)] for arm in arms]
    names = [name for name in SETS if any(trial.set_name == name for trial in mine)]
    per_set = [[name, SETS[name].metric, *(_set(mine, arm, name) for arm in arms)] for name in names]
    return [
        title,
        Paragraph(_complete(mine)),
        Grid(_HEADER, [*ours, *rows], n_ours=len(ours)),
        *_misprinted("1", llm),
        Grid(["set", "metric", *map(named, arms)], per_set),
    ]


def _misprinted(table: str, *llms: str) -> list[Block]:
    """A word on averages of the paper that its own scores do not have."""
    rows = [row for llm in llms for row in paper_rows(llm) if row.table == table]
    return [
        Paragraph(f"The paper prints {row.average:.2f} for {row.name}; its 16 scores average {row.implied:.2f}.")
        for row in rows
        if abs(row.implied - row.average) > _MISPRINT
    ]


def table_2(bench: LongBench, llm: str) -> list[Block]:
    """Catalyst prompts."""
    return _ablation("Table 2: what the catalyst says", bench, _with_further(CATALYSTS, CATALYST, bench), llm, "2")


def table_3(bench: LongBench, llm: str) -> list[Block]:
    """Shares of novelty."""
    return _ablation(
        "Table 3: share α of the places for novel tokens", bench, _with_further(ALPHAS, ALPHA, bench), llm, "3"
    )


def _ablation(title: str, bench: LongBench, arms: Sequence[str], llm: str, table: str) -> list[Block]:
    trials = bench.trials
    capacity = bench.capacity(trials) if trials else 0
    mine = [trial for trial in trials if trial.capacity == capacity]
    present = [arm for arm in arms if arm in bench.arms(mine)]
    ours = [[sized(arm, capacity), *_groups(mine, arm)] for arm in present]
    absent = [arm for arm in arms if arm not in present]
    remark = f"Not measured: {', '.join(map(named, absent))}." if absent else _complete(mine)
    grid = Grid(_HEADER, [*ours, *_paper(llm, table)], n_ours=len(ours))
    return [Heading(title), Paragraph(remark), grid, *_misprinted(table, llm)]


def _with_further(arms: Sequence[str], kind: str, bench: LongBench) -> list[str]:
    """The arms of an ablation, and those of its kind that the paper does not have."""
    return [*arms, *(arm for arm in bench.arms(bench.trials) if arm.startswith(kind) and arm not in arms)]


def table_7(bench: LongBench) -> list[Block]:
    """Other models: a row for every model and arm there is, beside the paper's recent ones."""
    ours = []
    for model, trials in bench.by_model.items():
        capacity = bench.capacity(trials)
        mine = [trial for trial in trials if trial.capacity == capacity]
        for arm in (arm for arm in _TRUNCATIONS if arm in bench.arms(mine)):
            ours.append([f"{model}: {sized(arm, capacity)}", *_groups(mine, arm)])
    llms = paper_models()
    paper = [row for llm in llms for row in _paper(llm, "7")]
    said = "One model a record; records of other models in the same folder get rows of their own."
    grid = Grid(_HEADER, [*ours, *paper], n_ours=len(ours))
    return [Heading("Table 7: other models"), Paragraph(said), grid, *_misprinted("7", *llms)]


def figure_6(bench: LongBench, plotter: Plotter) -> list[Block]:
    """Average over pot sizes."""
    title = Heading("Figure 6: average over the size of the pot")
    trials = bench.trials
    sizes = sorted({trial.capacity for trial in trials})
    # only arms that were run at every size can be compared over them
    arms = [
        arm for arm in bench.arms(trials)
        if len({one.capacity for one in trials if canonical(one.arm) == arm}) == len(sizes)
    ]  # fmt: skip
    if len(sizes) < 2 or not arms:
        return [title, Paragraph(f"Not measured; the command is: {_COMMAND} --pots 256,512,1024 --arms pot,truncated")]
    averages = {
        arm: [(float(size), _mean([t for t in trials if t.capacity == size], arm)) for size in sizes] for arm in arms
    }
    curves = {named(arm): [(size, value) for size, value in row if value is not None] for arm, row in averages.items()}
    rows = [[named(arm), *(_cell(value) for _, value in row)] for arm, row in averages.items()]
    spreads = {
        named(arm): [_interval([t for t in trials if t.capacity == size], arm) for size in sizes] for arm in arms
    }
    panel = Panel("LongBench, mean of the sets", "places in the pot", "score", curves, is_log=True, spreads=spreads)
    return [
        title,
        Paragraph(_complete(trials) + " The paper's figure has no printed values; its text says InfiniPot is above TR "
                  "at 1K, 2K, 4K and 8K, and that both rise. Bars: 95 % intervals."),
        Grid(["arm", *map(str, sizes)], rows),
        *plotter.lines("figure-6", "Figure 6: LongBench by size of the pot", [panel]),
    ]  # fmt: skip


def _question(record: Record, one: LongTrial) -> Hashable:
    """A row of a set is one question, whatever the pots that it is asked of."""
    return (one.set_name, one.number, files(record).get(f"{one.set_name}.jsonl"))


def question_scores(bench: LongBench, group: str | None = None) -> dict[str, dict[Item, float]]:
    """Score of every row and pot by arm, of one group of sets or of all; of the first model."""
    by_arm: dict[str, dict[Item, float]] = {}
    model = next(iter(bench.by_model), "")
    for one in bench.measured:
        if one.model == model and group in (None, SETS[one.trial.set_name].group):
            by_arm.setdefault(one.arm, {})[one.item] = one.trial.score
    return by_arm


def _groups(trials: Sequence[LongTrial], arm: str) -> list[str]:
    """Group means, the mean of all sets and its interval; a mean over fewer sets than other arms have says so."""
    told = []
    for group in (*GROUPS, None):
        here = [trial for trial in trials if group in (None, SETS[trial.set_name].group)]
        n, most = (len({t.set_name for t in some if t.set_name in PAPER_SETS}) for some in (_of(here, arm), here))
        told.append(_cell(_mean(here, arm)) + (f" ({n} of {most} sets)" if 0 < n < most else ""))
    low, high = _interval(trials, arm)
    return [*told, f"{low:.1f}–{high:.1f}"]


def _of(trials: Sequence[LongTrial], arm: str) -> list[LongTrial]:
    return [trial for trial in trials if canonical(trial.arm) == arm]


def _by_set(trials: Sequence[LongTrial], arm: str) -> list[list[float]]:
    """Scores of an arm's rows, 0 to 1, of each of the paper's sets that it has."""
    mine = [trial for trial in _of(trials, arm) if trial.set_name in PAPER_SETS]
    names = dict.fromkeys(trial.set_name for trial in mine)
    return [[trial.score for trial in mine if trial.set_name == name] for name in names]


def _mean(trials: Sequence[LongTrial], arm: str) -> float | None:
    """Mean over the paper's sets of an arm's means over their rows, percent."""
    by_set = _by_set(trials, arm)
    return 100 * mean([mean(rows) for rows in by_set]) if by_set else None


def _interval(trials: Sequence[LongTrial], arm: str) -> tuple[float, float]:
    """95 % interval of that mean, percent, from each set's own rows."""
    low, high = interval_of_means(_by_set(trials, arm))
    return 100 * low, 100 * high


def _set(trials: Sequence[LongTrial], arm: str, name: str) -> str:
    points = [trial.score for trial in trials if canonical(trial.arm) == arm and trial.set_name == name]
    return f"{100 * mean(points):.1f}" if points else "–"


def _complete(trials: Sequence[LongTrial]) -> str:
    names = {trial.set_name for trial in trials} & set(PAPER_SETS)
    rows = len({(trial.set_name, trial.number) for trial in trials})
    if len(names) == len(PAPER_SETS):
        return f"All 16 sets that the paper averages, {rows} rows; Avg is the mean over the sets."
    return f"{len(names)} of the 16 sets that the paper averages, {rows} rows: Avg is the mean over these sets only."


def _paper(llm: str, table: str) -> list[list[str]]:
    def cells(row: PaperRow) -> list[str]:
        return [f"paper: {row.name}", *(f"{row.groups[group]:.2f}" for group in GROUPS), f"{row.average:.2f}", ""]

    return [cells(row) for row in paper_rows(llm) if row.table == table]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
