"""Flags that choose documents, sampling, loading and places: each does what its help says, and to nothing else."""

import gzip
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infinipot_cli import __version__
from infinipot_cli.app import app
from tests.commands.tree import commands_in, program
from tests.documents.small_pdf import SCAN, encrypted, pdf

SMALL = ["-s", "400", "-n", "8"]


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin, prog_name="infinipot")


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["-m", str(tiny_model)]


@pytest.fixture
def counted(model: list[str]) -> Callable[..., list[tuple[str, int]]]:
    """What `info` counts, by the name of the document."""

    def count(*words: str, stdin: bytes | None = None) -> list[tuple[str, int]]:
        result = run("info", *words, *model, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return [(os.path.basename(row["path"]), row["tokens"]) for row in json.loads(result.stdout)["input"]]

    return count


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["a.txt", "b.md", "c.log"]),
        (["-e", "md,log"], ["b.md", "c.log"]),
        (["--ext", "md", "-e", "txt"], ["a.txt", "b.md"]),
        (["--ignore", "*.md"], ["a.txt", "c.log"]),
        (["--hidden"], [".hidden.txt", "a.txt", "b.md", "c.log"]),
        (["--no-ignore"], ["a.txt", "b.md", "c.log", "d.tmp"]),
    ],
)
def test_a_folder_gives_what_the_flags_choose(
    words: list[str], names: list[str], tmp_path: Path, counted: Callable[..., list[tuple[str, int]]]
) -> None:
    for name in ("a.txt", "b.md", "c.log", "d.tmp", ".hidden.txt"):
        (tmp_path / name).write_text("text")
    (tmp_path / ".gitignore").write_text("*.tmp\n")
    found = [name for name, _ in counted(str(tmp_path), *words)]
    assert [name for name in found if name != ".gitignore"] == names


@pytest.mark.parametrize(("pages", "n_letters"), [("1-2", 30), ("3-", 70), ("2", 20), ("1,4", 50)])
def test_pages_are_chosen(
    pages: str, n_letters: int, tmp_path: Path, counted: Callable[..., list[tuple[str, int]]]
) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf(*("x" * 10 * number for number in (1, 2, 3, 4))))
    ((_, n_tokens),) = counted(str(path), "--pages", pages)
    assert n_letters <= n_tokens < n_letters + 10
    ((_, n_lines),) = counted("-", "--lines", "2-3", stdin=b"a\nbb\nccc\ndddd\n")
    assert n_lines == len("bb\nccc\n")


