"""What reading costs: time and memory of the pot beside a cache that keeps everything (Tables 5, 6; Figure 7).

Each measurement runs in a process of its own, since a process never gives its peak back. Shapes are random weights:
cost does not depend on what a model knows. This module starts the processes and is light; `python -m
infinipot_cli.bench.cost_run` is what they run.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from infinipot_cli.bench.cost_record import CostRow
from infinipot_cli.errors import InfinipotError, PotError
from infinipot_cli.policies import distills

METHODS = ("infinipot", "full", "snapkv", "streaming_llm")  # those of the paper's Figure 7
# Llama shapes: a usual small model, and one whose vocabulary is as large as those of Llama 3.
SMALL = {"vocab_size": 32_000, "hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12,
         "num_attention_heads": 12, "num_key_value_heads": 4}  # fmt: skip
N_CATALYST = 16  # a question of usual length with its chat header
# Half of it is kept, and question and answer must find room beside that.
SMALLEST_POT = 4 * N_CATALYST
WIDE_VOCABULARY = {**SMALL, "vocab_size": 128_256, "num_hidden_layers": 2}


@dataclass(frozen=True)
class CostRun:
    """One thing to measure.

    Attributes:
        method: `full` for transformers' own growing cache, else the name of a policy.
        n_tokens: document tokens.
        capacity: |M|.
        shape: fields of a LlamaConfig.
        novelty_ratio: α; 0 runs no head while reading.
        dtype: number format by torch's name.
        n_answer: tokens of the answer.
        model: weights to load instead of random ones of the shape, as `-m` takes them.
        n_repeats: times to take the measurement, in one process and after a forward pass to warm up.
    """

    method: str
    n_tokens: int
    capacity: int
    shape: dict[str, int]
    novelty_ratio: float = 0.5
    dtype: str = "float32"
    n_answer: int = 16
    model: str = ""
    n_repeats: int = 1


def measure(run: CostRun) -> list[CostRow]:
    """Take one measurement, as often as it asks for, in a fresh process.

    Raises:
        InfinipotError: the process failed; what it said has been shown.
        PotError: a pot that should have distilled did not, so the cost is not the method's.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "infinipot_cli.bench.cost_run", json.dumps(asdict(run))]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        raise InfinipotError(f"the measured process failed with exit code {done.returncode}")
    rows = [CostRow(**fields) for fields in json.loads(done.stdout.splitlines()[-1])]
    if run.n_tokens > run.capacity and distills(run.method, ()) and not all(row.n_distilled for row in rows):
        raise PotError(
            f"{run.n_tokens} tokens went into a pot of {run.capacity} and nothing was distilled",
            hint="this is a mistake in infinipot: the cost would not be the pot's",
            code="nothing_distilled",
        )
    return rows


def compare(
    lengths: Sequence[int], methods: Sequence[str], like: CostRun, done: Sequence[CostRow] = ()
) -> Iterator[CostRow]:
    """Every method at every length, side by side.

    Args:
        lengths: document tokens.
        methods: names.
        like: everything else.
        done: repetitions that an earlier start took, which are not taken again.
    """
    for n_tokens in lengths:
        for method in methods:
            n_done = sum((row.method, row.n_tokens) == (method, n_tokens) for row in done)
            if n_done < like.n_repeats:
                wanted = replace(like, method=method, n_tokens=n_tokens, n_repeats=like.n_repeats - n_done)
                yield from (replace(row, repetition=row.repetition + n_done) for row in measure(wanted))


def novelty_memory(capacity: int, dtype: str) -> tuple[int, int]:
    """What reading adds to the peak with a vocabulary of 128 k, without and with novelty; bytes.

    The head then gives 128,256 logits a token; it runs on a few rows at a time.
    """
    ((without,), (with_novelty,)) = (
        measure(CostRun("infinipot", capacity + 1024, capacity, WIDE_VOCABULARY, novelty_ratio=ratio, dtype=dtype))
        for ratio in (0.0, 0.5)
    )
    return without.grown_bytes, with_novelty.grown_bytes
