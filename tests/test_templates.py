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


@pytest.mark.parametrize("name", ["ask", "catalyst-question"])
def test_the_prompts_of_ask_hold_the_question(name: str) -> None:
    assert "<?>" in load_template(name).ask("<?>")


@pytest.mark.parametrize("name", ["summarize", "catalyst-general"])
def test_the_prompts_of_summarize_hold_none(name: str) -> None:
    assert load_template(name).ask("<?>") == load_template(name).after


def test_an_unknown_prompt_is_refused() -> None:
    with pytest.raises(UsageError, match="no prompt named"):
        load_template("nonsense")
