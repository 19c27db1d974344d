"""One line of a log taken apart: when, how bad, and what.

The formats are those that programs write by themselves: ISO times (Python, log4j, containers), syslog and the journal,
Apache, nginx, IIS and load balancers, Tomcat and PHP, java.util.logging, glog, Android, Ruby, Redis, the kernel and its
audits, events of Windows, JSON lines, logfmt and tables with commas; and all of these behind the name of a container.
A line that fits none is no entry of its own.
"""

import contextlib
import csv
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from infinipot_cli.logs.level import BY_LETTER, BY_WORD, Level, find_level, guess_level, level_of, level_of_severity

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
        # nobody can tell the day from the month there, so it is no time that could be counted with
        (r"\[?(\d\d?/\d\d?/\d{4},? \d\d:\d\d:\d\d)(?:[.,]\d+)?\]?[,:]?\s+(.*)", ""),
        (
            rf"\[?(\d\d[- ]{_MONTH}[- ]\d{{4}} \d\d:\d\d:\d\d)(?:[.,]\d+)?(?: [A-Z][\w/+]+(?=\]))?\]?\s+(.*)",
            "%d %b %Y %H:%M:%S",
        ),
        (r"(\d\d/\d\d/\d\d \d\d:\d\d:\d\d) (.*)", "%y/%m/%d %H:%M:%S"),
        (r"(\d{6} \d{6}) \d+ (.*)", "%y%m%d %H%M%S"),
        (r"(?:- )?(1\d{9}(?:\.\d{1,9})?)\s+(.*)", "epoch"),  # of 2001 to 2033: not every number of ten digits is one
        (r"\[\s*(\d+\.\d{6})\] (.*)", "uptime"),
    )
)
_ACCESS = re.compile(
    r'(?:\S+ )?\S+ \S+ \S+ \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3})(?=\s|$)'
)
# Of the load balancers of AWS; the status is theirs.
_BALANCER = re.compile(
    rf'(?:https?|h2|grpcs?|wss?) ({_ISO}) app/\S+ \S+ \S+ (?:-?[\d.]+ ){{3}}(\d{{3}}) \S+ \d+ \d+ "((?:[^"\\]|\\.)*)"'
)
_AUDIT = re.compile(r"(?:node=\S+ )?type=(\w+) msg=audit\((\d{10}\.\d{3}):\d+\): ?(.*)")
_AUDIT_CRASHES = ("ANOM_ABEND", "SECCOMP")
_REFUSED = re.compile(r"\b(?:success=no|res=(?:failed|0)\b|avc:\s+denied)|apparmor=.DENIED")
# As the event viewer of Windows exports them, with commas or tabs.
_EVENT = re.compile(
    r'"?(Critical|Error|Warning|Information|Verbose)"?([,\t])"?(\d[\d/.-]{7,9} \d\d?:\d\d:\d\d(?: [AP]M)?)"?\2(.+)'
)
_FIELDS = "#Fields:"  # names the columns of a log in the manner of the W3C
_ACCESS_TIME = "%d/%b/%Y:%H:%M:%S %z"
_GLOG = re.compile(r"([DIWEFC])((?:\d{4})?\d{4} \d\d:\d\d:\d\d\.\d+)\s+\d+ (\S+:\d+\].*)")
_RUBY = re.compile(r"([DIWEF]), \[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?) #\d+\] +[A-Z]+ -- [^:]*: (.*)")
_ANDROID = re.compile(r"(\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\s+\d+\s+\d+ ([VDIWEF]) (.*)")
_CLOCK = re.compile(r"\[?((?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\]?\s+(.*)")
_REDIS = re.compile(rf"\d+:[A-Z] (\d\d {_MONTH} \d{{4}} \d\d:\d\d:\d\d)\.\d+ ([.*#-]) (.*)")
_REDIS_LEVELS = {".": Level.DEBUG, "-": Level.DEBUG, "*": Level.INFO, "#": Level.WARNING}
_ROW = re.compile(rf'"?({_ISO})"?[,;](.*)')
_AHEAD = re.compile(rf"[\[(]?({_ISO}){_END}(.*)")
# A line of java.util.logging with the time alone; the level begins the next one.
_TIME_ALONE = re.compile(rf"({_MONTH} \d\d?, \d{{4}},? \d\d?:\d\d:\d\d[ \u202f][AP]M) \S+(?: \S+)?$")
# What docker compose and kubectl put in front of each line; a name without a number may begin the row of a table, too.
_CONTAINER = re.compile(r"(?:[A-Za-z][\w.-]*(?:[-_]\d+\s*\||\s*\|(?!.*\|))(?: |$)|\[pod/[^\]\s]+\] )")
_LOGFMT = re.compile(r'([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|\S*)')
_PRIORITY = re.compile(r"<(\d{1,3})>")
_BARE = re.compile(r"\[?([A-Za-z]+)\]?[:\s]")
# What containerd puts in front of each line, behind the time.
_STREAM = re.compile(r"std(?:out|err) [FP] ")
_WRAPPED = ("{", "std")  # how what wraps a record goes on
# Only the beginning of a line says what it is, but of an object every character may count.
_LINE_CHARS, _OBJECT_CHARS = 4096, 1 << 18
_OBJECT_BEGINS_IN = 100

