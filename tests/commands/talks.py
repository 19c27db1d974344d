"""What the tests of conversations have in common: a small pot, and lines that are typed."""

from typer.testing import CliRunner, Result

from infinipot_cli.app import app

SMALL = ["-s", "400", "--budget", "200", "-n", "20"]


def run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


def talked(*lines: str, words: list[str]) -> Result:
    return run("chat", *words, stdin="\n".join(lines) + "\n")
