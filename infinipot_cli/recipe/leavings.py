"""Record what a real pot still holds after many distillations, as texts to train on.

    python -m infinipot_cli.recipe.leavings --model FOLDER --work WORK --n 500

A pot that has read for long holds, in every head, the tokens that drew most of the question's attention and were not
what was asked for: the hardest distractors there are for this model. Each reading below hides a fact early or not at
all, runs the engine over a stretch of prose with the fact's own question as catalyst, and writes what some heads kept.
Training then puts the fact behind such leavings, or asks from the fragments of it that they hold. Lines are appended
to `leavings.jsonl` in the work folder until it holds `--n` readings, so the run can be killed and started again.
"""

import argparse
import json
import random
import time
from dataclasses import asdict
from pathlib import Path

import torch

from infinipot_cli.bench.citations import PagedBook
from infinipot_cli.policies import DEFAULT, parse_settings
from infinipot_cli.recipe import corpus
from infinipot_cli.recipe.corpus import Corpus, Leavings
from infinipot_cli.recipe.material import Material, Segment
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import DEFAULT_MODEL, PotRequest, usual_choices

CAPACITY, BUDGET = 1024, 512
SHORTEST, LONGEST = 2_000, 9_000
HEADS_A_READING = 4
FIRST_LAYER = 2  # as for the retention loss: the first layers cannot yet know what supports an answer


class Recorder:
    """Reads with a model, as `ask` does, and keeps what its heads hold."""

    def __init__(self, model: Path, texts: Corpus, seed: int) -> None:
        usual = usual_choices(DEFAULT_MODEL, knows_question=True)
        request = PotRequest(CAPACITY, BUDGET, choice=parse_settings(DEFAULT, usual)[0])
        self.session = Session(str(model), request)
        self.tokenizer = texts.tokenizer
        self.material = Material(texts, seed)
        self.rng = random.Random(seed)

    def reading(self) -> list[Leavings]:
        """One reading, with or without the fact, seen by some of the heads; none if tokens came out otherwise."""
        segment = self._fact()
        question, answer = self.rng.choice(segment.questions)
        prose = self.material.prose(self.rng.randrange(SHORTEST, LONGEST))
        at, early = self.rng.choice(self.material.edges(prose[: len(prose) // 2])), self.rng.random() < 0.5
        document = prose[:at] + segment.ids + prose[at:] if early else prose
        text = self.tokenizer.decode(document, skip_special_tokens=False)
        if self.material.encode(text) != document:
            return []
        kept = self._survivors(text, self.tokenizer.decode(question).strip())
        first = min(FIRST_LAYER, kept.shape[0] - 1)
        places = [(layer, head) for layer in range(first, kept.shape[0]) for head in range(kept.shape[1])]
        places *= -(-HEADS_A_READING // len(places))  # a model of very few heads gives some of them twice
        found = []
        for layer, head in self.rng.sample(places, HEADS_A_READING):
            origins = [place for place in kept[layer, head].tolist() if place >= 0]
            support = [n for n, place in enumerate(origins) if early and at <= place < at + len(segment.ids)]
            found.append(Leavings([document[p] for p in origins], support, segment.ids, question, answer))
        return found

    def _survivors(self, text: str, question: str) -> torch.Tensor:
        """Document places that the last distillation left, (layers, KV heads, entries), the header's below zero."""
        with self.session.reading_of([PagedBook((text,))], ask(question)) as reading:
            for _ in reading.read():
                pass
            n_fresh = reading.pot.n_seen - reading.passes.of_reading[-1].n_seen
            origins = reading.pot.origins[:, :, : reading.pot.n_held - n_fresh]
            return origins - len(reading.plan.prompt.prefix_ids)

    def _fact(self) -> Segment:
        is_real = self.rng.random() >= 0.6 and self.material.titles
        return self.material.real_sentence() if is_real else self.material.invented()


def recorded(work: Path) -> int:
    """Readings that the work folder holds; a line that a kill has cut off is taken away."""
    path = work / "leavings.jsonl"
    if not path.exists():
        return 0
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        with path.open("r+b") as out:
            out.truncate(content.rfind(b"\n") + 1)
    return content.count(b"\n") // HEADS_A_READING


def main() -> None:
    """Append leavings until there are those of `--n` readings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="needed unless --is-done")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--n", type=int, default=500, help="readings")
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0x7FFFFFFF)
    parser.add_argument(
        "--is-done", action="store_true", help="record nothing; exit with 0 if there are enough, else 1"
    )
    options = parser.parse_args()
    n_before = recorded(options.work)
    if options.is_done or n_before >= options.n:
        raise SystemExit(0 if n_before >= options.n else 1)
    recorder = Recorder(options.model, corpus.load(options.work), options.seed)
    with (options.work / "leavings.jsonl").open("a", encoding="utf-8") as out:
        for number in range(n_before, options.n):
            while not (found := recorder.reading()):
                pass
            out.writelines(json.dumps(asdict(leavings)) + "\n" for leavings in found)
            out.flush()
            if number % 20 == 19:
                print(f"{number + 1} readings", flush=True)


if __name__ == "__main__":
    main()
