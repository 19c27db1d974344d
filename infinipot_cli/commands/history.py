"""`infinipot history`: questions that were asked at a terminal, and their answers."""

import sys
import time
from typing import Annotated

import typer

from infinipot_cli.commands.options import common
from infinipot_cli.commands.runs.consent import No, Yes

app = typer.Typer(
    no_args_is_help=True,
    help="Look up what was asked and answered at this terminal, or keep it from being recorded."
    "\n\ninfinipot history list treaty\n\ninfinipot history off",
)

_SHOWN = 20
# Characters of an answer in a list on a terminal; history show has all of it.
_BRIEF = 80


@app.command("list")
def list_entries(
    words: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="Only entries that hold this.", show_default=False)
    ] = None,
    most: Annotated[int, typer.Option("-n", "--number", metavar="N", min=1, help="How many.")] = _SHOWN,
    json: common.Json = False,
    names: Annotated[bool, typer.Option("-q", "--quiet", help="Only the numbers, one a line.")] = False,
    no_pager: common.NoPager = False,
    plain: common.Plain = False,
    debug: common.Debug = False,
) -> None:
    """The latest questions and answers.

    infinipot history list

    infinipot history list treaty -n 5
    """
    from infinipot_cli import history
    from infinipot_cli.display.listing import show_rows
    from infinipot_cli.display.summary import few_of

    whole = json or plain or sys.stdout is None or not sys.stdout.isatty()
    rows: list[dict[str, object]] = [
        {
            "id": one.id,
            "time": _when(one.time) if not json else round(one.time),
            "asked": one.pot or (", ".join(one.documents) if whole else few_of(one.documents)),
            "question": one.question or f"({one.command})",
            "answer": one.answer if whole else _brief(one.answer),
        }
        for one in history.entries(most=most, matching=words or "")
    ]
    show_rows(rows, as_json=json, names_only=names, pager=not no_pager, plain=plain)


@app.command()
def show(
    number: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="As history list numbers them; the latest without one.")
    ] = None,
    json: common.Json = False,
    debug: common.Debug = False,
) -> None:
    """One question with its answer.

    infinipot history show 12
    """
    from dataclasses import asdict

    from infinipot_cli import history
    from infinipot_cli.display.listing import put
    from infinipot_cli.display.safe import safe, safe_json
    from infinipot_cli.display.summary import grouped, percent

    found = history.entry(number)
    if json:
        put(safe_json({"schema": 1, **asdict(found)}))
        return
    lines = [
        f"{found.id}  {_when(found.time)}  infinipot {found.command}  {found.model}",
        f"documents  {', '.join(found.documents)}",
        *([f"pot        {found.pot}"] if found.pot else []),
        f"read       {grouped(found.n_read)} tokens, {percent(found.kept)} kept",
        *([f"question   {found.question}"] if found.question else []),
        "",
        found.answer,
    ]
    put(safe("\n".join(lines)))


@app.command()
def on(debug: common.Debug = False) -> None:
    """Record what is asked and answered at a terminal.

    infinipot history on
    """
    _switch(on=True)


@app.command()
def off(debug: common.Debug = False) -> None:
    """Record nothing from now on; what was recorded stays until history clear.

    infinipot history off
    """
    _switch(on=False)


@app.command()
def status(json: common.Json = False, debug: common.Debug = False) -> None:
    """Whether answers are recorded, how many are, and where.

    infinipot history status
    """
    from infinipot_cli import history
    from infinipot_cli.display.listing import put
    from infinipot_cli.display.safe import safe_json
    from infinipot_cli.display.summary import size

    file, is_on, n_entries = history.history_file(), history.is_on(), history.count()
    n_bytes = file.stat().st_size if file.exists() else 0
    if json:
        put(safe_json({"schema": 1, "on": is_on, "entries": n_entries, "bytes": n_bytes, "path": str(file)}))
    else:
        put(f"{'on' if is_on else 'off'}, {n_entries} entries, {size(n_bytes)}, {file}")


@app.command()
def path(debug: common.Debug = False) -> None:
    """Print where the history is, or would be.

    sqlite3 "$(infinipot history path)" .schema
    """
    from infinipot_cli import history
    from infinipot_cli.display.listing import put

    put(str(history.history_file()))


@app.command()
def clear(yes: Yes = False, no_input: No = False, debug: common.Debug = False) -> None:
    """Forget all that was recorded, and what was read for a question and stopped by Ctrl-C.

    infinipot history clear
    """
    from infinipot_cli import history, stopped
    from infinipot_cli.commands.runs.consent import confirm
    from infinipot_cli.display.console import error_console, say

    confirm(f"Delete {history.history_file()}?", yes=yes, no_input=no_input)
    history.clear()
    stopped.forget_questions()
    say(error_console(), "the history is empty", style="dim")


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _switch(*, on: bool) -> None:
    from infinipot_cli import history
    from infinipot_cli.display.console import error_console, say

    history.switch(on=on)
    say(error_console(), f"the history is {'on' if on else 'off'}: {history.history_file()}", style="dim")


def _brief(answer: str) -> str:
    """The beginning of an answer that would take many rows of a list."""
    return answer if len(answer) <= _BRIEF else f"{answer[: _BRIEF - 1].rstrip()}…"