_TIME_KEYS = (
    *("time", "timestamp", "ts", "@timestamp", "@t", "datetime", "date", "asctime", "t", "t.$date"),
    *("time_local", "time_iso8601", "time_unix_nano", "timeunixnano", "__realtime_timestamp"),
)
_LEVEL_KEYS = (
    *("level", "@l", "severity", "severity_text", "severitytext", "levelname", "lvl", "log.level", "loglevel"),
    *("priority", "s"),
)
_TEXT_KEYS = (
    *("message", "msg", "@m", "@mt", "short_message", "renderedmessage", "messagetemplate", "event", "text"),
    *("textpayload", "jsonpayload.message", "jsonpayload.msg", "body", "error", "error.message", "log"),
)


def bare_line(line: str) -> str:
    """A line without the name of the container that wrote it."""
    match = _CONTAINER.match(line)
    return line[match.end() :] if match else line


def cut_line(line: str) -> str:
    """A line, or what is there of one, without what stands too far behind its beginning to matter."""
    return line[: _OBJECT_CHARS if "{" in line[:_OBJECT_BEGINS_IN] else _LINE_CHARS]


class LineReader:
    """Takes lines apart; a log keeps to its format, so the one that fitted last is tried first."""

    def __init__(self) -> None:
        self._ways: list[Callable[[str], Entry | None]] = [
            _json,
            _access,
            _balancer,
            _audit,
            _event,
            *(_stamped(pattern, form) for pattern, form in _STAMPS),
            _glog,
            _ruby,
            _android,
            _redis,
            _row,
            _clock,
            _logfmt,
            _bare,
        ]
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
        if line.startswith(_FIELDS):
            self._columns = line.removeprefix(_FIELDS).split()
            return None
        entry = (_columns(self._columns, line) if self._columns else None) or self._read(line)
        if entry and stamp and not entry.stamp:
            return replace(entry, stamp=stamp, time=_time(stamp.replace("\u202f", " "), "%b %d, %Y %I:%M:%S %p"))
        return entry

    def _read(self, line: str) -> Entry | None:
        for number, way in enumerate(self._ways):
            if entry := way(line):
                if number:
                    self._ways.insert(0, self._ways.pop(number))
                return entry
        return None


def _stamped(pattern: re.Pattern[str], form: str) -> Callable[[str], Entry | None]:
    def read(line: str) -> Entry | None:
        match = pattern.match(line)
        if match is None:
            return None
        stamp, rest = match.groups()
        if not rest or rest.isspace():  # a time alone is a row of a table
            return None
        return _entry(stamp, _time(stamp, form), rest, _priority(line))

    return read


