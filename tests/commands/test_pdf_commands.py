"""PDFs on the command line: counted as pypdf counts them, and pages that cannot be read told or refused."""

import io
import json
from pathlib import Path
from typing import Any

import pypdf
import pytest
from typer.testing import CliRunner, Result

from infinipot_cli.app import app
from tests.documents.small_pdf import SCAN, damaged, pdf

pytestmark = pytest.mark.usefixtures("library")

SMALL = ["-s", "400"]
PAGES = [f"This is what stands on leaf {number}. " + "The sea was calm. " * number for number in range(1, 8)]


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFINIPOT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model), *SMALL]


@pytest.fixture
def book() -> pypdf.PdfReader:
    """A book of seven leaves, i to iii and 1 to 4, as pypdf sees it."""
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(pdf(*PAGES))))
    writer.set_page_label(0, 2, style="/r")
    writer.set_page_label(3, 6, style="/D")
    writer.write("book.pdf")
    writer.close()
    return pypdf.PdfReader("book.pdf")


def test_info_counts_pages_and_tokens_as_pypdf_does(book: pypdf.PdfReader, model: list[str]) -> None:
    texts = [page.extract_text().strip() for page in book.pages]
    assert book.page_labels == ["i", "ii", "iii", "1", "2", "3", "4"]
    for words, chosen in (([], texts), (["--pages", "ii-4"], texts[1:4]), (["--pages", "iii"], texts[2:3])):
        n_tokens = len("\n\n".join(chosen).encode())  # the tiny model's tokens are bytes
        row = {"path": "book.pdf", "type": "pdf", "pages": len(book.pages), "tokens": n_tokens}
        record: dict[str, Any] = json.loads(run("info", "book.pdf", *model, *words, "--json").stdout)
        (counted,) = record["input"]
        assert counted == {**row, "bytes": Path("book.pdf").stat().st_size}
        assert record["tokens"] == n_tokens
        shown = run("info", "book.pdf", *model, *words)
        assert shown.stdout.rstrip("\n").split("\t") == [str(counted[key]) for key in counted]
        assert shown.stderr.startswith(f"{n_tokens} tokens → pot of 400 places")


def test_the_passes_that_info_tells_are_those_that_reading_takes(book: pypdf.PdfReader, model: list[str]) -> None:
    told = json.loads(run("info", "book.pdf", *model, "--json").stdout)
    question = "What is the most important thing that is said here?"  # whose length info supposes
    read = json.loads(run("ask", "book.pdf", question, *model, "-n", "4", "--json", "--set", "reread=0").stdout)
    assert read["input"][0]["pages"] == told["input"][0]["pages"] == len(book.pages)
    assert read["retention"]["read"] == told["tokens"]
    assert read["pot"]["distillations"] == told["pot"]["distillations"] > 0


def test_a_page_that_cannot_be_read_is_named_and_under_strict_an_error(model: list[str]) -> None:
    Path("report.pdf").write_bytes(pdf(PAGES[0], damaged(), PAGES[2], SCAN))
    words = ["ask", "report.pdf", "What stands there?", *model, "-n", "8"]
    plain, strict = run(*words), run(*words, "--strict")
    assert (plain.exit_code, strict.exit_code) == (0, 3)
    assert plain.stdout == strict.stdout and plain.stdout.strip(), "what could be read is answered all the same"
    for warning in (
        "warning: report.pdf: page 2 could not be read and was left out",
        "warning: report.pdf: page 4 has no text layer (scanned?)",
    ):
        assert warning in plain.stderr.splitlines() and warning in strict.stderr.splitlines()
    assert "--strict allows none" in " ".join(strict.stderr.split()) and "--strict" not in plain.stderr
    told = run(*words, "--strict", "--json")
    first, second = (one["message"] for one in json.loads(told.stdout)["warnings"])
    assert told.exit_code == 3 and "page 2 could not be read" in first and "page 4 has no text" in second
    only_good = run(*words, "--strict", "--pages", "1,3")
    assert (only_good.exit_code, "warning: report.pdf" in only_good.stderr) == (0, False), only_good.stderr


