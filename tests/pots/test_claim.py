"""Of two processes that read into one stored pot the second is refused, before it has read anything."""

import os
from pathlib import Path

import pytest

from infinipot_cli.errors import PotError
from infinipot_cli.pots.claim import Claim
from infinipot_cli.pots.replacing import put


def test_a_pot_is_held_by_one_until_that_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "book.pot"
    put(path, b"one")
    first = Claim(path, "@book")
    with pytest.raises(PotError, match="@book is being read into by another process") as caught:
        Claim(path, "@book")
    assert "--save-pot" in caught.value.hint
    put(path, b"two")  # as the first does when it stores what it has read
    first.renew()
    with pytest.raises(PotError):
        Claim(path, "@book")
    first.close()
    Claim(path, "@book").close()


def test_nothing_is_held_where_there_is_nothing_and_no_file_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    claim = Claim(tmp_path / "none.pot", "@none")
    claim.close()
    path = tmp_path / "book.pot"
    put(path, b"one")
    claim = Claim(path, "@book")
    for content in (b"two", b"three"):
        put(path, content)
        claim.renew()
    with pytest.raises(PotError):
        Claim(path, "@book")
    claim.close()
    claim.close()
    assert len(os.listdir("/dev/fd")) == before
