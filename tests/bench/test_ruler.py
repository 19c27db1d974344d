"""RULER's tasks: what is asked for follows from the text alone, prompts and scores are the official ones."""

import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.ruler import questions, tasks, words
from infinipot_cli.bench.ruler.needles import Needles
from infinipot_cli.bench.ruler.record import RulerTrial, scores
from infinipot_cli.bench.ruler.sample import Sample, largest
from infinipot_cli.bench.ruler.tasks import MAX_TOKENS, TASKS, Maker, Source, score
from infinipot_cli.display.ruler_table import ruler_sections
from infinipot_cli.errors import DocumentError, UsageError
from infinipot_cli.tokens import DocumentTokenizer, from_tokenizer_json

ESSAY = "It was a dark night. Nobody slept! Who had lit the lamp? The sea was calm, and the boat lay still.".split()
LENGTH = 16000  # of single bytes


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    squad = {
        "data": [
            {
                "title": title,
                "paragraphs": [
                    {
                        "context": f"{title} has {number} gates, and the {number}th is of {stone}.",
                        "qas": [
                            {"question": f"How many gates has {title}?", "answers": [{"text": str(number)}]},
                            {"question": "Who knows?", "answers": [], "is_impossible": True},
                        ],
                    }
                    for number, stone in ((7, "oak"), (9, "iron"))
                ],
            }
            for title in ("Troy", "Ur")
        ]
    }
    hotpot = [
        {
            "question": f"Which river of {name} is longer?",
            "answer": f"the {name} Alph",
            "context": [[f"{name} {number}", [f"The {name} Alph is long.", " Very."]] for number in range(3)],
        }
        for name in ("upper", "lower", "far")
    ]
    (tmp_path / "squad.json").write_text(json.dumps(squad))
    (tmp_path / "hotpotqa.json").write_text(json.dumps(hotpot))
    return tmp_path


@pytest.fixture
def tokenizer(tiny_model: Path) -> DocumentTokenizer:
    return from_tokenizer_json(tiny_model / "tokenizer.json")


def solved(task: str, sample: Sample) -> list[str]:
    """What somebody who reads the text answers, worked out without the generator."""
    if task.startswith("niah"):
        keys = re.search(r"for (.*?) mentioned", sample.question)
        assert keys
        pairs = re.findall(r"special magic \w+ for (\S+) is: (\S+)\.", sample.text)
        return [value for key in re.split(r", and |, ", keys[1]) for name, value in pairs if name == key]
    if task == "vt":
        _, _, text = sample.text.rpartition("Memorize and track")
        number = re.search(r"assigned the value (\d+)", sample.question)
        assert number
        known = set(re.findall(rf"VAR (\w+) = {number[1]}", text))
        for _ in range(9):
            known |= {name for name, other in re.findall(r"VAR (\w+) = VAR (\w+)", text) if other in known}
        return sorted(known)
    if task == "cwe":
        _, _, text = sample.text.rpartition("Memorize the ones")
        return [word for word, _ in Counter(re.findall(r"\d+\. ([\w-]+)", text)).most_common(10)]
    words = sample.text.partition("coded words. ")[2].split()
    return [word for word, _ in Counter(words).most_common(4) if word != "..."][:3]


@pytest.mark.parametrize("task", TASKS)
def test_the_wanted_answer_follows_from_the_text_which_has_the_length_asked_for(
    task: str, tokenizer: DocumentTokenizer, sets: Path
) -> None:
    maker = Maker(Source(ESSAY, sets, 3), tokenizer, n_frame=20)
    samples = [maker.make(task, LENGTH, number) for number in range(2)]
    assert samples[0] != samples[1]
    assert Maker(Source(ESSAY, sets, 3), tokenizer, n_frame=20).make(task, LENGTH, 0) == samples[0]
    for sample in samples:
        room = LENGTH - MAX_TOKENS[task] - 20
        assert 0.85 * room < sample.n_tokens(tokenizer) <= room
        if task not in tasks.OF_DATA:
            assert sorted(solved(task, sample)) == sorted(sample.wanted)
        else:
            assert any(answer.lower() in sample.text.lower() for answer in sample.wanted)
            assert re.findall(r"^Document (\d+):$", sample.text, re.M) == [
                str(number + 1) for number in range(sample.text.count("\nDocument "))
            ]
    with pytest.raises(UsageError, match="too few"):
        maker.make(task, 200, 0)


