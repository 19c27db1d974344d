"""The same pot whoever computes attention, and where: it is decided by the same scores, up to rounding.

What needs a GPU is marked so (`pytest -m gpu`); the same checks run on the processor with what it has.
"""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import is_flash_attn_2_available

from infinipot_cli.bench.families import rotation_error
from infinipot_cli.bench.tiny_models import FAMILIES, Family, build
from infinipot_cli.engine import generate, read
from infinipot_cli.engine.importance import select
from infinipot_cli.engine.policies.infinipot import InfiniPot
from infinipot_cli.engine.policies.policy import Evidence
from tests.engine.conftest import random_ids, tiny

CAPACITY, BUDGET, RATIO, N_PREFIX = 64, 32, 0.5, 3
# How far scores of these sharp random models are apart when they come from the same numbers: votes in sums of shares of
# attention, novelty in nats.
ROUNDING = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.4}
HAS_FLASH = is_flash_attn_2_available() and torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
FLASH = pytest.mark.skipif(not HAS_FLASH, reason="needs flash-attn, and a GPU that it runs on")


@dataclass(frozen=True)
class Watched(InfiniPot):
    """The paper's method, which notes what each distillation is decided by."""

    seen: list[Evidence] = field(default_factory=list, compare=False)

    def rank(self, evidence: Evidence) -> Tensor:
        """The votes, as ever."""
        self.seen.append(evidence)
        return super().rank(evidence)


def first_distillation(model: PreTrainedModel) -> tuple[Evidence, Tensor, list[int]]:
    """What the first distillation was decided by, the places that stayed, (L, K, C), and which layers that decides."""
    policy = Watched()
    pot = read(
        model, random_ids(CAPACITY, 2), catalyst_ids=random_ids(6, 3), prefix_ids=random_ids(N_PREFIX, 1),
        capacity=CAPACITY, budget=BUDGET, novelty_ratio=RATIO, record=True, policy=policy,
    )  # fmt: skip
    decided = [number for number, layer in enumerate(pot.pot_layers) if not layer.is_local]
    return policy.seen[0], pot.kept_history[0].cpu(), decided


def check_alike(one: PreTrainedModel, other: PreTrainedModel, dtype: torch.dtype) -> None:
    """Both decide by the same scores, keep what these say, and so nearly the same."""
    (ours, kept, decided), (theirs, others, _) = first_distillation(one), first_distillation(other)
    rounding = ROUNDING[dtype]
    torch.testing.assert_close(ours.votes[decided].cpu(), theirs.votes[decided].cpu(), rtol=rounding, atol=rounding / 4)
    torch.testing.assert_close(ours.novelty.cpu(), theirs.novelty.cpu(), rtol=0, atol=rounding)
    for evidence, stayed in ((ours, kept), (theirs, others)):
        chosen = select(evidence.votes, evidence.novelty, budget=BUDGET, novelty_ratio=RATIO, n_prefix=N_PREFIX)
        assert torch.equal(evidence.origins.gather(-1, chosen)[decided].cpu(), stayed[decided])
    pairs = list(zip(kept.flatten(0, 1).tolist(), others.flatten(0, 1).tolist(), strict=True))
    shared = sum(len({*a} & {*b}) for a, b in pairs) / kept.numel()
    # in fp32 a pair near a tie may still fall the other way where sums are added up in another order
    assert shared > (0.99 if dtype is torch.float32 else 0.9)


def answered(model: PreTrainedModel) -> tuple[list[int], Tensor]:
    """An answer behind several distillations, and the logits of its first token, (V,)."""
    pot = read(
        model, random_ids(200, 2), catalyst_ids=random_ids(6, 3), prefix_ids=random_ids(N_PREFIX, 1),
        capacity=CAPACITY, budget=BUDGET, novelty_ratio=RATIO,
    )  # fmt: skip
    assert pot.n_cycles > 3
    steps = list(generate(model, pot, random_ids(6, 4), max_new_tokens=8, record=True))
    assert steps[0].logits is not None
    return [step.token_id for step in steps], steps[0].logits.cpu()


def check_answers_alike(one: PreTrainedModel, other: PreTrainedModel) -> None:
    """The same tokens, or as good as the same logits where the two likeliest are near a tie."""
    (tokens, logits), (others, their_logits) = answered(one), answered(other)
    if tokens != others:
        assert float((logits - their_logits).norm() / logits.norm()) < 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["llama", "mistral-window", "qwen3"])
def test_eager_attention_decides_by_the_scores_of_sdpa(name: str, dtype: torch.dtype) -> None:
    models = [tiny(name).to(dtype) for _ in range(2)]
    models[1].set_attn_implementation("eager")
    check_alike(*models, dtype)


@pytest.mark.parametrize("name", ["llama", "qwen3"])
def test_rounding_changes_what_is_kept_only_at_the_cut(name: str) -> None:
    check_alike(tiny(name), tiny(name).bfloat16(), torch.bfloat16)


@pytest.mark.gpu
@FLASH
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["llama", "mistral-window", "qwen3"])
def test_flash_attention_decides_by_the_scores_of_sdpa(name: str, dtype: torch.dtype) -> None:
    models = [tiny(name).to("cuda", dtype) for _ in range(2)]
    models[1].set_attn_implementation("flash_attention_2")
    check_alike(*models, dtype)


@pytest.mark.gpu
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_gpu_keeps_and_answers_what_the_processor_does(family: Family) -> None:
    there = build(family).to("cuda")
    check_alike(build(family), there, torch.float32)
    check_answers_alike(build(family), there)


@pytest.mark.gpu
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_keys_on_a_gpu_do_not_drift(family: Family) -> None:
    assert rotation_error(build(family).to("cuda", torch.bfloat16), 250) < 0.02


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_a_model_on_two_gpus_answers_as_on_one(tmp_path: Path) -> None:
    build(FAMILIES[0]).save_pretrained(tmp_path)
    spread = AutoModelForCausalLM.from_pretrained(tmp_path, device_map="balanced", trust_remote_code=False)
    assert len({parameter.device for parameter in spread.parameters()}) > 1
    check_answers_alike(build(FAMILIES[0]).to("cuda"), spread)


@pytest.mark.slow
def test_a_model_on_two_pretended_gpus_keeps_and_answers_as_on_one() -> None:
    """Of every operation the tensors must be on one device, or it fails as it would on two GPUs."""
    pytest.importorskip("accelerate")
    if not hasattr(torch.utils.backend_registration, "_setup_privateuseone_for_python_backend"):
        pytest.skip("this torch cannot be taught a device in Python")
    names = ["Llama", "Gemma 3"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.pretended", *names], capture_output=True, text=True, check=False
    )
    assert done.stdout.split("\n") == [*names, ""], done.stderr[-2000:]
