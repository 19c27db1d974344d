"""The recipe end to end on a corpus of a few sentences: data, examples, a killed and resumed run, export."""

import argparse
import json
import lzma
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from infinipot_cli.recipe import corpus, muon, train_model
from infinipot_cli.recipe.examples import ASSISTANT, END, HEAD, ExampleMaker, Stage
from infinipot_cli.recipe.export import export
from infinipot_cli.recipe.matched import matched
from infinipot_cli.recipe.material import Material
from infinipot_cli.recipe.reader import Batch, Reader

BOOK = Path(__file__).parents[1] / "data" / "treasure-island.txt"
STAGE = Stage(
    96, 64, 4, 1_536, {"planted": 1.0, "keyed": 1.0, "log": 1.0, "wiki": 1.0, "matched": 1.0, "summary": 1.0},
    kept_share=0.5, budget=48, residue_share=0.5, n_scored=8,
)  # fmt: skip


CLOZED = replace(STAGE, mix={"clozed": 1.0, "wiki": 1.0, "matched": 1.0}, cloze_share=1.0, most_asked=8)
TOO_SHORT = replace(STAGE, length=24, mix={"matched": 1.0})  # for most of what stands in it


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


@pytest.mark.parametrize("stage", [STAGE, CLOZED, TOO_SHORT])
def test_examples_have_exact_length_and_answers_in_their_support(work: Path, stage: Stage) -> None:
    loaded = corpus.load(work)
    maker = ExampleMaker(loaded, 0, 3, 2)
    decode = loaded.tokenizer.decode
    n_branches = 0
    for _ in range(80):
        example = maker.example(stage)
        text, rows, branch = example["text"], example["rows"], example["branch"]
        assert len(text) == stage.length
        assert tuple(text[:2]) == HEAD
        for number in range(branch.max() + 1):
            here = rows[branch == number].tolist()
            answer = here[here.index(ASSISTANT) + 1 :]
            asked = [i for i, row in enumerate(example["asked"]) if branch[row] == number and example["labels"][i] >= 0]
            assert example["labels"][asked].tolist() == [*answer, END]
            support = text[example["support"][number]].tolist()
            assert re.sub(r"\s", "", decode(answer)) in re.sub(r"\s", "", decode(support))
            assert example["offsets"][branch == number].tolist() == list(range(len(here)))
            n_branches += 1
    assert n_branches > (20 if stage is TOO_SHORT else 40)


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


def test_passages_alike_in_the_words_of_a_question_stand_around_the_one_that_answers(work: Path) -> None:
    loaded = corpus.load(work)
    material = Material(loaded, 0)
    n_others = 0
    for _ in range(40):
        (block,) = matched(material, 200)
        assert sum(len(segment.ids) for segment in block) <= 200 or len(block) == 1
        asked = [segment for segment in block if segment.questions]
        assert asked
        for segment in asked:
            text = loaded.tokenizer.decode(segment.ids)
            assert all(loaded.tokenizer.decode(answer).strip() in text for _, answer in segment.questions)
        n_others += len(block) - 1
    assert n_others > 40


def test_every_place_of_the_dial_is_a_shape_that_learns() -> None:
    rng = torch.Generator().manual_seed(0)
    for size in range(1, 10):
        config = replace(train_model.shape(1, 64 * size), vocabulary=40)
        assert config.n_heads % config.n_kv_heads == 0 and config.head_dim % 2 == 0
        rows, text = torch.randint(0, 40, (1, 6), generator=rng), torch.randint(0, 40, (1, 12), generator=rng)
        batch = Batch(
            text=text, rows=rows, offsets=torch.arange(6)[None], branch=torch.zeros_like(rows), asked=rows[:, :2] % 6,
            labels=rows[:, 2:4], is_question=torch.ones_like(rows, dtype=torch.bool),
            support=torch.ones(1, 1, 12, dtype=torch.bool), scored=text[:, :3] % 11, n_protected=torch.tensor([2]),
        )  # fmt: skip
        losses = Reader(config)(batch)
        losses.answer.backward()
        assert torch.isfinite(losses.answer)


@pytest.mark.slow
def test_every_stage_of_the_curriculum_is_compiled(work: Path) -> None:
    """Torch stops to compile after `recompile_limit` shapes, and says so in a warning that nobody reads for hours."""
    train_model.Trainer(argparse.Namespace(**vars(options_of(work, 0.0)) | {"no_compile": False}))
    shapes = {
        (stage.length, stage.n_rows, stage.n_texts, stage.n_scored, is_distilled)
        for stage in train_model.CURRICULUM
        for is_distilled in (False, stage.kept_share > 0)
    }
    assert 8 < len(shapes) <= torch._dynamo.config.recompile_limit


