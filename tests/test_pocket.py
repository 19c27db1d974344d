"""The embedded model, from the words typed to the answer: the first thing a newcomer tries."""

from pathlib import Path

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
