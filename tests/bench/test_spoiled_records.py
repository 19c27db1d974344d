"""A folder with records that cannot be read: each is named in one line, and the others become the report."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.needle_record import NeedleResult, NeedleTrial
from infinipot_cli.bench.pocket_record import PocketTrial, to_record
from infinipot_cli.bench.report import plots
from infinipot_cli.bench.report.found import BENCHES, find

TRIAL = NeedleTrial("passkey", 0.5, "who?", "a", "b", True, 9, 2, 0.1, 1.0, 2048)
GOOD = NeedleResult("tiny", 1024, 512, "question", 0, [TRIAL], {}, {"kind": "passkey"}).to_record()
ANSWER = PocketTrial("squad", "", 0, "pot", "who?", "a", {"f1": 0.5, "em": 0.0, "refused": 0.0}, 9, 2, 0.1)
OLD = [{"old": 1}]
SPOILED: dict[str, dict[str, Any]] = {
    **{bench: {"bench": bench, "pot": {"size": 9}, "trials": OLD} for bench in BENCHES if bench != "all"},
    "rows of costs": {"bench": "cost", "rows": OLD},
    "rows of memory": {"bench": "memory", "rows": OLD},
    "hit rates without a pot": {"bench": "hitrate", "trials": []},
    "settings": {"bench": "needle", "settings": [1], "trials": []},
    "made with": {"bench": "needle", "made_with": 3, "trials": []},
    "words": {"bench": "needle", "trials": ["x"]},
    "number": {"bench": "needle", "trials": 5},
    "kinds": {"bench": "needle", "trials": [asdict(TRIAL) | {"score": "high"}]},
    "truths": {"bench": "needle", "trials": [asdict(TRIAL) | {"length": True}]},
    "steps": {"bench": "all", "steps": [{"x": 1}]},
    "metric": {"bench": "pocket", "trials": [asdict(ANSWER) | {"scores": {"warmth": 1.0}}]},
    "scores": {"bench": "pocket", "trials": [asdict(ANSWER) | {"scores": {"f1": "high"}}]},
    "one score": {"bench": "pocket", "trials": [asdict(ANSWER) | {"scores": 1.0}]},
    "set": {"bench": "longbench", "trials": [{"set_name": "none", "number": 0, "arm": "pot", "capacity": 9, "given": "",
            "score": 1.0, "n_tokens": 9, "n_distilled": 1, "seconds": 0.1}]},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "can_plot", lambda: False)


def report(folder: Path) -> Any:
    return CliRunner().invoke(app, ["bench", "report", str(folder)])


@pytest.mark.parametrize("name", list(SPOILED))
def test_one_spoiled_record_is_named_and_the_others_are_shown(tmp_path: Path, name: str) -> None:
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    (tmp_path / "spoiled.json").write_text(json.dumps(SPOILED[name]))
    done = report(tmp_path)
    assert done.exit_code == 0, done.output
    assert " ".join(done.stderr.split()).count("left out: spoiled.json was written by another version") == 1
    text = (tmp_path / "report.md").read_text()
    assert "Left out: spoiled.json was written" in text and "100 (21–100)" in text


def test_cut_files_are_named_wherever_they_were_cut(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    (tmp_path / "cut.json").write_text(json.dumps(GOOD)[:200])
    lines = [{"kind": "fact"}, asdict(TRIAL), asdict(TRIAL)]
    middle = "\n".join(map(json.dumps, lines)).replace('"passkey"', '"pass', 1) + "\n"
    (tmp_path / "middle.jsonl").write_text(middle)
    (tmp_path / "notes.jsonl").write_text("no record at all\n")
    done = report(tmp_path)
    said = " ".join(done.stderr.split())
    assert done.exit_code == 0
    assert "left out: cut.json is cut off, or no JSON" in said
    assert "left out: middle.jsonl is damaged: line 2 is no JSON" in said
    assert "notes.jsonl" not in said


def test_good_records_are_sound(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    assert not find(tmp_path).left_out


def test_answers_of_the_embedded_model_become_rows_of_the_report(tmp_path: Path) -> None:
    settings: dict[str, object] = {"model": "pocket", "full_up_to": 16384}
    (tmp_path / "pocket.json").write_text(json.dumps(to_record(settings, [ANSWER])))
    (tmp_path / "run.jsonl").write_text("\n".join(map(json.dumps, (settings | {"seed": 1}, asdict(ANSWER)))) + "\n")
    done = report(tmp_path)
    assert done.exit_code == 0, done.output
    assert "left out" not in done.stderr
    assert "| squad | F1 | pot | 2 | 50.0 |" in (tmp_path / "report.md").read_text()


def test_records_of_benchmarks_that_no_report_shows_are_called_by_their_names(tmp_path: Path) -> None:
    for bench in ("ageing", "families", "pots", "stream"):
        (tmp_path / f"{bench}.json").write_text(json.dumps({"bench": bench, "rows": []}))
    (tmp_path / "run.jsonl").write_text('{"facts": 48, "lengths": [9], "arms": ["paper"]}\n')
    alone = report(tmp_path)
    assert alone.exit_code == 3
    assert "holds no record that a report shows" in " ".join(alone.stderr.split())
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    said = " ".join(report(tmp_path).stderr.split())
    for bench in ("ageing", "families", "pots", "stream"):
        assert f"left out: {bench}.json is of bench {bench}, which no report shows" in said
    assert "left out: run.jsonl is of bench ageing" in said


def test_a_folder_of_spoiled_records_alone_says_what_is_wrong_with_them(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps(SPOILED["rows of costs"]))
    done = report(tmp_path)
    assert done.exit_code == 3
    assert "old.json was written by another version" in " ".join(done.stderr.split())


def test_runs_of_two_models_are_not_counted_together(tmp_path: Path) -> None:
    wrong = TRIAL.__class__(**(asdict(TRIAL) | {"is_right": False, "score": 0.0}))
    other = NeedleResult("large", 1024, 512, "question", 0, [wrong] * 3, {}, {"kind": "passkey", "seed": 1}).to_record()
    again = NeedleResult("tiny", 1024, 512, "question", 1, [TRIAL], {}, {"kind": "passkey", "seed": 2}).to_record()
    for name, record in {"a": GOOD, "b": other, "c": again}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    found = find(tmp_path)
    assert [record.path.stem for record in found.records] == ["a", "c"]
    assert "is of large" in found.left_out[tmp_path / "b.json"]
    assert "left out: b.json is of large, and the others of tiny" in " ".join(report(tmp_path).stderr.split())
