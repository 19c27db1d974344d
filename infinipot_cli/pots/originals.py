"""The files that stored pots were read from, and whether they are still as they were."""

import contextlib
import os
from typing import Literal

from infinipot_cli.pots.header import StoredSource

Fate = Literal["unchanged", "changed", "gone", "unknown"]


def state_of(path: str) -> tuple[int, int] | None:
    """Size in bytes and time of the last change, in nanoseconds, of a regular file; None where there is none."""
    with contextlib.suppress(OSError, ValueError):
        state = os.stat(path)
        if os.path.isfile(path) and state.st_size:  # proc files say 0 whatever they hold
            return state.st_size, state.st_mtime_ns
    return None


def fate_of(source: StoredSource) -> Fate:
    """What has become of the file since it was read; unknown of what came through a pipe."""
    if not source.path:
        return "unknown"
    now = state_of(source.path)
    if now is None:
        return "gone"
    return "unchanged" if now == (source.size, source.modified) else "changed"


def fate_of_all(sources: tuple[StoredSource, ...]) -> Fate:
    """The worst of them, a changed file before one that is gone."""
    fates = [fate_of(source) for source in sources]
    order: tuple[Fate, ...] = ("changed", "gone", "unknown")
    return next((fate for fate in order if fate in fates), "unchanged")
