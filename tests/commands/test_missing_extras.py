"""Packages that are extras and not installed: one line that says what needs them, and the command that brings them."""

import importlib.metadata
import json
import sys
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
import torch
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from infinipot_cli.errors import DeviceError
from infinipot_cli.model.device import choose_attention
from infinipot_cli.settings import Attention
from tests.documents.small_books import epub
from tests.documents.small_pdf import encrypted, pdf

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Let importing a package, or anything in it, fail as if it were not installed."""
    for name in packages:
        for loaded in [one for one in sys.modules if one.startswith(f"{name}.")]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setitem(sys.modules, name, None)


def a_word_document(path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("Some words.")
    made.save(str(path))


MAKERS: dict[str, Callable[[Path], object]] = {
    "book.epub": lambda path: path.write_bytes(epub([("One", "<p>Some words.</p>")])),
    "letter.docx": a_word_document,
    "app.log.zst": lambda path: path.write_bytes(zstd.compress(b"Some words.\n")),
}


@pytest.mark.parametrize(
    ("name", "package", "what"),
    [
        ("book.epub", "defusedxml", "XML"),
        ("letter.docx", "defusedxml", "XML"),
        ("app.log.zst", "compression" if sys.version_info >= (3, 14) else "backports", "zstd data"),
    ],
)
def test_a_format_without_its_reader_is_3_and_names_the_extra(
    name: str, package: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    MAKERS[name](tmp_path / name)
    assert run("info", name).exit_code == 0, "it can be read where the package is"
    hide(monkeypatch, package)
    for words in (["info", name], ["ask", name, "Who?"]):
        done = run(*words)
        assert (done.exit_code, done.stdout) == (3, "")
        assert done.stderr.splitlines() == [
            f"error: {name} holds {what}, and the reader for it is not installed",
            "hint:  pip install 'infinipot[docs]'",
        ]
    assert json.loads(run("info", name, "--json").stdout)["error"]["code"] == "missing_extra"


def test_a_pdf_that_is_encrypted_with_aes_names_the_package_that_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pypdf itself is asked, in modules of its own that were imported while there was no cryptography."""
    monkeypatch.chdir(tmp_path)
    Path("locked.pdf").write_bytes(encrypted("open to all", user=""))
    Path("plain.pdf").write_bytes(pdf("open to all"))
    hide(monkeypatch, "cryptography", "Crypto", "infinipot_cli.documents.pdf_pdfium")
    for loaded in [one for one in sys.modules if one == "pypdf" or one.startswith("pypdf.")]:
        monkeypatch.delitem(sys.modules, loaded)
    for module in ("pdf_pypdf", "pdf"):
        monkeypatch.delitem(sys.modules, f"infinipot_cli.documents.{module}", raising=False)
    done = run("ask", "locked.pdf", "Who?")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        "error: locked.pdf is encrypted with AES, which needs the package cryptography",
        "hint:  pip install 'pypdf[crypto]'",
    ]
    assert run("info", "plain.pdf").exit_code == 0, "others are read"


@pytest.mark.parametrize(
    ("words", "packages", "extra"),
    [
        (["-m", "model.gguf"], ["gguf"], "gguf"),
        (["-m", "model.gguf"], ["accelerate"], "gguf"),
        (["--quantize", "int8"], ["optimum"], "int8"),
        (["--quantize", "bnb-4bit"], ["bitsandbytes"], "bnb"),
        (["--quantize", "bnb-8bit"], ["accelerate"], "bnb"),
    ],
)
def test_a_model_that_needs_an_extra_is_2_and_names_it(
    words: list[str], packages: list[str], extra: str, story: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(story.parent)
    Path("model.gguf").write_bytes(b"GGUF" + bytes(60))
    hide(monkeypatch, *packages)
    model = [] if "-m" in words else ["-m", str(tiny_model)]
    done = run("ask", str(story), "Who?", "-s", "400", "-n", "4", "-q", *model, *words)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ") and "need" in error
    assert hint == f"hint:  pip install 'infinipot[{extra}]'"


def test_a_short_name_for_a_model_that_needs_an_extra_is_given_and_the_extra_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    Path("model.gguf").write_bytes(b"GGUF" + bytes(60))
    hide(monkeypatch, "gguf")
    for words in (["alias", "q", "model.gguf"], ["default", "model.gguf"]):
        done = run("models", *words)
        assert done.exit_code == 0 and "pip install 'infinipot[gguf]'" in " ".join(done.stderr.split()), done.output
    assert run("models", "default").stdout == f"{tmp_path}/model.gguf\n"
    assert "q" in run("models", "list", "-q").stdout.split()


def test_flash_attention_without_its_package_is_5_and_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said of a GPU, which need not be here for it."""
    hide(monkeypatch, "flash_attn")
    with pytest.raises(DeviceError) as refused:
        choose_attention(Attention.FLASH, torch.device("cuda"), torch.bfloat16)
    assert (refused.value.exit_code, refused.value.code) == (5, "no_flash_attention")
    assert "flash-attn is not installed (pip install 'infinipot[cuda]')" in refused.value.message
    assert choose_attention(Attention.AUTO, torch.device("cuda"), torch.bfloat16) == "sdpa", "nobody asked for it"


def test_without_pdfium_a_pdf_is_read_all_the_same_and_doctor_names_what_is_missing(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain.pdf").write_bytes(pdf("First page.", "Second page."))
    words = ["info", "plain.pdf", "-m", str(tiny_model)]
    with_it = run(*words)
    hide(monkeypatch, "pypdfium2", "infinipot_cli.documents.pdf_pdfium", "defusedxml")
    without = run(*words)
    assert without.exit_code == 0 and without.output == with_it.output
    version = importlib.metadata.version

    def missing(name: str) -> str:
        if name in ("pypdfium2", "defusedxml"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    rows = {row["name"]: row for row in json.loads(run("doctor", "--json").stdout)["rows"]}
    for name, extra in (("pypdfium2", "pdfium"), ("defusedxml", "docs")):
        assert f"pip install 'infinipot[{extra}]'" in rows[name]["detail"]
