"""The sources under an answer: page, chapter or line, and the words."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TextIO

from rich.console import Console

from infinipot_cli.display.answer import AnswerWriter
from infinipot_cli.display.console import say
from infinipot_cli.display.fold import folded
from infinipot_cli.display.safe import safe_line
from infinipot_cli.explain.citations import Passage

_HEAD = "Sources  "


def where(passage: Passage) -> str:
    """The place as people write it: `p. 203`, `p. xii (12)`, `ch. 7 “The Customs Clause”`, `l. 14`."""
    if passage.page is None:
        return f"l. {passage.line}"
    if passage.kind == "epub":
        return f"ch. {passage.page}" + (f" “{passage.label}”" if passage.label else "")
    if passage.label and passage.label != str(passage.page):
        return f"p. {passage.label} (page {passage.page} of the file)"
    return f"p. {passage.page}"


def lost_line(lost: Passage) -> str:
    """That the best passage is gone."""
    return (
        f"{lost.path} {where(lost)} matches the question best, and {100 * lost.kept:.0f} % of it was kept:"
        f" “{lost.quote}”"
    )


def unheard_line(words: Sequence[str]) -> str:
    """That what was asked about is not in the text, as far as words tell."""
    named = f"{', '.join(words[:-1])} and {words[-1]}"
    return f"none of the question's words stands in what was read: {safe_line(named)}"


def places_line(cited: Sequence[Passage], *, named: bool) -> str:
    """The places of all sources on one line, for passages whose words are seen already.

    Args:
        cited: the passages.
        named: whether there are several documents to tell apart.
    """
    places = [f"{passage.path} {where(passage)}" if named else where(passage) for passage in cited]
    return safe_line(_HEAD + " · ".join(dict.fromkeys(places)))


def sentence_lines(picked: Sequence[Passage], *, named: bool, width: int) -> Iterator[str]:
    """Sentences of the text, each with its place behind it, in rows of whole words.

    Args:
        picked: the sentences.
        named: whether there are several documents to tell apart.
        width: columns of the terminal.
    """
    for sentence in picked:
        place = f"{sentence.path} {where(sentence)}" if named else where(sentence)
        yield from folded([safe_line(f"{sentence.quote}  ({place})")], width)


def source_lines(cited: Sequence[Passage], *, named: bool) -> list[str]:
    """A line for each source.

    Args:
        cited: the passages.
        named: whether there are several documents to tell apart.
    """
    places = [f"{passage.path} {where(passage)}" if named else where(passage) for passage in cited]
    width = max(map(len, places), default=0)
    return [
        safe_line(f"{_HEAD if not number else ' ' * len(_HEAD)}{place:<{width}}  “{passage.quote}”")
        for number, (place, passage) in enumerate(zip(places, cited, strict=True))
    ]


def show_sources(lines: Sequence[str], console: Console, out: TextIO, *, quiet: bool, plain: bool = False) -> None:
    """Show the sources where the answer is read, and beside it where it is piped on: that stays the answer.

    Args:
        lines: as `source_lines` gives them.
        console: on standard error.
        out: where the answer went.
        quiet: show nothing.
        plain: on a terminal too, as in a pipe.
    """
    if not lines or quiet:
        return
    if out is sys.stdout and out.isatty() and not plain:
        writer = AnswerWriter(out)
        width = shutil.get_terminal_size().columns
        writer.write("\n".join(row for line in lines for row in _folded(line, width)))
        writer.close()
    else:
        for line in lines:
            say(console, line)


def _folded(line: str, width: int) -> list[str]:
    """A line in rows of whole words, the later ones below the beginning of the quote."""
    at = line.find("“")
    margin = at if 0 < at <= width // 2 else len(_HEAD)
    first, *rest = wrap(line[margin:], max(width - margin, 20)) or [""]
    return [line[:margin] + first, *(" " * margin + row for row in rest)]
