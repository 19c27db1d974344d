import json
from datetime import datetime
from pathlib import Path

import pytest
from transformers import AutoTokenizer
from transformers.utils.chat_template_utils import render_jinja_template

from infinipot_cli.errors import ModelError
from infinipot_cli.model.chat import chat_frame, next_turn
from infinipot_cli.session import Session, ask
from infinipot_cli.settings import PotRequest
from tests.conftest import save_tiny_model

LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
CHATML = (
    "{%- for message in messages %}\n<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n<|im_start|>assistant\n"
    "{%- if enable_thinking is defined and enable_thinking is false %}\n<think>\n\n</think>\n\n{%- endif %}{%- endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}"
    "{% generation %}{{ ' [INST] ' + m['content'] + ' [/INST]' }}{% endgeneration %}{% endfor %}"
)
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}


@pytest.mark.parametrize("template", [LLAMA3, CHATML, GEMMA, MISTRAL], ids=["llama3", "chatml", "gemma", "mistral"])
def test_prefix_text_and_suffix_make_the_rendered_prompt(template: str) -> None:
    frame = chat_frame(template, SPECIAL)
    text = "A text.\n\nQuestion: who?"
    (whole,), _ = render_jinja_template(
        [[{"role": "user", "content": text}]],
        chat_template=template,
        add_generation_prompt=True,
        enable_thinking=False,
        **SPECIAL,
    )
    assert frame.prefix + text + frame.suffix == whole
    assert frame.suffix.strip()


PARTS = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>"
    "{% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
STRICT = PARTS.replace(
    "{% for part", "{% if message.content is string %}{{ raise_exception('parts') }}{% endif %}{% for part"
)


@pytest.mark.parametrize("template", [PARTS, STRICT], ids=["skips", "raises"])
def test_a_format_that_goes_through_the_parts_of_a_message_gets_them(template: str) -> None:
    frame = chat_frame(template, SPECIAL, system=True)
    assert (frame.prefix, frame.behind_system) == ("<s><|system|>", "<|end|><|user|>")
    assert frame.suffix == "<|end|><|assistant|>"
    assert chat_frame(template, SPECIAL).prefix == "<s><|user|>"
    turn = next_turn(template, SPECIAL)
    assert turn is not None
    assert (turn.prefix, turn.suffix) == ("<|end|><|user|>", "<|end|><|assistant|>")


def test_a_format_that_writes_the_date_is_told_it() -> None:
    template = "{{ strftime_now('%d %b %Y %H:%M') }}" + LLAMA3
    then = datetime(2026, 2, 3, 4, 5)
    assert chat_frame(template, SPECIAL, now=then).prefix.startswith("03 Feb 2026 04:05<s>")
    turn = next_turn(template + "{{ strftime_now('%Y') }}", SPECIAL, now=then)
    assert turn is not None and turn.suffix.endswith("2026")
    shown = [f"{datetime.now():%d %b %Y %H:%M}"]
    prefix = chat_frame(template, SPECIAL).prefix
    shown.append(f"{datetime.now():%d %b %Y %H:%M}")
    assert prefix.startswith(tuple(shown)), "the present, where none is given"


def test_a_template_that_fails_says_where_it_stands_in_one_line() -> None:
    with pytest.raises(ModelError, match=r"^the model's chat template fails: bad$") as caught:
        chat_frame("{{ raise_exception('bad\nworse') }}", SPECIAL)
    assert "chat_template.jinja" in caught.value.hint


def test_a_template_that_wants_a_system_message_says_how_to_give_one() -> None:
    template = (
        "{% if messages[0]['role'] != 'system' %}{{ raise_exception('a system message is required') }}{% endif %}"
    )
    with pytest.raises(ModelError, match="a system message is required") as caught:
        chat_frame(template + CHATML, SPECIAL)
    assert caught.value.hint == "it wants a system message: --system TEXT"
    assert chat_frame(template + CHATML, SPECIAL, system=True).behind_system is not None


def test_a_model_that_can_think_is_told_to_answer() -> None:
    assert chat_frame(CHATML, SPECIAL).suffix.endswith("</think>")


EFFORT = (
    "{%% if reasoning_effort is not defined %%}{%% set reasoning_effort = %r %%}{%% endif %%}"
    "{%% if reasoning_effort not in %r %%}{{ raise_exception('no such effort') }}{%% endif %%}"
    "[{{ reasoning_effort }}]{{ messages[0].content }}[/INST]"
)


