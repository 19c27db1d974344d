"""Every benchmark in a row: commands that exist, small sets in the official layout, a run that goes on."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench import longbench_small, steps_run, suite
from infinipot_cli.bench.arms import ARMS, distills
from infinipot_cli.bench.longbench_sets import PAPER_SETS, SETS, choose, rows
from infinipot_cli.bench.suite import Step, StepDone, Subject, check, steps
from infinipot_cli.errors import InfinipotError, UsageError
from infinipot_cli.policies import DEFAULT, POLICIES

BOOK = Path(__file__).parent.parent / "data" / "treasure-island.txt"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    longbench_small.write(folder, BOOK.read_text(encoding="utf-8"), n=2, n_chars=3000, seed=1)
    return folder


@pytest.mark.parametrize("is_quick", [True, False])
def test_every_step_is_a_command_that_can_be_typed(is_quick: bool, tmp_path: Path) -> None:
    made = steps(Subject("pocket", BOOK, tmp_path, tmp_path, is_quick))
    assert len({step.name for step in made}) == len(made)
    helps: dict[str, str] = {}
    for step in made:
        bench = step.words[0]
        if bench not in helps:
            shown = CliRunner().invoke(app, ["bench", bench, "--help"], env={"COLUMNS": "200"})
            helps[bench] = shown.stdout
        options = [word for word in (*step.words, "--json", *(["--record"] if step.is_resumed else []))
                   if word.startswith("-")]  # fmt: skip
        assert all(f" {option} " in helps[bench].replace(",", " ") for option in options), step.command
    measured = {
        arm for step in made if "--arms" in step.words for arm in step.words[step.words.index("--arms") + 1].split(",")
    }
    assert {name for name in POLICIES if name != DEFAULT} <= measured or "all" in measured
    assert {step.words[0] for step in made} == {
        "needle", "ruler", "longbench", "hitrate", "citations", "memory", "cost",
    }  # fmt: skip


def test_every_policy_is_an_arm_whose_request_is_one(tmp_path: Path) -> None:
    from infinipot_cli.choice import Choice
    from infinipot_cli.settings import PotRequest

    wished = PotRequest(1024, 512, choice=Choice(pool=3))
    for name, arm in ARMS.items():
        request = arm.request(wished)
        assert request.capacity == 1024
        assert (request.budget == 512) == distills(name)
        assert (request.policy or DEFAULT) == (arm.policy or DEFAULT)
        assert request.policy_settings == arm.policy_settings


def test_the_small_sets_are_read_as_the_official_ones_are(small: Path) -> None:
    assert set(choose([], small)) == set(PAPER_SETS)
    for name in PAPER_SETS:
        found, classes = rows(name, small)
        assert len(found) == 2
        for row in found:
            assert 1500 < len(row.prompt) < 9000, name
            (wanted,) = row.wanted
            assert SETS[name].score(wanted, row.wanted, classes) > 0.99
            if SETS[name].metric == "F1":
                assert wanted in row.asked[0] or wanted in row.prompt
    again = small.parent / "again"
    longbench_small.write(again, BOOK.read_text(encoding="utf-8"), n=2, n_chars=3000, seed=1)
    assert all((again / f"{name}.jsonl").read_bytes() == (small / f"{name}.jsonl").read_bytes() for name in PAPER_SETS)
    with pytest.raises(UsageError, match="characters"):
        longbench_small.write(again, "Short.", n=1, n_chars=3000)


def test_counts_and_retrievals_follow_from_the_text(small: Path) -> None:
    for line in (small / "passage_count.jsonl").read_text().splitlines():
        row = json.loads(line)
        parts = [part.partition(": ")[2] for part in row["context"].split("\n\n")]
        assert [str(len(set(parts)))] == row["answers"]
    for line in (small / "passage_retrieval_en.jsonl").read_text().splitlines():
        row = json.loads(line)
        (part,) = [part for part in row["context"].split("\n\n") if row["input"] in part]
        assert part.startswith(f"{row['answers'][0]}: ")


def test_a_stopped_run_goes_on_and_ends_in_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    chosen = [
        Step("families", ("families", "llama", "--cycles", "1"), is_resumed=False),
        Step("bad", ("needle", "--nope")),
    ]

    def run(step: Step, folder: Path, *, is_quiet: bool, n_threads: int | None = None) -> StepDone:
        ran.append(step.name)
        if step.name == "bad":
            return StepDone(step.name, step.command, 1.0, "failed with exit code 2")
        steps_run.keep(folder / f"{step.name}.json", {"bench": "memory", "rows": []})
        return StepDone(step.name, step.command, 2.0, "done")

    monkeypatch.setattr(suite, "steps", lambda subject: chosen)
    monkeypatch.setattr(steps_run, "run", run)
    monkeypatch.setattr(steps_run, "cores", lambda: 1)
    words = ["bench", "all", "--quick", "--book", str(BOOK), "-o", str(tmp_path / "runs")]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 1
    assert "bad: no record" in " ".join(first.stderr.split())
    second = CliRunner().invoke(app, words)
    assert ran == ["families", "bad", "bad"]
    assert second.stdout == f"{tmp_path / 'runs' / 'report.md'}\n"
    text = (tmp_path / "runs" / "report.md").read_text()
    assert "infinipot bench families llama --cycles 1 --json    # 2 s" in text
    assert "LongBench's data are not part of infinipot" in text
    assert (tmp_path / "runs" / "report.html").is_file()
    assert CliRunner().invoke(app, [*words, "-m", "other"]).exit_code == 4
    assert CliRunner().invoke(app, ["bench", "all", "-o", str(tmp_path / "full")]).exit_code == 2
    with pytest.raises(InfinipotError):
        check([StepDone("a", "", 0.0, "failed with exit code 1")])


def test_a_changed_model_book_or_set_is_no_run_to_go_on_with(
    tmp_path: Path, story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "steps", lambda subject: [])
    model, books, sets, data = (tmp_path / name for name in ("model", "books", "sets", "data"))
    shutil.copytree(tiny_model, model)
    for folder in (books, sets, data):
        folder.mkdir()
    shutil.copy(story, books / "a.txt")
    (sets / "squad.json").write_text("{}")
    (data / "lcc.jsonl").write_text("{}\n")
    words = ["bench", "all", "--quick", "--book", str(books), "--questions", str(sets), "--data", str(data), "-q"]
    words += ["-m", str(model), "-o", str(tmp_path / "runs")]

    def refused() -> str:
        result = CliRunner().invoke(app, words)
        said = " ".join(result.stderr.split())
        assert result.exit_code == (2 if "other settings" in said else 0), said
        return said.partition("other settings: ")[2].partition(" ")[0]

    assert refused() == refused() == ""
    for path, name in (
        (books / "a.txt", "book"), (sets / "squad.json", "data"), (data / "lcc.jsonl", "data"),
        (model / "model.safetensors", "weights"),
    ):  # fmt: skip
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        assert refused() == name
        path.write_bytes(before)


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(step: Step, folder: Path, *, is_quiet: bool, n_threads: int | None = None) -> StepDone:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps_run, "run", stopped)
    done = CliRunner().invoke(app, ["bench", "all", "--quick", "--book", str(BOOK), "-o", str(tmp_path)])
    assert done.exit_code == 130
    assert "the same command goes on" in " ".join(done.stderr.split())


@pytest.mark.slow
def test_a_step_runs_in_a_process_of_its_own_and_leaves_its_record(
    story: Path, tmp_path: Path, tiny_model: Path
) -> None:
    words = ("needle", "--book", str(story), "--kind", "passkey", "--trials", "1", "-s", "400", "--max-tokens", "16")
    done = steps_run.run(Step("needle", (*words, "-m", str(tiny_model))), tmp_path, is_quiet=True)
    assert done.status == "done"
    assert json.loads((tmp_path / "needle.json").read_text())["bench"] == "needle"
    assert len((tmp_path / "needle.jsonl").read_text().splitlines()) == 2
    bad = steps_run.run(Step("bad", ("needle", "--nope")), tmp_path, is_quiet=True)
    assert bad.status == "failed with exit code 2"
