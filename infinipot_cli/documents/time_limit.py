"""A deadline for code of others that may run for minutes on hostile input."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_RING_AGAIN_SECONDS = 0.1


class TimeLimitReached(BaseException):
    """The deadline passed. No Exception, so the code it interrupts does not take it for one of its own."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitReached inside the block once `seconds` have passed.

    Works by SIGALRM, so only in the main thread of a POSIX process; elsewhere the block runs without a limit.
    An alarm that was set before is put back with what is left of it.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    is_over = False

    def ring(signum: int, frame: FrameType | None) -> None:
        if not is_over:
            raise TimeLimitReached

    began = time.monotonic()
    old_handler = signal.signal(signal.SIGALRM, ring)
    # rings again and again: an exception raised inside a destructor or a collector's callback is swallowed
    old_delay, old_interval = signal.setitimer(signal.ITIMER_REAL, seconds, _RING_AGAIN_SECONDS)
    try:
        try:
            yield
        finally:
            is_over = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, old_handler if old_handler is not None else signal.SIG_DFL)
        if old_delay:
            left = max(old_delay - (time.monotonic() - began), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, old_interval)
