"""What became of facts along a text, against counts made by hand at every distillation."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench import ageing
from infinipot_cli.bench.ageing_record import AgeingReading, Fate, Kept, difference, share
from infinipot_cli.bench.plants import Plant, strew
from infinipot_cli.engine import Distilled, Reader
from infinipot_cli.engine import distill as distilling
from infinipot_cli.errors import UsageError
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest

POT = PotRequest(400, 180)
TEXT = "The night was dark. Nobody had lit the lamp of the harbour! Who had the key? " * 20
PLANTS = [
    Plant("Otto Quint keeps 41 bees.", "How many bees are kept?", "41"),
    Plant("Zelda fell in love at Ghent.", "Where did Zelda fall in love?", "Ghent"),
]


@given(st.text(st.sampled_from("ab .!?\n”"), max_size=80), st.lists(st.just("<XY>"), min_size=1, max_size=5))
def test_strewing_adds_the_statements_and_takes_nothing_away(text: str, statements: list[str]) -> None:
    whole, spans = strew(text, statements)
    assert [whole[start:end] for start, end in spans] == statements
    assert spans == sorted(spans)
    left = whole.replace("<XY> ", "")
    assert left.replace(" ", "") == text.replace(" ", ""), "all that was added is spaces"
    assert len(text) <= len(left) <= len(text) + len(statements)
    assert all(not start or whole[start - 1].isspace() for start, _ in spans)


def test_statements_stand_evenly_and_between_sentences() -> None:
    whole, spans = strew(TEXT, ["<A>", "<B>", "<C>", "<D>"])
    assert [round(start / len(whole), 1) for start, _ in spans] == [0.1, 0.4, 0.6, 0.9]
    assert all(whole[start - 2] in ".!?" for start, _ in spans)


def test_the_tokens_of_a_fact_spell_it(tiny_model: Path) -> None:
    session = Session(str(tiny_model), POT)
    text = ageing.strewn(TEXT, PLANTS, session)
    for plant, (start, end) in zip(PLANTS, text.spans, strict=True):
        assert session.tokenizer.decode(text.ids[start:end]).strip() == plant.statement


@pytest.fixture
def given_by_hand(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """For every distillation the origins that were kept, and of them those that novelty chose, by sorting in Python."""
    seen: list[tuple[Tensor, Tensor]] = []
    select = distilling.select

    def watched(votes: Tensor, novelty: Tensor, **settings: Any) -> Tensor:
        kept = select(votes, novelty, **settings)
        budget, n_prefix = settings["budget"], settings["n_prefix"]
        n_novel = min(int(settings["novelty_ratio"] * budget), budget - n_prefix)
        n_fresh = int(n_novel * settings["fresh_share"])
        chosen = torch.full_like(kept[..., :n_novel], -1)
        for layer, heads in enumerate(novelty.tolist()):
            for head, values in enumerate(heads):
                order = sorted(range(n_prefix, len(values)), key=lambda at: (-values[at], -at))
                first = [at for at in order if settings["fresh"][layer, head, at]][:n_fresh]
                rest = [at for at in order if at not in first]
                places = (first + rest)[:n_novel]
                chosen[layer, head, : len(places)] = torch.tensor(places, dtype=torch.int64)
        seen.append((kept, chosen))
        return kept

    monkeypatch.setattr(distilling, "select", watched)
    return seen


@pytest.mark.parametrize("arm", ["paper", "no-nuc", "decay=0.5", "rank", "fresh=0.5", "renew", "fresh=0.5+rank"])
def test_shares_are_those_counted_at_every_distillation(
    tiny_model: Path, arm: str, given_by_hand: list[tuple[Tensor, Tensor]]
) -> None:
    session = Session(str(tiny_model), ageing.parse_arms(arm, POT)[arm])
    plan = session.plan(ask("Who?", catalyst="general"))
    n_prefix, ids = len(plan.prompt.prefix_ids), session.tokenizer.encode(TEXT)
    reader = Reader(
        session.load().model, catalyst_ids=plan.prompt.catalyst_ids, prefix_ids=plan.prompt.prefix_ids,
        capacity=plan.capacity, budget=plan.budget, novelty_ratio=plan.novelty_ratio, choice=plan.choice, record=True,
    )  # fmt: skip
    watch = ageing.Watch(reader.pot, len(ids))
    held_first, novel_first = [0.0] * len(ids), [0.0] * len(ids)
    last_seen, before = n_prefix, torch.zeros(0)
    for event in reader.feed(ids):
        watch.see(event)
        if not isinstance(event, Distilled):
            before = reader.pot.origins
            continue
        kept, chosen = given_by_hand[event.cycle - 1]
        for entered, indices in ((held_first, kept), (novel_first, chosen)):
            origins = before.gather(-1, indices.clamp(min=0)).masked_fill(indices < 0, -1)
            for token in range(last_seen, event.n_seen):
                entered[token - n_prefix] = float((origins == token).sum()) / 4  # two layers of two heads
        last_seen = event.n_seen
    watch.end()
    assert reader.pot.n_cycles >= 3
    assert watch.n_judged == last_seen - n_prefix < len(ids)
    held_last = [float((reader.pot.origins == n_prefix + token).sum()) / 4 for token in range(len(ids))]
    for start, end in ((0, 50), (100, 131), (watch.n_judged - 80, watch.n_judged)):
        wanted = [sum(values[start:end]) / (end - start) for values in (held_first, novel_first, held_last)]
        found = watch.kept(start, end)
        assert [found.first, found.novel, found.end] == pytest.approx(wanted, abs=1e-5)
    assert (max(novel_first) > 0) == (arm != "no-nuc")


def test_the_cost_of_an_answer_is_that_of_plain_transformers(tiny_model: Path) -> None:
    session = Session(str(tiny_model), POT)
    plan = session.plan(ask("Who?", catalyst="general"))
    reader = Reader(
        session.load().model, catalyst_ids=plan.prompt.catalyst_ids, prefix_ids=plan.prompt.prefix_ids, capacity=400,
        budget=180, novelty_ratio=0.0,
    )  # fmt: skip
    document, answer = session.tokenizer.encode("A dark night."), session.tokenizer.encode("Ghent")
    for _ in reader.feed(document):
        pass
    ids = torch.tensor([[*plan.prompt.prefix_ids, *document, *plan.prompt.suffix_ids, *answer]])
    with torch.no_grad():
        logits = session.load().model(ids).logits[0, -len(answer) - 1 : -1]
    wanted = torch.nn.functional.cross_entropy(logits, ids[0, -len(answer) :])
    assert ageing._nats(session, reader.pot, plan, "Ghent") == pytest.approx(float(wanted), abs=1e-4)


def test_a_difference_is_taken_fact_by_fact() -> None:
    def reading(arm: str, firsts: list[float | None]) -> AgeingReading:
        kept = [None if first is None else Kept(first, 0.0, 0.0) for first in firsts]
        fates = [Fate(number, number / 4, one, "", "", False, 0.0) for number, one in enumerate(kept)]
        return AgeingReading(arm, 1, 1, 1, 0.0, [], fates)

    more, low, high = difference(
        reading("a", [0.3, 0.5, 0.9, None]), reading("b", [0.1, 0.3, None, 0.0]), share("first")
    )
    assert (more, low, high) == pytest.approx((0.2, 0.2, 0.2))


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        ("mass=0.5", "under mass"),
        ("paper,sinks=4", "under sinks"),
        ("cap=off", "under cap"),
        ("fade=0.8", "no setting 'fade'"),
    ],
)
def test_ways_that_cannot_be_counted_are_refused(arms: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ageing.parse_arms(arms, POT)


def test_what_cannot_be_measured_is_refused(tiny_model: Path, story: Path) -> None:
    words = ["bench", "ageing", "--book", str(story), "-m", str(tiny_model), "-s", "400"]
    short = CliRunner().invoke(app, [*words, "--tokens", "150", "--facts", "1"])
    assert short.exit_code == 2
    assert "nothing is distilled" in short.stderr
    tight = CliRunner().invoke(app, [*words, "--tokens", "700", "--facts", "1", "-n", "3"])
    assert tight.exit_code == 2
    assert "has no room in 3" in tight.stderr
    many = CliRunner().invoke(app, [*words, "--facts", "1000"])
    assert many.exit_code == 2
    assert "1000 are wanted" in many.stderr


def test_model_and_pot_are_those_of_the_settings(story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text('[model]\ndefault = "nobody"\n')
    result = CliRunner().invoke(app, ["bench", "ageing", "--book", str(story)])
    assert result.exit_code == 4
    assert "model 'nobody' is not on this machine" in " ".join(result.stderr.split())


def test_the_command_prints_tables_or_one_record_and_goes_on(
    story: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "ageing.jsonl"
    words = ["bench", "ageing", "--book", str(story), "--facts", "3", "-m", str(tiny_model), "-s", "400", "-n", "24"]
    words += ["--budget", "180", "--tokens", "500,700", "--arms", "paper,fresh=0.5", "--record", str(kept)]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.count("fresh=0.5") == 8
    assert len(kept.read_text().splitlines()) == 5
    kept.write_text("".join(kept.read_text().splitlines(keepends=True)[:-1]))
    again = CliRunner().invoke(app, [*words, "--json"])
    assert again.exit_code == 0, again.output
    record = json.loads(again.stdout)
    assert [(one["arm"], one["length"]) for one in record["readings"]] == [
        ("paper", 500), ("fresh=0.5", 500), ("paper", 700), ("fresh=0.5", 700),
    ]  # fmt: skip
    for total in record["totals"]:
        low, high = total["first"]["interval"]
        assert 0 <= low <= total["first"]["mean"] <= high <= 1
        assert total["novel"]["mean"] <= total["first"]["mean"]
        assert total["end"]["mean"] <= total["first"]["mean"]
    monkeypatch.setattr(ageing, "run", lambda *_: pytest.fail("what is in the record was read again"))
    assert CliRunner().invoke(app, words).exit_code == 0
