"""The evaluation sets: what is chosen, how long it is, and that none of it is in training."""

import json
import lzma
import random
import re
from pathlib import Path

import pytest

import infinipot_cli.recipe as training
from infinipot_cli.bench.plants import all_facts, all_fresh_facts, fresh_facts, is_right
from infinipot_cli.bench.pocket_sets import Amounts, Haystack, Sets, is_held_out, short
from infinipot_cli.errors import DocumentError, UsageError
from infinipot_cli.recipe.apart import KeptApart
from infinipot_cli.recipe.corpus import _evaluated, _summaries, _without_evaluated, _without_held_out
from infinipot_cli.tokens import DocumentTokenizer, from_tokenizer_json

CHOICE = Amounts(n=3, lengths=(300, 500), depths=(0.1, 0.9), seed=0)


@pytest.fixture
def tokenizer(tiny_model: Path) -> DocumentTokenizer:
    return from_tokenizer_json(tiny_model / "tokenizer.json")


def test_every_fresh_fact_is_answered_by_its_statement_and_is_new() -> None:
    facts = all_fresh_facts()
    assert len(facts) >= 60
    assert len({fact.question for fact in facts}) == len(facts)
    assert not {fact.question for fact in facts} & {fact.question for fact in all_facts()}
    for fact in facts:
        assert is_right(fact.statement, fact.answer), fact
        assert not is_right(fact.question, fact.answer), fact
        assert fact.question.endswith("?")


def test_no_fresh_fact_is_worded_as_in_training() -> None:
    files = (Path(training.__file__).parent / "relations").glob("*.txt")
    lines = [
        line for path in files for line in path.read_text(encoding="utf-8").splitlines() if line[:2] in ("S ", "Q ")
    ]
    wordings = {wording for line in lines for wording in line[2:].split(": ", 1)[-1].split(" | ")}
    known = [
        re.compile(re.sub(r"\\\{\w+\\\}", r"[\\w’'-]+(?: [\\w’'-]+){0,2}", re.escape(wording))) for wording in wordings
    ]
    assert any(pattern.fullmatch("Where did Anna Barlow travel to?") for pattern in known)
    same = [
        (pattern.pattern, text)
        for fact in all_fresh_facts()
        for text in (fact.statement, fact.question)
        for pattern in known
        if pattern.fullmatch(text)
    ]
    assert same == []


def test_fresh_facts_come_again_only_when_all_were_used() -> None:
    chosen = fresh_facts(len(all_fresh_facts()), random.Random(0))
    assert set(chosen) == set(all_fresh_facts())


def test_a_stretch_has_the_tokens_asked_for_and_its_end_meets_the_start(tokenizer: DocumentTokenizer) -> None:
    haystack = Haystack(["abcdefgh", "ijkl"], tokenizer)  # a token a byte
    assert haystack.stretch(3, 0.0) == "abc"
    assert haystack.stretch(6, 0.75) == "\n\nabcd"[-6:] or haystack.stretch(6, 0.75) in haystack.text * 2
    for n_tokens in (1, 5, 16, 17, 40):
        for start in (0.0, 0.3, 0.99):
            text = haystack.stretch(n_tokens, start)
            assert len(tokenizer.encode(text)) == n_tokens
            assert text in haystack.text * 4


def test_lengths_are_named_as_people_write_them() -> None:
    assert [short(n) for n in (4096, 32768, 1024**2, 1000)] == ["4k", "32k", "1m", "1000"]


def test_planted_lines_stand_where_they_should_in_texts_of_the_length(data: Path, tokenizer: DocumentTokenizer) -> None:
    for name in ("passkey", "facts"):
        items = Sets(data, tokenizer, CHOICE).items(name)
        assert len(items) == 3 * 2 * 2
        for item in items:
            text = item.text()
            length, depth = int(item.group.split()[0]), float(item.group.split()[-1])
            assert abs(len(tokenizer.encode(text)) - length) <= 4
            assert is_right(text, item.wanted[0])
            if name == "passkey":
                n_statement = len("The pass key is 12345. Remember it. 12345 is the pass key. ")
                at = text.index("The pass key is")
                assert 0 <= at - int(depth * (len(text) - n_statement)) <= 40


