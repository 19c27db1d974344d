"""Lines of a trace: what begins it, what joins two of them, and the exception that it tells of."""

import re

TRACEBACK = "Traceback (most recent call last):"
CAUSE = "Caused by: "
# Between two tracebacks of one error.
CHAINED = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_PYTHON_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:: .*)?$")  # what ends a traceback, whatever it is called
_EXCEPTION = re.compile(
    r"(?:Caused by: |Exception in thread [^ ]+ |panic: )?[A-Za-z_][\w.$]*(?:Error|Exception|Exit|Interrupt)\b.*"
)


def exception_in(line: str, *, is_traced: bool) -> str:
    """The exception that a line names, empty if none; behind a traceback it may have any name."""
    match = _EXCEPTION.match(line) or (_PYTHON_EXCEPTION.match(line) if is_traced else None)
    return match[0] if match else ""


def goes_on(line: str, *, is_behind: bool, is_traced: bool) -> bool:
    """Whether a line that begins no entry goes on with one.

    Args:
        line: not blank.
        is_behind: whether the line above is an entry, or goes on with one. Only there do indented lines, which any text
            may have.
        is_traced: whether a traceback has begun since the last entry.
    """
    if line == TRACEBACK or line in CHAINED or line.startswith(CAUSE):
        return True
    indented = line.startswith((" ", "\t"))
    return (is_behind and indented) or bool(exception_in(line, is_traced=is_behind and is_traced))