@pytest.mark.parametrize(
    ("pages", "words", "message", "code"),
    [
        (4, ["--pages", "40-60"], "pages 40-60 requested, report.pdf has 4", "no_such_page"),
        (4, ["--pages", "x"], "has no page labelled 'x'", "no_such_page"),
        (0, [], "report.pdf has no text layer (1 page, 0 characters)", "no_text_layer"),
    ],
)
def test_what_is_wrong_with_a_pdf_is_said_in_words_and_json(
    pages: int, words: list[str], message: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("report.pdf").write_bytes(pdf(*["A page."] * pages) if pages else pdf(SCAN))
    result = run("ask", "report.pdf", "Who?", *words, "--json")
    assert message in result.stderr and result.exit_code in (2, 3)
    assert json.loads(result.stdout)["error"]["code"] == code


def test_a_password_encoding_and_type_that_were_named_are_used(
    tmp_path: Path, counted: Callable[..., list[tuple[str, int]]]
) -> None:
    (tmp_path / "locked.pdf").write_bytes(encrypted("x" * 50, user="open sesame"))
    (tmp_path / "password").write_text("open sesame\nsecond line\n")
    ((_, n_tokens),) = counted(str(tmp_path / "locked.pdf"), "--password-file", str(tmp_path / "password"))
    assert n_tokens >= 50
    ((_, n_greek),) = counted("-", "--encoding", "cp1253", stdin="αβγ".encode("cp1253"))
    assert n_greek == len("αβγ".encode())
    page = b"<p>one</p>"
    assert counted("-", "--type", "text", stdin=page)[0][1] == len(page)
    assert counted("-", "--type", "html", stdin=page)[0][1] < len(page)
    assert counted("-", stdin=gzip.compress(b"five!"))[0][1] == 5


def test_two_dashes_end_the_options(tmp_path: Path, model: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-n.txt").write_text("some text")
    result = run("ask", *SMALL, *model, "--json", "--", "-n.txt", "--who?")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert (record["input"][0]["path"], record["question"]) == ("-n.txt", "--who?")


def answered(story: Path, *words: str) -> dict[str, Any]:
    result = run("ask", str(story), "Who?", *SMALL, "--json", "-q", *words)
    assert result.exit_code == 0, result.output
    record: dict[str, Any] = json.loads(result.stdout)
    return record


def test_device_numbers_and_attention_are_those_that_were_named(story: Path, model: list[str]) -> None:
    plain = answered(story, *model)["answer"]
    for words, key, value in (
        (["--device", "cpu"], "device", "cpu"),
        (["--dtype", "bfloat16"], "dtype", "bf16"),
        (["--dtype", "bf16"], "dtype", "bf16"),
        (["--attn", "eager"], "attention", "eager"),
        (["--attn", "sdpa"], "attention", "sdpa"),
    ):
        record = answered(story, *model, *words)
        assert record["model"][key] == value
        assert record["answer"] == plain or key == "dtype"


def test_a_draw_narrowed_to_one_token_is_the_likeliest(story: Path, model: list[str]) -> None:
    greedy = answered(story, *model)["answer"]
    hot = [*model, "--temperature", "3"]
    drawn = {answered(story, *hot, "--seed", str(seed))["answer"] for seed in range(3)}
    assert len(drawn) == 3
    narrowed = answered(story, *hot, "--top-p", "0.000001", "--seed", "1")
    assert narrowed["answer"] == greedy and narrowed["sampling"]["top_p"] == 0.000001


def test_offline_says_which_flag_it_was_and_asks_nobody(story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infinipot_cli.commands.runs.consent._WAS_OFFLINE", "")
    result = run("ask", str(story), "Who?", "-m", "acme/none", "--offline", "--yes")
    assert (result.exit_code, "offline (--offline) and 'acme/none'" in result.stderr) == (4, True)
    monkeypatch.setattr("infinipot_cli.commands.runs.consent._WAS_OFFLINE", "1")
    named = run("ask", str(story), "Who?", "-m", "acme/none", "--yes")
    assert (named.exit_code, "offline (HF_HUB_OFFLINE=1) and 'acme/none'" in named.stderr) == (4, True)


@pytest.mark.parametrize("command", [["explain"], ["history", "list"], ["models", "list"], ["pots", "list"]])
def test_what_can_be_long_can_do_without_a_pager(command: list[str]) -> None:
    assert "--no-pager" in run(*command, "--help").stdout


@pytest.mark.parametrize(("when", "in_colour"), [("auto", False), ("never", False), ("always", True)])
def test_colour_of_what_is_said_is_the_users_choice(story: Path, model: list[str], when: str, in_colour: bool) -> None:
    result = run("ask", str(story), "Who?", *SMALL, *model, "--color", when)
    assert "\x1b" not in result.stdout
    assert ("\x1b" in result.stderr) == in_colour


@pytest.mark.skipif(sys.platform == "darwin", reason="there all of it is in one folder")
def test_without_a_home_of_its_own_everything_is_where_the_system_keeps_such_things(
    story: Path, model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INFINIPOT_HOME")
    for kind in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    places = {
        ("config", "path"): "config/infinipot/config.toml",
        ("history", "path"): "state/infinipot/history.db",
    }
    for words, place in places.items():
        assert run(*words).stdout.strip() == str(tmp_path / place)
    answered(story, *model)
    assert run("read", str(story), "--save-pot", "kept", *SMALL[:2], *model).exit_code == 0
    assert run("pots", "path", "kept").stdout.strip() == str(tmp_path / "data/infinipot/pots/kept.pot")
    assert list((tmp_path / "cache/infinipot/pots").iterdir())


def test_without_words_there_is_the_help_and_the_version_is_one_line() -> None:
    shown = run()
    assert (shown.exit_code, shown.stderr) == (2, "")
    assert 'infinipot ask book.txt "Who found the map?"' in shown.stdout and "Exit codes: 0 answered" in shown.stdout
    for word in ("-V", "--version"):
        assert run(word).stdout == f"infinipot {__version__}\n"
    assert run("-h").stdout == run("--help").stdout
    assert run("-h").stdout.split()[-1] == "https://arxiv.org/abs/2410.01518", "where there is more to read"


@pytest.mark.parametrize("words", list(commands_in(program())), ids=" ".join)
def test_help_fits_eighty_columns_and_a_log(words: tuple[str, ...]) -> None:
    shown = run(*words, "-h").stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["{story}", "Who?"], "stands where a command is wanted", "infinipot ask {story} 'Who?'"),
        (["{story}"], "stands where a command is wanted", 'infinipot ask {story} "…"'),
        (["@book", "Who?"], "@book stands where", "infinipot ask @book 'Who?'"),
        (["ask", "{story}", "-m"], "requires an argument", "infinipot ask --help lists what there is"),
        (["sumarize", "{story}"], "Did you mean 'summarize'?", "infinipot --help lists what there is"),
        (["su", "{story}"], "No such command 'su'", "infinipot --help lists what there is"),
        (["pots", "lst"], "Did you mean 'list'?", "infinipot pots --help lists what there is"),
        (["ask", "{story}", "Who?", "--tempreature", "1"], "--temperature", "infinipot ask --help lists"),
    ],
)
def test_a_newcomers_slip_is_answered_with_what_to_type(words: list[str], message: str, hint: str, story: Path) -> None:
    result = run(*(word.format(story=story) for word in words))
    assert (result.exit_code, result.stdout) == (2, "")
    error, advice = result.stderr.splitlines()
    assert message in error and hint.format(story=story) in advice
    assert not re.search(r"[│╭]", result.stderr)


def test_one_of_a_thing_has_no_plural(tmp_path: Path, model: list[str]) -> None:
    path = tmp_path / "short.txt"
    path.write_text("The sea was calm.")
    said = run("ask", str(path), "Who?", *model, "-s", "400", "-n", "1").stderr
    path_of_one = tmp_path / "one.txt"
    path_of_one.write_text("1")
    assert run("info", str(path_of_one), *model).stderr.startswith("1 token → ")
    assert "answer 1 token," in said and "distillation" not in said, "what did not happen is not told"
    only_read = run("read", str(path), "--save-pot", "calm", *model, "-s", "400").stderr
    assert "tok/s) · pot " in only_read and "answer" not in only_read, "nothing was asked"
    path.write_text("The sea was calm. " * 80)
    said = run("ask", str(path), "Who?", *model, "-s", "400", "-n", "1", "-v").stderr
    assert re.search(r" · \d+ distillations? · .*, peak \d+ entries$", said, re.MULTILINE)


@pytest.mark.parametrize("group", ["pots", "models", "templates", "history", "config"])
def test_the_name_of_a_group_alone_lists_what_it_is_about(group: str) -> None:
    alone, listed = run(group), run(group, "show" if group == "config" else "list")
    assert alone.exit_code == 0
    without_ages, wanted = (re.sub(r"\d+ s ago", "", said.stdout) for said in (alone, listed))
    assert without_ages == wanted
    assert "Usage" in run(group, "-h").stdout and run(group, "nothing").exit_code == 2
