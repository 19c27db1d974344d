"""Tokens of a stream that wait for the question: only its two ends, however long it is."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Withheld:
    """Token ids that were not read yet: the first and the last of a stream, as many of each as the pot has places.

    Attributes:
        head: the first.
        tail: the last of those behind them.
        n: tokens of the stream.
    """

    head: list[int] = field(default_factory=list)
    tail: deque[int] = field(default_factory=deque)
    n: int = 0

    def add(self, ids: Iterable[int], capacity: int) -> None:
        """Take in more of the stream."""
        for token in ids:
            if len(self.head) < capacity:
                self.head.append(token)
            else:
                self.tail.append(token)
                if len(self.tail) > capacity:
                    self.tail.popleft()
            self.n += 1

    def ends(self, room: int) -> tuple[list[int], list[int]]:
        """All of it if there is room, else half from the beginning and half from the end."""
        known = [*self.head, *self.tail]
        if self.n <= room:
            return known, []
        half = room // 2
        return known[:half], known[len(known) - half :]