def test_the_same_seed_chooses_the_same_items(data: Path, tokenizer: DocumentTokenizer) -> None:
    first, second = (Sets(data, tokenizer, CHOICE) for _ in "12")
    for name in first.check([]):
        assert [(item.question, item.text()) for item in first.items(name)] == [
            (item.question, item.text()) for item in second.items(name)
        ]


def test_paragraphs_and_articles_are_asked_the_same_questions(data: Path, tokenizer: DocumentTokenizer) -> None:
    sets = Sets(data, tokenizer, CHOICE)
    paragraphs, articles = sets.items("squad"), sets.items("squad-articles")
    assert [item.question for item in paragraphs] == [item.question for item in articles]
    for paragraph, article in zip(paragraphs, articles, strict=True):
        assert paragraph.text() in article.text() != paragraph.text()
        assert paragraph.wanted[0] in paragraph.text()


def test_absent_questions_are_about_another_article(data: Path, tokenizer: DocumentTokenizer) -> None:
    items = Sets(data, tokenizer, CHOICE).items("absent")
    assert len(items) == 3
    for item in items:
        assert item.wanted == ("not in the text",)
        assert ("tides" in item.question) != ("Tides" in item.text())


def test_what_is_not_there_is_said(data: Path, tokenizer: DocumentTokenizer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'squat' is no set"):
        Sets(data, tokenizer, CHOICE).check(["squat"])
    with pytest.raises(DocumentError, match="is no folder"):
        Sets(tmp_path / "nowhere", tokenizer, CHOICE).check([])
    with pytest.raises(DocumentError, match="holds none"):
        Sets(tmp_path, tokenizer, CHOICE).check([])
    (data / "evaluation" / "sum_scitldr_dev.jsonl").unlink()
    with pytest.raises(DocumentError, match="sum_scitldr_dev"):
        Sets(data, tokenizer, CHOICE).check(["scitldr"])
    assert "scitldr" not in Sets(data, tokenizer, CHOICE).check([])
    (data / "evaluation" / "longqa_squad_dev.jsonl").write_text("{")
    with pytest.raises(DocumentError, match="damaged"):
        Sets(data, tokenizer, CHOICE).items("squad")


ROW = {"title": "T", "document": "Tides follow the moon.", "summaries": ["Tides."], "id": "x"}
ASKED = {"question": "What?", "answers": ["the moon"], "para_start": 0, "para_end": 22}


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("squad", ["x"], "row 2 is no object"),
        ("squad", ROW, "row 2 has no qas"),
        ("absent", ROW | {"qas": {}}, "row 2 has {} for qas"),
        ("squad", ROW | {"qas": [ASKED, {"question": "What?"}]}, "row 2, question 2 has no answers"),
        ("squad", ROW | {"qas": [ASKED | {"para_end": "22"}]}, "row 2, question 1 has '22' for para_end"),
        ("fairytale", ROW | {"qas": [{"question": "What?", "answers": [7]}]}, "row 2, question 1 has [7] for answers"),
        ("scitldr", ROW | {"summaries": "Tides."}, "row 2 has 'Tides.' for summaries"),
        ("peps", {name: value for name, value in ROW.items() if name != "id"}, "row 2 has no id"),
    ],
)
def test_rows_of_another_shape_are_named(
    data: Path, tokenizer: DocumentTokenizer, name: str, row: object, said: str
) -> None:
    sets = Sets(data, tokenizer, CHOICE)
    (path,) = sets.files([name])
    path.write_text(path.read_text().splitlines(keepends=True)[0] + json.dumps(row) + "\n")
    with pytest.raises(DocumentError, match=re.escape(f"{path} is damaged: {said}")):
        sets.items(name)


def test_blank_lines_and_articles_without_questions_do_not_count(data: Path, tokenizer: DocumentTokenizer) -> None:
    path = data / "evaluation" / "longqa_squad_dev.jsonl"
    before = Sets(data, tokenizer, CHOICE).items("absent")
    with path.open("a") as file:
        file.write("\n" + json.dumps(ROW | {"qas": []}) + "\n\n")
    after = Sets(data, tokenizer, CHOICE).items("absent")
    assert [item.question for item in after] == [item.question for item in before]
    path.write_text("".join(json.dumps(ROW | {"qas": qas}) + "\n" for qas in ([ASKED], [])))
    assert Sets(data, tokenizer, CHOICE).items("absent") == []


