"""What gzip, bzip2, xz and zstd write with their own options, as programs on the search path: the text that went in."""

import shutil
import subprocess
from pathlib import Path

import pytest

from infinipot_cli.documents import open_document

TEXT = "".join(
    f"2026-11-{number % 30 + 1:02} worker {number * 7919 % 1000} – done, naïve 日本\n" for number in range(9000)
)


@pytest.mark.parametrize(
    "command",
    [
        "gzip -1 -N",
        "gzip -9 -n",
        "bzip2 -1",
        "bzip2 -9",
        "xz -0 --check=none",
        "xz -9e --check=sha256",
        "xz -T2 --block-size=65536",
        "zstd -1 --no-check",
        "zstd -19 --long=27",
        "zstd -T2 --rsyncable",
    ],
)
def test_a_text_comes_out_as_it_went_in(command: str, tmp_path: Path) -> None:
    program, *options = command.split()
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here")
    path = tmp_path / "app.log"
    path.write_text(TEXT, encoding="utf-8")
    (tmp_path / "named.log").write_text(TEXT, encoding="utf-8")
    packed = subprocess.run([program, *options, "-c", str(tmp_path / "named.log")], capture_output=True, check=True)
    path.write_bytes(packed.stdout + packed.stdout)  # as files that were joined with cat
    with open_document(str(path)) as document:
        assert document.kind == "text"
        assert "".join(piece.text for piece in document.pieces()) == TEXT + TEXT
        assert document.warnings == []