def test_what_makes_a_strict_run_fail_is_said_though_it_is_quiet(model: list[str]) -> None:
    Path("report.pdf").write_bytes(pdf(PAGES[0], damaged(), PAGES[2]))
    read = [*model, "-n", "8"]
    for words in (["info", "report.pdf", *model], ["explain", "report.pdf", "What stands there?", *read]):
        quiet, strict = run(*words, "-q"), run(*words, "-q", "--strict")
        assert (quiet.exit_code, quiet.stderr, strict.exit_code) == (0, "", 3)
        assert "warning: report.pdf: page 2 could not be read" in strict.stderr
        (told,) = json.loads(run(*words, "--json").stdout)["warnings"]
        assert "page 2 could not be read" in told["message"] and told["code"] == "document"
    dry = run("ask", "report.pdf", "What stands there?", *read, "-q", "--strict", "--dry-run")
    assert (dry.exit_code, "page 2 could not be read" in dry.stderr) == (3, True)


SAMPLES = Path(__file__).parents[1] / "data" / "pdf"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the source distribution does not hold them")
@pytest.mark.parametrize(
    ("name", "password", "code", "message"),
    [
        ("imagemagick-CCITTFaxDecode.pdf", None, 3, "has no text layer (1 page, 0 characters)"),
        ("libreoffice-writer-password.pdf", None, 3, "is encrypted and needs a password"),
        ("libreoffice-writer-password.pdf", "passwords", 3, "the password in the file does not open"),
        ("libreoffice-writer-password.pdf", "openpassword", 0, ""),
        ("libreoffice-writer-password.pdf", "permissionpassword", 0, ""),
        ("libreoffice-form.pdf", None, 0, ""),
    ],
)
def test_files_of_other_programs_are_read_or_refused_in_a_line(
    name: str, password: str | None, code: int, message: str, model: list[str]
) -> None:
    words = [] if password is None else ["--password-file", "password"]
    Path("password").write_text(password or "")
    result = run("ask", str(SAMPLES / name), "Who?", *words, *model, "--dry-run")
    assert result.exit_code == code
    if code:
        (error, hint) = result.stderr.splitlines()
        assert error.startswith("error: ") and message in error
        assert hint.startswith("hint: ")
    else:
        assert "error" not in result.stderr


def test_pages_without_text_are_counted_before_and_after_a_pot_is_stored(model: list[str], tmp_path: Path) -> None:
    path = tmp_path / "blank.pdf"
    path.write_bytes(pdf("The key is under the mat.", "", "Nobody knows it."))
    for more, shown in (([], "2 of 3 pages"), (["--pages", "3"], "1 of 3 pages")):
        fresh = run("ask", str(path), "Where?", "--save-pot", "n1", *model, "-n", "4", "--json", *more)
        stored = run("ask", "@n1", "Where?", "-n", "4", "--json")
        assert [json.loads(done.stdout)["input"][0]["pages"] for done in (fresh, stored)] == [3, 3]
        assert json.loads(run("info", "@n1", *model, "--json").stdout)["input"][0]["pages"] == 3
        assert shown in run("pots", "show", "n1").stdout
        assert json.loads(run("pots", "show", "n1", "--json").stdout)["pot"]["sources"][0]["n_pages"] == 3
    path.write_bytes(pdf("One.", "Two."))
    assert run("read", str(path), "--save-pot", "n2", *model).exit_code == 0
    assert ", 2 pages\n" in run("pots", "show", "n2").stdout


def test_a_page_without_text_is_not_said_to_be_missing(model: list[str], tmp_path: Path) -> None:
    path = tmp_path / "blank.pdf"
    path.write_bytes(pdf("The key is under the mat.", "", "Nobody knows it.", "The end."))
    assert run("read", str(path), "--save-pot", "n1", *model).exit_code == 0
    for words, page, told in (
        ([str(path), *model], "2", f"page 2 of {path} has no text that could be read"),
        ([str(path), *model, "--pages", "1-3"], "4", f"page 4 of {path} was not read"),
        ([str(path), *model], "5", "there is no page or line 5"),
        (["@n1"], "2", f"page 2 of {path} has no text, or was not read"),
        (["@n1"], "5", "there is no page or line 5"),
    ):
        done = run("explain", words[0], "Where?", *words[1:], "-n", "4", "--page", page)
        assert (done.exit_code, done.stdout) == (2, "")
        assert told.replace(" ", "") in "".join(done.stderr.split())
