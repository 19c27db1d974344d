"""Where a sentence, or a line of a log, begins and ends: for quotes that are not cut in the middle of a word."""

import re
from collections.abc import Iterator

MOST_QUOTE_CHARS = 200

# Full stops and their like, blank lines, and ends of lines in front of what no wrapped sentence goes on with: signs of
# a list; rows of a table, whose cells stand close to each other; labels and what they say, those in small letters where
# another one follows; and settings. Three digits behind a comma belong to a number.
_CELLS = r"[^\n,;\t]*[^\s,;](?:\t|[,;](?=\S)(?!(?<=\d,)\d{3}(?!\d)))"
_PART = r"[\w&/().'#-]"
_LABEL = rf"[ \t]*[^\W\d_a-z]{_PART}*(?: {_PART}+){{0,3}}:[ \t]+\S"
_KEY = r"[ \t]*[\w.-]+:[ \t]+\S[^\n]*\n[ \t]*[\w.-]+:[ \t]"
_SETTING = r"[ \t]*[\w.-]+[ \t]*=[ \t]*\S"
_ALONE = "|".join((r"[\d\[<{#|*\-]", _CELLS, _LABEL, _KEY, _SETTING))
_END = re.compile(rf"[.!?。！？][\"'”’)\]]*(?=\s)|[。！？]|\n\s*\n|\n(?={_ALONE})")
_LINE_END = re.compile(rf"{_END.pattern}|\n")
_ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Prof|No|vs|cf|e\.g|i\.e|pp?|ch|l))\.$")
_SPACE = re.compile(r"\s+")


def ends(text: str, start: int = 0, *, by_lines: bool = False) -> Iterator[int]:
    """Where sentences and lines end in a text, from a character on: the characters behind them.

    Args:
        text: some text.
        start: the character.
        by_lines: every line is a paragraph, and none goes on in the next.
    """
    for match in (_LINE_END if by_lines else _END).finditer(text, start):
        if not _ABBREVIATION.search(text, max(0, match.start() - 6), match.start() + 1):
            yield match.end()


def sentence_at(text: str, place: int, *, by_lines: bool = False) -> tuple[int, int]:
    """First character of the sentence that holds a place, and the one behind its last; no blanks at its ends.

    Args:
        text: some text.
        place: a character of it.
        by_lines: as for `ends`.
    """
    start, end = 0, len(text)
    for one in ends(text, by_lines=by_lines):
        if one > place:
            end = one
            break
        start = one
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def quote(text: str, around: int, *, is_open: bool = False, is_unfinished: bool = False) -> str:
    """A sentence on one line; a long one is cut between words, around a place, and says so.

    Args:
        text: the sentence.
        around: the character that must be seen.
        is_open: whether the beginning of the sentence is missing.
        is_unfinished: whether its end is.
    """
    first, last = 0, len(text)
    if last > MOST_QUOTE_CHARS:
        first = max(0, min(around - MOST_QUOTE_CHARS // 2, last - MOST_QUOTE_CHARS))
        last = first + MOST_QUOTE_CHARS
        if first:
            first = _next_word(text, first, around)
        if last < len(text):
            last = _last_word(text, last, around)
    shown = _SPACE.sub(" ", text[first:last]).strip()
    return f"{'…' if first or is_open else ''}{shown}{'…' if last < len(text) or is_unfinished else ''}"


def _next_word(text: str, place: int, limit: int) -> int:
    space = _SPACE.search(text, place, max(place, limit))
    return space.end() if space else place


def _last_word(text: str, place: int, limit: int) -> int:
    cut = max(text.rfind(" ", limit, place), text.rfind("\n", limit, place))
    return cut if cut > limit else place
