"""One line of a log taken apart: when, how bad, and what.

The formats are those that programs write by themselves: ISO times (Python, log4j, containers), syslog and the journal,
Apache and nginx, glog, Android, Ruby, the kernel, JSON lines and logfmt. A line that fits none is no entry of its own.
"""

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from infinipot_cli.logs.level import BY_LETTER, Level, find_level, guess_level, level_of, level_of_severity

__all__ = ["Entry", "Level", "LineReader"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that begins an entry.

    Attributes:
        stamp: its time as the log writes it, empty without one.
        time: the same, None if it cannot be told; a time without zone counts as UTC, one without year as of 1904.
        level: how bad it is.
        message: what it says.
        is_guess: whether the level was told from the words of the message.
    """

    stamp: str
    time: datetime | None
    level: Level
    message: str
    is_guess: bool = False


_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_ISO = r"\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|\s?[+-]\d\d:?\d\d)?"
_END = r"(?=$|[\s\]|:>-]|,\s)[\])]*[,:]?\s*"

# A pattern whose groups are the time and the rest, and the format of the time; a leap year, so that 29 February is one.
_STAMPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), form)
    for pattern, form in (
        (rf"(?:<\d+>1?\s*)?[\[(]?({_ISO}){_END}(.*)", "iso"),
        (rf"(?:<\d+>)?({_MONTH}\s+\d{{1,2}} \d\d:\d\d:\d\d(?:\.\d+)?)\s+(.*)", "%b %d %H:%M:%S"),
        (
            rf"\[?((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {_MONTH} +\d{{1,2}} \d\d:\d\d:\d\d(?:\.\d+)? \d{{4}})\]?\s*(.*)",
            "ctime",
        ),
        (r"\[?(\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d)(?:[.,]\d+)?\]?\s+(.*)", "%d.%m.%Y %H:%M:%S"),
        (r"\[?(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d)(?:[.,]\d+)?\]?\s+(.*)", "%d-%m-%Y %H:%M:%S"),
        (r"\[?(\d\d?/\d\d?/\d{4},? \d\d?:\d\d:\d\d [AP]M)\]?[,:]?\s+(.*)", "%m/%d/%Y %I:%M:%S %p"),
        (r"(\d\d/\d\d/\d\d \d\d:\d\d:\d\d) (.*)", "%y/%m/%d %H:%M:%S"),
        (r"(\d{6} \d{6}) \d+ (.*)", "%y%m%d %H%M%S"),
        (r"(?:- )?(\d{10}(?:\.\d{1,9})?)\s+(.*)", "epoch"),
        (r"\[\s*(\d+\.\d{6})\] (.*)", "uptime"),
    )
)
_ACCESS = re.compile(
    r'\S+ \S+ \S+ \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3})(?=\s|$)'
)
_GLOG = re.compile(r"([DIWEFC])((?:\d{4})?\d{4} \d\d:\d\d:\d\d\.\d+)\s+\d+ (\S+:\d+\].*)")
_RUBY = re.compile(r"([DIWEF]), \[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?) #\d+\] +[A-Z]+ -- [^:]*: (.*)")
_ANDROID = re.compile(r"(\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\s+\d+\s+\d+ ([VDIWEF]) (.*)")
_CLOCK = re.compile(r"\[?(\d\d:\d\d:\d\d(?:[.,]\d+)?)\]?\s+(.*)")
_LOGFMT = re.compile(r'([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|\S*)')
_PRIORITY = re.compile(r"<(\d{1,3})>")
_BARE = re.compile(r"\[?([A-Za-z]+)\]?[:\s]")

_TIME_KEYS = ("time", "timestamp", "ts", "@timestamp", "datetime", "date", "asctime", "t", "__realtime_timestamp")
_LEVEL_KEYS = ("level", "severity", "levelname", "lvl", "log.level", "loglevel", "priority")
_TEXT_KEYS = ("message", "msg", "event", "text", "error", "log")


class LineReader:
    """Takes lines apart; a log keeps to its format, so the one that fitted last is tried first."""

    def __init__(self) -> None:
        self._ways: list[Callable[[str], Entry | None]] = [
            _json,
            _access,
            *(_stamped(pattern, form) for pattern, form in _STAMPS),
            _glog,
            _ruby,
            _android,
            _clock,
            _logfmt,
            _bare,
        ]

    def read(self, line: str) -> Entry | None:
        """The entry that a line begins; None if it is none, or goes on with the one before."""
        if not line or line[0] in " \t":
            return None
        for number, way in enumerate(self._ways):
            if entry := way(line):
                if number:
                    self._ways.insert(0, self._ways.pop(number))
                return entry
        return None


def _stamped(pattern: re.Pattern[str], form: str) -> Callable[[str], Entry | None]:
    def read(line: str) -> Entry | None:
        match = pattern.match(line)
        return _entry(match[1], _time(match[1], form), match[2], _priority(line)) if match else None

    return read


def _entry(stamp: str, time: datetime | None, rest: str, level: Level = Level.NONE) -> Entry:
    found, end = find_level(rest)
    if found is not Level.NONE:
        # what stands in front of a level, such as a thread or a host, says little
        message = (rest[end:] if end <= 60 else rest).lstrip("])>|:,- \t")
        return Entry(stamp, time, found, message or rest)
    if level is not Level.NONE:
        return Entry(stamp, time, level, rest)
    guessed = guess_level(rest)
    return Entry(stamp, time, guessed, rest, is_guess=guessed is not Level.NONE)


def _priority(line: str) -> Level:
    match = _PRIORITY.match(line) if line[0] == "<" else None
    return level_of_severity(int(match[1]) % 8) if match else Level.NONE


def _access(line: str) -> Entry | None:
    match = _ACCESS.match(line)
    if match is None:
        return None
    status = int(match[3])
    level = Level.ERROR if status >= 500 else Level.WARNING if status >= 400 else Level.INFO
    return Entry(match[1], _time(match[1], "%d/%b/%Y:%H:%M:%S %z"), level, f"{match[2]} → {status}")


def _glog(line: str) -> Entry | None:
    match = _GLOG.match(line)
    if match is None:
        return None
    form = "%m%d %H:%M:%S" if match[2].index(" ") == 4 else "%Y%m%d %H:%M:%S.%f"
    return Entry(match[2], _time(match[2], form), BY_LETTER[match[1]], match[3])


def _ruby(line: str) -> Entry | None:
    match = _RUBY.match(line)
    return Entry(match[2], _time(match[2], "iso"), BY_LETTER[match[1]], match[3]) if match else None


def _android(line: str) -> Entry | None:
    match = _ANDROID.match(line)
    return Entry(match[1], _time(match[1], "%m-%d %H:%M:%S"), BY_LETTER[match[2]], match[3]) if match else None


def _clock(line: str) -> Entry | None:
    """A time of day alone stands in chats and films too; only a level behind it makes it an entry."""
    match = _CLOCK.match(line)
    if match is None or find_level(match[2])[0] is Level.NONE:
        return None
    return _entry(match[1], _time(match[1], "%H:%M:%S"), match[2])


def _bare(line: str) -> Entry | None:
    match = _BARE.match(line)
    if match is None:
        return None
    level, end = find_level(line)
    return Entry("", None, level, line[end:].lstrip("])>|:,- \t")) if level and end <= match.end() else None


def _json(line: str) -> Entry | None:
    if line[0] != "{":
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return _structured(record) if isinstance(record, dict) else None


def _logfmt(line: str) -> Entry | None:
    if "=" not in line[:40]:
        return None
    record: dict[str, object] = {key: value.strip('"').replace('\\"', '"') for key, value in _LOGFMT.findall(line)}
    return _structured(record)


def _structured(record: dict[str, object]) -> Entry | None:
    fields = {key.lower(): value for key, value in record.items()}
    stamp = next((fields[key] for key in _TIME_KEYS if isinstance(fields.get(key), (str, int, float))), None)
    named = next((level for key in _LEVEL_KEYS if (level := level_of(fields.get(key)))), Level.NONE)
    text = next((str(fields[key]) for key in _TEXT_KEYS if fields.get(key)), "")
    if (stamp is None and named is Level.NONE) or not text:
        return None
    written = "" if stamp is None else str(stamp)
    time = _time(written, "epoch" if re.fullmatch(r"\d{10,19}(\.\d+)?", written) else "iso")
    # what names no level may wrap a line that does, as Docker does
    return Entry(written, time, named, text) if named else _entry(written, time, text.strip())


@lru_cache(maxsize=64)  # many lines are written in one second
def _time(stamp: str, form: str) -> datetime | None:
    """Parse a time; None where a date is impossible, which is the log's own mistake."""
    if form == "iso":
        with contextlib.suppress(ValueError):  # as most write it
            time = datetime.fromisoformat(stamp)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
    with contextlib.suppress(ValueError, OverflowError, OSError):
        if form == "iso":
            text = re.sub(r"^(\d{4})[/.](\d\d)[/.]", r"\1-\2-", stamp.replace(",", "."))
            text = re.sub(r"(\.\d{6})\d+", r"\1", text).replace(" +", "+").replace(" -", "-")
            time = datetime.fromisoformat(text)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
        if form in ("epoch", "uptime"):
            seconds = float(stamp)
            while seconds > 1e11:  # in thousandths, millionths or less
                seconds /= 1000
            return datetime.fromtimestamp(seconds, UTC)
        if form == "ctime":
            return datetime.strptime(re.sub(r"\.\d+", "", stamp), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        if "%Y" in form or "%y" in form:
            time = datetime.strptime(stamp, form)
        else:
            time = datetime.strptime(f"1904 {re.sub(r'[.,][0-9]+$', '', stamp)}", f"%Y {form}")
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return None
