"""What an answer attends to, against transformers' own attention and against the answer that nobody watched."""

import pytest
import torch
from transformers import PreTrainedModel

from infinipot_cli.engine import Attended, Pot, generate, read
from tests.engine.conftest import random_ids, tiny

CATALYST, SUFFIX = random_ids(5, 8), random_ids(7, 9)


def pot_of(model: PreTrainedModel, n: int) -> Pot:
    return read(model, random_ids(n, 3), catalyst_ids=CATALYST, prefix_ids=[2, 3], capacity=64, budget=30)


def tokens_at(origins: torch.Tensor) -> torch.Tensor:
    ids = torch.tensor([2, 3, *random_ids(400, 3)])
    return ids[origins.clamp(max=400)]


@pytest.mark.parametrize("name", ["llama", "mistral-window", "qwen3"])
def test_sums_are_those_of_the_models_own_attention(name: str) -> None:
    model = tiny(name)
    document, attended = random_ids(30, 3), Attended(tokens_at)
    answer = [step.token_id for step in generate(model, pot_of(model, 30), SUFFIX, max_new_tokens=8, attended=attended)]
    ids = [2, 3, *document, *SUFFIX, *answer[:-1]]
    model.set_attn_implementation("eager")
    with torch.no_grad():
        layers = model(torch.tensor([ids]), output_attentions=True).attentions
    n_asked = 2 + len(document) + len(SUFFIX)
    rows = torch.stack([layer[0, :, n_asked - 1 :, :n_asked] for layer in layers])  # (L, H, answer, N)
    torch.testing.assert_close(attended.total, rows.sum(2), rtol=1e-4, atol=1e-5)
    assert attended.n_rows == len(answer) == 8
    was = tokens_at(attended.origins)[:, :1].unsqueeze(2) == torch.tensor(answer)[:, None]
    torch.testing.assert_close(attended.copied, (rows * was).sum(2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_answer", [10, 90])
def test_watching_changes_no_token(llama: PreTrainedModel, n_answer: int) -> None:
    """The longer answer distills on its way."""
    plain = list(generate(llama, pot_of(llama, 200), SUFFIX, max_new_tokens=n_answer, record=True))
    attended = Attended(tokens_at)
    watched = list(generate(llama, pot_of(llama, 200), SUFFIX, max_new_tokens=n_answer, record=True, attended=attended))
    assert [step.token_id for step in plain] == [step.token_id for step in watched]
    assert all(torch.equal(one.logits, other.logits) for one, other in zip(plain, watched, strict=True))
    assert attended.n_rows == n_answer
    assert attended.total.shape[-1] == attended.origins.shape[-1] <= 64  # flat however long the answer is
    assert float(attended.total.sum(-1).max()) <= n_answer + 1e-3
    assert torch.all(attended.copied <= attended.total + 1e-6)