@pytest.mark.parametrize(
    ("usual", "known", "brief", "thinking"),
    [
        ("medium", ["low", "medium", "high"], "[low]", "[medium]"),
        ("medium", ["none", "low", "medium", "high"], "[low]", "[medium]"),
        ("none", ["none", "high"], "[none]", "[high]"),
        ("no_think", ["no_think", "high"], "[no_think]", "[high]"),
        ("high", ["high", "max"], "[high]", "[high]"),
    ],
)
def test_a_format_is_told_how_much_to_reason_in_a_word_that_it_knows(
    usual: str, known: list[str], brief: str, thinking: str
) -> None:
    template = EFFORT % (usual, known)
    assert chat_frame(template, SPECIAL).prefix == brief
    assert chat_frame(template, SPECIAL, think=True).prefix == thinking


def test_a_switch_of_another_name_is_set_as_well() -> None:
    template = LLAMA3 + "{{ '<think>' if thinking else '</think>' }}"  # as DeepSeek-V3.1 and Granite call theirs
    assert chat_frame(template, SPECIAL).suffix.endswith("</think>")
    assert chat_frame(template, SPECIAL, think=True).suffix.endswith("<think>")


def test_a_model_without_chat_format_gets_what_its_tokenizer_begins_with() -> None:
    frame = chat_frame(None, SPECIAL, opening="<s>")
    assert (frame.prefix, frame.suffix) == ("<s>", "\n")
    assert chat_frame(None, SPECIAL).prefix == ""


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content }}{{ messages[0].content }}",
        "nothing of it",
        "{{ messages[0].content | upper | replace('7', '8') }}",
        "{{ raise_exception('no') }}",
        "{% if %}",
        "{{ messages[9].content.x.y }}",
        "{{ ''.__class__.__mro__ }}{{ messages[0].content }}{{ cycler.__init__.__globals__.os }}",
    ],
)
def test_templates_that_do_not_frame_the_text_are_refused(template: str) -> None:
    with pytest.raises(ModelError, match="chat template"):
        chat_frame(template, SPECIAL)


@pytest.mark.parametrize("template", [LLAMA3, CHATML], ids=["llama3", "chatml"])
def test_a_system_prompt_has_its_place(template: str) -> None:
    frame = chat_frame(template, SPECIAL, system=True)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A text."}]
    (whole,), _ = render_jinja_template(
        [messages], chat_template=template, add_generation_prompt=True, enable_thinking=False, **SPECIAL
    )
    assert f"{frame.prefix}Be brief.{frame.behind_system}A text.{frame.suffix}" == whole


@pytest.mark.parametrize("template", [GEMMA, None], ids=["gemma", "none"])
def test_a_format_without_a_place_for_it_stays_as_it_is(template: str | None) -> None:
    assert chat_frame(template, SPECIAL, system=True) == chat_frame(template, SPECIAL)


_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_FIRST = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}},
}


@pytest.mark.parametrize(
    ("post_processor", "changes", "n_first"),
    [
        (_FIRST, {}, 1),
        (_FIRST, {"bos_token": None}, 1),
        ({"type": "Sequence", "processors": [_BYTES, _FIRST]}, {}, 1),
        (_BYTES, {}, 0),  # GPT-NeoX and StarCoder2 have a first token that stands in front of nothing
        (_BYTES, {"add_bos_token": False}, 0),
        (None, {"add_bos_token": False}, 0),
    ],
    ids=["first", "without a name", "in a row", "bytes", "bytes, off", "off"],
)
def test_a_model_without_chat_format_begins_as_its_tokenizer_has_it(
    post_processor: object, changes: dict[str, object], n_first: int, tmp_path: Path
) -> None:
    save_tiny_model(tmp_path, context_length=512, chat_template=None)
    for name, changed in (("tokenizer.json", {"post_processor": post_processor}), ("tokenizer_config.json", changes)):
        content = json.loads((tmp_path / name).read_text())
        (tmp_path / name).write_text(json.dumps({**content, **changed}))
    prefix = Session(str(tmp_path), PotRequest(400)).plan(ask("Who?")).prompt.prefix_ids
    theirs = AutoTokenizer.from_pretrained(tmp_path)("Text").input_ids
    assert prefix == tuple(theirs[:n_first]) and len(theirs) == n_first + len("Text")