def test_a_novel_in_another_encoding_is_named(data: Path, tokenizer: DocumentTokenizer) -> None:
    (data / "documents" / "three.txt").write_bytes("Fräulein".encode("latin-1"))
    (data / "documents" / "folder.txt").mkdir()
    sets = Sets(data, tokenizer, CHOICE)
    assert [path.name for path in sets.files(["facts", "perplexity"])] == ["one.txt", "three.txt", "two.txt"]
    (item, *_) = sets.items("facts")
    with pytest.raises(DocumentError, match=r"three\.txt is not UTF-8"):
        item.text()


def test_held_out_proposals_are_a_tenth_and_leave_the_training_sets(tmp_path: Path) -> None:
    names = [f"pep-{number:04}.rst" for number in range(2000)]
    assert 150 < sum(map(is_held_out, names)) < 250
    held = next(name for name in names if is_held_out(name))
    used, again = [name for name in names if not is_held_out(name)][:2]
    rows = [
        {"id": name, "title": name, "document": f"The {name} says much. It says so in many words.", "summaries": [name]}
        for name in (held, used, again)
    ]
    words = "Rules are made for reading and every rule of these was made once before it was made here"
    rows[0]["document"] = f"The {held} says much. {words}."
    rows[2]["document"] = f"The {again} replaces it. {words} and again."  # another version of what is held out
    for part in ("summaries", "lm"):
        (tmp_path / part).mkdir()
    with lzma.open(tmp_path / "summaries" / "sum_pep.jsonl.xz", "wt") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    with lzma.open(tmp_path / "lm" / "peps.txt.xz", "wt") as out:
        out.write("\n".join(str(row["document"]) for row in rows))
    apart = KeptApart(_evaluated(tmp_path))
    text = _without_held_out(tmp_path, tmp_path / "lm" / "peps.txt.xz", apart)
    assert used in text and held not in text and again not in text

    class Words:
        def encode_batch(self, texts: list[str]) -> list[object]:
            return [type("Encoded", (), {"ids": [len(one)]}) for one in texts]

    assert [row["title"] for row in _summaries(tmp_path, Words(), apart)] in ([used], [])  # type: ignore[arg-type]


def test_texts_are_alike_by_runs_of_words_not_by_words() -> None:
    words = [f"w{number}" for number in range(400)]
    apart = KeptApart([" ".join(words)])
    assert apart.is_like(" ".join(words[100:200])) and apart.is_like(" ".join(words).upper())
    assert not apart.is_like(" ".join(reversed(words)))
    assert not apart.is_like(" ".join([*words[:13], *(f"v{number}" for number in range(400))])), "one run of many"
    assert not apart.is_like("") and not apart.is_like("w1 w2 w3")
    assert not KeptApart([]).is_like(" ".join(words))


def test_prose_leaves_out_paragraphs_of_evaluation_texts_and_of_the_novels(tmp_path: Path) -> None:
    asked, told, fine = (" ".join(f"{letter}{number}" for number in range(60)) for letter in "abc")
    for part in ("evaluation", "documents", "summaries"):
        (tmp_path / part).mkdir()
    with lzma.open(tmp_path / "evaluation" / "longqa_squad_dev.jsonl.xz", "wt") as out:
        out.write(json.dumps({"document": asked}) + "\n")
    (tmp_path / "documents" / "novel.txt").write_text(f"Once.\n\n{told}", encoding="utf-8")
    plain = " ".join(f"d{number}" for number in range(60))
    (tmp_path / "evaluation" / "sum_scitldr_dev.jsonl").write_text(json.dumps({"document": plain}) + "\n")
    text = "\n\n".join((fine, asked, told, plain, "short", fine))
    assert _without_evaluated(text, KeptApart(_evaluated(tmp_path))) == "\n\n".join((fine, "short", fine))
