"""`infinipot bench longbench`: what each arm is given of a row, and what judges it."""

from dataclasses import replace
from pathlib import Path

import pytest

from infinipot_cli.bench.arms import ARMS, distills
from infinipot_cli.bench.longbench import Runner, middle_cut, official_length
from infinipot_cli.bench.longbench_sets import SETS, prompts, rows
from infinipot_cli.errors import PotError, PotSizeError
from infinipot_cli.session import Session
from infinipot_cli.settings import PotRequest
from tests.bench.conftest import LONG_TEXT as TEXT


@pytest.fixture
def runner(tiny_model: Path) -> Runner:
    return Runner(Session(str(tiny_model), PotRequest(capacity=400)))


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


def test_a_pot_that_leaves_no_text_to_a_truncated_prompt_is_refused(longbench: Path, tiny_model: Path) -> None:
    tight = Runner(Session(str(tiny_model)), 8)
    row = rows("hotpotqa", longbench)[0][0]
    with pytest.raises(PotSizeError, match="8 places leave no room"):
        tight.run(row, "truncation", [])
    tight.check(["full", "infinipot"], ["hotpotqa"])
    with pytest.raises(PotSizeError):
        tight.check(["truncation"], ["hotpotqa"])


def test_what_is_counted_beforehand_is_what_is_read(runner: Runner, longbench: Path) -> None:
    for name in ("hotpotqa", "trec"):
        for row in rows(name, longbench)[0]:
            trial = runner.run(row, "infinipot", [])
            n_tokens, n_cycles = runner.counts(row, "infinipot")
            assert (n_tokens, n_cycles > 0) == (trial.n_tokens, trial.n_distilled > 0)


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


def test_a_larger_pot_is_never_given_less_and_below_4k_what_fits_is_given() -> None:
    given = [official_length(size, size - 40) for size in range(64, 9000)]
    assert given == sorted(given)
    assert all(official_length(size, size - 40) == size - 40 for size in (512, 1000, 1024, 2047, 3500))


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
