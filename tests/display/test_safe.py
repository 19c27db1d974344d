import json

from hypothesis import given
from hypothesis import strategies as st

from infinipot_cli.display.safe import safe, safe_json, safe_line

HARMFUL = "\x1b]0;title\x07 \x1b[2J \x9b31m \x00 \x7f \x08 \r \u202e \u2066 \U000e0041 \x85"


def acts_on_a_terminal(letter: str) -> bool:
    code = ord(letter)
    return (
        (code < 0x20 and letter not in "\n\t")
        or 0x7F <= code <= 0x9F
        or 0x202A <= code <= 0x202E
        or 0x2066 <= code <= 0x2069
        or 0xE0000 <= code <= 0xE007F
    )


@given(st.text() | st.just(HARMFUL))
def test_nothing_that_acts_on_a_terminal_gets_through(text: str) -> None:
    assert not any(map(acts_on_a_terminal, safe(text)))
    assert not any(map(acts_on_a_terminal, safe_json({"answer": text, text: [text]})))
    assert not set("\n\t") & set(safe_line(text))


@given(st.text(), st.text())
def test_text_may_be_cut_anywhere(left: str, right: str) -> None:
    assert safe(left) + safe(right) == safe(left + right)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn"])))
def test_ordinary_text_of_any_language_stays(text: str) -> None:
    assert safe(text) == safe_line(text) == text


@given(st.text())
def test_json_loses_nothing(text: str) -> None:
    assert json.loads(safe_json({"answer": text})) == {"answer": text}