def _entry(stamp: str, time: datetime | None, rest: str, level: Level = Level.NONE) -> Entry:
    if rest.startswith(_WRAPPED) and (inner := _inner(stamp, rest)):
        return replace(inner, stamp=stamp, time=time) if stamp else inner
    found, end = find_level(rest)
    if found is not Level.NONE:
        # what stands in front of a level, such as a thread or a host, says little
        message = (rest[end:] if end <= 60 else rest).lstrip("])>|:,- \t")
        return Entry(stamp, time, found, message or rest)
    if level is not Level.NONE:
        return Entry(stamp, time, level, rest)
    guessed = guess_level(rest)
    return Entry(stamp, time, guessed, rest, is_guess=guessed is not Level.NONE)


def _inner(stamp: str, rest: str) -> Entry | None:
    """The record that stands behind a time, as where a container's own log wraps that of its program."""
    match = _STREAM.match(rest)
    return _json(rest[match.end() :] if match else rest, stamp)


def _priority(line: str) -> Level:
    match = _PRIORITY.match(line) if line[0] == "<" else None
    return level_of_severity(int(match[1]) % 8) if match else Level.NONE


def _access(line: str) -> Entry | None:
    match = _ACCESS.match(line)
    if match is None:
        return None
    status = int(match[3])
    return Entry(match[1], _time(match[1], _ACCESS_TIME), _level_of_status(status), f"{match[2]} → {status}")


def _columns(names: list[str], line: str) -> Entry | None:
    """A line under names of columns, as IIS and CloudFront write them: a request and its status."""
    cells = dict(zip(names, line.split("\t" if "\t" in line else " "), strict=False))
    status = cells.get("sc-status", "")
    if not {"date", "time"} <= cells.keys() or not re.fullmatch(r"[1-5]\d\d", status):
        return None
    stamp = f"{cells['date']} {cells['time']}"
    asked = f"{cells.get('cs-method', '')} {cells.get('cs-uri-stem', '')}".strip()
    return Entry(stamp, _time(stamp, "iso"), _level_of_status(int(status)), f"{asked} → {status}")


def _balancer(line: str) -> Entry | None:
    match = _BALANCER.match(line)
    if match is None:
        return None
    status = int(match[2])
    return Entry(match[1], _time(match[1], "iso"), _level_of_status(status), f"{match[3]} → {status}")


def _audit(line: str) -> Entry | None:
    """The kernel's audit has no levels: what was refused is a warning, and a crash an error."""
    match = _AUDIT.match(line)
    if match is None:
        return None
    refused = Level.WARNING if _REFUSED.search(match[3]) else Level.NONE
    level = Level.ERROR if match[1] in _AUDIT_CRASHES else refused
    return Entry(match[2], _time(match[2], "epoch"), level, f"{match[1]} {match[3]}", is_guess=True)


def _event(line: str) -> Entry | None:
    match = _EVENT.match(line)
    if match is None:
        return None
    form = "iso" if match[3][4] == "-" else "%m/%d/%Y %I:%M:%S %p" if match[3].endswith("M") else ""
    level = Level.DEBUG if match[1] == "Verbose" else BY_WORD[match[1].lower()]
    source_number_kind = 3  # columns in front of what it says
    return Entry(match[3], _time(match[3], form), level, match[4].replace(match[2], " ", source_number_kind))


def _level_of_status(status: int) -> Level:
    return Level.ERROR if status >= 500 else Level.WARNING if status >= 400 else Level.INFO


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


def _redis(line: str) -> Entry | None:
    """Redis has no level for errors, so that words have to tell."""
    match = _REDIS.match(line)
    if match is None:
        return None
    level = max(_REDIS_LEVELS[match[2]], guess_level(match[3]))
    return Entry(match[1], _time(match[1], "%d %b %Y %H:%M:%S"), level, match[3])


