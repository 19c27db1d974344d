"""run.sh from a folder of sets to a model that answers, killed on the way twice."""

import json
import lzma
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import infinipot_cli
from infinipot_cli.recipe import corpus
from infinipot_cli.recipe.leavings import HEADS_A_READING, recorded

SCRIPT = Path(infinipot_cli.__file__).parent / "recipe" / "run.sh"
BOOK = Path(__file__).parents[1] / "data" / "treasure-island.txt"
READINGS = 2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "sets"
    for name in ("lm", "qa", "summaries"):
        (folder / name).mkdir(parents=True)
    with lzma.open(folder / "lm" / "novels_train.txt.xz", "wt", encoding="utf-8") as out:
        out.write(BOOK.read_text(encoding="utf-8")[20_000:140_000])
    contexts = [f"The {n} boat is old. It was built in {1800 + n} by Ned Low. It has {n} oars." for n in range(12)]
    rows: list[dict[str, object]] = [
        {"title": "Boats", "context": context, "question": f"When was boat {n} built?", "answers": [str(1800 + n)]}
        for n, context in enumerate(contexts)
    ]
    for name in ("qa_squad11", "qa_qamr_dev", "qa_fairytale"):
        _write(folder / "qa" / f"{name}.jsonl.xz", rows)
    _write(folder / "qa" / "glossary_boats.jsonl.xz", [{"title": "Boats", "term": "oar", "meaning": "a long blade"}])
    documents = [{"document": " ".join(contexts[n : n + 4]), "summary": "It was built by Ned Low."} for n in range(4)]
    _write(folder / "summaries" / "sum_boats.jsonl.xz", list(documents))
    return folder


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with lzma.open(path, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


def environment(data: Path, work: Path, target: Path) -> dict[str, str]:
    return os.environ | {
        "DATA": str(data),
        "WORK": str(work),
        "TARGET": str(target),
        "SIZE": "1",
        "READINGS": str(READINGS),
        "FLAGS": "--scale 0.0005 --no-compile",
        "PYTHON": sys.executable,
        "PYTHONPATH": str(Path(infinipot_cli.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }


def kill_when(path: Path, variables: dict[str, str]) -> None:
    """Run the script until a file is there, then kill it and all that it has started."""
    running = subprocess.Popen([str(SCRIPT)], env=variables, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not path.exists():
            assert running.poll() is None, "the script ended by itself"
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def state(work: Path) -> dict[str, float]:
    content = torch.load(work / "checkpoint.pt", map_location="cpu", weights_only=True)["state"]
    return dict(content)


class Steps:
    """run.sh with a stand-in for Python that writes down what it is told to run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sets").mkdir()
        self.calls = folder / "calls"
        self.target = folder / "pocket"

    def start(self, body: str, **variables: str) -> "subprocess.Popen[str]":
        python = self.folder / "python"
        python.write_text(f'#!/usr/bin/env bash\necho "$*" >> {self.calls}\n{body}\n', encoding="utf-8")
        python.chmod(0o755)
        names = environment(self.folder / "sets", self.folder / "work", self.target) | {"PYTHON": str(python)}
        return subprocess.Popen(
            [str(SCRIPT)], env=names | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ran(self) -> list[str]:
        if not self.calls.exists():
            return []
        return [line.split()[1].rpartition(".")[2] for line in self.calls.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    return Steps(tmp_path)


def test_time_that_is_up_ends_the_run_and_nothing_unfinished_is_exported(steps: Steps) -> None:
    running = steps.start('case "$*" in *train_model*) exit 75 ;; esac', MINUTES="30")
    out, errors = running.communicate(timeout=30)
    assert running.returncode == 0, errors
    assert "stopped after 30 minutes" in out and "the same command goes on" in out
    assert steps.ran() == ["prepare", "train_model"]


def test_a_step_that_fails_ends_the_run(steps: Steps) -> None:
    running = steps.start('case "$*" in *train_model*) exit 1 ;; esac')
    running.communicate(timeout=30)
    assert running.returncode == 1
    assert steps.ran() == ["prepare", "train_model"]


def test_training_has_what_is_left_of_the_minutes(steps: Steps) -> None:
    steps.start("sleep 0.7", MINUTES="2").communicate(timeout=30)
    words = [line.split() for line in steps.calls.read_text(encoding="utf-8").splitlines()]
    minutes = [float(line[line.index("--minutes") + 1]) for line in words if "--minutes" in line]
    assert len(minutes) == 2
    assert 0 < minutes[1] < minutes[0] <= 2


def test_two_runs_in_one_folder_wait_for_each_other(steps: Steps) -> None:
    first = steps.start(f"while [ ! -e {steps.folder}/go ]; do sleep 0.05; done")
    until = time.monotonic() + 30
    while not steps.ran() and time.monotonic() < until:
        time.sleep(0.02)
    assert steps.ran() == ["prepare"]
    first.kill()  # what it has started works on
    first.wait()
    second = steps.start("")
    assert second.stderr is not None
    assert "waiting for another run" in second.stderr.readline()
    assert steps.ran() == ["prepare"]
    (steps.folder / "go").touch()
    _, errors = second.communicate(timeout=30)
    assert second.returncode == 0, errors
    assert steps.ran()[1:3] == ["prepare", "train_model"]
    for stream in (first.stdout, first.stderr):
        assert stream is not None
        stream.close()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SIZE": "0"}, "SIZE is a whole number from 1, not 0"),
        ({"SIZE": "a"}, "not a"),
        ({"MINUTES": "2h"}, "MINUTES is a number such as 90, not 2h"),
        ({"MINUTES": "1:30"}, "not 1:30"),
        ({"MEASURE": "all"}, "MEASURE is a whole number, not all"),
        ({"DATA": "/no/sets"}, "/no/sets"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_line(steps: Steps, variables: dict[str, str], message: str) -> None:
    running = steps.start("", **variables)
    out, errors = running.communicate(timeout=30)
    assert running.returncode == 2
    assert out == "" and errors.count("\n") == 1 and errors.startswith("error: ") and message in errors
    assert steps.ran() == []


@pytest.mark.slow
def test_a_run_that_was_killed_twice_ends_in_a_model_that_answers(data: Path, tmp_path: Path) -> None:
    work, target = tmp_path / "work", tmp_path / "pocket"
    variables = environment(data, work, target)
    kill_when(work / "tokenizer.json", variables)  # while the sets are prepared
    kill_when(work / "checkpoint.pt", variables)  # between the stages
    halfway = state(work)
    assert halfway["step"] > 0
    assert not target.exists()
    done = subprocess.run([str(SCRIPT)], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert state(work)["step"] > halfway["step"]
    assert recorded(work) == READINGS

    model = AutoModelForCausalLM.from_pretrained(target, trust_remote_code=False)
    tokenizer = AutoTokenizer.from_pretrained(target, trust_remote_code=False)
    messages = [{"role": "user", "content": "The boat is old.\n\nQuestion: What is old?"}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert model(**ids).logits.shape[-1] == model.config.vocab_size
    words = ["ask", "-", "Who is the captain?", "-m", str(target), "-s", "512", "--json", "--max-tokens", "16"]
    text = BOOK.read_text(encoding="utf-8")[:8000]
    answer = subprocess.run(
        [sys.executable, "-m", "infinipot_cli", *words], input=text, env=variables, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["pot"]["distillations"] > 0


def test_a_line_that_a_kill_cut_off_is_recorded_again(tmp_path: Path) -> None:
    path = tmp_path / "leavings.jsonl"
    assert recorded(tmp_path) == 0
    path.write_text('{"ids": []}\n' * HEADS_A_READING + '{"ids": [1, 2')
    assert recorded(tmp_path) == 1
    assert path.read_text().endswith("}\n")
    assert len(path.read_text().splitlines()) == HEADS_A_READING


def test_half_a_file_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    target = tmp_path / "lm.npy"

    def cut_off() -> None:
        with corpus._whole(target) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert not target.exists()
    with corpus._whole(target) as temporary:
        temporary.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]
