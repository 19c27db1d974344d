"""Entries whose fields have names, JSON and logfmt, and what stands behind a time: words, or such a record."""

import json
import re
from dataclasses import replace
from datetime import datetime

from infinipot_cli.logs.entry import Entry
from infinipot_cli.logs.level import Level, find_level, guess_level, level_of, level_of_status
from infinipot_cli.logs.times import REQUEST, parse_time

LINE_CHARS = 4096  # only the beginning of a line says what it is
_LOGFMT = re.compile(r'([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|\S*)')
# What containerd puts in front of each line, behind the time.
_STREAM = re.compile(r"std(?:out|err) [FP] ")
_WRAPPED = ("{", "std")  # how what wraps a record goes on

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


def entry_behind(stamp: str, time: datetime | None, rest: str, level: Level = Level.NONE) -> Entry:
    """The entry of a line whose time stands in front.

    Args:
        stamp: the time as it is written.
        time: the same, None if it cannot be told.
        rest: what stands behind the time.
        level: what the line says of its level in front of the time; a level in the rest goes before it.
    """
    if rest.startswith(_WRAPPED) and (inner := _inner(stamp, rest)):
        return replace(inner, stamp=stamp, time=time) if stamp else inner
    found, end = find_level(rest, is_behind_time=True)
    if found is not Level.NONE:
        # what stands in front of a level, such as a thread or a host, says little
        message = (rest[end:] if end <= 60 else rest).lstrip("])>|:,- \t")
        return Entry(stamp, time, found, message or rest)
    if level is not Level.NONE:
        return Entry(stamp, time, level, rest)
    guessed = guess_level(rest)
    return Entry(stamp, time, guessed, rest, is_guess=guessed is not Level.NONE)


def read_json(line: str, stamp: str | None = None) -> Entry | None:
    """A record as JSON; one that is wrapped needs no time of its own."""
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line)
        known: dict[str, object] = {} if stamp is None else {_TIME_KEYS[0]: stamp}
        return _structured(known | record) if isinstance(record, dict) else None
    except (ValueError, RecursionError):
        return None


def read_logfmt(line: str) -> Entry | None:
    """A record as `key=value` pairs."""
    if "=" not in line[:40]:
        return None
    record: dict[str, object] = {
        key: value.strip('"').replace('\\"', '"') for key, value in _LOGFMT.findall(line[:LINE_CHARS])
    }
    return _structured(record)


def _inner(stamp: str, rest: str) -> Entry | None:
    """The record that stands behind a time, as where a container's own log wraps that of its program."""
    match = _STREAM.match(rest)
    return read_json(rest[match.end() :] if match else rest, stamp)


def _structured(record: dict[str, object]) -> Entry | None:
    fields = _flat(record)
    stamp = next((fields[key] for key in _TIME_KEYS if isinstance(fields.get(key), (str, int, float))), None)
    named = next((level for key in _LEVEL_KEYS if (level := level_of(fields.get(key)))), Level.NONE)
    text = next((str(fields[key]) for key in _TEXT_KEYS if fields.get(key)), "")
    if not text and re.fullmatch(r"[1-5]\d\d", status := str(fields.get("status", ""))):  # of an access log
        text, named = f"{fields.get('request', fields.get('uri', ''))} → {status}", level_of_status(int(status))
    if (stamp is None and named is Level.NONE) or not text:
        return None
    written = "" if stamp is None else str(stamp)
    is_number = re.fullmatch(r"\d{10,19}(\.\d+)?", written) is not None
    time = parse_time(written, "epoch" if is_number else REQUEST if written[2:3] == "/" else "iso")
    # what names no level may wrap a line that does, as Docker does
    return Entry(written, time, named, text) if named else entry_behind(written, time, text.strip())


def _flat(record: dict[str, object]) -> dict[str, object]:
    """Fields by their keys in small letters, those of an object inside as `outer.inner`."""
    fields = {key.lower(): value for key, value in record.items()}
    for key, value in record.items():
        if isinstance(value, dict):
            fields.update({f"{key}.{name}".lower(): inner for name, inner in value.items()})
            fields.pop(key.lower(), None)  # keys may differ by their letters' case alone
    return fields
