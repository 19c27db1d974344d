"""What a report is made of, and its two forms: Markdown, and one HTML file with its pictures inside."""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_CSS = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}"
    "td,th{border:1px solid #ccc;padding:.2rem .6rem;text-align:right}.words{text-align:left}"
    "img{max-width:100%}code{background:#f3f3f3;padding:0 .2rem}.paper td{color:#666}"
)
_NUMBER = re.compile(r"[-+×]?\d")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Heading:
    """A heading of a level from 1."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Plain words."""

    text: str


@dataclass(frozen=True)
class Code:
    """A command line, word for word."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        header: names of the columns.
        rows: cells, as many as columns each.
        n_ours: so many rows are measured, those behind them the paper's.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_ours: int | None = None

    @property
    def words(self) -> list[bool]:
        """Which columns hold words and stand left: the first, and those with more words than numbers."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.header)
        told = [[cell for cell in column if cell.strip("–")] for column in columns]
        return [
            not place or 2 * sum(map(bool, map(_NUMBER.match, some))) < len(some) for place, some in enumerate(told)
        ]


@dataclass(frozen=True)
class Picture:
    """A plot that lies beside the report.

    Attributes:
        path: of the SVG, below the report's folder; the PNG has the same name.
        caption: what it shows.
    """

    path: str
    caption: str


Block = Heading | Paragraph | Code | Grid | Picture


def to_markdown(blocks: Sequence[Block]) -> str:
    """The report as Markdown; pictures are linked as PNG."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_line(block.text)}"
    if isinstance(block, Paragraph):
        return _escaped(block.text)
    if isinstance(block, Code):
        return f"```text\n{_CONTROL.sub('', block.text)}\n```"
    if isinstance(block, Picture):
        return f"![{_escaped(block.caption)}]({block.path.removesuffix('.svg')}.png)"
    alignment = ["---" if is_words else "---:" for is_words in block.words]
    lines = [block.header, alignment, *block.rows]
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)


def _line(text: str) -> str:
    return _CONTROL.sub("", " ".join(text.split()))


def _escaped(text: str) -> str:
    return re.sub(r"([\\|<*_`\[\]])", r"\\\1", _line(text)) if not set(text) <= set("-:") else text


def to_html(blocks: Sequence[Block], folder: Path, title: str) -> str:
    """The report as one page that needs neither network nor script; pictures are inside.

    Args:
        blocks: the report.
        folder: where its pictures lie.
        title: of the page.
    """
    body = "\n".join(_html(block, folder) for block in blocks)
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_CSS}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _html(block: Block, folder: Path) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{html.escape(_line(block.text))}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{html.escape(_line(block.text))}</p>"
    if isinstance(block, Code):
        return f"<pre><code>{html.escape(_CONTROL.sub('', block.text))}</code></pre>"
    if isinstance(block, Picture):
        data = base64.b64encode((folder / block.path).read_bytes()).decode()
        caption = html.escape(_line(block.caption))
        return f'<p><img alt="{caption}" src="data:image/svg+xml;base64,{data}"></p>'
    n_ours = len(block.rows) if block.n_ours is None else block.n_ours
    rows = "".join(
        f"<tr{' class=paper' if number >= n_ours else ''}>{_cells('td', row, block.words)}</tr>\n"
        for number, row in enumerate(block.rows)
    )
    return f"<table><thead><tr>{_cells('th', block.header, block.words)}</tr></thead><tbody>\n{rows}</tbody></table>"


def _cells(tag: str, cells: Sequence[str], words: Sequence[bool]) -> str:
    return "".join(
        f"<{tag}{' class=words' if is_words else ''}>{html.escape(_line(cell))}</{tag}>"
        for cell, is_words in zip(cells, words, strict=True)
    )
