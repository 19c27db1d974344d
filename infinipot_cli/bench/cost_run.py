"""One measurement of `infinipot bench cost`, in the process that is measured: JSON in as the argument, JSON out."""

import gc
import json
import resource
import sys
import time
from dataclasses import asdict, replace
from typing import Any, cast

import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from infinipot_cli.bench.cost import N_CATALYST, CostRun
from infinipot_cli.bench.cost_record import CostRow
from infinipot_cli.engine import Distilled, Reader, generate
from infinipot_cli.engine.policies import make
from infinipot_cli.model.cache_name import handed
from infinipot_cli.model.port import body
from infinipot_cli.settings import Dtype, Loading

CHUNK = 512


def build(run: CostRun) -> PreTrainedModel:
    """The model asked for, or a random one of the shape, in evaluation mode, on a GPU if there is one."""
    if run.model:
        from infinipot_cli.session import Session

        loaded: PreTrainedModel = Session(run.model, loading=Loading(dtype=Dtype(run.dtype))).load().model
        return loaded
    torch.manual_seed(0)
    config = LlamaConfig(**cast(Any, run.shape), max_position_embeddings=max(run.capacity, run.n_tokens + 64))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: PreTrainedModel = LlamaForCausalLM(config).to(getattr(torch, run.dtype)).to(device)
    model.eval().requires_grad_(False)
    return model


def peak_bytes() -> int:
    """The most memory so far: of the CUDA allocator where it computes, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def now() -> float:
    """Seconds, once everything that was asked of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def through_a_pot(model: PreTrainedModel, run: CostRun, ids: list[int], base: int = 0) -> CostRow:
    """Read and answer with InfiniPot or another policy; `base` is the memory before."""
    catalyst = list(range(10, 10 + N_CATALYST))
    start, distilling, n_cycles = now(), 0.0, 0
    reader = Reader(
        model, catalyst_ids=catalyst, capacity=run.capacity, budget=run.capacity // 2,
        novelty_ratio=run.novelty_ratio, chunk=CHUNK, policy=make(run.method),
    )  # fmt: skip
    for event in reader.feed(ids):
        if isinstance(event, Distilled):
            distilling, n_cycles = distilling + event.seconds, n_cycles + 1
    read = now() - start
    start = now()
    steps = generate(model, reader.pot, catalyst, max_new_tokens=run.n_answer)
    next(steps)
    first = now() - start
    n_answer = 1 + sum(1 for _ in steps)
    answer = now() - start - first
    nbytes = reader.pot.nbytes
    return CostRow(
        run.method, run.n_tokens, read, distilling, first, answer, n_answer, peak_bytes(), base, nbytes, n_cycles
    )


@torch.no_grad()
def with_everything_kept(model: PreTrainedModel, run: CostRun, ids: list[int], base: int = 0) -> CostRow:
    """Read and answer with transformers' own growing cache, in chunks of the same size."""
    start = now()
    decoder, cache = body(model), DynamicCache(config=model.config)
    for at in range(0, len(ids), CHUNK):
        part = torch.tensor([ids[at : at + CHUNK]], device=model.device)
        decoder(input_ids=part, use_cache=True, **handed(decoder, cache))
    read = now() - start
    start = now()
    fed, first = torch.tensor([list(range(10, 10 + N_CATALYST))], device=model.device), 0.0
    for number in range(run.n_answer):
        logits = model(input_ids=fed, use_cache=True, logits_to_keep=1, **handed(model, cache)).logits
        fed = logits[:, -1:].argmax(-1)
        int(fed)  # wait for the device
        first = first if number else now() - start
    answer = now() - start - first
    held: list[torch.Tensor] = [t for layer in cast(Any, cache.layers) for t in (layer.keys, layer.values)]
    nbytes = sum(t.numel() * t.element_size() for t in held)
    return CostRow(run.method, run.n_tokens, read, 0.0, first, answer, run.n_answer, peak_bytes(), base, nbytes, 0)


@torch.no_grad()
def warm_up(model: PreTrainedModel) -> None:
    """One short forward pass, so that what is set up once is no part of the first measurement."""
    model(input_ids=torch.tensor([list(range(10, 10 + N_CATALYST))], device=model.device), logits_to_keep=1)


def memory_before(first: int) -> int:
    """Memory that a repetition starts from; of a process, whose peak never falls, that of the first."""
    gc.collect()
    if not torch.cuda.is_available():
        return first
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def main() -> None:
    """Measure what the argument asks for and print it."""
    run = CostRun(**json.loads(sys.argv[1]))
    model = build(run)
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    random = torch.randint(64, vocabulary, (run.n_tokens,), generator=torch.Generator().manual_seed(1))
    ids: list[int] = random.tolist()
    take = with_everything_kept if run.method == "full" else through_a_pot
    warm_up(model)
    first = peak_bytes()
    rows = [replace(take(model, run, ids, memory_before(first)), repetition=number) for number in range(run.n_repeats)]
    sys.stdout.write(json.dumps([asdict(row) for row in rows]) + "\n")


if __name__ == "__main__":
    main()
