"""`infinipot bench longbench`: its record over an interruption, its tables, its averages and refusals."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.longbench import Runner
from infinipot_cli.bench.longbench_record import LongTrial, averages, paper_models, paper_rows, set_scores
from infinipot_cli.bench.longbench_sets import PAPER_SETS, SETS, check_libraries, choose, rows
from infinipot_cli.errors import DocumentError, UsageError


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["bench", "longbench", *map(str, words)])


def test_an_interrupted_run_goes_on_where_it_was(
    longbench: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--data", longbench, "--only", "lcc,trec", "-m", tiny_model, "-s", 400, "--json", "-q"]
    whole = run(*words)
    assert whole.exit_code == 0, whole.output
    expected = json.loads(whole.stdout)
    record = tmp_path / "run.jsonl"
    answer, n_left = Runner.run, [3]

    def stopping(self: Runner, *args: Any) -> LongTrial:
        n_left[0] -= 1
        if n_left[0] < 0:
            raise KeyboardInterrupt
        return answer(self, *args)

    monkeypatch.setattr(Runner, "run", stopping)
    assert run(*words, "--record", record).exit_code == 130
    record.write_bytes(record.read_bytes() + b'{"set_name": "tr')  # the line that a kill cut off
    n_left[0] = 5
    done = run(*words, "--record", record)
    assert done.exit_code == 0 and n_left == [0]
    got = json.loads(done.stdout)
    for key in ("settings", "scores", "averages", "paper"):
        assert got[key] == expected[key], key
    assert set(got["made_with"]) == {"versions", "weights", "data", "machine"}
    assert all(len(value) == 64 for value in got["made_with"]["weights"].values())
    other = run(*words, "--record", record, "--n", 1)
    assert other.exit_code == 2 and "other settings: n" in other.output


def test_several_pots_make_figure_6(longbench: Path, tiny_model: Path) -> None:
    sizes, arms = ["--pots", "300,400"], ["--arms", "pot,truncated,full"]
    done = run("--data", longbench, "--only", "lcc", "-m", tiny_model, *sizes, *arms, "-q")
    assert done.exit_code == 0, done.output
    assert "paper, Table 1: L3-InfiniPot-4K" in done.stdout and "41.50" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert [line.split()[-5:-4] for line in done.stdout.splitlines() if " full " in line]


def test_refusals(longbench: Path, tiny_model: Path, tmp_path: Path) -> None:
    base = ["-m", tiny_model, "-q"]
    missing = run("--data", tmp_path, *base)
    assert missing.exit_code == 3 and "THUDM/LongBench" in missing.output
    assert run("--data", longbench, "--only", "nosuch", *base).exit_code == 2
    assert run("--data", longbench, "--only", "qasper", *base).exit_code == 3
    assert run("--data", longbench, "--arms", "magic", *base).exit_code == 2
    assert run("--data", longbench, "--paper", "L9", *base).exit_code == 2
    for name in SETS:
        if (path := longbench / f"{name}.jsonl").exists():
            path.write_text(path.read_text().splitlines()[1] + "\n")
    short = run("--data", longbench, "--only", "lcc", *base)
    assert short.exit_code == 2 and "nothing would be distilled" in short.output
    (longbench / "lcc.jsonl").write_text('{"input": "x"}\n')
    with pytest.raises(DocumentError, match="line 1"):
        rows("lcc", longbench)
    (longbench / "lcc.jsonl").write_text("no json\n")
    with pytest.raises(DocumentError):
        rows("lcc", longbench)


def test_what_shows_nothing_is_refused_before_anything_is_read(
    longbench: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "_read", lambda *_: pytest.fail("it was read"))
    record = tmp_path / "run.jsonl"
    base = ["--data", longbench, "--only", "lcc", "-m", tiny_model, "-q", "--record", record]
    for words, said in (
        (["--pots", "0,400"], "a pot of 0 places"),
        (["--pots", "400,8"], "a pot of 8 places"),
        (["--pots", "20", "--arms", "truncation"], "a pot of 20 places"),
        (["--pots", "400,1m"], "trained for"),
        (["--n", 2, "-s", 512], "nothing would be distilled"),
    ):
        if "--n" in words:
            (longbench / "lcc.jsonl").write_text((longbench / "lcc.jsonl").read_text().splitlines()[1] + "\n")
        refused = run(*base, *words)
        assert refused.exit_code == 2, words
        assert said in " ".join(refused.output.split())
    assert not record.exists()


def test_a_set_without_rows_is_not_measured(longbench: Path, tiny_model: Path) -> None:
    (longbench / "hotpotqa.jsonl").write_text("\n")
    refused = run("--data", longbench, "-m", tiny_model, "-s", 400, "-q")
    assert refused.exit_code == 3 and "hotpotqa.jsonl holds no row" in " ".join(refused.output.split())


def test_sets_come_in_the_official_order(longbench: Path) -> None:
    assert choose(["lcc", "hotpotqa"], longbench) == ["hotpotqa", "lcc"]


def test_averages_are_the_papers() -> None:
    trials = [LongTrial(name, 0, "pot", 9, "", place / 100, 1, 1, 0.0) for place, name in enumerate(PAPER_SETS)]
    (mine,) = averages(set_scores(trials))
    assert mine.groups == {"QA": 2.5, "Summ": 7.0, "FSL": 10.0, "Others": 13.5} and mine.average == 7.5
    (partly,) = averages(set_scores(trials[1:]))
    assert partly.average is None and partly.groups["QA"] is None and partly.groups["Summ"] == 7.0
    # found by hand in the paper; every other row averages to what was printed beside it
    misprints = {"L3-InfiniPot-4K": 41.42, "L3-CaP-G1": 39.52, "P3-InfiniPot-2K": 35.98}
    for row in [row for llm in paper_models() for row in paper_rows(llm)]:
        wanted = misprints.get(row.name, row.average)
        assert row.implied == pytest.approx(wanted, abs=0.001 if row.name in misprints else 0.02), row


def test_arms_take_any_share_and_say_what_they_are_not(longbench: Path, tiny_model: Path, tmp_path: Path) -> None:
    base = ["--data", longbench, "--only", "lcc", "--n", 1, "-m", tiny_model, "-s", 400, "-q", "--json"]
    mine = tmp_path / "mine.txt"
    mine.write_text("Which line comes next?")
    done = run(*base, "--arms", f"alpha-30,pot,catalyst-{mine}")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["settings"]["arms"] == ["alpha-30", "infinipot", f"catalyst-{mine}"]
    assert list(record["settings"]["catalysts"]) == [str(mine)]
    for words in (["--arms", "alpha-130"], ["--arms", "alpha-x"], ["--arms", "catalyst-no.md"],
                  ["--catalyst", "no.md"], ["--catalyst", "u", "--policy", "tova"],
                  ["--arms", "no-nuc", "--policy", "snapkv"]):  # fmt: skip
        refused = run(*base, *words)
        assert (refused.exit_code, type(refused.exception)) == (2, SystemExit), words
    stepwise = run(*base, "--policy", "streaming_llm", "--arms", "infinipot")
    assert stepwise.exit_code == 0, stepwise.output


@pytest.mark.parametrize(
    ("field", "value"),
    [("context", None), ("context", ["a"]), ("answers", "abc"), ("answers", [1]), ("all_classes", 3)],
)
def test_a_row_of_the_wrong_kind_is_refused_by_its_line(longbench: Path, field: str, value: object) -> None:
    path = longbench / "lcc.jsonl"
    first = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps(first) + "\n" + json.dumps(first | {field: value}) + "\n")
    with pytest.raises(DocumentError, match=f"line 2 of .*{field}"):
        rows("lcc", longbench)


def test_chinese_sets_without_their_library_are_refused_before_anything_is_read(
    longbench: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (longbench / "dureader.jsonl").write_text((longbench / "hotpotqa.jsonl").read_text())
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jieba" else found(name))
    refused = run("--data", longbench, "-m", tiny_model, "-q")
    assert refused.exit_code == 2
    said = " ".join(refused.output.split())
    assert "infinipot[zh]" in said and "--only hotpotqa,trec,samsum,passage_retrieval_en,lcc" in said
    with pytest.raises(UsageError):
        check_libraries(["vcsum"])
    check_libraries(["lcc", "lsht", "passage_retrieval_zh"])