def _row(line: str) -> Entry | None:
    """A table with a time may hold anything; only a level in one of its cells makes a row an entry."""
    match = _ROW.match(line)
    if match is None:
        return None
    with contextlib.suppress(csv.Error):
        cells = next(csv.reader([match[2]], delimiter=line[match.start(2) - 1]), [])
        for number, cell in enumerate(cells):
            if level := BY_WORD.get(cell.strip().lower()):
                text = " ".join(filter(None, cells[number + 1 :])) or line
                return Entry(match[1], _time(match[1], "iso"), level, text)
    return None


def _clock(line: str) -> Entry | None:
    """A time of day alone stands in chats and films too; only a level behind it makes it an entry."""
    match = _CLOCK.match(line)
    if match is None or find_level(match[2])[0] is Level.NONE:
        return None
    form = "iso" if "-" in match[1] else "%H:%M:%S" if match[1].count(":") > 1 else "%H:%M"
    return _entry(match[1], _time(match[1], form), match[2])


def _bare(line: str) -> Entry | None:
    match = _BARE.match(line)
    if match is None:
        return None
    level, end = find_level(line)
    if not level or end > match.end():
        return None
    text = line[end:].lstrip("])>|:,- \t")
    if ahead := _AHEAD.match(text):
        return Entry(ahead[1], _time(ahead[1], "iso"), level, ahead[2])
    return Entry("", None, level, text)


def _json(line: str, stamp: str | None = None) -> Entry | None:
    """A record as JSON; one that is wrapped needs no time of its own."""
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line)
        known: dict[str, object] = {} if stamp is None else {_TIME_KEYS[0]: stamp}
        return _structured(known | record) if isinstance(record, dict) else None
    except (ValueError, RecursionError):
        return None


def _logfmt(line: str) -> Entry | None:
    if "=" not in line[:40]:
        return None
    record: dict[str, object] = {
        key: value.strip('"').replace('\\"', '"') for key, value in _LOGFMT.findall(line[:_LINE_CHARS])
    }
    return _structured(record)


def _structured(record: dict[str, object]) -> Entry | None:
    fields = {key.lower(): value for key, value in record.items()}
    for key, value in record.items():
        if isinstance(value, dict):
            fields.update({f"{key}.{name}".lower(): inner for name, inner in value.items()})
            fields.pop(key.lower(), None)  # keys may differ by their letters' case alone
    stamp = next((fields[key] for key in _TIME_KEYS if isinstance(fields.get(key), (str, int, float))), None)
    named = next((level for key in _LEVEL_KEYS if (level := level_of(fields.get(key)))), Level.NONE)
    text = next((str(fields[key]) for key in _TEXT_KEYS if fields.get(key)), "")
    if not text and re.fullmatch(r"[1-5]\d\d", status := str(fields.get("status", ""))):  # of an access log
        text, named = f"{fields.get('request', fields.get('uri', ''))} → {status}", _level_of_status(int(status))
    if (stamp is None and named is Level.NONE) or not text:
        return None
    written = "" if stamp is None else str(stamp)
    is_number = re.fullmatch(r"\d{10,19}(\.\d+)?", written) is not None
    time = _time(written, "epoch" if is_number else _ACCESS_TIME if written[2:3] == "/" else "iso")
    # what names no level may wrap a line that does, as Docker does
    return Entry(written, time, named, text) if named else _entry(written, time, text.strip())


@lru_cache(maxsize=64)  # many lines are written in one second
def _time(stamp: str, form: str) -> datetime | None:
    """Parse a time; None where a date is impossible, which is the log's own mistake."""
    if not form:
        return None
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
            if seconds == math.inf:
                return None
            while seconds > 1e11:  # in thousandths, millionths or less
                seconds /= 1000
            return datetime.fromtimestamp(seconds, UTC)
        if form == "ctime":
            return datetime.strptime(re.sub(r"\.\d+", "", stamp), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        if "%Y" in form or "%y" in form:
            time = datetime.strptime(stamp.replace("-", " ") if form.startswith("%d %b") else stamp, form)
        else:
            time = datetime.strptime(f"1904 {re.sub(r'[.,][0-9]+$', '', stamp)}", f"%Y {form}")
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return None
