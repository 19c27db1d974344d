"""Deadlines: they interrupt, they leave other alarms alone, and they do nothing outside the main thread."""

import contextlib
import signal
import threading
import time

import pytest

from infinipot_cli.documents.time_limit import TimeLimitReached, time_limit

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")


def test_code_that_catches_every_exception_is_still_interrupted() -> None:
    began = time.monotonic()

    def stubborn() -> None:
        while time.monotonic() - began < 5:
            with contextlib.suppress(Exception):
                time.sleep(0.01)

    with pytest.raises(TimeLimitReached), time_limit(0.1):
        stubborn()
    assert time.monotonic() - began < 1


def test_an_alarm_set_before_is_put_back() -> None:
    rung: list[int] = []
    old = signal.signal(signal.SIGALRM, lambda signum, frame: rung.append(signum))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with time_limit(5):
            pass
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.2
        time.sleep(0.3)
        assert rung == [signal.SIGALRM]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def test_nothing_rings_after_the_block() -> None:
    with time_limit(0.05):
        pass
    time.sleep(0.1)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_other_threads_run_without_a_limit() -> None:
    done: list[bool] = []

    def work() -> None:
        with time_limit(0.01):
            time.sleep(0.05)
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
