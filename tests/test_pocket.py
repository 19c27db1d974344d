"""The embedded model, from the words typed to the answer: the first thing a newcomer tries."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infinipot_cli.app import app
from infinipot_cli.bench.plants import hide, is_right
from infinipot_cli.model import catalog
from infinipot_cli.settings import POCKET_POT_SIZE

BOOK = Path(__file__).parent / "data" / "treasure-island.txt"


def test_pocket_is_described_by_its_own_files() -> None:
    files = catalog.find("pocket")
    assert files.context_length is not None
    assert files.context_length >= POCKET_POT_SIZE
    assert files.stop_ids
    assert files.chat_template
    assert (files.folder / "model.safetensors").stat().st_size < 40_000_000


@pytest.mark.slow
def test_pocket_finds_a_pass_key_in_the_middle_of_a_book(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    text = BOOK.read_text(encoding="utf-8")[:60_000]  # a sixth of it, which distils two dozen times
    path.write_text(hide(text, "The pass key is 71432. Remember it. 71432 is the pass key.", 0.5), encoding="utf-8")
    result = CliRunner().invoke(app, ["ask", str(path), "What is the pass key?"])
    assert result.exit_code == 0
    assert is_right(result.stdout, "71432")
    assert "tokens into 1024 places" in result.stderr


def test_a_phrase_that_just_fits_is_not_called_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    path = tmp_path / "note.txt"
    path.write_text("It rained all night. The pass key is 71432. The wind fell.")

    def asked(*words: str) -> tuple[dict[str, Any], str]:
        result = CliRunner().invoke(app, ["ask", str(path), "What is the pass key?", *words, "--json"])
        return json.loads(result.stdout), result.stderr

    whole, _ = asked()
    n_tokens = whole["timing"]["answer_tokens"]
    fits, said = asked("-n", str(n_tokens))
    assert (fits["answer"], fits["is_cut"], "was cut" in said) == (whole["answer"], False, False)
    cut, said = asked("-n", str(n_tokens - 1))
    assert (cut["is_cut"], "was cut" in said) == (True, True)
