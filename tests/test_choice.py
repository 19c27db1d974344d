import json

import pytest

from infinipot_cli.choice import NAMES, PAPER, Choice
from infinipot_cli.commands.schema import SCHEMA_FILE
from infinipot_cli.errors import UsageError
from infinipot_cli.policies import parse_settings


def parse_choice(words: list[str]) -> Choice:
    choice, own = parse_settings("infinipot", words)
    assert own == ()
    return choice


def test_nothing_asked_for_is_the_paper() -> None:
    assert parse_choice([]) == PAPER
    assert PAPER.changed == {}
    assert all(name in (Choice.__doc__ or "") for name in NAMES)
    assert (Choice.__doc__ or "").count("Differs:") == len(NAMES)


def test_answers_in_json_may_name_every_setting() -> None:
    answered, *_ = json.loads(SCHEMA_FILE.read_text())["properties"]["pot"]["anyOf"]
    schema = answered["properties"]["choice"]["properties"]
    kinds = {"int": "integer", "bool": "boolean", "float": "number"}
    assert schema == {name: {"type": kinds[type(getattr(PAPER, name)).__name__]} for name in NAMES}


def test_settings_are_read_by_their_type() -> None:
    choice = parse_choice(["pool=5", "decay=0.9", "fill", "group-max=on", "rank=off"])
    assert choice == Choice(pool=5, decay=0.9, fill=True, group_max=True)
    assert choice.changed == {"pool": 5, "decay": 0.9, "fill": True, "group_max": True}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("poll=5", "knows no setting 'poll'"), ("pool=4", "odd"), ("pool=x", "a whole number"),
        ("pool", "a whole number"), ("decay=2", "between 0 and 1"), ("decay=nan", "between 0 and 1"),
        ("fill=maybe", "on or off"), ("sinks=-1", "0 or more"),
        ("", "knows no setting"), ("pool=5000001", "odd number"),
    ],
)  # fmt: skip
def test_mistakes_are_answered(word: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        parse_choice([word])
    assert word != "poll=5" or "pool" in caught.value.hint
