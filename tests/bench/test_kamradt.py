"""Kamradt's test without a judge, and what any needle run keeps, marks and refuses."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench import kamradt
from infinipot_cli.bench.distilled import check_distilled, fits
from infinipot_cli.errors import PotError, UsageError
from infinipot_cli.plan import Plan, Prompt
from infinipot_cli.tokens import from_tokenizer_json

QUIET = ["-s", "400", "-n", "16", "-q", "--json"]


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("Eat a SANDWICH and sit in Dolores Park, on a sunny day!", 1.0),
        ("sandwich sandwich sandwich", 0.1),
        ("Go to the zoo.", 0.0),
        ("", 0.0),
    ],
)
def test_the_score_is_the_share_of_expected_words(answer: str, share: float) -> None:
    assert kamradt.word_share(answer, kamradt.EXPECTED) == pytest.approx(share)


@given(st.floats(0, 1))
def test_the_needle_stands_behind_the_last_full_stop_in_front_of_its_depth(tiny_model: Path, depth: float) -> None:
    tokenizer = from_tokenizer_json(tiny_model / "tokenizer.json")
    text = "One. Two three. Four five six. Seven"
    placed = kamradt.placed(text, "Needle.", tokenizer, depth)
    before, _, behind = placed.partition("\nNeedle.\n")
    assert before + behind == text
    if depth < 1:
        assert before == "" or before.endswith(".")
        assert len(before) <= depth * len(text)
        assert "." not in text[len(before) : int(depth * len(text))]
    else:
        assert behind == ""


def test_a_folder_of_essays_is_one_haystack_of_the_length_asked_for(tmp_path: Path, tiny_model: Path) -> None:
    essays = tmp_path / "essays"
    essays.mkdir()
    for number in (10, 2, 1):
        (essays / f"essay-{number}.txt").write_text(f"Essay {number} begins. " + "It goes on and on. " * 20)
    words = ["--book", str(essays), "--kind", "kamradt", "--tokens", "700", "--depths", "0,0.5,1"]
    words += ["-m", str(tiny_model), *QUIET]
    record = json.loads(CliRunner().invoke(app, ["bench", "needle", *words]).stdout)
    assert [one["depth"] for one in record["trials"]] == [0.0, 0.5, 1.0]
    assert all(one["n_tokens"] == 700 - kamradt.BUFFER and one["n_distilled"] for one in record["trials"])
    assert list(record["made_with"]["data"]) == ["essay-1.txt", "essay-2.txt", "essay-10.txt"]
    own = ["--needle", "The cat is grey.", "--question", "What colour is the cat?"]
    assert CliRunner().invoke(app, ["bench", "needle", *words, *own]).exit_code == 2
    mine = json.loads(CliRunner().invoke(app, ["bench", "needle", *words, *own, "--expected", "grey"]).stdout)
    assert {one["question"] for one in mine["trials"]} == {"What colour is the cat?"}


def test_a_length_that_leaves_no_haystack_is_refused_before_anything_is_read(
    story: Path, tmp_path: Path, tiny_model: Path
) -> None:
    tokenizer = from_tokenizer_json(tiny_model / "tokenizer.json")
    taken = kamradt.BUFFER + len(tokenizer.encode(f"\n{kamradt.NEEDLE}\n"))
    text = "One. Two. " * 200
    assert len(tokenizer.encode(kamradt.trimmed(text, kamradt.NEEDLE, tokenizer, taken + 1))) == 1
    with pytest.raises(UsageError):
        kamradt.trimmed(text, kamradt.NEEDLE, tokenizer, taken)
    kept = tmp_path / "run.jsonl"
    words = ["bench", "needle", "--book", str(story), "--kind", "kamradt", "--tokens", f"700,{taken}"]
    refused = CliRunner().invoke(app, [*words, "-m", str(tiny_model), *QUIET, "--record", str(kept)])
    assert refused.exit_code == 2 and f"--tokens {taken + 1}" in refused.output
    assert not kept.exists()


def test_a_stopped_run_goes_on_and_equals_one_that_was_not(story: Path, tmp_path: Path, tiny_model: Path) -> None:
    kept = tmp_path / "run.jsonl"
    words = ["--book", str(story), "--trials", "2", "--kind", "passkey", "--tokens", "500,600"]
    words += ["--arms", "infinipot,no-nuc", "-m", str(tiny_model), *QUIET, "--record", str(kept)]
    whole = json.loads(CliRunner().invoke(app, ["bench", "needle", *words]).stdout)
    lines = kept.read_text().splitlines()
    assert len(lines) == 1 + 8
    kept.write_text("\n".join([*lines[:4], lines[4][:20]]))
    again = json.loads(CliRunner().invoke(app, ["bench", "needle", *words]).stdout)
    without_time = [[{**one, "seconds": 0} for one in run["trials"]] for run in (whole, again)]
    assert without_time[0] == without_time[1]
    assert again["by_arm"].keys() == {"infinipot", "no-nuc"}
    assert CliRunner().invoke(app, ["bench", "needle", *words, "--seed", "1"]).exit_code == 2


def test_texts_that_fit_are_marked_in_tables_and_records(story: Path, tiny_model: Path) -> None:
    words = ["--book", str(story), "--trials", "1", "--kind", "passkey", "--tokens", "60,500"]
    words += ["-m", str(tiny_model), "-s", "400", "-n", "16"]
    shown = CliRunner().invoke(app, ["bench", "needle", *words])
    assert "60: fits, so nothing was distilled" in " ".join(shown.stderr.split())
    assert shown.stdout.count("fits") == 1
    trials = json.loads(CliRunner().invoke(app, ["bench", "needle", *words, "--json", "-q"]).stdout)["trials"]
    assert [one["is_fit"] for one in trials] == [True, False]


def test_a_pot_that_did_not_distill_what_it_had_to_is_refused() -> None:
    plan = Plan(Prompt((1,), (2, 3), (2, 3)), capacity=20, budget=10, max_tokens=4, novelty_ratio=0.5, chunk=8)
    pots = {n: SimpleNamespace(n_cycles=n, n_held=20) for n in (0, 1)}
    assert (fits(plan, 17), fits(plan, 18)) == (True, False)
    check_distilled(plan, 17, pots[0])
    check_distilled(plan, 18, pots[1])
    with pytest.raises(PotError, match="nothing was distilled"):
        check_distilled(plan, 18, pots[0])
    with pytest.raises(PotError):
        check_distilled(plan, 18, SimpleNamespace(n_cycles=1, n_held=21))
