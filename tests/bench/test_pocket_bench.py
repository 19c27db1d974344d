"""`infinipot bench pocket`: its arms against plain transformers, its record over an interruption, its tables."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.pocket import Runner, command_choice, middle_cut
from infinipot_cli.bench.pocket_record import (
    ARMS,
    PocketTrial,
    differences,
    scores,
)
from infinipot_cli.bench.pocket_sets import Amounts, Item, Sets
from infinipot_cli.bench.run_file import RunFile
from infinipot_cli.choice import PAPER, Choice
from infinipot_cli.display.safe import safe
from infinipot_cli.engine import Reader
from infinipot_cli.errors import OutputError, UsageError
from infinipot_cli.policies import parse_settings
from infinipot_cli.session import Session, ask, summarize
from infinipot_cli.settings import PotRequest

TINY = ["--n", "2", "--lengths", "300", "--depths", "0.5", "-s", "256"]


@pytest.fixture
def runner(tiny_model: Path) -> Runner:
    return Runner(Session(str(tiny_model), PotRequest(capacity=256)), full_up_to=2000)


def item_of(text: str, task: str = "ask", question: str = "Who?") -> Item:
    return Item("squad", "", 0, text[:20], lambda: text, task, question, ("nobody",))


TEXT = "The night was dark, and nobody had lit the lamp of the harbour. " * 9


def test_full_context_is_what_plain_transformers_answers(runner: Runner, tiny_model: Path) -> None:
    (trial,) = runner.run(item_of(TEXT), ["full"])
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    plan = runner.session.plan(ask("Who?"))
    ids = [*plan.prompt.prefix_ids, *runner.tokenizer.encode(TEXT), *plan.prompt.suffix_ids]
    new: list[int] = []
    with torch.inference_mode():
        while len(new) < plan.max_tokens:
            token = int(model(torch.tensor([ids + new])).logits[0, -1].argmax())
            if token in runner.session.stop_ids():
                break
            new.append(token)
    assert trial.given == runner.tokenizer.decode(new).strip()
    assert trial.n_distilled == 0
    assert trial.n_tokens == len(runner.tokenizer.encode(TEXT))


def test_likelihood_with_everything_in_context_is_the_models_own(runner: Runner, tiny_model: Path) -> None:
    (trial,) = runner.run(item_of(TEXT, "predict", ""), ["full"])
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    plan = runner.session.plan(ask("Who?"))
    ids = torch.tensor([[*plan.prompt.prefix_ids, *runner.tokenizer.encode(TEXT)]])
    n = 256 - len(runner.session.plan(summarize()).prompt.catalyst_ids) - plan.budget  # behind a distillation
    with torch.inference_mode():
        losses = torch.nn.functional.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:], reduction="none")
    assert trial.scores["nats"] == pytest.approx(float(losses[-n:].mean()), abs=1e-4)


def test_a_text_of_which_nothing_can_be_predicted_is_refused(runner: Runner) -> None:
    with pytest.raises(UsageError, match="a text of 1 tokens is too short"):
        list(runner.run(item_of("A", "predict", ""), ["pot"]))


def test_the_likelihood_in_a_small_pot_is_that_of_all_last_tokens(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the pot holds before them, and all of them, fit beside the catalyst; else a distillation drops some."""
    fed: list[int] = []
    runner = Runner(Session(str(tiny_model), PotRequest(capacity=170, budget=20)), full_up_to=2000)
    feed = Reader.feed
    monkeypatch.setattr(Reader, "feed", lambda self, ids: (fed.append(len(ids)), feed(self, ids))[1])
    for arm in ("pot", "truncated"):
        pot, nats = runner._predicted(item_of(TEXT, "predict", ""), arm)
        n_before, n_predicted = fed[-2:]
        n_seen = pot.n_prefix + n_before + n_predicted
        assert n_predicted > 0 and n_before > 0
        assert pot.origins[0, 0, -n_predicted:].tolist() == list(range(n_seen - n_predicted, n_seen))
        assert nats > 1.0


@pytest.mark.parametrize("task", ["ask", "summarize", "predict"])
def test_without_a_distillation_the_arms_are_the_same(runner: Runner, task: str) -> None:
    item = item_of("A short text.", task, "Who?" if task == "ask" else "")
    trials = list(runner.run(item, [arm for arm in ARMS if arm != "lead"]))
    assert len({trial.given for trial in trials}) == 1
    assert len({round(value, 4) for trial in trials for value in trial.scores.values()}) == 1
    assert not any(trial.n_distilled for trial in trials)


