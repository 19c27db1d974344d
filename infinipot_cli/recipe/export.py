"""Write a checkpoint as a transformers folder: what ships as `infinipot_cli/pocket/`.

python -m infinipot_cli.recipe.export --work WORK --target infinipot_cli/pocket
"""

import argparse
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from infinipot_cli.recipe.reader import ReaderConfig

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}<|user|>{{ message['content'] }}<|end|>"
    "{% elif message['role'] == 'assistant' %}<|assistant|> {{ message['content'] }}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def export(work: Path, target: Path) -> None:
    """Write weights (bf16), configuration, tokenizer and chat template of the checkpoint in `work`.

    The weights are the mean with those in front of the stage that averages, if it has begun. What stands in `target` is
    replaced when all is written, file by file, so that a kill leaves no half file.

    Raises:
        SystemExit: there is no checkpoint.
    """
    if not (work / "checkpoint.pt").exists():
        raise SystemExit(f"error: {work} holds no checkpoint yet")
    content = torch.load(work / "checkpoint.pt", map_location="cpu", weights_only=True)
    config = ReaderConfig(**content["config"])
    target.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.tmp")
    fresh.mkdir(exist_ok=True)
    before = content.get("before") or content["model"]
    means = {name: (value.float() + before[name].float()) / 2 for name, value in content["model"].items()}
    weights = {name: value.to(torch.bfloat16).contiguous() for name, value in means.items()}
    save_file(weights, fresh / "model.safetensors", metadata={"format": "pt"})
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "<|end|>", "pad_token": "</s>",
        "model_max_length": config.context, "clean_up_tokenization_spaces": False,
    }  # fmt: skip
    _write_json(fresh / "config.json", config.to_transformers())
    _write_json(fresh / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 5, "pad_token_id": 1})
    _write_json(fresh / "tokenizer_config.json", tokenizer_config)
    (fresh / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    shutil.copyfile(work / "tokenizer.json", fresh / "tokenizer.json")
    for path in sorted(fresh.iterdir()):
        os.replace(path, target / path.name)
    fresh.rmdir()
    state = content["state"]
    n_parameters = sum(value.numel() for value in weights.values())
    print(f"{target}: {n_parameters / 1e6:.2f} M parameters, step {state['step']},", end=" ")
    print(f"{state['tokens'] / 1e6:.1f} M text tokens, {state['seconds'] / 3600:.2f} h")


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    options = parser.parse_args()
    export(options.work, options.target)
