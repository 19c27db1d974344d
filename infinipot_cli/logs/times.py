"""Times as programs write them, made into moments that can be counted with."""

import contextlib
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
ISO = r"\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|\s?[+-]\d\d:?\d\d)?"
ISO_END = r"(?=$|[\s\]|:>-]|,\s)[\])]*[,:]?\s*"
# Names of zones, as PostgreSQL and the journal write them behind a time; other words in capitals there are levels.
_ZONES = (
    *("UTC GMT WET WEST CET CEST EET EEST BST IST MSK SAST JST KST HKT SGT PKT WIB AEST AEDT ACST ACDT AWST").split(),
    *("NZST NZDT HST AKST AKDT PST PDT MST MDT CST CDT EST EDT AST ADT NST NDT BRT ART CLT CLST").split(),
)
ZONE_NAME = rf"(?:{'|'.join(_ZONES)})(?=[\s:\])])[\])]*:?\s*"
REQUEST = "%d/%b/%Y:%H:%M:%S %z"
NO_YEAR = 1904  # of times without one: a leap year, so that 29 February is a day of it


@lru_cache(maxsize=64)  # many lines are written in one second
def parse_time(stamp: str, form: str) -> datetime | None:
    """Parse a time.

    Args:
        stamp: as the log writes it.
        form: `iso`, `epoch`, `uptime`, `ctime`, or what `strptime` takes; empty where the time cannot be told.

    Returns:
        In UTC where it names no zone and in `NO_YEAR` where it names no year; None where a date is impossible, which is
        the log's own mistake.
    """
    if not form:
        return None
    parse = _PARSERS.get(form)
    with contextlib.suppress(ValueError, OverflowError, OSError):
        time = parse(stamp) if parse else _formatted(stamp, form)
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return None


def _iso(stamp: str) -> datetime:
    with contextlib.suppress(ValueError):  # as most write it
        return datetime.fromisoformat(stamp)
    text = re.sub(r"^(\d{4})[/.](\d\d)[/.]", r"\1-\2-", stamp.replace(",", "."))
    text = re.sub(r"(\.\d{6})\d+", r"\1", text).replace(" +", "+").replace(" -", "-")
    return datetime.fromisoformat(text)


def _epoch(stamp: str) -> datetime:
    seconds = float(stamp)
    while 1e11 < seconds < math.inf:  # in thousandths, millionths or less
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC)


def _ctime(stamp: str) -> datetime:
    return datetime.strptime(re.sub(r"\.\d+", "", stamp), "%a %b %d %H:%M:%S %Y")


def _formatted(stamp: str, form: str) -> datetime:
    if "%Y" in form or "%y" in form:
        return datetime.strptime(stamp.replace("-", " ") if form.startswith("%d %b") else stamp, form)
    return datetime.strptime(f"{NO_YEAR} {re.sub(r'[.,][0-9]+$', '', stamp)}", f"%Y {form}")


_PARSERS: dict[str, Callable[[str], datetime]] = {"iso": _iso, "epoch": _epoch, "uptime": _epoch, "ctime": _ctime}
