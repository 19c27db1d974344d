"""The lines around an answer: what is about to be read, and honestly how much of it was kept."""

import math
from collections.abc import Iterable

_MOST_NAMES = 3


def kept_line(n_tokens: int, capacity: int, share: float) -> str:
    """The line that says what the pot could hold of the document.

    Args:
        n_tokens: document tokens read.
        capacity: places of the pot.
        share: part of the tokens that was still in the pot when the question came, 0 to 1.
    """
    return f"read {grouped(n_tokens)} tokens into {grouped(capacity)} places; {percent(share)} kept"


def counted_line(names: str, n: int) -> str:
    """What is done with logs of which only the digest is shown.

    Args:
        names: of the logs.
        n: how many they are.
    """
    lines = "is a log: its lines are" if n == 1 else "are logs: their lines are"
    return f"{names} {lines} counted; no model reads them without --write"


def few_of(documents: Iterable[str]) -> str:
    """Names of documents, a few at most, each once."""
    names = list(dict.fromkeys(documents))
    if len(names) > _MOST_NAMES:
        return f"{names[0]} and {len(names) - 1} more documents"
    return ", ".join(names)


def larger_model_line(cached: str) -> str:
    """How to use more than the embedded model, which nobody asked for by name.

    Args:
        cached: a model of the Hugging Face cache; empty where that has none to use.
    """
    if cached:
        return f"pocket is the small built-in model · larger, from your cache: -m {cached}"
    larger = "Qwen/Qwen3-0.6B"
    return f"pocket is the small built-in model · larger: infinipot models pull {larger} (1.5 GB), then -m {larger}"


def percent(share: float) -> str:
    """A share as a percentage that never looks better than it is: two figures, rounded down."""
    hundredths = 100 * share
    digits = 0 if hundredths <= 0 else max(0, min(6, 1 - math.floor(math.log10(hundredths))))
    text = f"{math.floor(hundredths * 10**digits + 1e-9) / 10**digits:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def size(n_bytes: int) -> str:
    """Bytes for people."""
    amount = float(n_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"


def grouped(number: int) -> str:
    """A number for people: from five figures on in groups of three."""
    return f"{number:,}" if abs(number) >= 10_000 else str(number)


def counted(number: int, what: str) -> str:
    """A number of things, one of which has no s."""
    return f"{grouped(number)} {what}{'' if number == 1 else 's'}"


def age(seconds: float) -> str:
    """How long ago something was; unlike minutes and seconds it is not taken for a time of day."""
    for unit, length, most in (("s", 1, 60), ("min", 60, 60), ("h", 3600, 48)):
        if seconds < most * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds // 86_400:.0f} days ago"


def roughly(seconds: float) -> str:
    """An estimate of seconds for people, without digits that nobody can know."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    step = 10 if seconds < 600 else 60 if seconds < 6_000 else 600
    return duration(step * round(seconds / step))


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
