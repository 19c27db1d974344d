"""`infinipot bench longbench`: what each arm is given, its record over an interruption, its tables and refusals."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.arms import ARMS, distills
from infinipot_cli.bench.longbench import Runner, middle_cut, official_length
from infinipot_cli.bench.longbench_record import LongTrial, averages, paper_rows, set_scores
from infinipot_cli.bench.longbench_sets import PAPER_SETS, SETS, check_libraries, choose, prompts, rows
from infinipot_cli.errors import DocumentError, PotError, UsageError
from infinipot_cli.session import Session
from infinipot_cli.settings import PotRequest

TEXT = "The night was dark, and nobody had lit the lamp of the harbour. "


@pytest.fixture
def longbench(tmp_path: Path) -> Path:
    """A folder in the official layout: two rows a set, the second shorter than any pot here."""
    folder = tmp_path / "longbench"
    folder.mkdir()
    for name in ("hotpotqa", "samsum", "trec", "passage_retrieval_en", "lcc"):
        row = {
            "input": "Who lit {the} lamp?", "context": TEXT * 12, "answers": ["Paragraph 3"], "length": 99,
            "dataset": name, "language": "en", "all_classes": ["Paragraph 3", "no"], "_id": "x",
        }  # fmt: skip
        lines = [row, row | {"context": "Dark."}]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "\n")
    return folder


@pytest.fixture
def runner(tiny_model: Path) -> Runner:
    return Runner(Session(str(tiny_model), PotRequest(capacity=400)))


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["bench", "longbench", *map(str, words)])


def test_a_row_carries_the_official_prompt(longbench: Path) -> None:
    for name in ("hotpotqa", "samsum", "trec", "lcc"):
        (first, _), classes = rows(name, longbench)
        assert first.prompt == prompts()[name].replace("{context}", TEXT * 12).replace("{input}", "Who lit {the} lamp?")
        assert first.asked[0].endswith(TEXT) and classes == ["Paragraph 3", "no"]


def test_the_chat_format_is_left_out_where_the_official_run_leaves_it_out(runner: Runner, longbench: Path) -> None:
    for name in ("hotpotqa", "trec"):
        row = rows(name, longbench)[0][0]
        asked = runner._asked(row, SETS[name], is_whole=True, arm="infinipot")
        ends = [runner.tokenizer.encode_template(mark) for mark in ("<|user|>", "<|end|><|assistant|>")]
        assert (asked.opening[-len(ends[0]) :] == tuple(ends[0])) == SETS[name].is_chat
        assert asked.closing == (tuple(ends[1]) if SETS[name].is_chat else ())
        assert [*asked.document, *asked.request] == runner.tokenizer.encode(row.prompt)


def test_what_the_pot_need_not_distil_is_answered_as_with_everything_in_context(
    longbench: Path, tiny_model: Path
) -> None:
    wide = Runner(Session(str(tiny_model), PotRequest(capacity=512)))
    row = replace(rows("lcc", longbench)[0][1])
    pot, full = (wide.run(row, arm, []) for arm in ("infinipot", "full"))
    assert pot.n_distilled == full.n_distilled == 0
    assert pot.given == full.given and pot.n_tokens == full.n_tokens


def test_only_arms_that_distil_do(runner: Runner, longbench: Path) -> None:
    row = rows("trec", longbench)[0][0]
    for arm in ARMS:
        trial = runner.run(row, arm, ["no"])
        if arm in ("full", "truncation", "streaming_llm", "self_extend"):
            assert not trial.n_distilled, arm
        elif distills(arm):
            assert trial.n_distilled, arm
        limit = {"truncation": 400, "full": 512}.get(arm, 10**6)
        assert trial.n_tokens + len(runner.tokenizer.encode_template("<s>")) <= limit


def test_a_pot_that_silently_did_not_distil_ends_the_run(
    runner: Runner, longbench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Runner._read
    monkeypatch.setattr(Runner, "_read", lambda self, plan, asked: read(
        self, plan, replace(asked, document=asked.document[:50])))  # fmt: skip
    with pytest.raises(PotError, match="nothing was distilled"):
        runner.run(rows("trec", longbench)[0][0], "infinipot", [])


def test_a_long_request_streams_with_the_text(runner: Runner, longbench: Path) -> None:
    row = replace(rows("trec", longbench)[0][0], asked=("short text", TEXT * 8))
    asked = runner._asked(row, SETS["trec"], is_whole=True, arm="infinipot")
    assert len(asked.request) == 100
    assert runner.run(row, "infinipot", []).n_distilled > 0


def test_samsum_ends_at_a_line_end_but_never_at_once(runner: Runner, longbench: Path) -> None:
    row = rows("samsum", longbench)[0][0]
    given = runner.run(row, "infinipot", []).given
    assert given and "\n" not in given[1:]
    free = Runner(runner.session, 400)
    plan_stops = free.session.stop_ids()
    free.session.stop_ids = lambda: frozenset(range(0, free.tokenizer.vocabulary_size, 2)) | plan_stops  # type: ignore[method-assign]
    assert free.run(row, "infinipot", []).given


def test_truncation_keeps_both_halves_as_text(runner: Runner) -> None:
    text = "".join(f"{number} " for number in range(300))
    ids = runner.tokenizer.encode(text)
    cut = middle_cut(text, runner.tokenizer, 101, n_first=1)
    assert cut == runner.tokenizer.decode(ids[:49]) + runner.tokenizer.decode(ids[-50:])
    assert middle_cut(text, runner.tokenizer, len(ids) + 1, n_first=1) == text


@pytest.mark.parametrize(("context", "length"), [(4096, 3500), (8192, 7500), (16384, 15500), (32768, 31500)])
def test_longest_prompts_are_the_official_ones(context: int, length: int) -> None:
    assert official_length(context, context) == length
    assert official_length(context, 100) == 100
    assert official_length(600, 400) == 400


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
    assert short.exit_code == 2 and "nothing was distilled" in short.output
    (longbench / "lcc.jsonl").write_text('{"input": "x"}\n')
    with pytest.raises(DocumentError, match="line 1"):
        rows("lcc", longbench)
    (longbench / "lcc.jsonl").write_text("no json\n")
    with pytest.raises(DocumentError):
        rows("lcc", longbench)


def test_sets_come_in_the_official_order(longbench: Path) -> None:
    assert choose(["lcc", "hotpotqa"], longbench) == ["hotpotqa", "lcc"]


def test_averages_are_the_papers() -> None:
    trials = [LongTrial(name, 0, "pot", 9, "", place / 100, 1, 1, 0.0) for place, name in enumerate(PAPER_SETS)]
    (mine,) = averages(set_scores(trials))
    assert mine.groups == {"QA": 2.5, "Summ": 7.0, "FSL": 10.0, "Others": 13.5} and mine.average == 7.5
    (partly,) = averages(set_scores(trials[1:]))
    assert partly.average is None and partly.groups["QA"] is None and partly.groups["Summ"] == 7.0
    # every row but the one whose misprint is known averages to what was printed beside it
    for row in [*paper_rows("L2"), *paper_rows("M3"), *paper_rows("L3.1"), *paper_rows("G2")]:
        sizes = {"QA": 6, "Summ": 3, "FSL": 3, "Others": 4}
        assert sum(n * row.groups[group] for group, n in sizes.items()) / 16 == pytest.approx(row.average, abs=0.02)


def judge(runner: Runner, folder: Path, name: str, arm: str) -> str:
    row = rows(name, folder)[0][0]
    plan = runner._plan(SETS[name], runner._asked(row, SETS[name], is_whole=True, arm=arm), arm)
    return runner.tokenizer.decode(plan.prompt.catalyst_ids)


def test_any_catalyst_judges_where_it_is_named(longbench: Path, tiny_model: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("{document}\nLook for lamps: {question}\n")
    asked = Runner(Session(str(tiny_model), PotRequest(capacity=400)), catalyst=str(mine))
    usual = Runner(asked.session)
    assert "Look for lamps:" in judge(asked, longbench, "trec", "infinipot")
    assert "Who lit {the} lamp?" in judge(asked, longbench, "hotpotqa", "infinipot")
    assert "Look for lamps:" in judge(usual, longbench, "trec", f"catalyst-{mine}")
    assert "Look for lamps:" not in judge(asked, longbench, "trec", "catalyst-u")
    general, question = (judge(usual, longbench, "trec", f"catalyst-{word}") for word in ("g", "q"))
    assert general == judge(usual, longbench, "trec", "infinipot") != question
    assert question == runner_suffix(usual, longbench)
    assert judge(usual, longbench, "hotpotqa", "infinipot") == judge(usual, longbench, "hotpotqa", "catalyst-Q")


def runner_suffix(runner: Runner, folder: Path) -> str:
    row = rows("trec", folder)[0][0]
    plan = runner._plan(SETS["trec"], runner._asked(row, SETS["trec"], is_whole=True, arm="infinipot"), "infinipot")
    return runner.tokenizer.decode(plan.prompt.suffix_ids)


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
