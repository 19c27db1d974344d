"""Lines of programs that write like no other: the kernel's audit, Windows, glog, Ruby, Android and Redis."""

import re

from infinipot_cli.logs.entry import Entry, Way
from infinipot_cli.logs.level import BY_LETTER, BY_WORD, Level, guess_level
from infinipot_cli.logs.times import MONTH, parse_time

_AUDIT = re.compile(r"(?:node=\S+ )?type=(\w+) msg=audit\((\d{10}\.\d{3}):\d+\): ?(.*)")
_AUDIT_CRASHES = ("ANOM_ABEND", "SECCOMP")
_REFUSED = re.compile(r"\b(?:success=no|res=(?:failed|0)\b|avc:\s+denied)|apparmor=.DENIED")
# As the event viewer of Windows exports them, with commas or tabs.
_EVENT = re.compile(
    r'"?(Critical|Error|Warning|Information|Verbose)"?([,\t])"?(\d[\d/.-]{7,9} \d\d?:\d\d:\d\d(?: [AP]M)?)"?\2(.+)'
)
_GLOG = re.compile(r"([DIWEFC])((?:\d{4})?\d{4} \d\d:\d\d:\d\d\.\d+)\s+\d+ (\S+:\d+\].*)")
_RUBY = re.compile(r"([DIWEF]), \[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?) #\d+\] +[A-Z]+ -- [^:]*: (.*)")
_ANDROID = re.compile(r"(\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\s+\d+\s+\d+ ([VDIWEF]) (.*)")
_ANDROID_TIME = "%m-%d %H:%M:%S"
# The same in its shorter forms, brief and with the time.
_ANDROID_BRIEF = re.compile(r"(?:(\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\s+)?([VDIWEF])/(.{1,80}?)\s*\(\s*\d+\): (.*)")
_REDIS = re.compile(rf"\d+:[A-Z] (\d\d {MONTH} \d{{4}} \d\d:\d\d:\d\d)\.\d+ ([.*#-]) (.*)")
_REDIS_LEVELS = {".": Level.DEBUG, "-": Level.DEBUG, "*": Level.INFO, "#": Level.WARNING}


def _audit(line: str) -> Entry | None:
    """The kernel's audit has no levels: what was refused is a warning, and a crash an error."""
    match = _AUDIT.match(line)
    if match is None:
        return None
    refused = Level.WARNING if _REFUSED.search(match[3]) else Level.NONE
    level = Level.ERROR if match[1] in _AUDIT_CRASHES else refused
    return Entry(match[2], parse_time(match[2], "epoch"), level, f"{match[1]} {match[3]}", is_guess=True)


def _event(line: str) -> Entry | None:
    match = _EVENT.match(line)
    if match is None:
        return None
    form = "iso" if match[3][4] == "-" else "%m/%d/%Y %I:%M:%S %p" if match[3].endswith("M") else ""
    level = Level.DEBUG if match[1] == "Verbose" else BY_WORD[match[1].lower()]
    source_number_kind = 3  # columns in front of what it says
    return Entry(match[3], parse_time(match[3], form), level, match[4].replace(match[2], " ", source_number_kind))


def _glog(line: str) -> Entry | None:
    match = _GLOG.match(line)
    if match is None:
        return None
    form = "%m%d %H:%M:%S" if match[2].index(" ") == 4 else "%Y%m%d %H:%M:%S.%f"
    return Entry(match[2], parse_time(match[2], form), BY_LETTER[match[1]], match[3])


def _ruby(line: str) -> Entry | None:
    match = _RUBY.match(line)
    return Entry(match[2], parse_time(match[2], "iso"), BY_LETTER[match[1]], match[3]) if match else None


def _android(line: str) -> Entry | None:
    match = _ANDROID.match(line)
    return Entry(match[1], parse_time(match[1], _ANDROID_TIME), BY_LETTER[match[2]], match[3]) if match else None


def _android_brief(line: str) -> Entry | None:
    match = _ANDROID_BRIEF.match(line)
    if match is None:
        return None
    stamp = match[1] or ""
    return Entry(stamp, parse_time(stamp, _ANDROID_TIME), BY_LETTER[match[2]], f"{match[3]}: {match[4]}")


def _redis(line: str) -> Entry | None:
    """Redis has no level for errors, so that words have to tell."""
    match = _REDIS.match(line)
    if match is None:
        return None
    level = max(_REDIS_LEVELS[match[2]], guess_level(match[3]))
    return Entry(match[1], parse_time(match[1], "%d %b %Y %H:%M:%S"), level, match[3])


WAYS: tuple[Way, ...] = (_audit, _event, _glog, _ruby, _android, _android_brief, _redis)
