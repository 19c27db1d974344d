"""One line of a log taken apart: when, how bad, and what.

The formats are those that programs write by themselves: ISO times (Python, log4j, containers), syslog and the journal,
Apache, nginx, IIS, Flask, Django and load balancers, PostgreSQL, Tomcat and PHP, java.util.logging, glog, Android,
Ruby, Redis, the kernel and its audits, events of Windows, JSON lines, logfmt and tables with commas; and all of these
behind the name of a container.
A line that fits none is no entry of its own.
"""

import re
from dataclasses import replace

from infinipot_cli.logs import access, programs, stamped
from infinipot_cli.logs.entry import Entry, Way
from infinipot_cli.logs.record import LINE_CHARS, read_json, read_logfmt
from infinipot_cli.logs.times import MONTH, parse_time

# A line of java.util.logging with the time alone; the level begins the next one.
_TIME_ALONE = re.compile(rf"({MONTH} \d\d?, \d{{4}},? \d\d?:\d\d:\d\d[ \u202f][AP]M) \S+(?: \S+)?$")
# What docker compose and kubectl put in front of each line; a name without a number may begin the row of a table, too.
_CONTAINER = re.compile(r"(?:[A-Za-z][\w.-]*(?:[-_]\d+\s*\||\s*\|(?!.*\|))(?: |$)|\[pod/[^\]\s]+\] )")
_OBJECT_CHARS = 1 << 18  # of an object every character may count
_OBJECT_BEGINS_IN = 100


def bare_line(line: str) -> str:
    """A line without the name of the container that wrote it."""
    match = _CONTAINER.match(line)
    return line[match.end() :] if match else line


def cut_line(line: str) -> str:
    """A line, or what is there of one, without what stands too far behind its beginning to matter."""
    return line[: _OBJECT_CHARS if "{" in line[:_OBJECT_BEGINS_IN] else LINE_CHARS]


class LineReader:
    """Takes lines apart; a log keeps to its format, so the one that fitted last is tried first."""

    def __init__(self) -> None:
        # those that fit more lines stand behind those that fit some of them better
        self._ways: list[Way] = [read_json, *access.WAYS, *programs.WAYS, *stamped.WAYS]
        self._ways += [stamped.read_row, stamped.read_clock, read_logfmt, stamped.read_bare]
        self._columns: list[str] = []  # that a line has named, as IIS does
        self._stamp = ""  # on a line of its own, for the entry that the next line begins

    def read(self, line: str) -> Entry | None:
        """The entry that a line begins; None if it is none, or goes on with the one before."""
        if not line or line[0] in " \t":
            return None
        stamp, self._stamp = self._stamp, ""
        if match := _TIME_ALONE.match(line):
            self._stamp = match[1]
            return None
        if line.startswith(access.FIELDS):
            self._columns = line.removeprefix(access.FIELDS).split()
            return None
        entry = (access.read_columns(self._columns, line) if self._columns else None) or self._read(line)
        if entry and stamp and not entry.stamp:
            return replace(entry, stamp=stamp, time=parse_time(stamp.replace("\u202f", " "), "%b %d, %Y %I:%M:%S %p"))
        return entry

    def _read(self, line: str) -> Entry | None:
        for number, way in enumerate(self._ways):
            if entry := way(line):
                if number:
                    self._ways.insert(0, self._ways.pop(number))
                return entry
        return None
