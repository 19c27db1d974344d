"""What a signal becomes while a command runs; known before anything else is imported."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


class Terminated(BaseException):
    """A polite request to end; carries the exit code, 128 plus the number of the signal.

    Args:
        signal_number: which one came.
        hint: how to go on, where what was done until now is kept.
    """

    def __init__(self, signal_number: int, hint: str = "") -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number
        self.hint = hint


class Interrupted(KeyboardInterrupt):
    """Ctrl-C.

    A class of its own, because Python remembers when a plain KeyboardInterrupt passes through `exec`, as it may while
    libraries are being imported, and then ends the process by the signal although the exception was caught.

    Args:
        hint: how to go on, where what was done until now is kept.
    """

    def __init__(self, hint: str = "") -> None:
        super().__init__()
        self.hint = hint


def stopping(end: "KeyboardInterrupt | Terminated") -> tuple[str, str, int]:
    """What to say of an end by a signal: what it was, how to go on, and the exit code."""
    if isinstance(end, Terminated):
        return "stopped by a signal", end.hint, end.exit_code
    return "stopped by Ctrl-C", getattr(end, "hint", ""), INTERRUPTED


@contextmanager
def held_back() -> Iterator[None]:
    """Let a signal that comes inside this act at its end; a second one acts at once.

    For imports of large libraries. An exception that is raised in the middle of one may end up in a callback from C,
    where it is lost or ends the process by another signal, or leave half a library for whoever imports it next.
    """
    handlers = {number: signal.getsignal(number) for number in ending_numbers()}
    ours = {number: handler for number, handler in handlers.items() if callable(handler)}
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if noted:
            ours[number](number, frame)
        noted.append(number)

    for number in ours:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        if noted:
            ours[noted[0]](noted[0], None)


def ending_numbers() -> list[int]:
    """Of the signals that end a command; none outside the main thread, which alone gets them."""
    import threading  # seldom needed, and --version must stay fast

    if threading.current_thread() is not threading.main_thread():
        return []
    return [int(getattr(signal, name)) for name in _ENDING if hasattr(signal, name)]  # Windows has no SIGHUP
