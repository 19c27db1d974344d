"""`--color` and the variables that wish for colour or against it, on a real terminal and in a pipe."""

import re
import subprocess
import sys

import pytest

from tests.commands.terminals import Screen, Terminal
from tests.commands.test_environments import ESCAPE, clean

PROGRAM = [sys.executable, "-m", "infinipot_cli"]
COLOUR = re.compile(rf"{ESCAPE}\[[0-9;]*3[0-7][0-9;]*m")
MESSAGE = "error: No such option: --zzzz"


@pytest.mark.parametrize(
    ("words", "changes", "on_a_terminal", "in_a_pipe"),
    [
        (["--color", "auto"], {}, True, False),
        (["--color", "always"], {}, True, True),
        (["--color", "never"], {}, False, False),
        ([], {"NO_COLOR": "1"}, False, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True, True),
        ([], {"FORCE_COLOR": "1"}, True, True),
        (["--color=never"], {"FORCE_COLOR": "1"}, False, False),
        ([], {"TERM": "dumb"}, False, False),
    ],
)
def test_the_flag_wins_over_variables_and_these_over_what_the_stream_is(
    words: list[str], changes: dict[str, str], on_a_terminal: bool, in_a_pipe: bool
) -> None:
    environment = clean(**{"TERM": "xterm-256color", **changes})
    words = [*PROGRAM, "ask", *words, "--zzzz"]
    with Terminal(words, environment) as terminal:
        assert terminal.end() == 2
        shown = terminal.shown
    assert Screen().feed(shown).rows[0] == MESSAGE
    assert bool(COLOUR.search(shown)) == on_a_terminal, repr(shown)
    piped = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, env=environment, text=True, check=False
    )
    assert re.sub(rf"{ESCAPE}\[[0-9;]*m", "", piped.stderr).splitlines()[0] == MESSAGE, "only colours, if anything"
    assert bool(COLOUR.search(piped.stderr)) == in_a_pipe, repr(piped.stderr)
    assert in_a_pipe or ESCAPE not in piped.stderr