def test_only_the_pots_distill_and_they_differ(runner: Runner) -> None:
    trials = {trial.arm: trial for trial in runner.run(item_of(TEXT), list(ARMS))}
    assert set(trials) == {"pot", "ask", "full", "truncated", "general", "cap", "nuc"}
    for arm, trial in trials.items():
        assert (trial.n_distilled > 0) == (arm in ("pot", "ask", "general", "cap", "nuc")), arm
    assert len({trial.given for trial in trials.values()}) > 2


def test_the_arm_ask_is_the_command(runner: Runner, tiny_model: Path, tmp_path: Path) -> None:
    text = f"{TEXT}Ann Weir hid the key. {TEXT}"
    (trial,) = runner.run(item_of(text, question="Who hid the key?"), ["ask"])
    path = tmp_path / "text.txt"
    path.write_text(text)
    words = ["ask", str(path), trial.question, "-m", str(tiny_model), "-s", "256", "--json", "--no-cache"]
    record = json.loads(CliRunner().invoke(app, words).stdout)
    assert record["answer"] == safe(trial.given).strip()
    assert record["pot"]["distillations"] == trial.n_distilled
    assert record["retention"]["reread"] > 0


def test_a_folder_called_pocket_is_not_the_embedded_model(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "pocket"
    path.symlink_to(tiny_model)
    session = Session(str(path), PotRequest(capacity=256))
    assert command_choice(session, [], is_asked=True) == Choice(words=0.25, reread=0.3)
    assert command_choice(Session("pocket", PotRequest()), [], is_asked=True).span


def test_the_arm_ask_leaves_out_what_was_switched_off(tiny_model: Path, tmp_path: Path) -> None:
    text, off = f"{TEXT}Ann Weir hid the key. {TEXT}", ["words=0", "reread=0"]
    session = Session(str(tiny_model), PotRequest(capacity=256))
    runner = Runner(session, full_up_to=2000, typed=off)
    (trial,) = runner.run(item_of(text, question="Who hid the key?"), ["ask"])
    path = tmp_path / "text.txt"
    path.write_text(text)
    words = ["ask", str(path), trial.question, "-m", str(tiny_model), "-s", "256", "--json", "--no-cache"]
    record = json.loads(CliRunner().invoke(app, [*words, *(f"--set={one}" for one in off)]).stdout)
    assert record["answer"] == safe(trial.given).strip()
    assert record["pot"]["distillations"] == trial.n_distilled
    assert command_choice(session, off, is_asked=True) == PAPER
    assert command_choice(session, ["reread=0", "rank"], is_asked=True) == Choice(words=0.25, rank=True)
    assert command_choice(session, ["rank"], is_asked=False) == Choice(rank=True)
    session.request = PotRequest(capacity=256, policy="tova")
    assert command_choice(session, [], is_asked=True) == PAPER, "the command's own settings are InfiniPot's"


def test_the_arm_ask_picks_sentences_where_the_command_does(tmp_path: Path) -> None:
    runner = Runner(Session("pocket", PotRequest(capacity=400)), full_up_to=2000)
    text = f"The old keeper of the light wrote a book of ships. {TEXT * 3}All of the ships came back to the harbour."
    (trial,) = runner.run(item_of(text, "summarize", ""), ["ask"])
    path = tmp_path / "text.txt"
    path.write_text(text)
    with Session("pocket", PotRequest(capacity=400)).prepare([str(path)], summarize()) as reading:
        for _ in reading.read():
            pass
        assert trial.given == " ".join(passage.quote for passage in reading.pick(3))
    assert trial.given and set(trial.scores) == {"rouge_l"} and trial.n_distilled > 0


def test_another_question_on_the_same_text_is_answered_as_if_it_were_the_first(
    runner: Runner, tiny_model: Path
) -> None:
    arms = [arm for arm in ARMS if arm != "lead"]
    for _ in runner.run(item_of(TEXT), arms):
        pass
    second = item_of(TEXT, question="What was dark?")
    alone = Runner(Session(str(tiny_model), PotRequest(capacity=256)), full_up_to=2000)
    again, fresh = list(runner.run(second, arms)), list(alone.run(second, arms))
    assert [(trial.arm, trial.given) for trial in again] == [(trial.arm, trial.given) for trial in fresh]


def test_a_text_too_long_for_full_context_is_left_out(runner: Runner) -> None:
    runner.full_up_to = 100
    assert [trial.arm for trial in runner.run(item_of(TEXT), ["full", "truncated"])] == ["truncated"]


def test_settings_beyond_the_paper_reach_the_pots_and_leave_the_likelihood_in_nats(tiny_model: Path) -> None:
    given = {}
    for name in ("pool=7", "rank"):
        request = PotRequest(capacity=256, choice=parse_settings("infinipot", [name])[0])
        runner = Runner(Session(str(tiny_model), request), full_up_to=2000)
        (given[name],) = runner.run(item_of(TEXT), ["pot"])
        (predicted,) = runner.run(item_of(TEXT, "predict", ""), ["pot"])
        assert predicted.scores["nats"] > 1.0  # a random model of 261 entries; ranks would be half on average
    (plain,) = Runner(Session(str(tiny_model), PotRequest(capacity=256)), full_up_to=2000).run(item_of(TEXT), ["pot"])
    assert len({plain.given, *(trial.given for trial in given.values())}) > 1


def test_the_middle_goes_when_a_text_is_cut() -> None:
    assert middle_cut(list(range(10)), 5) == [0, 1, 7, 8, 9]
    assert middle_cut([1, 2], 5) == [1, 2]


def bench(data: Path, model: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["bench", "pocket", "--data", str(data), "-m", str(model), *TINY, *words])


def test_every_set_has_a_row_with_its_interval_and_baselines(data: Path, tiny_model: Path) -> None:
    result = bench(data, tiny_model, "--n", "1")
    assert result.exit_code == 0, result.output
    for name in ("passkey", "facts", "squad", "squad-articles", "absent", "fairytale", "perplexity", "scitldr", "peps"):
        assert name in result.stdout
    assert "rfcs" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "95 %" in result.stdout and "pot ≥ truncated" in result.stdout
    assert "\x1b" not in result.output
    assert "8/" in result.stderr or "left" in result.stderr or "s" in result.stderr


def test_texts_too_long_for_full_context_are_counted(data: Path, tiny_model: Path) -> None:
    result = bench(data, tiny_model, "--only", "passkey", "--arms", "full,truncated", "--full-up-to", "100")
    assert result.exit_code == 0
    assert "full was not given 2 texts longer than 100 tokens" in result.stderr
    assert "full" not in result.stdout


def test_a_stopped_run_goes_on_where_it_was(
    data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, words = tmp_path / "run.jsonl", ["--only", "squad,perplexity", "--json", "-q"]
    whole = json.loads(bench(data, tiny_model, *words, "--record", str(kept)).stdout)
    lines = kept.read_text().splitlines(keepends=True)
    assert len(lines) == 1 + len(whole["trials"])
    kept.write_text("".join(lines[:4]) + lines[4][:30])
    ran: list[str] = []
    run = Runner.run
    monkeypatch.setattr(Runner, "run", lambda self, item, arms: (ran.extend(arms), run(self, item, arms))[1])
    again = json.loads(bench(data, tiny_model, *words, "--record", str(kept)).stdout)
    plain = [{**trial, "seconds": 0} for trial in whole["trials"]]
    assert sorted(json.dumps({**trial, "seconds": 0}) for trial in again["trials"]) == sorted(map(json.dumps, plain))
    assert len(ran) >= len(plain) - 3 and len(ran) < 2 * 2 * 4
    assert again["scores"] == whole["scores"]
    result = bench(data, tiny_model, *words, "--record", str(kept), "--seed", "1")
    assert result.exit_code == 2
    assert "other settings: seed was 0, and is 1" in result.output


def test_a_record_knows_its_data_and_what_was_switched_off(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    kept = ["--record", str(tmp_path / "run.jsonl"), "-q", "--json"]
    words = ["--only", " squad , passkey ", "--arms", "ask, truncated", "--n", "1"]
    first = bench(data, tiny_model, *words, *kept)
    assert first.exit_code == 0, first.output
    record = json.loads(first.stdout)
    assert set(record["settings"]["data"]) == {"longqa_squad_dev.jsonl", "one.txt", "two.txt"}
    assert record["settings"]["data"] == record["made_with"]["data"]
    assert record["settings"]["set_of_ask"] == {"words": 0.25, "reread": 0.3}
    assert record["settings"]["arms"] == ["ask", "truncated"]
    off = bench(data, tiny_model, *words, *kept, "--set", "words=0")
    assert off.exit_code == 2
    assert "other settings: set_of_ask was" in " ".join(off.stderr.split())
    with (data / "documents" / "one.txt").open("a") as file:
        file.write("More.")
    changed = bench(data, tiny_model, *words, *kept)
    assert changed.exit_code == 2
    assert "other settings: data was" in " ".join(changed.stderr.split())


def test_what_cannot_be_is_refused_in_one_line(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    for words, code in (
        (["--only", "squat"], 2),
        (["--only", "rfcs"], 3),
        (["--arms", "pots"], 2),
        (["--depths", "2"], 2),
        (["--depths", "x"], 2),
        (["--lengths", "0"], 2),
        (["--lengths", "1", "--only", "perplexity"], 2),
        (["--only", "squad", "--arms", "lead"], 2),
    ):
        result = bench(data, tiny_model, *words)
        assert result.exit_code == code, words
        assert "Traceback" not in result.output


def trial(number: int, arm: str, score: float, metric: str = "f1") -> PocketTrial:
    return PocketTrial("squad", "", number, arm, "", "", {metric: score}, 1, 0, 0.0)


def test_orderings_compare_the_same_items_and_say_when_there_are_too_few() -> None:
    trials = [trial(number, "pot", 0.8) for number in range(20)]
    trials += [trial(number, "truncated", 0.1 * (number % 3)) for number in range(15)]
    (pair,) = differences(trials)
    assert (pair.n, pair.verdict) == (15, "holds")
    assert pair.mean == pytest.approx(70.0)
    (few,) = differences(trials[:5] + trials[20:])
    assert few.verdict == "few"
    (worse,) = differences([replace(one, scores={"nats": one.scores["f1"]}) for one in trials])
    assert worse.verdict == "fails"  # more nats are worse


def test_scores_are_means_with_intervals_around_them() -> None:
    (row,) = scores([trial(number, "pot", number % 2, "right") for number in range(40)])
    assert (row.mean, row.n) == (50.0, 40)
    assert row.interval[0] < 36 and row.interval[1] > 64
    for metric in ("right", "em", "refused"):
        (row,) = scores([trial(number, "pot", 0.0, metric) for number in range(3)])
        assert row.interval[0] < 1e-9 and row.interval[1] > 50, "three answers say little"
    (row,) = scores([trial(0, "pot", 0.0, "nats")])
    assert row.interval is None, "one text says nothing of others"
    (pair,) = differences([trial(0, "pot", 1.0, "nats"), trial(0, "truncated", 2.0, "nats")])
    assert (pair.interval, pair.verdict) == (None, "few")
    (row,) = scores([trial(number, "pot", 0.0, "nats") for number in range(4)])
    assert (row.mean, row.interval) == (1.0, (1.0, 1.0))


def test_a_record_that_is_none_or_cannot_be_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n")
    with pytest.raises(UsageError, match="no record"):
        RunFile(path, {"seed": 0}, PocketTrial)
    assert path.read_text() == "my notes\n"
    with pytest.raises(OutputError, match="cannot be written"):
        RunFile(tmp_path / "missing" / "file", {"seed": 0}, PocketTrial)


def test_an_answer_with_other_line_ends_is_taken_up_again(tmp_path: Path) -> None:
    first = RunFile(tmp_path / "run.jsonl", {"seed": 0}, PocketTrial)
    answers = [replace(trial(number, "pot", 1.0), given="a\u2028b\u0085c\r\n") for number in range(2)]
    for answer in answers:
        first.add(answer)
    assert RunFile(tmp_path / "run.jsonl", {"seed": 0}, PocketTrial).done == answers


def test_texts_of_one_name_are_told_apart(data: Path, runner: Runner) -> None:
    path = data / "evaluation" / "sum_scitldr_dev.jsonl"
    texts = [f"{letter}. {TEXT[:100]}" for letter in "abc"]
    path.write_text("".join(json.dumps({"title": "", "document": text, "summaries": ["x"]}) + "\n" for text in texts))
    items = Sets(data, runner.tokenizer, Amounts(n=3, lengths=(300,), depths=(0.5,), seed=0)).items("scitldr")
    given = [trial.given for item in items for trial in runner.run(item, ["lead"])]
    assert given == [f"{letter}." for letter in "abc"]
    assert [runner._ids(item) for item in items] == [runner.tokenizer.encode(text) for text in texts]
    assert len({item.document for item in items}) == 3


def test_choices_outside_a_set_are_cut_to_it(data: Path, runner: Runner) -> None:
    sets = Sets(data, runner.tokenizer, Amounts(n=50, lengths=(300,), depths=(0.5,), seed=0))
    assert len(sets.items("squad")) == 3


def test_a_refusal_is_right_only_where_nothing_answers(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infinipot_cli.bench.pocket.Detokenizer.flush", lambda self: " Not in the text.")
    monkeypatch.setattr("infinipot_cli.bench.pocket.Detokenizer.push", lambda self, token: "")
    asked = item_of("A short text.")
    (answerable,) = runner.run(asked, ["pot"])
    assert answerable.scores == {"f1": 0.0, "em": 0.0, "refused": 1.0}
    (absent,) = runner.run(replace(asked, set_name="absent"), ["pot"])
    assert absent.scores == {"right": 1.0}
    (planted,) = runner.run(replace(asked, set_name="facts"), ["pot"])
    assert planted.scores == {"right": 0.0, "refused": 1.0}
