"""Train pocket from scratch: texts of several lengths, resumable from its checkpoint after a kill at any moment.

The same script runs on a CPU (compiled; bf16 matrix products where the processor has them, else fp32) and on CUDA
(bf16). `--layers` and `--width` are the size dial. Progress goes to `log.jsonl` in the work folder, one line a report.
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from infinipot_cli.recipe import corpus, muon
from infinipot_cli.recipe.examples import ExampleMaker, Stage
from infinipot_cli.recipe.material import Array
from infinipot_cli.recipe.reader import Batch, Losses, Reader, ReaderConfig

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

STOPPED = 75  # exit code where the time was up before the curriculum was (EX_TEMPFAIL); run.sh knows it
MOST_SHAPES = 64  # of compiled steps; with torch's own limit the stages from the seventh on ran uncompiled
TEXT_WEIGHT = 0.1
RETENTION_WEIGHT = 0.5

FIRST = {"planted": 5.0, "keyed": 1.0}
LONGER = {"planted": 6.0, "keyed": 0.7, "log": 0.7, "glossary": 0.2, "wiki": 1.0}
REAL = {
    "planted": 6.0,
    "keyed": 0.7,
    "log": 0.6,
    "glossary": 0.1,
    "wiki": 2.0,
    "tale": 0.6,
    "summary": 0.4,
}
HELD = REAL | {"leavings": 4.0}
QUESTIONS = REAL | {"planted": 4.0, "wiki": 7.0, "tale": 1.2}
HELD_QUESTIONS = QUESTIONS | {"leavings": 4.0}
PARAGRAPHS = REAL | {"planted": 2.0, "wiki": 12.0, "tale": 1.2}
MATCHED = PARAGRAPHS | {"planted": 4.0, "matched": 10.0}
CLOZED = MATCHED | {"clozed": 5.0}
SENTENCES = {"planted": 4.0, "keyed": 0.7, "log": 0.6, "glossary": 0.1, "matched": 20.0, "clozed": 4.0}
HELD_PARAGRAPHS = PARAGRAPHS | {"planted": 4.0, "leavings": 3.0}

CURRICULUM = (
    Stage(96, 64, 96, 4_200_000, FIRST, n_scored=24),
    Stage(192, 96, 48, 2_800_000, LONGER, n_scored=48),
    Stage(448, 160, 20, 4_300_000, REAL, kept_share=0.3, budget=224, residue_share=0.3, n_scored=96),
    Stage(960, 320, 8, 10_000_000, REAL, kept_share=0.5, budget=448, residue_share=0.4, n_scored=160),
    Stage(
        960, 320, 8, 21_300_000, HELD, kept_share=0.5, budget=448, residue_share=0.4, n_scored=160, absent_share=0.06
    ),
    Stage(448, 192, 18, 8_000_000, QUESTIONS, kept_share=0.25, budget=224, residue_share=0.2, absent_share=0.04),
    Stage(
        960,
        352,
        8,
        10_700_000,
        HELD_QUESTIONS,
        kept_share=0.5,
        budget=448,
        residue_share=0.4,
        n_scored=160,
        absent_share=0.04,
    ),
    # A text of one paragraph meets four times as many real questions in the same time as one of five.
    Stage(256, 144, 32, 8_000_000, PARAGRAPHS, kept_share=0.15, budget=128, residue_share=0.1, absent_share=0.04),
    Stage(
        960,
        352,
        8,
        10_200_000,
        HELD_PARAGRAPHS,
        kept_share=0.5,
        budget=448,
        residue_share=0.4,
        n_scored=160,
        absent_share=0.04,
    ),
    # What a second reading brings to a question (`--set reread`): a few passages alike in its words, the best first.
    Stage(192, 160, 24, 3_600_000, MATCHED, absent_share=0.04),
    # Of every sentence some phrase, asked for in the sentence's own words.
    Stage(192, 160, 24, 1_660_000, CLOZED, absent_share=0.04, most_asked=8, cloze_share=0.6, averages=True),
    # The best sentence and one or two about as good: what is left of a second reading by `--set close`.
    Stage(96, 80, 48, 4_500_000, SENTENCES, absent_share=0.04, cloze_share=0.8),
)  # fmt: skip


def shape(n_layers: int, width: int) -> ReaderConfig:
    """The model of one place of the dial: heads of 64, at least two, and at most half as many KV heads, evenly."""
    heads = max(2, width // 64)
    n_kv_heads = max(n for n in range(1, heads // 2 + 1) if heads % n == 0)
    return ReaderConfig(
        width=width, n_layers=n_layers, n_heads=heads, n_kv_heads=n_kv_heads, hidden=width * 11 // 4
    )  # fmt: skip


@dataclass(frozen=True)
class StageRun:
    """Batches of one stage that are still to come, and the seed of what is in them."""

    stage: Stage
    n_steps: int
    seed: int


@dataclass
class State:
    """Where training stands; saved with the weights."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0


