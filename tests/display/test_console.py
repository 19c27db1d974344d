import io

import pytest

from infinipot_cli.display.console import error_console, say
from infinipot_cli.display.problem import show_problem, show_warning
from infinipot_cli.display.progress import ReadingBar
from infinipot_cli.settings import Color


def stderr(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> io.StringIO:
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    return stream


@pytest.mark.parametrize(
    ("terminal", "color", "variables", "coloured"),
    [
        (True, Color.AUTO, {}, True),
        (False, Color.AUTO, {}, False),
        (False, Color.AUTO, {"GITHUB_ACTIONS": "true"}, False),
        (True, Color.NEVER, {}, False),
        (True, Color.AUTO, {"NO_COLOR": "1"}, False),
        (False, Color.ALWAYS, {}, True),
        (True, Color.ALWAYS, {"NO_COLOR": "1"}, True),
    ],
)
def test_colour_only_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, color: Color, variables: dict[str, str], coloured: bool
) -> None:
    stream = stderr(monkeypatch, terminal=terminal)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    show_problem(error_console(color), "it failed")
    assert ("\x1b[1;31m" in stream.getvalue()) == coloured
    if not terminal and color is not Color.ALWAYS:
        assert stream.getvalue() == "error: it failed\n"


def test_messages_are_one_line_of_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stderr(monkeypatch, terminal=False)
    console = error_console()
    show_problem(console, "[/foo] \x1b]0;x\x07 [red]", "a\nb")
    show_warning(console, "x" * 200)
    say(console, "p. [203] :smile: 12")
    assert stream.getvalue() == (f"error: [/foo] ]0;x [red]\nhint:  a b\nwarning: {'x' * 200}\np. [203] :smile: 12\n")


def test_quiet_and_closed_streams_take_everything_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stderr(monkeypatch, terminal=True)
    say(error_console(quiet=True), "words")
    assert stream.getvalue() == ""
    monkeypatch.setattr("sys.stderr", None)
    say(error_console(), "words")


def test_an_unknown_terminal_and_one_without_utf8_get_what_they_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stderr(monkeypatch, terminal=True)
    assert error_console().is_interactive
    for term in ("dumb", "unknown"):
        monkeypatch.setenv("TERM", term)
        assert not error_console().is_interactive, "it gets ticks instead of a bar"
    monkeypatch.setenv("TERM", "xterm")
    for encoding, shown in (("utf-8", "⠋"), ("ascii", "-"), ("iso8859-1", "-")):
        bytes_shown = io.BytesIO()
        stream = io.TextIOWrapper(bytes_shown, encoding=encoding, errors="backslashreplace")
        stream.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stderr", stream)
        console = error_console()
        console.print(ReadingBar(console, waiting="loading").picture())
        stream.flush()
        assert bytes_shown.getvalue().decode(encoding).startswith(f"{shown} ")
