"""The report: every table and figure has its place, numbers are those of the trials, verdicts follow from them."""

import itertools
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.cost_record import CostRow
from infinipot_cli.bench.longbench_record import LongTrial
from infinipot_cli.bench.needle_record import NeedleResult, NeedleTrial
from infinipot_cli.bench.report import cost, longbench, plots
from infinipot_cli.bench.report.blocks import Grid, Heading, Paragraph, to_html, to_markdown
from infinipot_cli.bench.report.compare import compare
from infinipot_cli.bench.report.found import find
from infinipot_cli.bench.report.items import Item
from infinipot_cli.bench.report.orderings import comparisons, cost_claims
from infinipot_cli.bench.report.paper import needle_rows
from infinipot_cli.bench.report.plots import Panel, Plotter
from infinipot_cli.errors import DocumentError

PLACES = ("Table 1", "Table 2", "Table 3", "Table 4", "Table 5", "Table 6", "Table 7",
          "Figure 2", "Figure 3", "Figures 4 and 5", "Figure 6", "Figure 7")  # fmt: skip
HOSTILE = "model | <img src=x onerror=alert(1)> \x1b[31m [bold]"


def needles() -> dict[str, object]:
    """Two arms on the same lines: the first finds all, the other those at the end."""
    trials = [
        NeedleTrial("passkey", depth, "who?", "a", "b", right, 9, 2, 0.1, float(right), length, arm, number, False)
        for arm, found in (("infinipot", (0.1, 0.5, 0.9)), ("tova", (0.9,)))
        for length in (2048, 4096)
        for depth in (0.1, 0.5, 0.9)
        for number in range(4)
        for right in [depth in found]
    ]
    return NeedleResult(HOSTILE, 1024, 512, "question", 0, trials, {}, {"kind": "passkey"}).to_record()


