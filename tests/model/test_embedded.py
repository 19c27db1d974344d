import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from infinipot_cli.errors import ModelError
from infinipot_cli.model import embedded
from infinipot_cli.model.catalog import POCKET_FOLDER
from infinipot_cli.model.files import describe
from infinipot_cli.model.load import load
from infinipot_cli.settings import Dtype, Loading


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_embedded_model_is_what_transformers_loader_makes_of_its_files(dtype: torch.dtype) -> None:
    ours = embedded.build(POCKET_FOLDER, dtype, "sdpa")
    truth = LlamaForCausalLM.from_pretrained(POCKET_FOLDER, dtype=dtype, attn_implementation="sdpa")
    assert ours is not None
    assert ours.config.to_dict() == truth.config.to_dict()
    assert ours.config._attn_implementation == truth.config._attn_implementation == "sdpa"
    assert ours.generation_config.eos_token_id == truth.generation_config.eos_token_id
    for kind in ("named_parameters", "named_buffers"):
        made, wanted = dict(getattr(ours, kind)()), dict(getattr(truth, kind)())
        assert made.keys() == wanted.keys()
        for name, tensor in wanted.items():
            assert made[name].dtype == tensor.dtype, name
            assert torch.equal(made[name], tensor), name
    ids = torch.arange(64)[None] * 97 % truth.config.vocab_size
    with torch.no_grad():
        assert torch.equal(ours.eval()(ids).logits, truth.eval()(ids).logits)
    assert torch.get_default_dtype() is torch.float32


def test_building_it_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    assert embedded.build(POCKET_FOLDER, torch.float32, "sdpa") is not None
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_not_as_expected_is_left_to_transformers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_model: Path
) -> None:
    monkeypatch.setattr("infinipot_cli.model.embedded.load_file", lambda _: {})
    assert embedded.build(POCKET_FOLDER, torch.float32, "sdpa") is None
    assert load(describe("pocket", POCKET_FOLDER), Loading(dtype=Dtype.FLOAT32)).dtype == "fp32"
    monkeypatch.undo()
    damaged = tmp_path / "pocket"
    damaged.mkdir()
    for path in POCKET_FOLDER.iterdir():
        (damaged / path.name).write_bytes(
            path.read_bytes()[:5000] if path.suffix == ".safetensors" else path.read_bytes()
        )
    monkeypatch.setattr("infinipot_cli.model.embedded.POCKET_FOLDER", damaged)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(describe("pocket", damaged))


def test_it_is_brought_into_memory_without_what_only_other_models_need() -> None:
    program = (
        "import sys\nfrom infinipot_cli.startup.quick_imports import own_process\nown_process()\n"
        "from infinipot_cli.session import Session\nSession().load()\n"
        "print(*(name for name in ('sympy', 'torch._dynamo.symbolic_convert', 'torch._prims') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
