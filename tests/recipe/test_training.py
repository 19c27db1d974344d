"""The recipe end to end on a corpus of a few sentences: data, examples, a killed and resumed run, export."""

import argparse
import json
import lzma
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from infinipot_cli.recipe import corpus, train_model
from infinipot_cli.recipe.examples import ASSISTANT, END, HEAD, ExampleMaker, Stage
from infinipot_cli.recipe.export import export

BOOK = Path(__file__).parents[1] / "data" / "treasure-island.txt"
STAGE = Stage(
    96, 64, 4, 1_536, {"planted": 1.0, "keyed": 1.0, "log": 1.0, "wiki": 1.0, "summary": 1.0}, kept_share=0.5,
    budget=48, residue_share=0.5, n_scored=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    data = folder / "data"
    for name in ("lm", "qa", "summaries"):
        (data / name).mkdir(parents=True)
    text = BOOK.read_text(encoding="utf-8")[20_000:220_000]
    with lzma.open(data / "lm" / "novels_train.txt.xz", "wt", encoding="utf-8") as out:
        out.write(text)
    contexts = [f"The {n} boat is old. It was built in {1800 + n} by Ned Low. It has {n} oars." for n in range(12)]
    rows = [
        {"title": "Boats", "context": context, "question": f"When was boat {n} built?", "answers": [str(1800 + n)]}
        for n, context in enumerate(contexts)
    ]
    for name in ("squad11", "qamr_dev"):
        _write(data / "qa" / f"qa_{name}.jsonl.xz", rows)
    documents = [{"document": " ".join(contexts[n : n + 4]), "summary": "It was built by Ned Low."} for n in range(4)]
    _write(data / "summaries" / "sum_boats.jsonl.xz", documents)
    corpus.prepare(data, folder / "work")
    return folder / "work"


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with lzma.open(path, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


def test_examples_have_exact_length_and_answers_in_their_support(work: Path) -> None:
    loaded = corpus.load(work)
    maker = ExampleMaker(loaded, 0, 3, 2)
    decode = loaded.tokenizer.decode
    n_branches = 0
    shown_in_front = asked_bare = 0
    for _ in range(80):
        example = maker.example(replace(STAGE, shown_share=0.5, bare_share=0.5))
        text, rows, branch = example["text"], example["rows"], example["branch"]
        assert len(text) == STAGE.length
        assert tuple(text[:2]) == HEAD
        front = decode(text[2 : example["n_protected"]].tolist())
        questions = [decode(rows[branch == number].tolist()) for number in range(branch.max() + 1)]
        bare = [number for number in range(branch.max() + 1) if rows[branch == number][0] == END]
        for question in filter(None, front.split("\n\n")):
            assert any(question in asked for asked in questions) or len(bare) == 1
            shown_in_front += 1
        assert len(bare) <= front.count("Question:"), "what is not asked behind the text stands in front of it"
        asked_bare += len(bare)
        for number in range(branch.max() + 1):
            here = rows[branch == number].tolist()
            answer = here[here.index(ASSISTANT) + 1 :]
            asked = [i for i, row in enumerate(example["asked"]) if branch[row] == number and example["labels"][i] >= 0]
            assert example["labels"][asked].tolist() == [*answer, END]
            support = text[example["support"][number]].tolist()
            assert re.sub(r"\s", "", decode(answer)) in re.sub(r"\s", "", decode(support))
            assert example["offsets"][branch == number].tolist() == list(range(len(here)))
            n_branches += 1
    assert n_branches > 40 and shown_in_front > 20 and asked_bare > 5


def test_a_fact_stands_behind_what_a_pot_held_or_in_its_fragments(work: Path) -> None:
    loaded = corpus.load(work)
    encode = loaded.tokenizer.encode
    prose = loaded.prose[0][:30].tolist()
    statement, question, answer = (encode(text).ids for text in (" Ann hid the key.", " Who hid the key?", " Ann"))
    whole = corpus.Leavings(prose + statement, list(range(30, 30 + len(statement))), statement, question, answer)
    assert whole.can_answer
    assert not corpus.Leavings(prose, [], statement, question, answer).can_answer
    assert not corpus.Leavings(
        statement, list(range(len(answer), len(statement))), statement, question, answer
    ).can_answer
    stage = replace(STAGE, mix={"leavings": 1.0})
    for held in (whole, replace(whole, ids=prose, support=[])):
        maker = ExampleMaker(replace(loaded, leavings=[held]), 0, 3, 2)
        for _ in range(10):
            example = maker.example(stage)
            assert tuple(example["text"])[:2] == HEAD and len(example["text"]) == stage.length
            assert example["text"][2:32].tolist() == prose
            supports = [example["text"][places].tolist() for places in example["support"] if places.any()]
            assert statement in supports


def test_distilled_views_keep_header_order_and_budget(work: Path) -> None:
    maker = ExampleMaker(corpus.load(work), 0, 3, 2)
    batches = [maker.batch(STAGE) for _ in range(12)]
    kept = [batch["kept"] for batch in batches if "kept" in batch]
    assert 0 < len(kept) < 12
    for places in kept:
        assert places.shape == (3, STAGE.n_texts, 2, STAGE.budget)
        assert (np.diff(places) > 0).all()
        assert (places[..., :2] == [0, 1]).all()


@pytest.mark.slow
def test_a_killed_run_resumes_and_its_export_is_a_transformers_model(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_model, "CURRICULUM", (STAGE,))
    options = argparse.Namespace(
        work=work,
        layers=1,
        width=64,
        rate=1e-3,
        minutes=0.0,
        scale=1.0,
        seed=0,
        no_compile=True,
        stages=1,
        cool_down=False,
    )
    stopped = train_model.Trainer(options)
    stopped.run()  # its time is up after the first step
    assert stopped.state.step == 1
    options.minutes = 60.0
    resumed = train_model.Trainer(options)
    assert resumed.state.step == 1
    before = {name: value.clone() for name, value in resumed.model.state_dict().items()}
    for name, value in stopped.model.state_dict().items():
        assert torch.equal(before[name], value)
    resumed.run()
    assert resumed.state.tokens == STAGE.tokens
    export(work, tmp_path / "pocket")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "pocket", trust_remote_code=False)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "pocket", trust_remote_code=False)
    assert model.config.max_position_embeddings == resumed.config.context
    text = "<s><|user|>The boat is old.<|end|><|assistant|>"
    messages = [{"role": "user", "content": "The boat is old."}]
    assert tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False) == text