def main() -> None:
    """Train until the curriculum ends, or `--minutes`, then with the exit code `STOPPED`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of the prepared corpus and the checkpoint")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--rate", type=float, default=3e-3, help="peak learning rate")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop, with a checkpoint, after this long")
    parser.add_argument(
        "--cool-down", action="store_true", help="let the rate fall over --minutes, for a run that must end then"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the tokens of every stage")
    parser.add_argument("--stages", type=int, default=len(CURRICULUM), help="stop, with a checkpoint, after so many")
    parser.add_argument("--begin", type=Path, help="without a checkpoint, begin with the weights of this folder")
    parser.add_argument("--behind", type=int, default=0, help="and with the stage after so many, which they have seen")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-compile", action="store_true")
    options = parser.parse_args()
    if options.width < 64 or options.width % 64 or options.layers < 1:
        raise SystemExit("error: --width is a multiple of 64, and --layers 1 or more")
    if not (options.work / "passages.json").exists():
        raise SystemExit(f"error: {options.work} holds no prepared corpus: infinipot_cli.recipe.prepare makes one")
    if not Trainer(options).run():
        raise SystemExit(STOPPED)


class Trainer:
    """Model, optimisers, curriculum and checkpoint of one run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(options.seed)
        self.config = shape(options.layers, options.width)
        self.model = Reader(self.config).to(self.device)
        if not self._has_bf16:
            muon.in_fp32()
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        others = [p for n, p in self.model.named_parameters() if p.ndim != 2 or "embed" in n]
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=options.rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self.state = State()
        self.before: dict[str, torch.Tensor] | None = None  # weights in front of the stage that averages
        self.checkpoint = options.work / "checkpoint.pt"
        self.stages = [(stage, int(stage.tokens * options.scale)) for stage in CURRICULUM]
        self.total = sum(tokens for _, tokens in self.stages)
        if self.checkpoint.exists():
            self._resume()
        elif options.begin is not None:
            self._begin(options.begin)
        self.forward: Callable[[Batch], Losses] = self.model
        if not options.no_compile and self._compiles():
            torch._dynamo.config.recompile_limit = MOST_SHAPES
            self.forward = torch.compile(self.model, dynamic=False)

    def run(self) -> bool:
        """Go through what is left of the curriculum; returns whether that was done before the time was up.

        A run with `--cool-down` is done when its time is up. Where nothing is left the checkpoint stays as it is.
        """
        if not self._left() and self.checkpoint.exists():
            return True
        started, spent = time.monotonic(), self.state.seconds
        saved = started
        sums: list[float] = []
        for stage, arrays in self._batches():
            self._set_rate((time.monotonic() - started) / 60)
            losses = self._step(arrays)
            sums.append(losses[0])
            self.state.step += 1
            self.state.tokens += stage.length * stage.n_texts
            self.state.seconds = spent + time.monotonic() - started
            if self.state.step % 20 == 0:
                self._report(stage, losses)
            stop = time.monotonic() - started > self.options.minutes * 60
            if time.monotonic() - saved > 120 or stop:
                self._save()
                saved = time.monotonic()
            if stop:
                return self.options.cool_down or not self._left()
        self._save()
        return True

    def _compiles(self) -> bool:
        """Whether torch can compile here, which takes a compiler of C++; said where it cannot."""
        try:
            torch.compile(torch.neg)(torch.ones(1, device=self.device))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            print(f"training without torch.compile, which takes several times as long: {reason}", flush=True)
            return False
        return True

    def _step(self, arrays: dict[str, Array]) -> tuple[float, ...]:
        batch = Batch(**{name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()})
        with self._autocast():
            losses = self.forward(batch)
            loss = losses.answer + TEXT_WEIGHT * losses.text + RETENTION_WEIGHT * losses.retention
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad()
        return tuple(
            float(value.detach())
            for value in (losses.answer, losses.text, losses.retention, losses.accuracy, losses.exact)
        )

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device, dtype=torch.bfloat16) if self._has_bf16 else nullcontext()

    @property
    def _has_bf16(self) -> bool:
        return self.device != "cpu" or torch.cpu._is_avx512_bf16_supported()

    def _set_rate(self, minutes: float) -> None:
        """Warm up over 100 steps, hold, then fall linearly to a twentieth over the last 40 % of the tokens.

        A run with `--cool-down` falls over its own minutes instead, from the start.
        """
        left = (1 - self.state.tokens / self.total) / 0.4
        if self.options.cool_down:
            left = 1 - minutes / self.options.minutes
        factor = min(1.0, (self.state.step + 1) / 100) * min(1.0, max(0.05, left))
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.options.rate * factor

    def _batches(self) -> Iterator[tuple[Stage, dict[str, Array]]]:
        runs, context = self._left(), multiprocessing.get_context("spawn")
        if not runs:
            return
        queue: multiprocessing.Queue[dict[str, Array]] = context.Queue(maxsize=8)
        worker = context.Process(target=produce, args=(self.options.work, runs, self.config, queue), daemon=True)
        worker.start()
        for run in runs:
            if run.stage.averages and self.before is None:
                self.before = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            for _ in range(run.n_steps):
                yield run.stage, _taken(queue, worker)
        worker.terminate()

    def _left(self) -> list["StageRun"]:
        """What is left of each stage, from where training stands."""
        runs, end, step, seen = [], 0, self.state.step, self.state.tokens
        for number, (stage, tokens) in enumerate(self.stages[: self.options.stages]):
            end += tokens
            n_steps = max(0, end - seen) // (stage.length * stage.n_texts)
            if n_steps:
                runs.append(StageRun(stage, n_steps, hash((self.options.seed, number, step)) & 0x7FFFFFFF))
                step, seen = step + n_steps, seen + n_steps * stage.length * stage.n_texts
        return runs

    def _report(self, stage: Stage, losses: tuple[float, ...]) -> None:
        row = {
            "step": self.state.step, "tokens": self.state.tokens, "length": stage.length,
            "seconds": round(self.state.seconds), "rate": self.optimisers[0].param_groups[0]["lr"],
        }  # fmt: skip
        names = ("answer", "text", "retention", "accuracy", "exact")
        row |= {name: round(value, 4) for name, value in zip(names, losses, strict=True)}
        line = json.dumps(row)
        print(line, flush=True)
        with (self.options.work / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    def _save(self) -> None:
        """Write the checkpoint beside the old one, then replace it, so that a kill leaves one of the two."""
        temporary = self.checkpoint.with_suffix(".tmp")
        content = {
            "config": self.config.to_dict(), "model": self.model.state_dict(), "state": vars(self.state),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers], "before": self.before,
        }  # fmt: skip
        torch.save(content, temporary)
        os.replace(temporary, self.checkpoint)

    def _resume(self) -> None:
        content = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if content["config"] != self.config.to_dict():
            raise SystemExit(
                f"error: {self.checkpoint} holds a model of another shape ({content['config']}): train it on with the"
                " size it was begun with, or take another folder"
            )
        self.model.load_state_dict(content["model"])
        for optimiser, saved in zip(self.optimisers, content["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.state = State(**content["state"])
        self.before = content.get("before")

    def _begin(self, folder: Path) -> None:
        """Take the weights of an exported reader, whose optimisers are not known any more."""
        weights = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
        self.model.load_state_dict(weights)
        self.state.tokens = sum(tokens for _, tokens in self.stages[: self.options.behind])


def _taken(queue: "multiprocessing.Queue[dict[str, Array]]", worker: "SpawnProcess") -> dict[str, Array]:
    """The next batch; a worker that failed has said why and would be waited for in vain."""
    while True:
        try:
            return queue.get(timeout=5)
        except Empty:
            if not worker.is_alive():
                raise SystemExit("the process that makes the batches has ended") from None


def produce(
    work: Path, runs: Sequence[StageRun], config: ReaderConfig, queue: "multiprocessing.Queue[dict[str, Array]]"
) -> None:
    """Fill the queue with batches; runs in a process of its own and ends with its parent, however that ends."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None, "this is no process of its own"
    material = corpus.load(work)
    for batch in _drawn(material, runs, config):
        while True:
            if not parent.is_alive():  # nobody takes what is still to come
                queue.cancel_join_thread()
                return
            with suppress(Full):
                queue.put(batch, timeout=5)
                break
    while parent.is_alive():  # which ends this process when it has taken the last batch
        time.sleep(1)
    queue.cancel_join_thread()


def _drawn(material: corpus.Corpus, runs: Sequence[StageRun], config: ReaderConfig) -> Iterator[dict[str, Array]]:
    for run in runs:
        maker = ExampleMaker(material, run.seed, config.n_layers, config.n_kv_heads)
        for _ in range(run.n_steps):
            yield maker.batch(run.stage)


if __name__ == "__main__":
    main()
