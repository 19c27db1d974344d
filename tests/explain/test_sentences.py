"""Where sentences end: at what no wrapped line goes on with, and nowhere else."""

import itertools

import pytest

from infinipot_cli.explain.sentences import ends


def parts(text: str) -> list[str]:
    places = [0, *ends(text), len(text)]
    found = [text[start:end].strip() for start, end in itertools.pairwise(places)]
    return [part for part in found if part]


@pytest.mark.parametrize(
    "lines",
    [
        ["Feature Name: async_await", "Start Date: 2017-08-02", "Status: Final"],
        ["Invoice no.: 4711-22", "Total amount due: 1,250.00 EUR", "Besteller: Ölmühle GmbH"],
        ["  Name: a", "  Place of birth: b"],
        ["MAX_RETRIES = 7", "timeout=30", "log.level = warn"],
        ["HAMLET: To be,", "OPHELIA: My lord?"],
    ],
)
def test_labels_and_settings_stand_alone(lines: list[str]) -> None:
    assert parts("\n".join(lines)) == [line.strip() for line in lines]
    assert parts("It begins so:\n" + "\n".join(lines))[1:] == [line.strip() for line in lines]


def test_labels_in_small_letters_stand_alone_where_another_follows() -> None:
    assert parts("name: alpha\nport: 8080\nowner: Ann") == ["name: alpha", "port: 8080\nowner: Ann"]


@pytest.mark.parametrize(
    "text",
    [
        "He had asked for the\nfollowing: bread, wine and a\nbed for the night.",
        "what he called the\nOld Man of the Sea and All His Ships: a tale\nfor children.",
        "an equation such as x\nplus y = 3 is\nlinear.",
    ],
)
def test_wrapped_sentences_go_on(text: str) -> None:
    assert parts(text) == [text]
