"""Lines that begin with a time in one of its usual forms, or with a level."""

import contextlib
import csv
import re

from infinipot_cli.logs.entry import Entry, Way
from infinipot_cli.logs.level import BY_WORD, Level, find_level, level_of_severity
from infinipot_cli.logs.record import entry_behind
from infinipot_cli.logs.times import ISO, ISO_END, MONTH, WEEKDAY, ZONE_NAME, parse_time

# A pattern whose groups are the time and the rest, and the format of the time.
_STAMPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (rf"(?:<\d+>1?\s*)?[\[(]?(?:{WEEKDAY} )?({ISO}){ISO_END}(?:{ZONE_NAME})?(.*)", "iso"),
        (rf"(?:<\d+>)?({MONTH}\s+\d{{1,2}} \d\d:\d\d:\d\d(?:\.\d+)?)\s+(.*)", "%b %d %H:%M:%S"),
        (rf"\[?({WEEKDAY} {MONTH} +\d{{1,2}} \d\d:\d\d:\d\d(?:\.\d+)? \d{{4}})\]?\s*(.*)", "ctime"),
        (r"\[?(\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d)(?:[.,]\d+)?\]?\s+(.*)", "%d.%m.%Y %H:%M:%S"),
        (r"\[?(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d)(?:[.,]\d+)?\]?\s+(.*)", "%d-%m-%Y %H:%M:%S"),
        (r"\[?(\d\d?/\d\d?/\d{4},? \d\d?:\d\d:\d\d [AP]M)\]?[,:]?\s+(.*)", "%m/%d/%Y %I:%M:%S %p"),
        # nobody can tell the day from the month there, so it is no time that could be counted with
        (r"\[?(\d\d?/\d\d?/\d{4},? \d\d:\d\d:\d\d)(?:[.,]\d+)?\]?[,:]?\s+(.*)", ""),
        (
            rf"\[?(\d\d[- ]{MONTH}[- ]\d{{4}} \d\d:\d\d:\d\d)(?:[.,]\d+)?(?: [A-Z][\w/+]+(?=\]))?\]?\s+(.*)",
            "%d %b %Y %H:%M:%S",
        ),
        (r"(\d\d/\d\d/\d\d \d\d:\d\d:\d\d) (.*)", "%y/%m/%d %H:%M:%S"),
        (r"(\d{6} \d{6}) \d+ (.*)", "%y%m%d %H%M%S"),
        (r"(?:- )?(1\d{9}(?:\.\d{1,9})?)\s+(.*)", "epoch"),  # of 2001 to 2033: not every number of ten digits is one
        (r"\[\s*(\d+\.\d{6})\] (.*)", "uptime"),
    )
)
_PRIORITY = re.compile(r"<(\d{1,3})>")
_ROW = re.compile(rf'"?({ISO})"?[,;](.*)')
_CLOCK = re.compile(r"\[?((?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\]?\s+(.*)")
_BARE = re.compile(r"\[?([A-Za-z]+)\]?[:\s]")
_AHEAD = re.compile(rf"[\[(]?({ISO}){ISO_END}(.*)")


def read_row(line: str) -> Entry | None:
    """A table with a time may hold anything; only a level in one of its cells makes a row an entry."""
    match = _ROW.match(line)
    if match is None:
        return None
    with contextlib.suppress(csv.Error):
        cells = next(csv.reader([match[2]], delimiter=line[match.start(2) - 1]), [])
        for number, cell in enumerate(cells):
            if level := BY_WORD.get(cell.strip().lower()):
                text = " ".join(filter(None, cells[number + 1 :])) or line
                return Entry(match[1], parse_time(match[1], "iso"), level, text)
    return None


def read_clock(line: str) -> Entry | None:
    """A time of day alone stands in chats and films too; only a level behind it makes it an entry."""
    match = _CLOCK.match(line)
    if match is None or find_level(match[2])[0] is Level.NONE:
        return None
    form = "iso" if "-" in match[1] else "%H:%M:%S" if match[1].count(":") > 1 else "%H:%M"
    return entry_behind(match[1], parse_time(match[1], form), match[2])


def read_bare(line: str) -> Entry | None:
    """A line that begins with its level, with a time behind it or none."""
    match = _BARE.match(line)
    if match is None:
        return None
    level, end = find_level(line)
    if not level or end > match.end():
        return None
    text = line[end:].lstrip("])>|:,- \t")
    if ahead := _AHEAD.match(text):
        return Entry(ahead[1], parse_time(ahead[1], "iso"), level, ahead[2])
    return Entry("", None, level, text)


def _stamped(pattern: re.Pattern[str], form: str) -> Way:
    def read(line: str) -> Entry | None:
        match = pattern.match(line)
        if match is None:
            return None
        stamp, rest = match.groups()
        if not rest or rest.isspace():  # a time alone is a row of a table
            return None
        return entry_behind(stamp, parse_time(stamp, form), rest, _priority(line))

    return read


def _priority(line: str) -> Level:
    match = _PRIORITY.match(line) if line[0] == "<" else None
    return level_of_severity(int(match[1]) % 8) if match else Level.NONE


WAYS: tuple[Way, ...] = tuple(_stamped(pattern, form) for pattern, form in _STAMPS)
