"""How bad a line of a log says that it is, whatever words its program has for it."""

import math
import re
from enum import IntEnum


class Level(IntEnum):
    """Levels of all logging systems, in one order."""

    NONE = 0
    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARNING = 4
    ERROR = 5
    FATAL = 6


_WORDS = {
    Level.TRACE: "trace trce finest finer verbose vrb",
    Level.DEBUG: "debug dbug dbg fine",
    Level.INFO: "info inf information notice config success",
    Level.WARNING: "warning warn wrn",
    Level.ERROR: "error err severe failure fail",
    Level.FATAL: "fatal ftl critical crit alert emerg emergency panic",
}
BY_WORD = {word: level for level, words in _WORDS.items() for word in words.split()}
_SEVERITIES = "0 1 2 3 4 5 6 7".split()  # of syslog, which the journal writes as text
BY_LETTER = {
    "V": Level.TRACE,
    "D": Level.DEBUG,
    "I": Level.INFO,
    "N": Level.INFO,
    "W": Level.WARNING,
    "E": Level.ERROR,
    "F": Level.FATAL,
    "C": Level.FATAL,
}

_ANY = "|".join(sorted(BY_WORD, key=len, reverse=True))
_SET_OFF = ("config", "fine", "inf", "fail")  # in capitals these say something else as well
_UPPER = "|".join(sorted((word.upper() for word in BY_WORD if word not in _SET_OFF), key=len, reverse=True))
# In capitals a level may stand alone, before a slash if a process follows; in small letters only where brackets or a
# colon set it off.
_LEVEL = re.compile(
    rf"(?<![\w/-])(?:(?P<upper>{_UPPER})(?:/[A-Z][A-Za-z]+(?:-\d+)?(?=\]))?(?![\w./=-])|(?:(?<=[\[<(:|])|(?<=^)|(?<=\s))(?P<lower>(?i:{_ANY}))(?=[\]>):|]|\s{{2,}}))"
)
# What PostgreSQL writes beside its levels. None of it tells of an error, though a statement may hold any word.
_ASIDE = re.compile(r"(?P<aside>LOG|DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION)(?=:\s)")
_LEVEL_OR_ASIDE = re.compile(rf"(?<![\w/-]){_ASIDE.pattern}|{_LEVEL.pattern}")
_LOOK_CHARS = 100
# Words of a line without a level that tell of an error, unless they deny it.
_TROUBLE = re.compile(
    r"(?<![\w-])(?i:error|errors|failed|failure|fatal|exception|panic|segfault|oom-killer|core dumped)(?![\w=-])"
    r"|[a-z](?:Error|Exception)\b"  # names of classes: “liberror” is none
)
# A zero in front of one, or of “failed”, may number what failed, as in “worker 0 failed”.
_NO_TROUBLE = re.compile(
    r"\b(?:no|without)(?: any)? (?:errors?|failures?|exceptions?|failed)\b|\bnot an? (?:error|failure|exception)\b"
    r"|(?<![\w.])(?:0|zero) (?:errors|failures|exceptions)\b"
    r"|(?:^|[,;(\[|]\s*|: +|\b(?:and|with|passed) )(?:0|zero) (?:error|failure|exception|failed)\b"
    r"|\b(?:errors?|failures?|exceptions?|failed)\s*[:=]\s*0\b(?!\.\d)",
    re.IGNORECASE,
)


def find_level(text: str, *, is_behind_time: bool = False) -> tuple[Level, int]:
    """The level named at the start of a text, and where what follows it begins; 0 where there is none."""
    has_aside = is_behind_time and _ASIDE.search(text, 0, _LOOK_CHARS)  # few lines have, and that is soon seen
    match = (_LEVEL_OR_ASIDE if has_aside else _LEVEL).search(text, 0, _LOOK_CHARS)
    if match is None:
        return Level.NONE, 0
    level = Level.INFO if match.lastgroup == "aside" else BY_WORD[match[match.lastgroup or 0].lower()]
    return level, match.end()


def guess_level(message: str) -> Level:
    """The level of a line that names none: error if its words tell of one besides what they deny."""
    if _TROUBLE.search(message) and _TROUBLE.search(_NO_TROUBLE.sub(" ", message)):
        return Level.ERROR
    return Level.NONE


def level_of(value: object) -> Level:
    """The level in a field of a structured log: a word, a number of syslog or of the Node loggers."""
    if isinstance(value, bool) or value is None or (isinstance(value, float) and not math.isfinite(value)):
        return Level.NONE
    if isinstance(value, (int, float)):
        steps = ((60, Level.FATAL), (50, Level.ERROR), (40, Level.WARNING), (30, Level.INFO), (20, Level.DEBUG))
        return next((level for least, level in steps if value >= least), level_of_severity(int(value)))
    word = str(value).strip()
    if word in _SEVERITIES:
        return level_of_severity(int(word))
    return BY_WORD.get(word.lower()) or BY_LETTER.get(word, Level.NONE)


def level_of_severity(number: int) -> Level:
    """The level of a syslog severity, 0 to 7."""
    order = (*(3 * (Level.FATAL,)), Level.ERROR, Level.WARNING, Level.INFO, Level.INFO, Level.DEBUG)
    return order[number] if 0 <= number < len(order) else Level.NONE


def level_of_status(status: int) -> Level:
    """The level of a status of HTTP."""
    return Level.ERROR if status >= 500 else Level.WARNING if status >= 400 else Level.INFO
