"""Lines that are longer than a terminal is wide."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

_NARROWEST = 20
_HARD_SPACE = "\N{NO-BREAK SPACE}"


def folded(lines: Iterable[str], width: int) -> Iterator[str]:
    """Lines in rows of whole words; the later rows of a line stand behind a margin, and no % stands alone.

    Args:
        lines: without line ends.
        width: columns of the terminal.
    """
    for line in lines:
        if len(line) <= width:
            yield line
            continue
        margin = " " * (len(line) - len(line.lstrip()) + 4)
        rows = wrap(line.replace(" %", f"{_HARD_SPACE}%"), max(width, _NARROWEST), subsequent_indent=margin)
        yield from (row.replace(f"{_HARD_SPACE}%", " %") for row in rows)
