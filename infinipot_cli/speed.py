"""How fast a model last read on this machine; what `infinipot info` estimates from. Losing it loses nothing."""

import contextlib
import json
from pathlib import Path

from infinipot_cli.places import cache_folder

# Fewer tokens than this say more about start-up than about reading.
ENOUGH_TOKENS = 2000


def remember_speed(model: str, capacity: int, n_tokens: int, seconds: float) -> None:
    """Write down a reading; quietly nothing if it was too short or the place cannot be written."""
    if n_tokens < ENOUGH_TOKENS or seconds <= 0:
        return
    speeds = {**_speeds(), _key(model, capacity): round(n_tokens / seconds, 1)}
    path = _path()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(speeds), encoding="utf-8")
        temporary.replace(path)


def last_speed(model: str, capacity: int) -> float | None:
    """Tokens a second of the last reading of any length with this model and pot."""
    return _speeds().get(_key(model, capacity))


def _path() -> Path:
    return cache_folder() / "speed.json"


def _key(model: str, capacity: int) -> str:
    return f"{model} {capacity}"


def _speeds() -> dict[str, float]:
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(key): float(value) for key, value in found.items() if isinstance(value, (int, float)) and value > 0}
