"""A pager only for long text on a terminal, and only the one the user wants."""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infinipot_cli.display.listing import show_rows
from infinipot_cli.display.pager import paged

LONG = "\n".join(f"line {number} é" for number in range(40))


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Show something on a screen of 24 lines; returns what was printed and what the pager was given."""
    kept = tmp_path / "paged"
    pager = f"{sys.executable} -c \"import sys; open('{kept}', 'wb').write(sys.stdin.buffer.read())\""

    def show(what: Callable[[], None], *, terminal: bool = True, **variables: str) -> tuple[str, str]:
        out = io.StringIO()
        out.isatty = lambda: terminal  # type: ignore[method-assign]
        keyboard = io.StringIO()
        keyboard.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stdin", keyboard)
        for name, value in {"PAGER": pager, "LINES": "24", "COLUMNS": "80", "TERM": "xterm", **variables}.items():
            monkeypatch.setenv(name, value)
        kept.unlink(missing_ok=True)
        what()
        return out.getvalue(), kept.read_text("utf-8") if kept.exists() else ""

    return show


def test_long_text_goes_to_the_pager_and_short_text_to_the_screen(screen: Callable[..., tuple[str, str]]) -> None:
    assert screen(lambda: paged(LONG)) == ("", LONG + "\n")
    assert screen(lambda: paged("short\n")) == ("short\n", "")
    assert screen(lambda: paged("x" * 80 * 30))[1], "a long line takes many lines of the screen"


@pytest.mark.parametrize(
    "variables",
    [
        {"PAGER": ""},
        {"PAGER": "cat"},
        {"PAGER": "no-such-program -x"},
        {"PAGER": "'"},
        {"TERM": "dumb"},
        {"LINES": "99"},
    ],
)
def test_where_there_is_no_pager_it_is_printed(
    screen: Callable[..., tuple[str, str]], variables: dict[str, str]
) -> None:
    assert screen(lambda: paged(LONG), **variables) == (LONG + "\n", "")


def test_neither_a_pipe_nor_no_pager_opens_one(screen: Callable[..., tuple[str, str]]) -> None:
    assert screen(lambda: paged(LONG), terminal=False) == (LONG + "\n", "")
    assert screen(lambda: paged(LONG, wanted=False)) == (LONG + "\n", "")


def test_a_pager_that_is_left_early_is_no_failure(screen: Callable[..., tuple[str, str]]) -> None:
    assert screen(lambda: paged(LONG * 5000), PAGER="true") == ("", "")


def test_a_bare_less_is_told_to_keep_colours(
    screen: Callable[..., tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "less"
    asks = f"{sys.executable} -c \"import os; open('{kept}', 'w').write(os.environ['LESS'])\""
    monkeypatch.delenv("LESS", raising=False)
    screen(lambda: paged(LONG), PAGER=asks)
    assert kept.read_text() == "FRX"
    screen(lambda: paged(LONG), PAGER=asks, LESS="i")
    assert kept.read_text() == "i"


def test_long_lists_are_paged_too(screen: Callable[..., tuple[str, str]]) -> None:
    rows = [{"name": f"model-{number}", "note": "\x1b[31m[/red] evil"} for number in range(40)]
    out, seen = screen(lambda: show_rows(rows))
    assert out == "" and "model-39" in seen and "NAME" in seen
    assert "\x1b[31m" not in seen and "[/red] evil" in seen
    assert "model-39" in screen(lambda: show_rows(rows, pager=False))[0]
    assert screen(lambda: show_rows(rows, plain=True)) == screen(lambda: show_rows(rows), terminal=False)


@pytest.mark.parametrize("width", [30, 50, 80, 120])
def test_lists_can_be_read_at_every_width(screen: Callable[..., tuple[str, str]], width: int) -> None:
    long = "a/very/long/path/" * 6 + "book.txt"
    rows: list[dict[str, object]] = [
        {"name": f"@pot{number}", "documents": long, "tokens": 103127, "size": "3.5 MiB", "state": "ok"}
        for number in range(2)
    ]
    out, _ = screen(lambda: show_rows(rows, pager=False), COLUMNS=str(width))
    out = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert max(map(len, out.splitlines())) <= width
    for word in ("@pot1", "103,127", "3.5 MiB", "DOCUMENTS", "ok"):
        assert word in out, "short words are never folded"
    assert "".join(out.split()).count("a/very") >= 2
    assert "\t103127\t" in screen(lambda: show_rows(rows), terminal=False)[0], "and in a pipe numbers are numbers"
    assert len(out.splitlines()) < 30
