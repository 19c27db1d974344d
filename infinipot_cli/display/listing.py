"""Lists on standard output: aligned on a terminal, tab-separated in a pipe, JSON or bare names where asked for."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infinipot_cli.display.answer import AnswerWriter, use_utf8
from infinipot_cli.display.pager import paged
from infinipot_cli.display.safe import safe_json, safe_line
from infinipot_cli.display.summary import grouped

# A column of this width can be read however its words are folded.
_LEGIBLE = 12
Row: TypeAlias = Mapping[str, object]


def show_rows(
    rows: Sequence[Row], *, as_json: bool = False, names_only: bool = False, pager: bool = True, plain: bool = False
) -> None:
    """Print rows that share their keys; the first key is the name.

    Args:
        rows: what to list; None stands for nothing.
        as_json: one JSON document instead.
        names_only: one name a line, nothing else.
        pager: whether a list longer than the screen may open one.
        plain: on a terminal too, as in a pipe.
    """
    use_utf8()
    if as_json:
        put(safe_json({"schema": 1, "rows": list(rows)}))
    elif not rows:
        return
    elif names_only:
        put("\n".join(safe_line(_cell(next(iter(row.values())))) for row in rows))
    elif sys.stdout is not None and sys.stdout.isatty() and not plain:
        paged(_table(rows), wanted=pager)
    else:
        put("\n".join("\t".join(safe_line(_cell(value)) for value in row.values()) for row in rows))


def put(text: str) -> None:
    """Print a text with one line end."""
    use_utf8()
    writer = AnswerWriter()
    writer.write(text)
    writer.close()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: object) -> str:
    """A cell for people."""
    return grouped(value) if isinstance(value, int) and not isinstance(value, bool) else _cell(value)


def _table(rows: Sequence[Row]) -> str:
    """Rows below each other; on a screen too narrow for that, a line for each of their cells."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    widths = {key: max(len(key), *(len(_shown(row.get(key))) for row in rows)) for key in rows[0]}
    with console.capture() as captured:
        if sum(min(width, _LEGIBLE) + 2 for width in widths.values()) - 2 > console.width:
            console.print(_cells(rows))
        else:
            console.print(_columns(rows, widths))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _columns(rows: Sequence[Row], widths: Mapping[str, int]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key, value in rows[0].items():
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
        # a narrow screen takes from the long columns, so that short words stay words
        is_short = widths[key] <= _LEGIBLE
        table.add_column(key.upper(), justify="right" if numeric else "left", overflow="fold", no_wrap=is_short)
    for row in rows:
        table.add_row(*(Text(safe_line(_shown(value))) for value in row.values()))
    return table


def _cells(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for number, row in enumerate(rows):
        if number:
            table.add_row("", "")
        for key, value in row.items():
            table.add_row(key.upper(), Text(safe_line(_shown(value))))
    return table
