import pytest

from infinipot_cli.errors import UsageError
from infinipot_cli.templates import load_template, split_template


def test_a_prompt_is_split_at_the_document() -> None:
    template = split_template("Read this:\n{document}\n\nQuestion: {question}\n", "test")
    assert (template.before, template.after) == ("Read this:\n", "\n\nQuestion: {question}")


@pytest.mark.parametrize("question", ["{document}", "{question}", "{0}", "{{", "%s", "\\1", "{question!r}"])
def test_a_question_is_put_in_word_for_word(question: str) -> None:
    assert split_template("{document} <{question}>", "test").ask(question) == f" <{question}>"


@pytest.mark.parametrize("text", ["no marker", "{document} {document}"])
def test_the_document_has_exactly_one_place(text: str) -> None:
    with pytest.raises(UsageError, match="exactly once"):
        split_template(text, "test")


def test_a_question_in_front_of_the_document_is_refused() -> None:
    with pytest.raises(UsageError, match="stands in front of") as refused:
        split_template("Look for {question} in this:\n{document}\n", "test")
    assert refused.value.hint == "put it behind {document}"


@pytest.mark.parametrize("name", ["ask", "catalyst-question"])
def test_the_prompts_of_ask_hold_the_question(name: str) -> None:
    assert "<?>" in load_template(name).ask("<?>")


@pytest.mark.parametrize("name", ["summarize", "catalyst-general"])
def test_the_prompts_of_summarize_hold_none(name: str) -> None:
    assert load_template(name).ask("<?>") == load_template(name).after


def test_an_unknown_prompt_is_refused() -> None:
    with pytest.raises(UsageError, match="no prompt named"):
        load_template("nonsense")


def test_parameters_and_question_are_put_in_at_once() -> None:
    template = split_template("In {language}:\n{document}\n{question} ({language}, {style})", "test")
    filled = template.filled({"language": "{question}", "style": "{document}{x}"}, "test")
    assert filled.before == "In {question}:\n"
    assert filled.ask("{style}?") == "\n{style}? ({question}, {document}{x})"


@pytest.mark.parametrize(
    ("parameters", "message"), [({}, "wants a value for style"), ({"style": "x", "sytle": "y"}, "no place {sytle}")]
)
def test_every_place_gets_one_value(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        split_template('{document} {"not": "a place"} {style}', "test").filled(parameters, "test")
