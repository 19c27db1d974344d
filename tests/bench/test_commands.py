"""`infinipot bench` from the words typed to its tables, with the tiny model."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench import haystack, memory
from infinipot_cli.bench.record import MemoryRow
from infinipot_cli.bench.report.found import find
from infinipot_cli.commands.bench.shared import parse_lengths
from infinipot_cli.errors import UsageError
from infinipot_cli.tokens import from_tokenizer_json


def test_needle_prints_a_table_and_says_how_it_goes(story: Path, tiny_model: Path) -> None:
    words = ["--book", str(story), "--trials", "2", "--tokens", "900", "-m", str(tiny_model), "-s", "400", "-n", "16"]
    result = CliRunner().invoke(app, ["bench", "needle", *words, "-v"])
    assert result.exit_code == 0
    assert "passkey" in result.stdout
    assert "0/2" in result.stdout
    assert "95 %" in result.stdout
    assert result.stderr.count("tokens,") == 4
    assert "\x1b" not in result.output


def test_needle_with_json_prints_one_record_that_a_seed_repeats(story: Path, tiny_model: Path) -> None:
    words = [
        "--book",
        str(story),
        "--trials",
        "1",
        "--kind",
        "fact",
        "-m",
        str(tiny_model),
        "-s",
        "400",
        "-n",
        "16",
        "-q",
    ]
    first, second = (json.loads(CliRunner().invoke(app, ["bench", "needle", *words, "--json"]).stdout) for _ in "12")
    (trial,) = first["trials"]
    assert (trial["kind"], trial["depth"]) == ("fact", 0.1)
    assert trial["n_distilled"] > 0
    assert trial["given"] == second["trials"][0]["given"]
    assert trial["question"] == second["trials"][0]["question"]


def test_needle_makes_a_grid_of_lengths_and_depths(story: Path, tiny_model: Path) -> None:
    words = ["--book", str(story), "--trials", "2", "--kind", "passkey", "-m", str(tiny_model), "-s", "400", "-n", "16"]
    words += ["--tokens", "500,900", "--depths", "0.1,0.9", "-q"]
    grid = CliRunner().invoke(app, ["bench", "needle", *words])
    assert grid.exit_code == 0, grid.output
    assert [line.split("│")[1].strip() for line in grid.stdout.splitlines() if "│" in line] == [
        "0.1", "0.9", "all", "95 %",
    ]  # fmt: skip
    record = json.loads(CliRunner().invoke(app, ["bench", "needle", *words, "--json"]).stdout)
    assert [(one["length"], one["depth"]) for one in record["trials"]] == [
        (500, 0.1),
        (500, 0.9),
        (900, 0.1),
        (900, 0.9),
    ]
    assert all(abs(one["n_tokens"] - one["length"]) < 90 and one["n_distilled"] for one in record["trials"])
    assert all(len(value) == 64 for value in record["made_with"]["data"].values())
    assert CliRunner().invoke(app, ["bench", "needle", *words, "--depths", "2"]).exit_code == 2


def test_depths_are_said_as_they_were_typed(story: Path, tiny_model: Path) -> None:
    words = ["--book", str(story), "--trials", "2", "--kind", "passkey", "-m", str(tiny_model), "-s", "400", "-n", "16"]
    result = CliRunner().invoke(app, ["bench", "needle", *words, "--tokens", "500", "--depths", "0.25,0.75", "-v"])
    assert result.exit_code == 0, result.output
    assert [line.split("│")[1].strip() for line in result.stdout.splitlines() if "│" in line][:2] == ["0.25", "0.75"]
    assert "passkey at 0.25" in result.stderr


@pytest.mark.parametrize("bench", ["needle", "ruler", "ageing", "pots", "memory", "cost"])
def test_a_text_of_no_token_is_refused_in_one_line(bench: str, tmp_path: Path) -> None:
    words = [] if bench == "cost" else ["--book", str(tmp_path / "nowhere.txt")]
    for tokens in ("0", "-4"):
        result = CliRunner().invoke(app, ["bench", bench, *words, "--tokens", tokens])
        assert result.exit_code == 2, result.output
        assert f"a length must be at least 1 token, not {tokens}" in " ".join(result.stderr.split())


def test_lengths_count_once() -> None:
    assert parse_lengths("4k,512, 4096,1k") == (4096, 512, 1024)
    with pytest.raises(UsageError, match="'x' is not a size"):
        parse_lengths("4k,x")


def test_a_book_is_cut_and_repeated_to_a_number_of_tokens(tiny_model: Path) -> None:
    tokenizer = from_tokenizer_json(tiny_model / "tokenizer.json")
    assert haystack.cut("0123456789", tokenizer, 4) == "0123"
    for n_tokens in (1, 9, 10, 11, 12, 13, 100):
        text = haystack.repeat("0123456789", tokenizer, n_tokens)
        assert len(tokenizer.encode(text)) == n_tokens
        assert ("0123456789\n\n" * 10).startswith(text)


@pytest.mark.slow
def test_memory_measures_each_length_in_a_process_of_its_own(story: Path, tiny_model: Path) -> None:
    words = ["--book", str(story), "--tokens", "1k,8k", "-m", str(tiny_model), "-s", "400", "--json", "-q"]
    rows = json.loads(CliRunner().invoke(app, ["bench", "memory", *words]).stdout)["rows"]
    assert [row["n_tokens"] for row in rows] == [1024, 8192]
    assert rows[1]["n_distilled"] > rows[0]["n_distilled"] > 0
    assert all(row["peak_bytes"] > 50_000_000 for row in rows)


def test_memory_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def start(command: list[str], **_: object) -> None:
        started.append(command)
        raise KeyboardInterrupt

    monkeypatch.setattr(memory.subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt):
        memory.measure("A text.", ["-s", "400"])
    (command,) = started
    assert command[3] == "ask" and {"--no-cache", "--no-log"} <= set(command)
    assert command[-2:] == ["-s", "400"]


def test_memory_goes_on_where_it_was_stopped_and_hands_its_options_on(
    story: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def measured(text: str, arguments: list[str]) -> MemoryRow:
        if len(asked) == 1:
            asked.append([])
            raise KeyboardInterrupt
        asked.append(arguments)
        return MemoryRow(len(text) // 4, 2, 10**8, 1.0)

    monkeypatch.setattr(memory, "measure", measured)
    record = tmp_path / "memory.jsonl"
    words = ["bench", "memory", "--book", str(story), "--tokens", "1k,2k", "-m", str(tiny_model), "--memory", "1MiB"]
    words += ["--json", "-q", "--record", str(record)]
    assert CliRunner().invoke(app, words).exit_code == 130
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told["rows"]) == 2 and len(asked) == 3
    assert asked[-1][-2:] == ["--memory", "1048576"]
    assert told["settings"]["tokens"] == [1024, 2048] and "weights" in told["made_with"]
    record.rename(tmp_path / "runs.jsonl")
    (kept,) = find(tmp_path).records
    assert kept.bench == "memory" and [row["n_distilled"] for row in kept.rows] == [2, 2]


def test_a_stored_pot_answers_as_one_never_stored(
    story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", "elsewhere")
    words = [
        "bench",
        "pots",
        "--book",
        str(story),
        "--questions",
        "3",
        "--starts",
        "0",
        "-s",
        "500",
        "-m",
        str(tiny_model),
    ]
    record = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    never, exact, compact = record["rows"]
    assert never["n_equal"] == exact["n_equal"] == never["n_asked"] == 3
    assert never["n_right"] == exact["n_right"]
    assert 0 < compact["n_bytes"] < exact["n_bytes"] * 0.6
    assert os.environ["INFINIPOT_HOME"] == "elsewhere"
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert "3 of 3" in shown.stdout


@pytest.mark.slow
def test_the_first_word_of_a_stored_pot_is_timed_in_a_process_of_its_own(story: Path, tiny_model: Path) -> None:
    words = [
        "bench",
        "pots",
        "--book",
        str(story),
        "--questions",
        "1",
        "--starts",
        "1",
        "-s",
        "500",
        "-m",
        str(tiny_model),
    ]
    record = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert [row["first_seconds"] is not None for row in record["rows"]] == [False, True, True]
