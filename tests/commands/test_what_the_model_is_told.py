"""The tokens that reach a model: those of its own chat format around what the user wanted said, and no others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor
from transformers import PreTrainedModel
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.engine import ingest
from tests.conftest import CHAT_TEMPLATE, save_tiny_model

TEXT = "The night was dark.\nThe pass key is 71432."
WITH_SYSTEM = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}<<{{ message['content'] }}>>{% endif %}"
    "{% if message['role'] == 'user' %}<|user|>{{ message['content'] }}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
LENGTHS = {
    "short": (64, "Summarize the text in one sentence."),
    "medium": (128, "Summarize the text."),
    "long": (320, "Summarize the text in detail, with its most important names, numbers and events in their order."),
}


@pytest.fixture(scope="module", params=["user alone", "system too"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose format has only a user's turn, and one with a place for a system prompt."""
    folder = tmp_path_factory.mktemp("told") / "tiny"
    has_system = request.param == "system too"
    save_tiny_model(folder, context_length=1024, chat_template=WITH_SYSTEM if has_system else CHAT_TEMPLATE)
    return folder


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("key.txt").write_text(TEXT)
    return "key.txt"


@pytest.fixture
def told(model: Path, document: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[int], Result]]:
    """Run a command; returns every token id that went into the model, and what came of it."""
    seen: list[int] = []
    check_model = ingest._check_model

    def watched(model: PreTrainedModel, *rest: Any) -> None:
        """What goes into the model is counted from here on, behind the proof that it can use a pot."""
        check_model(model, *rest)
        model.get_input_embeddings().register_forward_pre_hook(keep)

    def keep(_: object, inputs: tuple[Tensor, ...]) -> None:
        seen.extend(inputs[0].flatten().tolist())

    monkeypatch.setattr(ingest, "_check_model", watched)

    def run(*words: str) -> tuple[list[int], Result]:
        seen.clear()
        result = CliRunner().invoke(app, [words[0], document, *words[1:], "-m", str(model), "--no-cache", "--json"])
        assert result.exit_code == 0, result.output
        return list(seen), result

    return run


def rendered(model: Path, content: str, system: str = "") -> list[int]:
    """The conversation as transformers' own tokenizer writes it; a format without a system prompt has it in front."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    messages = [{"role": "user", "content": content}]
    if system and "system" in tokenizer.chat_template:
        messages.insert(0, {"role": "system", "content": system})
    elif system:
        messages[0]["content"] = f"{system}\n\n{content}"
    ids: list[int] = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    return ids


def test_a_template_and_a_system_prompt_are_what_the_model_reads(
    model: Path, told: Callable[..., tuple[list[int], Result]]
) -> None:
    Path("minutes.md").write_text("These are minutes:\n{document}\n\nList what was {what}, in German.\n")
    system = "Write {what} as Mr. Flint would."
    words = ["-t", "minutes.md", "-p", "what=decided {document}", "--system", system, "-n", "1"]
    ids, _ = told("summarize", *words)
    content = f"These are minutes:\n{TEXT}\n\nList what was decided {{document}}, in German."
    assert ids == rendered(model, content, system), "places are put in once, and in the template alone"
    ids, _ = told("ask", "Who?", "--system", system, "-n", "1")
    assert ids == rendered(model, f"{TEXT}\n\nQuestion: Who?", system)


@pytest.mark.parametrize(
    ("model", "length"), [("user alone", "short"), ("system too", "medium"), ("user alone", "long")], indirect=["model"]
)
def test_the_length_of_a_summary_is_asked_for_and_is_its_limit(
    length: str, model: Path, told: Callable[..., tuple[list[int], Result]]
) -> None:
    most, request = LENGTHS[length]
    system = "Be exact." if length == "medium" else ""
    ids, result = told("summarize", "--length", length, *(["--system", system] if system else []))
    expected = rendered(model, f"{TEXT}\n\n{request}", system)
    assert ids[: len(expected)] == expected
    record = json.loads(result.stdout)
    assert record["timing"]["answer_tokens"] == most and record["is_cut"], "these weights never end by themselves"
    assert len(ids) == len(expected) + most - 1, "the last token of an answer is not read any more"
    _, shorter = told("summarize", "--length", length, "-n", "5")
    assert json.loads(shorter.stdout)["timing"]["answer_tokens"] == 5
