"""What a report counts as one item: overlapping runs count once, other seeds and pots are other items."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from infinipot_cli.bench.cost_record import CostRow
from infinipot_cli.bench.longbench_record import LongTrial
from infinipot_cli.bench.needle_record import NeedleResult, NeedleTrial
from infinipot_cli.bench.pocket_record import PocketTrial
from infinipot_cli.bench.record import MemoryRow
from infinipot_cli.bench.report.compare import compare
from infinipot_cli.bench.report.cost import cost_cells, memory_blocks
from infinipot_cli.bench.report.found import find
from infinipot_cli.bench.report.further import pocket_blocks
from infinipot_cli.bench.report.items import Item
from infinipot_cli.bench.report.longbench import LongBench, question_scores
from infinipot_cli.bench.report.needles import needle_scores, needle_trials, samples
from infinipot_cli.bench.report.orderings import comparisons
from infinipot_cli.bench.ruler.record import RulerTrial

POT = {"size": 512, "budget": 256, "novelty": 0.5, "chunk": 512}
SETTINGS: dict[str, Any] = {"model": "tiny", "kind": "passkey", "seed": 0, "pot": POT, "data": {"book.txt": "1f"}}


def lines(arm: str, score: float, *, key: str = "1") -> list[NeedleTrial]:
    return [
        NeedleTrial("passkey", 0.5, "who?", f"{key}{number}", "", bool(score), 9, 2, 0.1, score, 2048, arm, number)
        for number in range(12)
    ]


def keep(folder: Path, name: str, trials: list[NeedleTrial], **settings: Any) -> None:
    made = SETTINGS | settings
    record = NeedleResult("tiny", made["pot"]["size"], 256, "question", made["seed"], trials, {}, made).to_record()
    (folder / f"{name}.json").write_text(json.dumps(record))


def keep_run(folder: Path, name: str, settings: dict[str, Any], trials: list[Any]) -> None:
    written = [settings, *map(asdict, trials)]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in written))


def test_lines_that_two_runs_have_hidden_count_once(tmp_path: Path) -> None:
    keep(tmp_path, "a", lines("infinipot", 1.0), arms=["infinipot"])
    keep(tmp_path, "b", [*lines("infinipot", 0.0), *lines("tova", 0.0)], arms=["infinipot", "tova"], kind="both")
    by_arm = needle_trials(find(tmp_path))
    assert {arm: len(trials) for arm, trials in by_arm.items()} == {"infinipot": 12, "tova": 12}
    assert all(one.is_right for one in by_arm["infinipot"]), "the first record stays"
    (one,) = [one for one in comparisons(find(tmp_path)) if one.on == "pass keys"]
    assert (one.n, one.difference) == (12, 100)


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"pot": {**POT, "size": 1024}}, {"data": {"book.txt": "2f"}}, {"set": {"rank": True}}]
)
def test_other_seeds_pots_books_and_settings_are_other_items(tmp_path: Path, other: dict[str, Any]) -> None:
    keep(tmp_path, "a", lines("infinipot", 1.0))
    keep(tmp_path, "b", [*lines("infinipot", 1.0), *lines("tova", 0.0)], **other)
    found = find(tmp_path)
    assert {arm: len(trials) for arm, trials in needle_trials(found).items()} == {"infinipot": 24, "tova": 12}
    by_arm = needle_scores(found)["passkey"]
    assert len(by_arm["infinipot"].keys() & by_arm["tova"].keys()) == 12
    (one,) = [one for one in comparisons(found) if one.on == "pass keys"]
    assert one.n == 12


def test_pass_keys_of_another_run_are_told_by_themselves_where_no_settings_are(tmp_path: Path) -> None:
    for name, key in (("a", "1"), ("b", "2")):
        arm = {"a": "infinipot", "b": "tova"}[name]
        record = {"bench": "needle", "model": "tiny", "trials": [asdict(one) for one in lines(arm, 1.0, key=key)]}
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    assert comparisons(find(tmp_path)) == []


def test_samples_of_the_same_book_count_once_whatever_sets_were_there(tmp_path: Path) -> None:
    sample = RulerTrial("vt", 2048, 0, "infinipot", "which?", ["A", "B"], "", 1.0, 9, 2, 0.1, False)
    settings = {name: value for name, value in SETTINGS.items() if name != "kind"} | {"tasks": ["vt"]}
    keep_run(tmp_path, "a", settings, [sample])
    keep_run(tmp_path, "b", settings | {"data": {"book.txt": "1f", "squad.json": "3f"}}, [sample])
    keep_run(tmp_path, "c", settings | {"data": {"book.txt": "2f"}}, [sample])
    assert len(samples(find(tmp_path))) == 2


def rows(size: int, score: float, arm: str) -> list[LongTrial]:
    return [LongTrial("hotpotqa", number, arm, size, "", score, 900, 2, 0.5) for number in range(10)]


def test_one_question_in_pots_of_several_sizes_is_one_item(tmp_path: Path) -> None:
    settings = {"model": "tiny", "pots": [256], "data": {"hotpotqa.jsonl": "1f"}}
    mine = [one for size in (256, 512) for one in rows(size, size / 512, "infinipot")]
    mine += [one for size in (256, 512) for one in rows(size, 0.0, "truncation")]
    keep_run(tmp_path, "a", settings, mine)
    keep_run(tmp_path, "b", settings | {"pots": [512]}, rows(512, 0.0, "infinipot"))
    bench = LongBench(find(tmp_path))
    assert len(bench.trials) == len(mine), "the pot of 512 was measured twice"
    by_arm = question_scores(bench)
    one = compare("", "", by_arm["infinipot"], by_arm["truncation"])
    assert one and (one.n, one.better, one.worse) == (10, 75, 0)
    assert set(question_scores(bench, "FSL")) == set()


@pytest.mark.parametrize(
    "other", [{"novelty": 0.3}, {"catalyst": "u"}, {"budget": 100}, {"set": {"rank": True}}, {"dtype": "bfloat16"}]
)
def test_longbench_of_another_way_stands_in_no_row_and_is_named(tmp_path: Path, other: dict[str, Any]) -> None:
    settings = {"model": "tiny", "pots": [256], "novelty": 0.5, "data": {"hotpotqa.jsonl": "1f"}}
    keep_run(tmp_path, "a", settings, rows(256, 1.0, "infinipot"))
    keep_run(tmp_path, "b", settings | other, rows(256, 0.0, "infinipot"))
    keep_run(tmp_path, "c", settings | {"model": "large"} | other, rows(256, 0.0, "infinipot"))
    found = find(tmp_path)
    by_model = LongBench(found).by_model
    assert {model: {one.score for one in trials} for model, trials in by_model.items()} == {"tiny": {1.0}, "large": {0}}
    assert {path.name: said for path, said in found.left_out.items()} == {
        "b.jsonl": f"has another {next(iter(other))} than a.jsonl: a folder for each"
    }


def test_pots_of_other_sizes_may_keep_other_numbers_of_places(tmp_path: Path) -> None:
    settings = {"model": "tiny", "pots": [256], "budget": 100}
    keep_run(tmp_path, "a", settings, rows(256, 1.0, "infinipot"))
    keep_run(tmp_path, "b", settings | {"pots": [512], "budget": 200}, rows(512, 1.0, "infinipot"))
    assert {one.capacity for one in LongBench(find(tmp_path)).trials} == {256, 512}


def test_time_and_memory_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    row = CostRow("infinipot", 1000, 2.0, 0.1, 0.0, 0.5, 6, 2 * 10**8, 10**8, 5000, 3)
    costs = {"model": "tiny", "methods": ["infinipot"], "pot": {"size": 512}, "dtype": "float32", "answer": 6}
    more = replace(row, method="snapkv", read_seconds=3.0)
    keep_run(tmp_path, "cost-a", costs, [row])
    keep_run(tmp_path, "cost-b", costs | {"methods": ["snapkv"]}, [more])
    for number, other in enumerate(({"model": ""}, {"pot": {"size": 64}}, {"dtype": "bfloat16"}, {"answer": 16})):
        keep_run(tmp_path, f"cost-c{number}", costs | other, [replace(row, read_seconds=99.0)])
    memories = {"model": "tiny", "command": "ask", "pot": POT}
    keep_run(tmp_path, "memory-a", memories, [MemoryRow(1000, 2, 10**8, 1.0)])
    keep_run(tmp_path, "memory-b", memories | {"pot": {**POT, "size": 64}}, [MemoryRow(1000, 9, 10**9, 1.0)])
    found = find(tmp_path)
    assert [(cell.method, cell.median("ttft_seconds")) for cell in cost_cells(found)] == [
        ("infinipot", 2.0), ("snapkv", 3.0),
    ]  # fmt: skip
    _, _, grid = memory_blocks(found)
    assert len(grid.rows) == 1  # type: ignore[union-attr]
    said = {path.name: why for path, why in found.left_out.items()}
    assert {name: why.split(": ")[0] for name, why in said.items()} == {
        "cost-c0.jsonl": "has another model than cost-a.jsonl",
        "cost-c1.jsonl": "has another pot than cost-a.jsonl",
        "cost-c2.jsonl": "has another dtype than cost-a.jsonl",
        "cost-c3.jsonl": "has another answer than cost-a.jsonl",
        "memory-b.jsonl": "has another pot than memory-a.jsonl",
    }


def test_figures_of_one_run_name_the_runs_that_they_do_not_show(tmp_path: Path) -> None:
    for name in ("a", "b"):
        record = {"bench": "hitrate", "model": "tiny", "pot": POT, "seed": 0, "trials": []}
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    found = find(tmp_path)
    assert [record.path.name for record in found.of("hitrate")] == ["a.json"]
    assert {path.name: "a.json" in why for path, why in found.left_out.items()} == {"b.json": True}


def test_only_pots_that_both_arms_had_are_compared() -> None:
    better = {Item("q", 256): 1.0, Item("q", 512): 0.5}
    one = compare("", "", better, {Item("q", 512): 0.25, Item("q", 1024): 1.0})
    assert one and (one.n, one.better, one.worse) == (1, 50, 25)


def test_answers_of_the_embedded_model_count_once(tmp_path: Path) -> None:
    answer = PocketTrial("squad", "", 0, "pot", "who?", "a", {"f1": 0.5}, 9, 2, 0.1)
    settings = {"model": "pocket", "full_up_to": 9, "seed": 0, "n": 1}
    keep_run(tmp_path, "a", settings, [answer])
    keep_run(tmp_path, "b", settings | {"full_up_to": 99}, [answer, replace(answer, arm="ask")])
    keep_run(tmp_path, "c", settings | {"seed": 1}, [answer])
    _, grid = pocket_blocks(find(tmp_path))
    assert [row[2:4] for row in grid.rows] == [["pot", "2"], ["ask", "1"]]  # type: ignore[union-attr]
