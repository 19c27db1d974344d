"""Folders of evaluation sets of a few rows each: as the recipe's README lays them out, and LongBench's."""

import json
from pathlib import Path

import pytest

from infinipot_cli.bench.pocket_sets import is_held_out

LONG_TEXT = "The night was dark, and nobody had lit the lamp of the harbour. "


@pytest.fixture
def longbench(tmp_path: Path) -> Path:
    """A folder in the official layout: two rows a set, the second shorter than any pot here."""
    folder = tmp_path / "longbench"
    folder.mkdir()
    for name in ("hotpotqa", "samsum", "trec", "passage_retrieval_en", "lcc"):
        row = {
            "input": "Who lit {the} lamp?", "context": LONG_TEXT * 12, "answers": ["Paragraph 3"], "length": 99,
            "dataset": name, "language": "en", "all_classes": ["Paragraph 3", "no"], "_id": "x",
        }  # fmt: skip
        lines = [row, row | {"context": "Dark."}]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "\n")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for part in ("documents", "evaluation", "summaries"):
        (folder / part).mkdir(parents=True)
    sentences = "The night was dark. The sea was calm! Who had lit the lamp? Nobody could say. "
    (folder / "documents" / "one.txt").write_text(sentences * 12, encoding="utf-8")
    (folder / "documents" / "two.txt").write_text(sentences.upper() * 12, encoding="utf-8")
    paragraphs = ["Rome was built on seven hills.", "Paris lies on the Seine, and Bern on the Aare."]
    article = "\n".join(paragraphs)
    asked = [
        {"question": "On how many hills?", "answers": ["seven", "seven hills"], "para_start": 0, "para_end": 30},
        {"question": "Where lies Bern?", "answers": ["on the Aare"], "para_start": 31, "para_end": len(article)},
    ]
    tides = {"question": "What do tides follow?", "answers": ["the moon"], "para_start": 0, "para_end": 22}
    other = {"title": "Tides", "document": "Tides follow the moon.\nThey come twice a day.", "qas": [tides]}
    _write(
        folder / "evaluation" / "longqa_squad_dev.jsonl", [{"title": "Towns", "document": article, "qas": asked}, other]
    )
    tale = {
        "title": "a tale",
        "document": sentences,
        "qas": [{"question": "How was the sea?", "answers": ["calm"], "kind": "explicit"}],
    }
    _write(folder / "evaluation" / "longqa_fairytale_val.jsonl", [tale])
    paper = {"title": "a paper", "document": "We do this. It works well. We say so.", "summaries": ["It works."]}
    _write(folder / "evaluation" / "sum_scitldr_dev.jsonl", [paper])
    names = [name for name in (f"pep-{number:04}.rst" for number in range(99)) if is_held_out(name)]
    _write(folder / "summaries" / "sum_pep.jsonl", [{**paper, "id": name} for name in names[:2]])
    return folder


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