def long_trials() -> list[LongTrial]:
    return [
        LongTrial(name, number, arm, size, "x", score, 900, 2, 0.5)
        for size in (256, 512)
        for name, score in (("hotpotqa", 0.5), ("trec", 1.0))
        for number in range(2)
        for arm, score in (("pot", score), ("truncated", score / 2))
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "needle.json").write_text(json.dumps(needles()))
    settings = {"model": "tiny", "pots": [256, 512], "sets": ["hotpotqa", "trec"]}
    lines = [settings, *map(asdict, long_trials())]
    (runs / "long.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"cut": ')
    rows = [
        CostRow(method, length, seconds * length, 0.02 * length, 0.1, 0.5, 6, 10**8 + grown * length, 10**8, cache, 3)
        for length in (1000, 2000)
        for method, seconds, grown, cache in (("infinipot", 1, 10, 5000), ("full", 2, 100, 8 * length))
    ]
    (runs / "cost.json").write_text(json.dumps({"bench": "cost", "rows": [asdict(row) for row in rows]}))
    (runs / "other.json").write_text("[1, 2]")
    return runs


def grids(blocks: list[Any]) -> list[Grid]:
    return [block for block in blocks if isinstance(block, Grid)]


def test_a_folder_becomes_a_report_with_every_table_and_figure(folder: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "report", str(folder)])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{folder / 'report.md'}\n"
    text = (folder / "report.md").read_text()
    assert all(any(line.startswith("## ") and place in line for line in text.splitlines()) for place in PLACES)
    assert "paper: L3-InfiniPot-4K | 35.57 | 25.29 | 68.17 | 42.24 | 41.50 |" in text
    assert "The paper prints 41.50 for L3-InfiniPot-4K; its 16 scores average 41.42." in text
    assert "The paper prints 39.48 for L3-CaP-G1; its 16 scores average 39.52." in text
    assert text.count("The paper prints ") == 3
    assert "whose last number is lost" in text
    assert "100/100/100 | 100/100/100" in text and "0/0/100 | 0/0/100" in text
    assert "Left out: other.json is no record of a benchmark." in text
    for link in ("figure-4", "figure-5", "figure-6", "figure-7"):
        assert f"(figures/{link}.png)" in text
        assert (folder / "figures" / f"{link}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder / "figures" / f"{link}.svg").read_text()
    before = (folder / "figures" / "figure-4.svg").read_bytes()
    CliRunner().invoke(app, ["bench", "report", str(folder), "-q"])
    assert (folder / "figures" / "figure-4.svg").read_bytes() == before


def test_an_html_report_is_one_file_in_which_nothing_runs(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    assert CliRunner().invoke(app, ["bench", "report", str(folder), "-o", str(path)]).exit_code == 0
    text = path.read_text()
    assert "<img src=x" not in text and "\x1b" not in text and "<script" not in text
    assert text.count('src="data:image/svg+xml;base64,') == text.count("<img ") == 4


def test_without_matplotlib_one_line_says_which_extra_and_the_tables_stand(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "can_plot", lambda: False)
    done = CliRunner().invoke(app, ["bench", "report", str(folder)])
    assert done.exit_code == 0
    assert "pip install 'infinipot[plots]'" in " ".join(done.stderr.split())
    assert "![" not in (folder / "report.md").read_text()
    assert not (folder / "figures").exists()


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    for path in (tmp_path, tmp_path / "missing"):
        assert CliRunner().invoke(app, ["bench", "report", str(path)]).exit_code == 3
    (tmp_path / "needle.json").write_text('{"bench": "needle", "trials": [{"old": 1}]}')
    with pytest.raises(DocumentError, match="was written by another version"):
        find(tmp_path)
    assert CliRunner().invoke(app, ["bench", "report", str(tmp_path), "--paper", "nobody"]).exit_code == 2


def test_a_run_file_counts_once_beside_the_record_of_the_same_run(folder: Path) -> None:
    assert [record.bench for record in find(folder).records] == ["cost", "needle", "longbench"]
    (folder / "needle.jsonl").write_text(json.dumps({"kind": "passkey"}) + "\n")
    (folder / "ruler.jsonl").write_text(json.dumps({"tasks": ["vt"], "lengths": [2048]}) + "\n")
    assert [record.bench for record in find(folder).records] == ["cost", "needle", "longbench", "ruler"]


def test_orderings_are_paired_and_judged_by_their_interval(folder: Path) -> None:
    found = find(folder)
    pooled, one = [one for one in comparisons(found) if "TOVA" in one.claim]
    assert (pooled.on, pooled.n, pooled.verdict) == ("needles and questions", 24, "holds")
    assert (one.on, one.n, round(one.better), round(one.worse), one.verdict) == ("pass keys", 24, 100, 33, "holds")
    on = {one.on for one in comparisons(found) if "> TR" in one.claim}
    assert on == {"needles and questions", "LongBench questions", "LongBench, all sets"}
    assert [row[2] for row in cost_claims(found)] == ["holds", "holds", "holds"]


def items(n: int, score: float) -> dict[Item, float]:
    return {Item(number, "one way"): score for number in range(n)}


def test_verdicts() -> None:
    low, high = (items(20, value) for value in (0.2, 0.9))
    assert compare("", "", high, low) is not None
    words = [
        compare("", "", first, second, is_strict=strict)
        for first, second, strict in ((high, low, True), (low, high, True), (low, low, True), (low, low, False))
    ]
    assert [one.verdict for one in words if one] == ["holds", "does not hold", "equal here", "holds (equal)"]
    mixed = {item: number % 2 for number, item in enumerate(items(20, 0.0))}
    opened = compare("", "", mixed, items(20, 0.45))
    assert opened and opened.verdict == "leans so, not sure"
    assert compare("", "", {Item(1, "a"): 1.0}, {Item(2, "a"): 1.0, Item(1, "b"): 1.0}) is None
    few = compare("", "", items(9, 1.0), items(9, 0.0))
    assert few and few.verdict == "few"


def test_an_interval_of_equal_differences_is_as_wide_as_their_number_allows() -> None:
    for n in (1, 20, 400):
        found = compare("", "", items(n, 1.0), items(n, 0.0))
        assert found
        low, high = found.interval
        assert (found.difference, high) == (100, 100)
        assert low == pytest.approx({1: -73.4, 20: 73.5, 400: 98.5}[n], abs=0.1)


def test_the_papers_table_4_is_whole() -> None:
    rows = {row.name: row for row in needle_rows()}
    assert len(rows) == 13
    assert rows["M3-InfiniPot-4K"].curve()[-1] == (1024**2, pytest.approx(95))
    assert rows["M3-PT-32K"].curve()[-1][0] == 32 * 1024


def test_both_forms_keep_a_table_a_table(tmp_path: Path) -> None:
    made = [Heading("A | b"), Paragraph("x <b> *y*"), Grid(["a", "b"], [["1 | 2", "<i>"], ["p", "q"]], n_ours=1)]
    lines = to_markdown(made).splitlines()
    assert lines[-2:] == ["| 1 \\| 2 | \\<i> |", "| p | q |"]
    assert lines[-3] == "| --- | --- |"
    assert "| --- | ---: | --- |" in to_markdown([Grid(["a", "b", "c"], [["x", "–", "OOD"], ["1", "+3.0", "so"]])])
    page = to_html(made, tmp_path, "t")
    assert page.count("<tr class=paper>") == 1
    assert "<i>" not in page


def longbench_grids(trials: list[LongTrial], tmp_path: Path) -> list[Grid]:
    lines = [{"model": "tiny", "pots": [512]}, *map(asdict, trials)]
    (tmp_path / "long.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    bench = longbench.LongBench(find(tmp_path))
    return [*grids(longbench.table_1(bench, "L3")), *grids(longbench.table_2(bench, "L3")),
            *grids(longbench.table_3(bench, "L3"))]  # fmt: skip


def test_a_mean_over_fewer_sets_says_so_and_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    trials = [one for one in long_trials() if one.capacity == 512]
    trials += [replace(one, arm="h2o") for one in trials if one.arm == "pot" and one.set_name == "hotpotqa"]
    main, *_ = longbench_grids(list(reversed(trials)), tmp_path)
    rows = {row[0]: row[1:] for row in main.rows}
    assert list(rows)[:3] == ["InfiniPot (CaP-Q, NuC), pot 512", "TR, pot 512", "H2O, pot 512"]
    assert rows["InfiniPot (CaP-Q, NuC), pot 512"] == ["37.50", "–", "75.00", "–", "56.25", "42.3–70.2"]
    assert rows["H2O, pot 512"] == ["37.50", "–", "–", "–", "37.50 (1 of 2 sets)", "25.0–50.0"]
    assert all(len(row) == len(main.header) for row in main.rows)


def test_intervals_weigh_rows_as_the_mean_does(tmp_path: Path) -> None:
    """Three rows of one set weigh as much as the one of another: the interval lies around the mean of the sets."""
    trials = [LongTrial("hotpotqa", number, "infinipot", 512, "", 1.0, 900, 2, 0.1) for number in range(30)]
    trials += [LongTrial("trec", number, "infinipot", 512, "", 0.0, 900, 2, 0.1) for number in range(10)]
    row = longbench_grids(trials, tmp_path)[0].rows[0]
    low, high = map(float, row[-1].split("–"))
    assert row[-2] == "50.00" and 40 < low < 50 < high < 65


def test_arms_that_the_paper_does_not_have_join_their_ablation(tmp_path: Path) -> None:
    trials = [one for one in long_trials() if one.capacity == 512 and one.arm == "pot"]
    more = [replace(one, arm=arm) for one in trials for arm in ("alpha-30", "catalyst-/a/mine.md", "catalyst-g")]
    _, _, catalysts, alphas = longbench_grids([*trials, *more], tmp_path)
    assert [row[0] for row in catalysts.rows[: catalysts.n_ours]] == [
        f"InfiniPot{said}, pot 512" for said in (", CaP-G", " (CaP-Q, NuC)", ", CaP: mine.md")
    ]
    assert [row[0] for row in alphas.rows[: alphas.n_ours]] == [
        "InfiniPot (CaP-Q, NuC), pot 512", "α = 0.3, pot 512",
    ]  # fmt: skip


def test_repetitions_are_one_row_with_their_spread(tmp_path: Path) -> None:
    rows = [
        CostRow("infinipot", 1000, seconds, 0.1, 0.0, 0.5, 6, 2 * 10**8, 10**8, 5000, 3, number)
        for number, seconds in enumerate((4.0, 1.0, 2.0))
    ]
    (tmp_path / "cost.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in ({"methods": ["infinipot"], "model": "m"}, *map(asdict, rows)))
    )
    (grid,) = grids(cost.table(5, "infinipot", find(tmp_path)))
    header = dict(zip(grid.header, *grid.rows, strict=True))
    assert header["TTFT s"] == "2.00 (1.00–4.00)"
    assert header["distilling s"] == "0.10"
    assert header["share of TTFT"] == "5.0 % (2.5–10.0)"
    assert header["memory +MB"] == "100"
    assert [row[2] for row in cost_claims(find(tmp_path))] == ["does not hold"]


def test_a_plots_bars_have_names_and_lengths_between_points_have_none(tmp_path: Path) -> None:
    panel = Panel(
        "t", "layer", "percent", {"a": [(0.0, 10.0), (1.0, 20.0), (2.0, 20.0)]}, spreads={"a": [(5.0, 25.0)] * 3}
    )
    plotter = Plotter(tmp_path)
    plotter.lines("lines", "c", [panel])
    plotter.bars("bars", "c", {"layer 0": {"x": [10.0, 20.0], "y": [30.0, 40.0]}}, "tenth of the text", "percent")
    plotter.heat("heat", "c", {"m": {("0.1", "1k"): 50.0, ("0.5", "2k"): 90.0}})
    for name, said in (
        ("lines", ("layer", "percent")),
        ("bars", ("tenth of the text",)),
        ("heat", ("tokens", "depth")),
    ):
        drawn = (tmp_path / "figures" / f"{name}.svg").read_text()
        assert all(f"<!-- {word} -->" in drawn for word in said), name
        assert "<!-- 0.5 -->" not in drawn or name == "heat"


def test_lines_with_equal_scores_stand_apart_and_stay_at_their_length() -> None:
    for n in (2, 7, 19):
        shifts = [plots._shift(number, n) for number in range(n)]
        assert all(later > sooner for sooner, later in itertools.pairwise(shifts))
        # a length twice as large is a factor of 2 away; no point comes half as near to it
        assert 2**-0.3 < shifts[0] < 1 < shifts[-1] < 2**0.3
    assert plots._shift(0, 1) == 1
