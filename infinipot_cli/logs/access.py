"""Requests as servers and load balancers write them; their levels are those of the answers' statuses."""

import re

from infinipot_cli.logs.entry import Entry, Way
from infinipot_cli.logs.level import level_of_status
from infinipot_cli.logs.times import ISO, REQUEST, parse_time

FIELDS = "#Fields:"  # names the columns of a log in the manner of the W3C
_BARE_REQUEST = "%d/%b/%Y %H:%M:%S"
# Flask and Python's own server write the time without zone, and Django's leaves out who asked.
_ACCESS = re.compile(
    r"(?:(?:\S+ )?\S+ \S+ \S+ )?\[(\d\d/[A-Z][a-z]{2}/\d{4}(?::\d\d:\d\d:\d\d [+-]\d{4}| \d\d:\d\d:\d\d))\]"
    r' "((?:[^"\\]|\\.)*)" (\d{3})(?=\s|$)'
)
# Of the load balancers of AWS; the status is theirs.
_BALANCER = re.compile(
    rf'(?:https?|h2|grpcs?|wss?) ({ISO}) app/\S+ \S+ \S+ (?:-?[\d.]+ ){{3}}(\d{{3}}) \S+ \d+ \d+ "((?:[^"\\]|\\.)*)"'
)


def read_columns(names: list[str], line: str) -> Entry | None:
    """A line under names of columns, as IIS and CloudFront write them: a request and its status."""
    cells = dict(zip(names, line.split("\t" if "\t" in line else " "), strict=False))
    status = cells.get("sc-status", "")
    if not {"date", "time"} <= cells.keys() or not re.fullmatch(r"[1-5]\d\d", status):
        return None
    stamp = f"{cells['date']} {cells['time']}"
    asked = f"{cells.get('cs-method', '')} {cells.get('cs-uri-stem', '')}".strip()
    return Entry(stamp, parse_time(stamp, "iso"), level_of_status(int(status)), f"{asked} → {status}")


def _access(line: str) -> Entry | None:
    match = _ACCESS.match(line)
    if match is None:
        return None
    status = int(match[3])
    form = REQUEST if match[1][11] == ":" else _BARE_REQUEST
    return Entry(match[1], parse_time(match[1], form), level_of_status(status), f"{match[2]} → {status}")


def _balancer(line: str) -> Entry | None:
    match = _BALANCER.match(line)
    if match is None:
        return None
    status = int(match[2])
    return Entry(match[1], parse_time(match[1], "iso"), level_of_status(status), f"{match[3]} → {status}")


WAYS: tuple[Way, ...] = (_access, _balancer)
