"""A signal while a document is being read: the first ends the document where it is, the second ends the program.

Tokens stop coming, so the model finishes the pass it is in and the pot is whole: what was read can be asked, or saved.
Behind Ctrl-C there may be an answer to that; whoever sends SIGTERM or SIGHUP waits for the end.
"""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from infinipot_cli.endings import Interrupted, Terminated, ending_numbers

T = TypeVar("T")


class Stop:
    """A wish to end a reading early.

    Attributes:
        is_wanted: whether somebody wished so.
        is_heard: whether tokens are passing by here, so that a wish can be granted.
    """

    def __init__(self) -> None:
        self.is_wanted = False
        self.is_heard = False
        self._signal = signal.SIGINT
        self._is_waiting = self._is_put_off = False

    @property
    def ends_all(self) -> bool:
        """Whether nothing but what keeps the reading may come behind it."""
        return self._signal != signal.SIGINT

    def end(self, hint: str = "") -> Interrupted | Terminated:
        """The wish as the end of the program.

        Args:
            hint: how to go on, where what was read is kept.
        """
        return Terminated(self._signal, hint) if self.ends_all else Interrupted(hint)

    def put_off(self) -> None:
        """Let a wish that came early wait for the end of the next tokens, which are all that there will be."""
        self.is_wanted, self._is_put_off = False, True

    def guard(self, tokens: Iterable[T]) -> Iterator[T]:
        """Pass tokens or pieces of text on until the wish comes; one that comes in a wait ends the wait."""
        source = iter(tokens)
        self.is_heard = True
        try:
            while not self.is_wanted:
                try:
                    self._is_waiting = True
                    token = next(source, None)
                    self._is_waiting = False
                except _Awake:
                    return
                if token is None:
                    self.is_wanted = self.is_wanted or self._is_put_off
                    return
                yield token
        finally:
            self._is_waiting = False

    def in_wait(self, do: Callable[[], None]) -> None:
        """Do something in the midst of a wait, if there is one; a wish that comes meanwhile ends the wait behind it."""
        if not self._is_waiting:
            return
        self._is_waiting = False
        do()
        self._is_waiting = True
        if self.is_wanted:
            raise _Awake

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        """Take a signal as the wish, once; before the first token, and from the second on, it is what it was.

        One that is ignored, as whoever started us wants it, stays so.
        """
        handlers = {number: signal.getsignal(number) for number in ending_numbers()}
        ours = {number: handler for number, handler in handlers.items() if callable(handler)}

        def wish(number: int, frame: FrameType | None) -> None:
            if self.is_wanted or not self.is_heard:
                ours[number](number, frame)
                return
            self._signal, self.is_wanted = signal.Signals(number), True
            if self._is_waiting:
                raise _Awake

        for number in ours:
            signal.signal(number, wish)
        try:
            yield
        finally:
            self.is_heard = False
            for number, handler in ours.items():
                signal.signal(number, handler)


class _Awake(BaseException):
    """Ends the wait for a token; no part of a document takes it for a mistake of its own."""