@pytest.mark.parametrize("task", ["niah_single_2", "niah_multikey_3", "vt", "cwe", "fwe", "qa_1", "qa_2"])
def test_a_sample_does_not_depend_on_which_was_made_before(task: str, tokenizer: DocumentTokenizer, sets: Path) -> None:
    made = [Maker(Source(ESSAY, sets, 3), tokenizer, n_frame=20) for _ in range(4)]
    expected = [made[0].make(task, LENGTH, number) for number in range(4)]
    for number in (1, 2, 3):
        assert made[number].make(task, LENGTH, number) == expected[number]


def test_a_key_that_is_asked_for_stands_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "lists", lambda: (("red", "blue"), ("oak", "elm", "ash")))
    for seed in range(30):
        hidden = Needles("needle").make(40, ESSAY, random.Random(seed))
        assert solved("niah", hidden) == list(hidden.wanted)
        several = Needles("essay", n_keys=4, n_queries=4).make(300, ESSAY, random.Random(seed))
        assert sorted(solved("niah", several)) == sorted(several.wanted) and len(several.wanted) == 4


OFFICIAL = {
    "niah_single_1": (
        "A special magic number is hidden within the following text. Make sure to memorize it. I will quiz you about "
        "the number afterwards.\n",
        "\nWhat is the special magic number for KEY mentioned in the provided text?",
        " The special magic number for KEY mentioned in the provided text is",
    ),
    "niah_multivalue": (
        "Some special magic numbers are hidden within the following text. Make sure to memorize it. I will quiz you "
        "about the numbers afterwards.\n",
        "\nWhat are all the special magic numbers for KEY mentioned in the provided text?",
        " The special magic numbers for KEY mentioned in the provided text are",
    ),
    "cwe": (
        "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that "
        "appear most often.\n",
        "\nQuestion: What are the 10 most common words in the above list?",
        " Answer: The top 10 words that appear most often in the list are:",
    ),
    "qa_1": (
        "Answer the question based on the given documents. Only give me the answer and do not output any other words."
        "\n\nThe following are given documents.\n\nDocument 1:\n",
        "\n\nAnswer the question based on the given documents. Only give me the answer and do not output any other "
        "words.\n\nQuestion: How many gates has KEY?",
        " Answer:",
    ),
}


@pytest.mark.parametrize("task", OFFICIAL)
def test_prompts_are_the_official_ones(task: str, tokenizer: DocumentTokenizer, sets: Path) -> None:
    sample = Maker(Source(ESSAY, sets, 0), tokenizer, n_frame=0).make(task, LENGTH, 0)
    start, question, prefix = OFFICIAL[task]
    key = next(iter(re.findall(r"for (\S+) mentioned|gates has (\w+)\?", sample.question)), ("",))
    name = "".join(key)
    assert sample.text.startswith(start)
    assert sample.question.replace(name or "KEY", "KEY") == question
    assert sample.answer_prefix.replace(name or "KEY", "KEY") == prefix


@pytest.mark.parametrize(
    ("task", "given", "wanted", "points"),
    [
        ("niah_multivalue", "1, 2 and 4", ["1", "2", "3", "4"], 0.75),
        ("vt", "abcde\x00 fghij", ["ABCDE", "FGHIJ"], 1.0),
        ("cwe", "1. Apple", ["apple", "pear"], 0.5),
        ("qa_1", "in the year 1066", ["1066", "the year of Hastings"], 1.0),
        ("qa_2", "no", ["yes"], 0.0),
    ],
)
def test_scores_are_string_matches_of_all_or_of_any(task: str, given: str, wanted: list[str], points: float) -> None:
    assert score(task, given, wanted) == points


def test_the_largest_size_that_fits_is_found(tokenizer: DocumentTokenizer) -> None:
    for room in (5, 6, 99, 100, 1000):
        found = largest(lambda size: Sample("ab" * size, "", "", ()), room, tokenizer, (2, 3))
        assert found == room // 2
    assert largest(lambda size: Sample("ab" * size, "", "", ()), 3, tokenizer, (2, 3)) is None


def test_a_size_is_found_where_samples_stop_growing(tokenizer: DocumentTokenizer) -> None:
    found = largest(lambda size: Sample("ab" * min(size, 7), "", "", ()), 1000, tokenizer, (2, 3))
    assert found is not None and found >= 7
    assert largest(lambda size: Sample("ab" * min(size, 7), "", "", ()), 9, tokenizer, (2, 3)) == 4


