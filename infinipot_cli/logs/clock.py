"""The clock of a log: when it begins and ends, how long that is, and its longest silence."""

from datetime import datetime, timedelta

from infinipot_cli.logs.times import NO_YEAR

_MOST_DELAY = timedelta(minutes=10)  # of a line behind later ones, as threads and containers write them
_YEAR = timedelta(days=366)  # that of `NO_YEAR`
_MOST_BACK = timedelta(days=180)  # a time without year that is farther back is one of the next year
_MOST_YEARS = 99  # that a log without years goes on


class Clock:
    """Follows the times of entries.

    Once time has run back by more than some minutes, the log is not in the order of its times, as where several were
    put behind one another, and nothing is said of how long it took.

    Attributes:
        first_stamp: the time of the first entry that has one, as the log writes it.
        last_stamp: that of the last one.
    """

    def __init__(self) -> None:
        self.first_stamp = self.last_stamp = ""
        self._earliest: datetime | None = None
        self._latest: datetime | None = None
        self._silence: tuple[timedelta, int] = (timedelta(), 0)
        self._has_years = self._is_in_order = True

    @property
    def span(self) -> timedelta | None:
        """Time between the earliest and the latest entry; None if it cannot be told."""
        if self._earliest is None or self._latest is None or not self._is_in_order:
            return None
        return self._latest - self._earliest

    @property
    def silence(self) -> tuple[timedelta, int]:
        """The longest time without an entry, and the line that ended it; none where the span cannot be told."""
        return self._silence if self._is_in_order else (timedelta(), 0)

    def note(self, stamp: str, time: datetime | None, line: int) -> None:
        """An entry, its time as it is written and as a moment."""
        if not stamp:
            return
        self.first_stamp = self.first_stamp or stamp
        self.last_stamp = stamp
        if time is None or not self._is_in_order:
            return
        if self._earliest is None or self._latest is None:
            self._earliest = self._latest = time
            self._has_years = time.year != NO_YEAR
        elif self._has_years == (time.year != NO_YEAR):
            time = time if self._has_years else _in_its_year(time, self._latest)
            self._earliest = min(self._earliest, time)
            self._go_on(time, self._latest, line)
        else:  # of two logs in one
            self._is_in_order = False

    def _go_on(self, time: datetime, latest: datetime, line: int) -> None:
        self._is_in_order = latest - time <= _MOST_DELAY
        if time - latest > self._silence[0]:
            self._silence = (time - latest, line)
        self._latest = max(latest, time)


def _in_its_year(time: datetime, latest: datetime) -> datetime:
    """A time without year in the year that the latest time tells: over New Year's Eve time goes on."""
    return time + min((latest - time + _YEAR - _MOST_BACK) // _YEAR, _MOST_YEARS) * _YEAR
