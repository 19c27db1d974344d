"""The digest of a log as lines for people and as a record for programs."""

from datetime import timedelta

from infinipot_cli.display.safe import safe_line
from infinipot_cli.display.summary import counted, grouped
from infinipot_cli.logs import Digest, Level, Mark, Repeated

_LONG_SILENCE = timedelta(minutes=1)


def digest_lines(digest: Digest, name: str = "") -> list[str]:
    """What a log says of itself.

    Args:
        digest: of a whole log.
        name: of the log, where it is one of several.
    """
    about = f"Log {name}:" if name else "Log:"
    when = f", {digest.first_stamp} to {digest.last_stamp}" if digest.first_stamp else ""
    span = f" ({_clock(digest.span)})" if digest.span is not None else ""
    lines = [f"{about} {counted(digest.n_lines, 'line')}{when}{span}"]
    by_level = [(level, digest.levels[level]) for level in reversed(Level) if digest.levels[level]]
    if digest.has_levels:
        named = ", ".join(f"{_level(level)} {grouped(n)}" for level, n in by_level)
        lines.append(f"Levels: {named}")
    else:
        lines.append(f"No levels in it; {counted(digest.n_errors, 'line')} {_verb(digest.n_errors)} of an error")
    if digest.first_error is not None and digest.last_error is not None:
        lines.append(f"First error: {_mark(digest.first_error)}")
        if digest.last_error.line != digest.first_error.line:
            lines.append(f"Last error:  {_mark(digest.last_error)}")
    elif digest.first_warning is not None:
        lines.append(f"No errors; first warning: {_mark(digest.first_warning)}")
    else:
        lines.append("No errors")
    if digest.n_errors > 2:
        lines += _listed("Most frequent errors:", digest.frequent_errors())
    lines += _listed("Said most often:", digest.frequent_messages())
    gap, line = digest.silence
    if gap >= _LONG_SILENCE and digest.span is not None:
        lines.append(f"Longest silence: {_clock(gap)} before line {line}")
    return [safe_line(text) for text in lines]


def digest_record(digest: Digest) -> dict[str, object]:
    """The same for JSON."""
    gap, line = digest.silence
    return {
        "lines": digest.n_lines,
        "entries": digest.n_entries,
        "has_levels": digest.has_levels,
        "levels": {_level(level): digest.levels[level] for level in reversed(Level) if digest.levels[level]},
        "first_time": digest.first_stamp,
        "last_time": digest.last_stamp,
        "span_s": digest.span.total_seconds() if digest.span is not None else None,
        "errors": digest.n_errors,
        "first_error": _mark_record(digest.first_error),
        "last_error": _mark_record(digest.last_error),
        "frequent_errors": [_repeated_record(repeated) for repeated in digest.frequent_errors()],
        "frequent_messages": [_repeated_record(repeated) for repeated in digest.frequent_messages()],
        "longest_silence": {"seconds": gap.total_seconds(), "before_line": line} if gap else None,
    }


def _level(level: Level) -> str:
    return "unlabelled" if level is Level.NONE else level.name.lower()


def _verb(n: int) -> str:
    return "speaks" if n == 1 else "speak"


def _mark(mark: Mark) -> str:
    when = f" at {mark.stamp}" if mark.stamp else ""
    return f"line {mark.line}{when}: {mark.message}"


def _listed(heading: str, listed: list[Repeated]) -> list[str]:
    if not listed:
        return []
    width = max(len(_count(repeated)) for repeated in listed)
    return [heading, *(f"  {_count(repeated):>{width}} × {repeated.message}{_where(repeated)}" for repeated in listed)]


def _count(repeated: Repeated) -> str:
    return f"{'' if repeated.is_exact else '≥ '}{grouped(repeated.n)}"


def _where(repeated: Repeated) -> str:
    if repeated.n == 1:
        return f"  (line {repeated.first})"
    return f"  (lines {repeated.first} to {repeated.last})"


def _clock(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    days, seconds = divmod(seconds, 86400)
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{days} d {clock}" if days else clock


def _mark_record(mark: Mark | None) -> dict[str, object] | None:
    if mark is None:
        return None
    return {"line": mark.line, "time": mark.stamp, "level": _level(mark.level), "message": mark.message}


def _repeated_record(repeated: Repeated) -> dict[str, object]:
    return {
        "message": repeated.message,
        "count": repeated.n,
        "is_exact": repeated.is_exact,
        "first_line": repeated.first,
        "last_line": repeated.last,
    }