@pytest.mark.parametrize("task", tasks.OF_DATA)
def test_a_set_of_too_few_documents_for_the_length_is_refused(
    task: str, tokenizer: DocumentTokenizer, sets: Path
) -> None:
    squad, hotpot = (json.loads((sets / name).read_text()) for name in ("squad.json", "hotpotqa.json"))
    (sets / "squad.json").write_text(json.dumps({"data": squad["data"][:1]}))
    (sets / "hotpotqa.json").write_text(json.dumps(hotpot[:1]))
    maker = Maker(Source(ESSAY, sets, 3), tokenizer, n_frame=20)
    with pytest.raises(DocumentError, match=f"the documents of {task} make a prompt of [0-9]+ tokens, and 15948 are"):
        maker.make(task, LENGTH, 0)


def test_questions_stand_among_documents_of_their_article_first(sets: Path) -> None:
    squad = questions.load(sets / "squad.json")
    assert len(squad.questions) == 4
    sample = squad.make(0, 2, random.Random(0))
    assert sample.text.count("Troy has") == 2
    assert squad.make(0, 4, random.Random(0)).text.count("Ur has") == 2


def test_missing_sets_are_said_and_a_named_one_is_refused(sets: Path, tmp_path: Path) -> None:
    assert tasks.choose([], sets) == list(TASKS)
    assert tasks.choose([], None) == [task for task in TASKS if task not in tasks.OF_DATA]
    with pytest.raises(DocumentError, match="qa_2 cannot be made"):
        tasks.choose(["qa_2"], None)
    (tmp_path / "dev-v1.1.json").write_text('{"data": []}')
    with pytest.raises(DocumentError, match="is no set of questions"):
        questions.load(tmp_path / "dev-v1.1.json")
    with pytest.raises(UsageError):
        tasks.choose(["niah"], None)


def test_the_command_answers_through_a_pot_that_distills_and_goes_on(
    story: Path, tmp_path: Path, tiny_model: Path
) -> None:
    words = ["bench", "ruler", "--book", str(story), "--tokens", "2500", "--n", "1", "--only", "niah_single_2,vt"]
    words += ["--arms", "infinipot,general", "-m", str(tiny_model), "-s", "512", "--record", str(tmp_path / "r.jsonl")]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 0, first.output
    assert "mean of 2 of 13 tasks" in first.stdout
    record = json.loads(CliRunner().invoke(app, [*words, "--json", "-q"]).stdout)
    assert {(one["task"], one["arm"]) for one in record["trials"]} == {
        (task, arm) for task in ("niah_single_2", "vt") for arm in ("infinipot", "general")
    }
    assert all(one["n_distilled"] and 2000 < one["n_tokens"] <= 2500 for one in record["trials"])
    assert len(record["scores"]) == 4
    assert all(one["n"] == 1 and one["interval"][1] - one["interval"][0] > 70 for one in record["scores"])


def samples(task: str, length: int, points: list[float]) -> list[RulerTrial]:
    return [
        RulerTrial(task, length, number, "infinipot", "", ["a"], "", score, 9, 2, 0.1, False)
        for number, score in enumerate(points)
    ]


def test_few_samples_that_are_all_right_are_not_told_as_certain_and_their_number_is_shown(
    recording_console: Callable[..., tuple[Console, io.StringIO]],
) -> None:
    trials = [*samples("vt", 2048, [1.0] * 3), *samples("vt", 4096, [0.2, 0.4]), *samples("cwe", 2048, [0.5] * 4)]
    by_place = {(one.task, one.length): one.interval for one in scores(trials)}
    assert by_place["vt", 2048] == (43.85, 100.0)
    assert by_place["vt", 4096] == (20.0, 40.0)
    assert by_place["cwe", 2048][0] < 20 and by_place["cwe", 2048][1] > 80
    console, out = recording_console()
    for _, table in ruler_sections(trials):
        console.print(table)
    lines = [line.split("│") for line in out.getvalue().splitlines() if "│" in line]
    rows = {cells[1].strip(): cells[2].strip() for cells in lines}
    assert rows == {"vt": "2–3", "cwe": "4", "mean of 2 of 13 tasks": ""}