def test_without_a_compiler_training_goes_on_and_says_so(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_compiler(*_: object, **__: object) -> None:
        raise RuntimeError("No working C++ compiler found\nand more")

    monkeypatch.setattr(torch, "compile", no_compiler)
    trainer = train_model.Trainer(argparse.Namespace(**vars(options_of(work, 0.0)) | {"no_compile": False}))
    assert trainer.forward is trainer.model
    (line,) = capsys.readouterr().out.splitlines()
    assert "without torch.compile" in line and line.endswith("No working C++ compiler found")


def test_muon_in_fp32_makes_a_matrix_nearly_orthogonal() -> None:
    coefficients = (3.4445, -4.7750, 2.0315)
    for shape in ((24, 60), (60, 24)):
        found = muon.orthogonalised(
            torch.randn(shape, generator=torch.Generator().manual_seed(1)), coefficients, 5, 1e-7
        )
        assert found.shape == shape and found.dtype is torch.float32
        values = torch.linalg.svdvals(found)
        assert float(values.min()) > 0.3 and float(values.max()) < 1.3


def options_of(work: Path, minutes: float) -> argparse.Namespace:
    numbers = {"layers": 1, "width": 64, "rate": 1e-3, "scale": 1.0, "seed": 0, "stages": 2, "behind": 0}
    return argparse.Namespace(work=work, minutes=minutes, no_compile=True, cool_down=False, begin=None, **numbers)


def test_sets_of_few_kinds_and_short_prose_are_enough(work: Path) -> None:
    loaded = corpus.load(work)
    short = [ids[:50] for ids in loaded.prose]
    few = replace(loaded, prose=short, passages={}, summaries=[], leavings=[])
    kinds = {kind for stage in train_model.CURRICULUM for kind in stage.mix}
    for kind in kinds:
        maker = ExampleMaker(few, 0, 3, 2)
        batch = maker.batch(replace(STAGE, mix={kind: 1.0}, absent_share=0.5))
        assert batch["text"].shape == (STAGE.n_texts, STAGE.length), kind
        assert (batch["labels"] >= 0).any(), kind
    one = replace(few, passages={"fairytale": [replace(loaded.passages["squad11"][0], sentences=[[9] * 900])]})
    assert ExampleMaker(one, 0, 3, 2).material.tale(90), "a story that is too long and no article instead"


def _folder(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = tmp_path / f"{name}.xz"
        path.parent.mkdir(exist_ok=True, parents=True)
        with lzma.open(path, "wt", encoding="utf-8") as out:
            out.write(text)
    return tmp_path


PROSE = "A word is here. " * 9000
GOOD_ROW = json.dumps({"title": "a", "context": "It is old.", "question": "What is it?", "answers": ["old"]}) + "\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no prose"),
        ({"lm/a.txt": "A word. " * 50}, "it takes 50,000"),
        (
            {"lm/a.txt": PROSE, "qa/qa_squad11.jsonl": '{"title": "a"}\n'},
            "line 1: a row without context and",
        ),
        ({"lm/a.txt": PROSE, "qa/qa_squad11.jsonl": "[1]\n"}, "line 1: a row without title"),
        ({"lm/a.txt": PROSE, "qa/qa_mine.jsonl": "{\n"}, "is damaged behind line 1"),
        ({"lm/a.txt": PROSE, "summaries/sum_rfc.jsonl": '{"document": "x"}\n'}, "a row without id and summaries"),
        ({"lm/a.txt": PROSE, "qa/qa_b.jsonl": GOOD_ROW + "{}\n"}, "line 2: a row without title"),
    ],
)
def test_sets_that_cannot_be_used_are_named_in_a_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(SystemExit) as refused:
        corpus.prepare(_folder(tmp_path / "sets", files) if files else tmp_path, tmp_path / "work")
    assert str(refused.value).startswith("error: ") and message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "work" / "passages.json").exists()
    if "line 2" not in message:
        assert not (tmp_path / "work").exists(), "a tokenizer of nothing would be kept for the right sets"


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    data = _folder(tmp_path / "sets", {"lm/a.txt": PROSE})
    whole = (data / "lm" / "a.txt.xz").read_bytes()
    for content in (b"no xz", whole[: len(whole) // 2]):
        (data / "lm" / "a.txt.xz").write_bytes(content)
        with pytest.raises(SystemExit, match=r"a\.txt\.xz is damaged"):
            corpus.prepare(data, tmp_path / "work")
    with pytest.raises(SystemExit, match="is no folder"):
        corpus.prepare(tmp_path / "nowhere", tmp_path / "work")


def test_a_work_folder_is_of_the_sets_that_it_was_prepared_from(tmp_path: Path) -> None:
    data = _folder(tmp_path / "sets", {"lm/a.txt": PROSE, "qa/qa_squad11.jsonl": GOOD_ROW})
    corpus.prepare(data, tmp_path / "work")
    corpus.prepare(data, tmp_path / "work")
    for path in tmp_path.glob("work/*.npy"):
        path.unlink()
    _folder(tmp_path / "sets", {"lm/b.txt": PROSE})
    with pytest.raises(SystemExit, match=r"^error: .*prepared from other sets than .*lm/b\.txt\.xz differs"):
        corpus.prepare(data, tmp_path / "work")
    assert not list(tmp_path.glob("work/*.npy"))
    (data / "lm" / "b.txt.xz").unlink()
    corpus.prepare(data, tmp_path / "work")


def test_kinds_of_sets_that_are_missing_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.check(_folder(tmp_path, {"lm/a.txt": PROSE, "qa/qa_squad11.jsonl": GOOD_ROW}))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(corpus.KINDS) - 1
    assert any("qa_fairytale" in line and "stories" in line for line in lines)
    assert not any("squad" in line for line in lines)


def test_an_export_replaces_whole_files_alone(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = train_model.Trainer(options_of(work, 0.0))
    trainer.checkpoint = tmp_path / "checkpoint.pt"
    trainer._save()
    shutil.copy(work / "tokenizer.json", tmp_path)
    target = tmp_path / "pocket"
    export(tmp_path, target)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    (target / "CARD.md").write_text("ours")

    def cut_off(weights: object, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("infinipot_cli.recipe.export.save_file", cut_off)
        with pytest.raises(KeyboardInterrupt):
            export(tmp_path, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before | {"CARD.md": b"ours"}
    export(tmp_path, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before | {"CARD.md": b"ours"}
    assert not (tmp_path / "pocket.tmp").exists()
    with pytest.raises(SystemExit, match="holds no checkpoint"):
        export(tmp_path / "nothing", target)


@pytest.mark.slow
def test_what_is_exported_is_the_mean_with_the_weights_in_front_of_the_stage_that_averages(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_model, "CURRICULUM", (STAGE, replace(STAGE, averages=True)))
    ours = tmp_path / "work"
    shutil.copytree(work, ours, ignore=shutil.ignore_patterns("checkpoint.pt"))
    first = train_model.Trainer(argparse.Namespace(**vars(options_of(ours, 60.0)) | {"stages": 1}))
    first.run()
    export(ours, tmp_path / "before")
    train_model.Trainer(options_of(ours, 0.0)).run()  # killed after the first step of the second stage
    last = train_model.Trainer(options_of(ours, 60.0))
    last.run()
    export(ours, tmp_path / "pocket")
    found = load_file(tmp_path / "pocket" / "model.safetensors")
    for name, value in first.model.state_dict().items():
        mean = (value + last.model.state_dict()[name]) / 2
        assert torch.equal(found[name], mean.bfloat16()), name
        assert torch.equal(load_file(tmp_path / "before" / "model.safetensors")[name], value.bfloat16())
    assert not torch.equal(found["model.norm.weight"].float(), first.model.state_dict()["model.norm.weight"])


@pytest.mark.slow
def test_a_killed_run_resumes_and_its_export_is_a_transformers_model(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_model, "CURRICULUM", (STAGE,))
    options = options_of(work, 0.0)
    stopped = train_model.Trainer(options)
    assert not stopped.run(), "its time is up after the first step"
    assert stopped.state.step == 1
    options.minutes = 60.0
    resumed = train_model.Trainer(options)
    assert resumed.state.step == 1
    before = {name: value.clone() for name, value in resumed.model.state_dict().items()}
    for name, value in stopped.model.state_dict().items():
        assert torch.equal(before[name], value)
    assert resumed.run()
    assert train_model.Trainer(options).run(), "nothing is left to do"
    assert resumed.state.tokens == STAGE.tokens
    export(work, tmp_path / "pocket")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "pocket", trust_remote_code=False)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "pocket", trust_remote_code=False)
    assert model.config.max_position_embeddings == resumed.config.context
    begun = train_model.Trainer(argparse.Namespace(**vars(options) | {"work": tmp_path, "begin": tmp_path / "pocket"}))
    assert begun.state.tokens == 0
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(begun.model.state_dict()[name], value.bfloat16().float()), name
    begun = train_model.Trainer(argparse.Namespace(**vars(begun.options) | {"behind": 1}))
    assert begun.state.tokens == STAGE.tokens
    text = "<s><|user|>The boat is old.<|end|><|assistant|>"
    messages = [{"role": "user", "content": "The boat is old."}]
    assert tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False) == text


def test_no_batch_is_made_for_training_that_was_killed(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that makes them went on to the end of the curriculum, hours on a core of its own."""
    batches: list[object] = []

    class Queue:
        def put(self, batch: object, timeout: float) -> None:
            batches.append(batch)

        def cancel_join_thread(self) -> None:
            batches.append("left")

    class Parent:
        def is_alive(self) -> bool:
            return len(batches) < 2

    monkeypatch.setattr(train_model.multiprocessing, "parent_process", Parent)
    trainer = train_model.Trainer(options_of(work, 0.0))
    train_model.produce(work, [train_model.StageRun(STAGE, 5, 0)], trainer.config, Queue())  # type: ignore[arg-type]
    assert len(batches) == 3
    assert batches[-1] == "left"


@pytest.mark.slow
def test_training_does_not_wait_for_a_process_that_failed(
    work: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("tokenizer.json", "passages.json"):  # and no text at all
        shutil.copy(work / name, tmp_path)
    with pytest.raises(SystemExit, match="makes the batches has ended"):
        train_model.Trainer(options_of(tmp_path, 60.0)).run()
    assert "Traceback" in capfd.readouterr().err, "it says why"
