"""`--dry-run` says what would be read and loads nothing; sizes in bytes and named ends reach the pot."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))


@pytest.fixture
def words(story: Path, tiny_model: Path) -> list[str]:
    return ["ask", str(story), "What is the pass key?", "-s", "400", "-n", "20", "-m", str(tiny_model)]


def dry(*words: str) -> dict[str, Any]:
    result = run(*words, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    record: dict[str, Any] = json.loads(result.stdout)
    return record


def test_a_dry_run_tells_what_the_run_then_does(words: list[str], story: Path) -> None:
    told = dry(*words)
    done = json.loads(run(*words, "--json").stdout)
    assert told["dry_run"] is True
    assert told["tokens"] == told["input"][0]["tokens"] == done["retention"]["read"] == story.stat().st_size
    assert (told["pot"]["size"], told["pot"]["budget"]) == (done["pot"]["size"], done["pot"]["budget"])
    assert told["pot"]["distillations"] in (done["pot"]["distillations"], done["pot"]["distillations"] - 1), (
        "answering may take one more"
    )
    assert told["pot"]["bytes"] == done["pot"]["bytes"]
    plain = run(*words, "--dry-run")
    assert plain.stdout == f"{story}\ttext\t\t{story.stat().st_size}\t{story.stat().st_size}\n"
    assert "distillations" in plain.stderr and "nothing was read" in plain.stderr
    assert run(*words, "--dry-run", "-q").stderr == ""


def test_every_source_by_itself_is_counted_by_itself(story: Path, tiny_model: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("A short story.")
    words = [str(story), str(short), "-s", "400", "-n", "20", "-m", str(tiny_model)]
    one, both = dry("ask", str(story), *words[2:], "-Q", "Who?"), dry("ask", *words, "-Q", "Who?", "--each")
    assert both["pot"]["distillations"] == one["pot"]["distillations"]
    assert both["tokens"] == one["tokens"] + 14
    missing = run("summarize", *words, str(tmp_path / "missing.txt"), "--dry-run", "--json")
    assert missing.exit_code == 3
    assert "does not exist" in json.loads(missing.stdout)["input"][2]["error"]["message"]
    assert run("ask", *words, str(tmp_path / "missing.txt"), "-Q", "Who?", "--dry-run").exit_code == 3


def test_what_a_stored_pot_has_read_costs_nothing(words: list[str], story: Path, tmp_path: Path) -> None:
    assert run("read", str(story), "--dry-run", "--save-pot", "nothing", *words[3:5], *words[7:]).exit_code == 0
    assert run("ask", "@nothing", "Who?").exit_code == 6, "a dry run stores nothing"
    assert run("read", str(story), "--save-pot", "story", *words[3:5], *words[7:]).exit_code == 0
    told = dry("ask", "@story", "Who?")
    assert told["tokens"] == 0 and told["input"][0]["tokens"] == story.stat().st_size
    for told_of in (["ask", "@story", "Who?", "--dry-run"], ["info", "@story"]):
        assert run(*told_of).stderr.splitlines()[0] == "was read already: nothing is read"
    more = dry("ask", "@story", str(story), "Who?", "-n", "20")
    assert more["tokens"] == story.stat().st_size
    assert more["pot"]["distillations"] > 0
    done = json.loads(run("ask", "@story", str(story), "Who?", "-n", "20", "--json").stdout)
    before = json.loads(run("pots", "show", "story", "--json").stdout)["pot"]["numbers"]["n_cycles"]
    assert more["pot"]["distillations"] == pytest.approx(done["pot"]["distillations"] - before, abs=2)


def test_the_lines_of_a_log_are_no_earlier_reading(tmp_path: Path) -> None:
    log, small = tmp_path / "app.log", tmp_path / "small.txt"
    log.write_text("2024-05-03 12:00:00 INFO request served\n" * 400)
    small.write_text("The night was dark. " * 20)
    told = run("summarize", str(log), str(small), "--dry-run")
    assert told.exit_code == 0 and "fits, nothing is dropped" in told.stderr


def test_no_weights_are_touched(story: Path, tiny_model: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in tiny_model.iterdir():
        (bare / path.name).write_bytes(b"" if path.suffix == ".safetensors" else path.read_bytes())
    words = ["ask", str(story), "Who?", "-s", "400", "-n", "20", "-m", str(bare), "--dry-run"]
    code = (
        "import sys\nfrom infinipot_cli.__main__ import main\n"
        f"sys.argv = ['infinipot', *{words!r}]\ntry:\n    main()\nexcept SystemExit as end:\n    print(end.code)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_memory_says_how_large_the_pot_is(words: list[str]) -> None:
    sized = [word for word in words if word not in ("-s", "400")]
    for n_bytes in (100_000, 150_001):
        told = dry(*sized, "--memory", str(n_bytes))["pot"]
        assert told["bytes"] <= n_bytes
        assert told["bytes"] > n_bytes - 1000, "one place more would be too much"
        done = json.loads(run(*sized, "--memory", str(n_bytes), "--json").stdout)["pot"]
        assert (done["size"], done["bytes"]) == (told["size"], told["bytes"])
    assert dry(*sized, "--memory", "1T")["pot"]["size"] == 512, "no more than the model was trained for"
    for refused, message in (
        ([*words, "--memory", "1M"], "both say how large"),
        ([*sized, "--memory", "1M", "-s", "400"], "both say how large"),
        ([*sized, "--memory", "1k"], "hold"),
        ([*sized, "--memory", "lots"], "no size in bytes"),
    ):
        result = run(*refused)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


def test_memory_wins_over_the_size_in_the_settings(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("infinipot.toml").write_text("[pot]\nsize = 300\n")
    sized = [word for word in words if word not in ("-s", "400")]
    assert dry(*sized)["pot"]["size"] == 300
    assert dry(*sized, "--memory", "1M")["pot"]["size"] == 512


def test_the_ends_that_are_kept_have_names_of_their_own(words: list[str]) -> None:
    def pot(*more: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(run(*words, "--json", *more).stdout)
        return record

    usual = pot()["pot"]["choice"]
    named, plain = pot("--keep-first", "8", "--keep-last", "16"), pot("--set", "sinks=8", "--set", "recent=16")
    assert named["pot"]["choice"] == plain["pot"]["choice"] == usual | {"sinks": 8, "recent": 16}
    assert named["answer"] == plain["answer"]
    assert usual == {"words": 0.25, "reread": 0.3}
    assert pot("--set", "words=0", "--set", "reread=0")["pot"]["choice"] == {}
    assert run(*words, "--keep-first", "-1").exit_code == 2


@pytest.mark.parametrize(
    "options",
    [["-o", "answer.txt"], ["--jsonl"], ["--html", "report.html"], ["--page", "3"], ["--explain"], ["--verify"]],
)
def test_what_is_about_answers_is_refused_where_there_is_none(words: list[str], options: list[str]) -> None:
    refused = run(*words, "--dry-run", *options)
    assert (refused.exit_code, f"goes with no {options[0]}" in refused.output) == (2, True), refused.output
    assert run(*words, "--dry-run", "-o", "-").exit_code == 0
